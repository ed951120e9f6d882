"""Texts that a model writes from others, with where it looked for each word."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from .pair_processor import PairProcessor
from .text_inputs import EncodedText, pad_ids


# Letters of scripts without spaces between words, by the beginning of their names in Unicode.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


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
    """Write a text from each of some, all in one batch.

    What was written is read once more, which gives the attention and the probability of each token whatever way it
    was found: by beams, by drawing, or as the most probable one.

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
    inputs = {name: values.to(model.device) for name, values in inputs.items()}
    if copy_unknown:
        options["suppress_tokens"] = _without_unknown(model, processor)
    with torch.no_grad():
        sequences = model.generate(**inputs, **options, return_dict_in_generate=False)
        each = len(sequences) // len(texts)
        repeated = {name: values.repeat_interleave(each, 0) for name, values in inputs.items()}
        outputs = model(**repeated, decoder_input_ids=sequences[:, :-1], output_attentions=True, return_dict=True)
    written = sequences[:, 1:]
    logs = outputs.logits.float().log_softmax(-1).gather(2, written[..., None]).squeeze(2).cpu().numpy()
    weights = outputs.cross_attentions[0].float().mean(1).cpu().numpy()
    found = []
    for row, tokens in enumerate(written.tolist()):
        source = encoded[row // each]
        length = _length(tokens, model.generation_config.eos_token_id)
        own = weights[row, :length, : len(source.input_ids)]
        kept = tokens[:length]
        copied = _copied(kept, own, source, texts[row // each], processor) if copy_unknown else {}
        found.append(
            Written(
                text=_text_of(kept, copied, processor),
                token_ids=kept,
                score=float(logs[row, :length].mean()) if length else 0.0,
                weights=own,
                source=source,
                copied=copied,
            )
        )
    return found


def _without_unknown(model: PreTrainedModel, processor: PairProcessor) -> list[int] | None:
    """Tokens that must not be written, without the unknown one."""
    others = [
        number
        for number in model.generation_config.suppress_tokens or ()
        if number != processor.target_tokenizer.unk_token_id
    ]
    return others or None


def _length(tokens: Sequence[int], ends: int | Sequence[int] | None) -> int:
    """How many tokens there are up to the first that ends a text, with it."""
    wanted = set(ends) if isinstance(ends, (list, tuple)) else {ends}
    return next((place + 1 for place, token in enumerate(tokens) if token in wanted), len(tokens))


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
            text += (" " if text and _joins(text[-1], word[:1]) else "") + word
    return text


def _joins(before: str, after: str) -> bool:
    """Whether two characters would be one word, side by side."""
    return all(character.isalnum() and not _is_unspaced(character) for character in (before, after) if character)


def _is_unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)


def token_spans(
    tokens: Sequence[int], processor: PairProcessor, copied: Mapping[int, str] = MappingProxyType({})
) -> list[tuple[int, int]]:
    """Start and end of each token of a text that was written.

    Args:
        tokens: Its tokens.
        processor: Has their texts.
        copied: What stands in the place of unknown ones.

    Example:

    ```python
    >>> token_spans(processor.targets(["A dog barks."])[0], processor)[:2]
    [(0, 1), (1, 5)]
    ```
    """
    prefixes = [tokens[:count] for count in range(len(tokens) + 1)]
    texts = [_text_of(prefix, copied, processor) for prefix in prefixes] if copied else processor.decode(prefixes)
    ends = np.maximum.accumulate([len(text) for text in texts]).tolist()
    return list(pairwise(ends))


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
        goes_on = words and start == before and _joins(text[start - 1], own[0])
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
