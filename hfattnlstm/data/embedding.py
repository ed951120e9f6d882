"""What a model computes for many texts, as one array: their vectors, or their logits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..modeling.batch_workers import BatchWorkers, plan_batches
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.text_inputs import TextEncoder, longest_input, pad_ids
from ..modeling.text_rows import text_or_row


# Texts that are tokenised at once: enough for batches with little padding, few enough for the memory.
_WINDOW_TEXTS = 4096


def embed_texts(
    texts: Iterable[Any],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    batch_size: int | None = None,
    normalize: bool = False,
) -> np.ndarray:
    """One vector a text: what the model's pooling makes of its states, which a classifier's last layer reads.

    A model without pooling gives the mean of the states over the tokens. A long text is cut as the model's pipeline
    cuts it. A text without tokens has a vector of zeros.

    Args:
        texts: Any number of texts; for a model of several texts, of rows of them, or what its pipeline takes for one.
        model: A classifier or a backbone of this package, on any device.
        tokenizer: The one that belongs to it.
        batch_size: Most texts in a batch; without it, as many as fit into the processor's cache.
        normalize: Whether the vectors get the length 1, so that their dot product is the cosine.

    Returns:
        Vectors, float32 (texts, width), in the order of the texts.

    Raises:
        TypeError: For a single text, a model of another kind, or an entry that is not a text; it names the position.
        ValueError: For a text for which the model computes NaN or infinity; it names the position.

    Example:

    ```python
    >>> model = AutoModel.from_pretrained("my-model")
    >>> tokenizer = AutoTokenizer.from_pretrained("my-model")
    >>> embed_texts(["Not bad at all", "Awful"], model, tokenizer).shape
    (2, 512)
    ```
    """
    if isinstance(texts, (str, bytes)):
        raise TypeError("texts must be several texts, not a single one: put it in a list.")
    if getattr(model.config, "model_type", None) != AttnLSTMConfig.model_type:
        raise TypeError(f"{type(model).__name__} is no model of this package: load one with AutoModel.")
    backbone = model.base_model
    vectors = run_texts(texts, backbone, tokenizer, _pooled, vector_width(backbone), batch_size)
    if normalize:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return vectors


def vector_width(model: PreTrainedModel) -> int:
    """The width of the vectors of [`embed_texts`].

    Example:

    ```python
    >>> vector_width(AutoModel.from_pretrained("my-model"))
    512
    ```
    """
    backbone = model.base_model
    return backbone.config.hidden_size if backbone.pooler is None else backbone.config.pooled_size


def run_texts(
    texts: Iterable[Any],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    compute: Callable[[PreTrainedModel, Tensor, Tensor], Tensor],
    width: int,
    batch_size: int | None = None,
) -> np.ndarray:
    """Run a model over texts, in batches of like length that lie side by side on the processor's cores.

    Args:
        texts: Any number of texts; for a model of several texts, of rows of them, or what its pipeline takes for one.
        model: What computes; it is in evaluation mode meanwhile.
        tokenizer: The one that belongs to it.
        compute: From the model, token ids and their mask, both (batch, length), to (batch, width).
        width: How much is computed for a text.
        batch_size: Most texts in a batch; by their length when it is None.

    Returns:
        float32 (texts, width), in the order of the texts.

    Raises:
        TypeError: For an entry that is not a text; it names the position.
        ValueError: For a text for which the model computes NaN or infinity; it names the position.
    """
    columns = model.config.text_columns
    rows = [text_or_row(text, columns, position) for position, text in enumerate(texts)]
    encoder = TextEncoder(tokenizer).cut_to(longest_input(tokenizer), model.config.truncation)
    results = np.zeros((len(rows), width), dtype=np.float32)
    trains = model.training
    model.eval()
    try:
        with BatchWorkers(model.device) as workers:
            for first in range(0, len(rows), _WINDOW_TEXTS):
                ids = encoder.input_ids(rows[first : first + _WINDOW_TEXTS])
                _run_window(ids, model, compute, workers, batch_size, results[first : first + _WINDOW_TEXTS])
    finally:
        model.train(trains)
    _check_finite(results)
    return results


def _run_window(
    ids: Sequence[list[int]],
    model: PreTrainedModel,
    compute: Callable[[PreTrainedModel, Tensor, Tensor], Tensor],
    workers: BatchWorkers,
    batch_size: int | None,
    results: np.ndarray,
) -> None:
    """Fill `results` (texts, width) for token ids."""

    @torch.inference_mode()
    def run(batch: list[int]) -> np.ndarray:
        padded, mask = pad_ids([ids[index] for index in batch], model.config.pad_token_id)
        inputs = (torch.from_numpy(array).to(model.device) for array in (padded, mask))
        return compute(model, *inputs).float().cpu().numpy()

    batches = plan_batches([len(row) for row in ids], batch_size, workers.count)
    waits = workers.start([functools.partial(run, batch) for batch in batches])
    for batch, wait in zip(batches, waits):
        results[batch] = wait()


def _pooled(model: PreTrainedModel, input_ids: Tensor, mask: Tensor) -> Tensor:
    outputs = model(input_ids, mask)
    if outputs.pooler_output is not None:
        return outputs.pooler_output
    # States are 0 on padding.
    return outputs.last_hidden_state.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def _check_finite(results: np.ndarray) -> None:
    broken = np.flatnonzero(~np.isfinite(results).all(axis=1))
    if len(broken):
        raise ValueError(
            f"The model computes NaN or infinity for text number {broken[0]}: load its weights again if they are "
            "damaged, or load it in float32 if float16 overflows."
        )
