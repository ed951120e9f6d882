"""A text-classification pipeline that returns the attention on each word with the label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from transformers.pipelines.text_classification import TextClassificationPipeline

from .text_inputs import TRUNCATIONS, EncodedText, TextEncoder, check_texts


LEVELS = ("word", "token")
DEFAULT_BATCH_SIZE = 32
# Batches read ahead and sorted by length: enough that a batch has little padding, few enough to stream.
WINDOW_BATCHES = 32


class AttnLSTMTextClassificationPipeline(TextClassificationPipeline):
    """Labels texts and shows the pooling attention on each word; one forward pass gives both.

    Load it with `pipeline("attention-text-classification", model=folder)` after `import hfattnlstm`, or from a
    checkpoint alone with `trust_remote_code=True`.

    The parameters can be given when the pipeline is made or when it is called:

        level: `"word"` (the default) or `"token"`. The weights of the pieces of a word are added.
        per_head: Whether each entry also has `head_weights`, one number a head; `weight` is their mean.
        truncation: `"head"`, `"tail"` or `"head_tail"`, the part of a long text that is read; the config's by default.
        max_length: Tokens that are read of a text; the tokenizer's `model_max_length` by default.
        top_k, function_to_apply, batch_size: As in the stock pipeline.

    A call takes a text, a list or another sequence of texts, or an iterable of texts, such as a generator or a column
    of a data set. It returns for each text a dictionary (with `top_k`, a list of them) with `label`, `score` and
    `attention`: a list of `{"text", "start", "end", "weight"}`, spans in the original string, special tokens left
    out, weights that sum to 1. A text that was cut also has `truncated: True` and `characters_left_out`. Iterators
    are read in windows and answered in order, at constant memory. Several threads may call one pipeline.

    Example:

    ```python
    >>> classifier = pipeline("attention-text-classification", model="my-model")
    >>> classifier("Not bad at all")
    [{'label': 'positive', 'score': 0.94, 'attention': [{'text': 'Not', 'start': 0, 'end': 3, 'weight': 0.41}, ...]}]
    ```

    Raises:
        TypeError: For an entry that is not a text; it names the position.
        ValueError: For a model without attention pooling, a tokenizer with more tokens than the model's embedding,
            or an unknown parameter.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        config = self.model.config
        if not hasattr(config, "poolings"):
            raise ValueError(
                f"The model is a {type(self.model).__name__}, without attention pooling: use "
                'pipeline("text-classification").'
            )
        if "attention" not in config.poolings:
            raise ValueError(
                f"The model pools by {', '.join(config.poolings)} and has no attention weights: use "
                'pipeline("text-classification").'
            )
        if len(self.tokenizer) > config.vocab_size:
            raise ValueError(
                f"The tokenizer has {len(self.tokenizer)} tokens, but the model's embedding has {config.vocab_size} "
                "rows: load the tokenizer that belongs to the model."
            )
        self._encoders: dict[tuple[int | None, str], TextEncoder] = {}

    def _sanitize_parameters(
        self,
        level: str | None = None,
        per_head: bool | None = None,
        truncation: str | bool | None = None,
        max_length: int | None = None,
        **kwargs: Any,
    ) -> tuple[dict, dict, dict]:
        unknown, _, postprocess = super()._sanitize_parameters(**kwargs)
        if unknown:
            raise ValueError(
                f"The pipeline has no parameter {next(iter(unknown))!r}: it takes level, per_head, truncation, "
                "max_length, top_k, function_to_apply and batch_size."
            )
        if level is not None:
            if level not in LEVELS:
                raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}.")
            postprocess["level"] = level
        if per_head is not None:
            postprocess["per_head"] = per_head
        preprocess: dict[str, Any] = {}
        if truncation is not None and truncation is not True:
            if truncation not in TRUNCATIONS:
                raise ValueError(f"truncation must be one of {', '.join(TRUNCATIONS)}, got {truncation!r}.")
            preprocess["truncation"] = truncation
        if max_length is not None:
            preprocess["max_length"] = max_length
        return preprocess, {}, postprocess

    def __call__(self, inputs: str | Iterable[str], batch_size: int | None = None, **kwargs: Any) -> Any:
        """Classify a text or many; see the class."""
        kwargs.pop("num_workers", None)
        preprocess, _, postprocess = self._sanitize_parameters(**kwargs)
        preprocess = {**self._preprocess_params, **preprocess}
        postprocess = {**self._postprocess_params, **postprocess}
        size = batch_size or self._batch_size or DEFAULT_BATCH_SIZE
        if size < 1:
            raise ValueError(f"batch_size must be at least 1, got {size}.")
        if isinstance(inputs, (str, dict)):
            text = _only_text(inputs) if isinstance(inputs, dict) else inputs
            result = next(self._stream([text], size, preprocess, postprocess))
            # As in the stock pipeline: a single string without top_k in the call gives a list.
            return [result] if isinstance(inputs, str) and "top_k" not in kwargs else result
        # Some data sets have a length and items, but no iterator of their own.
        sized = hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__")
        if isinstance(inputs, (bytes, bytearray)) or not (sized or isinstance(inputs, Iterable)):
            raise TypeError(f"The pipeline takes a text or texts, got {type(inputs).__name__}.")
        texts = inputs if isinstance(inputs, Iterable) else (inputs[index] for index in range(len(inputs)))
        stream = self._stream(texts, size, preprocess, postprocess)
        return list(stream) if isinstance(inputs, Sequence) else stream

    def _stream(self, texts: Iterable[str], batch_size: int, preprocess: dict, postprocess: dict) -> Iterator[Any]:
        """Results in the order of the texts; batches of like length within a window of texts."""
        texts = (_only_text(text) if isinstance(text, dict) else text for text in texts)
        first = 0
        while window := list(islice(texts, batch_size * WINDOW_BATCHES)):
            checked = check_texts(window, first)
            encoded = self.preprocess(checked, **preprocess)
            order = sorted(range(len(window)), key=lambda index: len(encoded[index].input_ids))
            results: list[Any] = [None] * len(window)
            for start in range(0, len(order), batch_size):
                indices = order[start : start + batch_size]
                outputs = self.forward(self._collate([encoded[index] for index in indices]))
                for row, index in enumerate(indices):
                    results[index] = self._result(window[index], encoded[index], outputs, row, postprocess)
            yield from results
            first += len(window)

    def preprocess(
        self, inputs: list[str], truncation: str | None = None, max_length: int | None = None
    ) -> list[EncodedText]:
        """Texts to encoded texts."""
        key = (max_length, truncation or self.model.config.truncation)
        if key not in self._encoders:
            self._encoders[key] = TextEncoder(self.tokenizer, *key)
        return self._encoders[key](inputs)

    def _collate(self, encoded: list[EncodedText]) -> dict[str, torch.Tensor]:
        length = max(len(text.input_ids) for text in encoded)
        ids = np.full((len(encoded), length), self.model.config.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros((len(encoded), length), dtype=bool)
        for row, text in enumerate(encoded):
            ids[row, : len(text.input_ids)] = text.input_ids
            mask[row, : len(text.input_ids)] = True
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}

    def _forward(self, model_inputs: dict[str, torch.Tensor]) -> Any:
        return self.model(**model_inputs, output_attentions=True)

    def _result(self, text: str, encoded: EncodedText, outputs: Any, row: int, parameters: dict) -> Any:
        parameters = dict(parameters)
        level, per_head = parameters.pop("level", "word"), parameters.pop("per_head", False)
        weights = outputs["attentions"][-1][row, :, 0, : len(encoded.input_ids)].float().numpy()
        extra: dict[str, Any] = {"attention": attention_entries(text, encoded, weights, level, per_head)}
        if encoded.left_out:
            extra |= {"truncated": True, "characters_left_out": encoded.left_out}
        result = self.postprocess({"logits": outputs["logits"][row : row + 1]}, **parameters)
        if isinstance(result, dict):
            return result | extra
        return [entry | extra for entry in result]

    def save_pretrained(self, save_directory: str, **kwargs: Any) -> None:
        """Save the model, its code and the tokenizer.

        The model writes this pipeline into its config.json by itself; the base class would write it again, in a form
        that a second save loses.
        """
        self.model.save_pretrained(save_directory, **kwargs)
        self.tokenizer.save_pretrained(save_directory, **kwargs)


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
    kept = [index for index, span in enumerate(encoded.spans) if span is not None]
    if not kept:
        return []
    weights = weights[:, kept]
    # What lies on special tokens is shared out among the others.
    total = weights.sum(1, keepdims=True)
    weights = np.divide(weights, total, out=np.full_like(weights, 1 / len(kept)), where=total > 0)
    firsts = _first_tokens(encoded, kept, level)
    by_head = np.add.reduceat(weights, firsts, axis=1)
    entries = []
    for first, behind, weight in zip(firsts, [*firsts[1:], len(kept)], by_head.mean(0).tolist()):
        start, end = encoded.spans[kept[first]][0], encoded.spans[kept[behind - 1]][1]
        # Some tokenizers count the space before a word as a part of it.
        word = text[start:end].lstrip()
        entries.append({"text": word, "start": end - len(word), "end": end, "weight": weight})
    if per_head:
        for entry, head_weights in zip(entries, by_head.T.tolist()):
            entry["head_weights"] = head_weights
    return entries


def _first_tokens(encoded: EncodedText, kept: list[int], level: str) -> list[int]:
    """Positions in `kept` where a new entry begins."""
    if level == "token":
        return list(range(len(kept)))
    words = [encoded.word_ids[index] for index in kept]
    return [0, *(position for position in range(1, len(kept)) if words[position] != words[position - 1])]


def _only_text(inputs: dict[str, str]) -> str:
    if set(inputs) != {"text"}:
        raise ValueError(
            'The attention pipeline takes single texts, as a string or {"text": …}: for pairs of texts use '
            'pipeline("text-classification").'
        )
    return inputs["text"]
