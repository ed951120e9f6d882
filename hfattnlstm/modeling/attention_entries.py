"""From the weights of the tokens to an entry for each word or token, with its span in the text."""

from __future__ import annotations

from typing import Any

import numpy as np

from .text_inputs import EncodedText


LEVELS = ("word", "token")


def attention_entries(
    text: str, encoded: EncodedText, weights: np.ndarray, level: str, per_head: bool
) -> list[dict[str, Any]]:
    """The attention on each word or token of a text.

    Args:
        text: The original text.
        encoded: The text as the model read it.
        weights: (heads, tokens), over all tokens that the model read.
        level: `"word"` or `"token"`.
        per_head: Whether to add `head_weights`.

    Returns:
        A list of `{"text", "start", "end", "weight"}` in reading order.
    """
    own = encoded.own_tokens
    spans = encoded.spans[own]
    if not spans:
        return []
    weights = weights[:, own]
    # What lies on special tokens is shared out among the others.
    total = weights.sum(1, keepdims=True)
    weights = np.divide(weights, total, out=np.full_like(weights, 1 / len(spans)), where=total != 0)
    if level == "word":
        firsts = _first_tokens(encoded.word_ids[own])
        if len(firsts) < len(spans):
            lasts = [*(first - 1 for first in firsts[1:]), len(spans) - 1]
            spans = [(spans[first][0], spans[last][1]) for first, last in zip(firsts, lasts)]
            weights = np.add.reduceat(weights, firsts, axis=1)
    entries = _entries(text, spans, weights.mean(0).tolist())
    if per_head:
        for entry, head_weights in zip(entries, weights.T.tolist()):
            entry["head_weights"] = head_weights
    return entries


def _first_tokens(words: list[int | None]) -> list[int]:
    """Positions where a new word begins."""
    ids = np.array(words)
    return [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist()]


def _entries(text: str, spans: list[tuple[int, int]], weights: list[float]) -> list[dict[str, Any]]:
    words = [text[start:end] for start, end in spans]
    if any([word[:1].isspace() for word in words]):  # noqa: C419 (half the time)
        # Some tokenizers count the space before a word as a part of it.
        words = [word.lstrip() for word in words]
        spans = [(end - len(word), end) for word, (_, end) in zip(words, spans)]
    return [
        {"text": word, "start": start, "end": end, "weight": weight}
        for word, (start, end), weight in zip(words, spans, weights)
    ]
