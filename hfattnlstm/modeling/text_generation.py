"""Texts that a model writes from others, with where it looked for each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from .pair_processor import PairProcessor
from .text_inputs import EncodedText, pad_ids
from .token_writing import joins, token_spans, write_tokens


@dataclass(frozen=True)
class Written:
    """What was written from a text.

    Attributes:
        text: The text.
        token_ids: Its tokens, with the one that ends it.
        score: Mean logarithm of their probabilities.
        weights: (tokens, source tokens), the attention at each, which sums to 1.
        source: The text that was read.
        copied: The tokens that are unknown, and what stands in their place.
    """

    text: str
    token_ids: list[int]
    score: float
    weights: np.ndarray
    source: EncodedText
    copied: dict[int, str]


def write_texts(
    model: PreTrainedModel,
    processor: PairProcessor,
    texts: Sequence[str],
    *,
    copy_unknown: bool = False,
    **options: Any,
) -> list[Written]:
    """Write a text from each of some, all in one batch; see [`write_tokens`].

    Args:
        model: An [`AttnLSTMForConditionalGeneration`] in evaluation mode.
        processor: Its tokenizers.
        texts: What is read.
        copy_unknown: Whether an unknown token may be written, in whose place the word stands that the model looks at
            most (Luong et al., 2015).
        **options: As `generate` takes them.

    Returns:
        For each text as many as `num_return_sequences` says, one without.

    Example:

    ```python
    >>> write_texts(model, processor, ["Ein Hund bellt."], num_beams=5)[0].text
    'A dog barks.'
    ```
    """
    encoded = processor.sources_of(texts)
    ids, mask = pad_ids([each.input_ids for each in encoded], processor.tokenizer.pad_token_id)
    inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    if copy_unknown:
        options["suppress_tokens"] = _without_unknown(model, processor)
    rows = write_tokens(model, inputs, **options)
    each, found = len(rows) // len(texts), []
    for number, row in enumerate(rows):
        source, text = encoded[number // each], texts[number // each]
        own = row.weights[:, : len(source.input_ids)]
        copied = _copied(row.token_ids, own, source, text, processor) if copy_unknown else {}
        shown = _text_of(row.token_ids, copied, processor)
        found.append(Written(shown, row.token_ids, row.score, own, source, copied))
    return found


def _without_unknown(model: PreTrainedModel, processor: PairProcessor) -> list[int] | None:
    """Tokens that must not be written, without the unknown one."""
    others = [
        number
        for number in model.generation_config.suppress_tokens or ()
        if number != processor.target_tokenizer.unk_token_id
    ]
    return others or None


def _copied(
    tokens: Sequence[int], weights: np.ndarray, source: EncodedText, text: str, processor: PairProcessor
) -> dict[int, str]:
    """The words of the source in the place of unknown tokens, by the place of these."""
    unknown = processor.target_tokenizer.unk_token_id
    real = np.array([span is not None for span in source.spans])
    found = {}
    for place, token in enumerate(tokens):
        if token == unknown and real.any():
            start, end = source.spans[int(np.where(real, weights[place], -1.0).argmax())]
            found[place] = text[start:end].strip()
    return found


def _text_of(tokens: Sequence[int], copied: Mapping[int, str], processor: PairProcessor) -> str:
    if not any(place < len(tokens) for place in copied):
        return processor.decode([tokens])[0]
    text, since = "", []
    for place, token in enumerate([*tokens, None]):
        if place not in copied and token is not None:
            since.append(token)
            continue
        part = processor.target_tokenizer.decode(since, skip_special_tokens=True)
        starts_word = bool(since) and processor.target_tokenizer.convert_ids_to_tokens(since[0]).startswith("▁")
        text += (" " if text and part and starts_word else "") + part
        since = []
        if token is not None:
            word = copied[place]
            text += (" " if text and joins(text[-1], word[:1]) else "") + word
    return text


def written_spans(written: Written, processor: PairProcessor) -> list[tuple[int, int]]:
    """Start and end of each token in a text that was written.

    Example:

    ```python
    >>> written_spans(write_texts(model, processor, ["Ein Hund bellt."])[0], processor)[:2]
    [(0, 1), (1, 5)]
    ```
    """

    def decode(rows: list[Sequence[int]]) -> list[str]:
        return [_text_of(row, written.copied, processor) for row in rows] if written.copied else processor.decode(rows)

    return token_spans(written.token_ids, decode)
