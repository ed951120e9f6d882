"""Tokens that a model writes, with where it looked for each, and the words that they make up."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel


LEVELS = ("word", "token")
# Letters of scripts without spaces between words, by the beginning of their names in Unicode.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@dataclass(frozen=True)
class WrittenTokens:
    """Tokens that a model has written.

    Attributes:
        token_ids: With the one that ends them.
        score: Mean logarithm of their probabilities.
        weights: (tokens, length of what was read), the attention at each, the mean of all heads.
    """

    token_ids: list[int]
    score: float
    weights: np.ndarray


def write_tokens(model: PreTrainedModel, inputs: Mapping[str, Tensor], **options: Any) -> list[WrittenTokens]:
    """Write from each row of a batch.

    What was written is read once more, which gives the attention and the probability of each token whatever way it
    was found: by beams, by drawing, or as the most probable one.

    Args:
        model: A model that writes, in evaluation mode.
        inputs: What is read, batch first.
        **options: As `generate` takes them.

    Raises:
        ValueError: The model computes what is no number.

    Returns:
        For each row as many as `num_return_sequences` says, one without.

    Example:

    ```python
    >>> write_tokens(model, {"input_ids": torch.tensor([[5, 6, 3]])}, max_new_tokens=3)[0].weights.shape[1]
    3
    ```
    """
    inputs = {name: values.to(model.device) for name, values in inputs.items()}
    with torch.no_grad():
        sequences = model.generate(**inputs, **options, return_dict_in_generate=False)
        each = len(sequences) // len(next(iter(inputs.values())))
        repeated = {name: values.repeat_interleave(each, 0) for name, values in inputs.items()}
        outputs = model(**repeated, decoder_input_ids=sequences[:, :-1], output_attentions=True, return_dict=True)
    broken = ~outputs.logits.isfinite().flatten(1).all(1)
    if broken.any():
        raise ValueError(
            "The model computes NaN or infinity: load its weights again if they are damaged, or use float32 if "
            "float16 overflows."
        )
    written = sequences[:, 1:]
    logs = outputs.logits.float().log_softmax(-1).gather(2, written[..., None]).squeeze(2).cpu().numpy()
    weights = outputs.cross_attentions[0].float().mean(1).cpu().numpy()
    found = []
    for row, tokens in enumerate(written.tolist()):
        length = _length(tokens, model.generation_config.eos_token_id)
        score = float(logs[row, :length].mean()) if length else 0.0
        found.append(WrittenTokens(tokens[:length], score, weights[row, :length]))
    return found


def _length(tokens: Sequence[int], ends: int | Sequence[int] | None) -> int:
    """How many tokens there are up to the first that ends a text, with it."""
    wanted = set(ends) if isinstance(ends, (list, tuple)) else {ends}
    return next((place + 1 for place, token in enumerate(tokens) if token in wanted), len(tokens))


def token_spans(tokens: Sequence[int], decode: Callable[[list[Sequence[int]]], list[str]]) -> list[tuple[int, int]]:
    """Start and end of each token of a text that was written.

    Args:
        tokens: Its tokens.
        decode: Makes texts of tokens.

    Example:

    ```python
    >>> token_spans([5, 6], lambda rows: ["ab "[: len(row)] for row in rows])
    [(0, 1), (1, 2)]
    ```
    """
    texts = decode([tokens[:count] for count in range(len(tokens) + 1)])
    ends = np.maximum.accumulate([len(text) for text in texts]).tolist()
    return list(pairwise(ends))


def joins(before: str, after: str) -> bool:
    """Whether two characters would be one word, side by side.

    Example:

    ```python
    >>> joins("a", "b"), joins("a", ","), joins("我", "们")
    (True, False, False)
    ```
    """
    return all(character.isalnum() and not _is_unspaced(character) for character in (before, after) if character)


def _is_unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)


def whole_words(text: str, spans: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Which tokens make up a word: those between which neither a space nor a mark stands, nor a new character of a
    script without spaces.

    Args:
        text: The text.
        spans: Start and end of each token; empty for what stands nowhere.

    Returns:
        Of each word the numbers of its tokens, in order; tokens without any character are in none.

    Example:

    ```python
    >>> whole_words("un do it", [(0, 2), (2, 2), (2, 5), (5, 8)])
    [[0], [2], [3]]
    ```
    """
    words: list[list[int]] = []
    before = -1
    for number, (start, end) in enumerate(spans):
        own = text[start:end]
        if not own.strip():
            before = -1
            continue
        goes_on = words and start == before and joins(text[start - 1], own[0])
        if goes_on:
            words[-1].append(number)
        else:
            words.append([number])
        before = end
    return words


def shown_span(text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Start and end of tokens that follow each other, without the spaces around them."""
    start, end = spans[0][0], spans[-1][1]
    own = text[start:end]
    return start + len(own) - len(own.lstrip()), end - len(own) + len(own.rstrip())


def token_groups(text: str, spans: Sequence[tuple[int, int]], level: str) -> list[list[int]]:
    """The tokens of each word, or each token by itself, that have a character; see [`whole_words`].

    Example:

    ```python
    >>> token_groups("undo", [(0, 2), (2, 4)], "word"), token_groups("undo", [(0, 2), (2, 4)], "token")
    ([[0, 1]], [[0], [1]])
    ```
    """
    if level == "word":
        return whole_words(text, spans)
    return [[number] for number, (start, end) in enumerate(spans) if text[start:end].strip()]


def entry_of(text: str, spans: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Text, start and end of tokens that follow each other.

    Example:

    ```python
    >>> entry_of("a dog", [(1, 5)])
    {'text': 'dog', 'start': 2, 'end': 5}
    ```
    """
    start, end = shown_span(text, spans)
    return {"text": text[start:end], "start": start, "end": end}
