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
from .token_writing import WrittenTokens, joins, token_spans, write_tokens


@dataclass(frozen=True)
class Written:
    """What was written from a text.

    Attributes:
        text: The text.
        token_ids: Its tokens, with the one that ends it.
        score: Mean logarithm of their probabilities.
        weights: (tokens, source tokens), the attention at each, which sums to 1.
        source: The text that was read.
        copied: The tokens that are unknown, and what stands in their place, with a space before what begins a word.
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
        For each text as many as `num_return_sequences` says, one without; of a blank text, blank ones.

    Example:

    ```python
    >>> write_texts(model, processor, ["Ein Hund bellt."], num_beams=5)[0].text
    'A dog barks.'
    ```
    """
    encoded = processor.sources_of(texts)
    read = [place for place, one in enumerate(encoded) if any(span is not None for span in one.spans)]
    rows: list[WrittenTokens] = []
    if read:
        ids, mask = pad_ids([encoded[place].input_ids for place in read], processor.tokenizer.pad_token_id)
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if copy_unknown:
            options["suppress_tokens"] = _without_unknown(model, processor, options)
        rows = write_tokens(model, inputs, **options)
    each = len(rows) // len(read) if read else options.get("num_return_sequences") or 1
    found = [[_nothing(one)] * each for one in encoded]
    for number, row in enumerate(rows):
        place = read[number // each]
        source = encoded[place]
        own = row.weights[:, : len(source.input_ids)]
        copied = _copied(row.token_ids, own, source, texts[place], processor) if copy_unknown else {}
        shown = _text_of(row.token_ids, copied, processor)
        found[place][number % each] = Written(shown, row.token_ids, row.score, own, source, copied)
    return [one for group in found for one in group]


def _nothing(source: EncodedText) -> Written:
    """What is written where there is nothing to read."""
    return Written("", [], 0.0, np.zeros((0, len(source.input_ids)), np.float32), source, {})


def _without_unknown(model: PreTrainedModel, processor: PairProcessor, options: Mapping[str, Any]) -> list[int] | None:
    """Tokens that must not be written, without the unknown one."""
    own = options.get("generation_config") or model.generation_config
    others = [
        number
        for number in options.get("suppress_tokens") or own.suppress_tokens or ()
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
            begins = start == 0 or text[start - 1].isspace() or text[start:end][:1].isspace()
            found[place] = " " * begins + text[start:end].strip()
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
            # Where words have spaces between them, one that begins a word there does so here.
            word = copied[place].lstrip()
            begins = copied[place] != word and joins(text[-1:], word[:1])
            text += (" " if text and begins else "") + word
    return text


def unknown_share(read: Sequence[Written], processor: PairProcessor) -> float:
    """Share of the tokens of what was read that the model does not know.

    Example:

    ```python
    >>> unknown_share(write_texts(model, processor, ["Ein Hund bellt."]), processor)
    0.0
    ```
    """
    tokens = [token for one in read for token in one.source.input_ids]
    return tokens.count(processor.tokenizer.unk_token_id) / max(len(tokens), 1)


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
