"""From the weights of the tokens to an entry for each word or token, with its span in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np


if TYPE_CHECKING:
    # Not run: the command line shades words, and its help should not wait for the tokenizers.
    from .text_inputs import EncodedText


_SPACE = re.compile(r"\s")

LEVELS = ("word", "token")
# As many shades can be told apart.
SHADES = 5
# Below this share of the largest weight of its text, a word is not shaded.
NOISE = 0.1


def attention_entries(
    text: str | Sequence[str], encoded: EncodedText, weights: np.ndarray, level: str, per_head: bool
) -> list[dict[str, Any]]:
    """The attention on each word or token of a text, or of several that were read together.

    Args:
        text: The original text or texts.
        encoded: What the model read.
        weights: (heads, tokens), over all tokens that the model read.
        level: `"word"` or `"token"`.
        per_head: Whether to add `head_weights`.

    Returns:
        A list of `{"text", "start", "end", "weight"}` in reading order; of several texts, each entry also has
        `text_index`, which of them it is a part of, and the weights of all together sum to 1.
    """
    parts = encoded.parts or (encoded.own_tokens,)
    own = weights[:, parts[0]] if len(parts) == 1 else np.concatenate([weights[:, part] for part in parts], axis=1)
    entries = []
    for index, part in enumerate(weighted_parts(text, encoded, shared_out(own), level)):
        place = {"text_index": index} if encoded.parts else {}
        found: list[dict[str, Any]] = [
            {"text": word, "start": start, "end": end, "weight": weight, **place}
            for word, (start, end), weight in zip(part.words, part.spans, part.weights.mean(0).tolist())
        ]
        if per_head:
            for entry, head_weights in zip(found, part.weights.T.tolist()):
                entry["head_weights"] = head_weights
        entries += found
    return entries


class WeightedPart(NamedTuple):
    """The words or tokens of a text, in reading order.

    Attributes:
        words: As they stand in the text.
        spans: Start and end of each.
        weights: (heads, words).
    """

    words: Sequence[str]
    spans: Sequence[tuple[int, int]]
    weights: np.ndarray


def weighted_parts(
    text: str | Sequence[str], encoded: EncodedText, weights: np.ndarray, level: str
) -> Iterator[WeightedPart]:
    """A text, or each of several that were read together, with the weights of its words or tokens.

    Args:
        text, encoded, level: As for [`attention_entries`].
        weights: (heads, tokens), over the tokens that come from the texts.
    """
    if not encoded.parts:
        yield _part(text, encoded, encoded.own_tokens, weights, level)
        return
    start = 0
    for own_text, part in zip(text, encoded.parts):
        end = start + part.stop - part.start
        yield _part(own_text, encoded, part, weights[:, start:end], level)
        start = end


def entries_on(attention: Sequence[Mapping[str, Any]], index: int) -> list[Mapping[str, Any]]:
    """The entries on one of the texts that were read together; of a single text, index 0, all of them."""
    return [entry for entry in attention if entry.get("text_index", 0) == index]


def strength(weight: float, highest: float) -> int:
    """How strongly a weight is shown beside the largest one, from -5 to 5.

    Example:

    ```python
    >>> [strength(weight, highest=2.0) for weight in (2.0, 1.0, 0.1, -0.5)]
    [5, 3, 0, -2]
    ```
    """
    share = abs(weight) / highest if highest > 0 else 0.0
    if share < NOISE:
        return 0
    shade = 1 + min(int(share * SHADES), SHADES - 1)
    return shade if weight > 0 else -shade


def shared_out(weights: np.ndarray) -> np.ndarray:
    """Weights that sum to 1: what lies on special tokens is shared out among the others."""
    total = weights.sum(1, keepdims=True)
    even = np.full_like(weights, 1 / max(weights.shape[1], 1))
    return np.divide(weights, total, out=even, where=total != 0)


def _part(text: str, encoded: EncodedText, own: slice, weights: np.ndarray, level: str) -> WeightedPart:
    """One text, whose tokens and their weights are given."""
    spans = encoded.spans[own]
    if level == "word" and spans:
        firsts = _first_tokens(encoded.word_ids[own])
        if len(firsts) < len(spans):
            lasts = [*(first - 1 for first in firsts[1:]), len(spans) - 1]
            spans = [(spans[first][0], spans[last][1]) for first, last in zip(firsts, lasts)]
            weights = np.add.reduceat(weights, firsts, axis=1)
    words = [text[start:end] for start, end in spans]
    # Looked for in all of them at once, because few tokenizers have such words.
    if _SPACE.search("".join(words)):
        # Some tokenizers count the space before a word as a part of it.
        words = [word.lstrip() or word for word in words]
        spans = [(end - len(word), end) for word, (_, end) in zip(words, spans)]
    return WeightedPart(words, spans, weights)


def _first_tokens(words: list[int | None]) -> list[int]:
    """Positions where a new word begins."""
    ids = np.array(words)
    return [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist()]
