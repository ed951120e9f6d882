"""How much of each word every other word takes in the context layers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..modeling.attention_entries import weighted_parts
from ..modeling.text_inputs import EncodedText, TextEncoder
from ..modeling.text_rows import text_or_row
from .attribution import own_places
from .scoring import one_at_a_time


@dataclass(frozen=True)
class ContextMaps:
    """The attention between the words of a text.

    Attributes:
        text: The text, or the texts that were read together.
        words: Its words, in reading order.
        layers: The kinds of the context layers, in order.
        weights: (layers, heads, words, words): row by row, how much of every word a word takes. The tokens of a word
            that is attended to are added, those of one that attends are averaged; what goes to special tokens is left
            out.
        characters_left_out: How many the model did not read, because the text was too long.
    """

    text: str | tuple[str, ...]
    words: list[str]
    layers: list[str]
    weights: np.ndarray = field(repr=False)
    characters_left_out: int = 0


def context_maps(
    text: Any,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int | None = None,
) -> ContextMaps:
    """Read a text, and say how much of each word every other word takes in the context layers.

    Args:
        text: A text; for a model of pairs `{"text": …, "text_pair": …}`, or a tuple.
        model: A classifier or a tagger with `context_layers`; it stays as it is.
        tokenizer: Its tokenizer.
        max_length: Tokens that are read; as many as the tokenizer says without.

    Raises:
        TypeError: For what is no text.
        ValueError: For a model without context layers, or one whose weights its checkpoint lacked.

    Example:

    ```python
    >>> maps = context_maps("Slow soup", model, tokenizer)
    >>> maps.words, maps.weights.shape
    (['Slow', 'soup'], (1, 4, 2, 2))
    ```
    """
    kinds = getattr(model.config, "context_layers", None)
    if not kinds:
        raise ValueError(
            "The model has no context layers, in which words attend to each other: train one with --context_layers."
        )
    model.check_trained()
    row = text_or_row(text, model.config.text_columns, 0)
    encoded = TextEncoder(tokenizer, max_length, model.config.truncation)([row])[0]
    training = model.training
    with one_at_a_time, torch.inference_mode():
        ids = torch.tensor([encoded.input_ids], dtype=torch.long, device=model.device)
        outputs = model.eval().base_model(ids, output_attentions=True)
        model.train(training)
    layers = [_between_words(row, encoded, layer[0]) for layer in outputs.attentions[: len(kinds)]]
    parts = weighted_parts(row, encoded, np.zeros((1, len(own_places(encoded)))), "word")
    words = [word for part in parts for word in part.words]
    return ContextMaps(row, words, list(kinds), np.stack(layers), encoded.left_out)


def _between_words(text: str | Sequence[str], encoded: EncodedText, layer: torch.Tensor) -> np.ndarray:
    """Of weights (heads, tokens, tokens) those of words (heads, words, words)."""
    places = own_places(encoded)
    own = layer.float().cpu().numpy()[:, places][:, :, places]
    heads, tokens, _ = own.shape

    def of_words(weights: np.ndarray) -> np.ndarray:
        return np.concatenate([part.weights for part in weighted_parts(text, encoded, weights, "word")], axis=1)

    # Tokens that only spell a word on attend to nothing.
    attending = of_words((own.sum(-1) > 0).astype(own.dtype))
    words = attending.shape[1]
    taken = of_words(own.reshape(heads * tokens, tokens)).reshape(heads, tokens, words)
    summed = of_words(taken.transpose(0, 2, 1).reshape(heads * words, tokens)).reshape(heads, words, words)
    return (summed / np.maximum(attending, 1)[:, None]).transpose(0, 2, 1)
