"""Does an exported file compute what the model computes?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.ngrams import NgramIndex
from ..modeling.text_inputs import TextEncoder, pad_ids
from ..modeling.text_rows import text_or_row
from .export_kinds import kind_to_export, model_outputs


TOLERANCE = 1e-5
# (batch, length), none of which the export has seen.
SHAPES = ((1, 1), (1, 6), (4, 1), (2, 5), (7, 9), (9, 40))
BATCH_SIZE = 32


@dataclass(frozen=True)
class Agreement:
    """How far the answers of two files agree on texts.

    Attributes:
        num_texts: How many texts were read.
        equal_labels: Share of the texts with equal labels, all of them in multi-label problems; None in a regression.
        largest_difference: Largest difference of a probability, in a regression of an answer.
    """

    num_texts: int
    equal_labels: float | None
    largest_difference: float


def vocabulary_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """What tells a tokenizer from one that was trained anew: a digest of its tokens and their ids."""
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()[:16]


def largest_difference(session: Any, model: PreTrainedModel) -> float:
    """Run an exported file and the model on random batches with every kind of padding.

    Args:
        session: An ONNX Runtime session.
        model: The classifier or tagger in evaluation mode.

    Returns:
        The largest difference of a logit, an attention weight or a probability. Logits beyond 1 count in relation to
        the largest of their batch, because float32 is no more exact than that.
    """
    generator = torch.Generator().manual_seed(0)
    kind = kind_to_export(model.config.model_type, [type(model).__name__])
    differences = []
    for batch, length in SHAPES:
        ids = _random_ids(model, batch, length, generator)
        for mask in _masks(batch, length, generator):
            outputs = session.run(None, named_inputs(model.config, ids.numpy(), mask.numpy()))
            expected = model_outputs(kind, model, ids, mask)
            differences += [_difference(actual, wanted) for actual, wanted in zip(outputs, expected, strict=True)]
    # Unlike max, NumPy's lets no NaN go by.
    return float(np.max(differences))


def _random_ids(model: PreTrainedModel, batch: int, length: int, generator: torch.Generator) -> torch.Tensor:
    """Random tokens, among them n-grams that the model knows, of which chance would give hardly any."""
    ids = torch.randint(model.config.vocab_size, (batch, length), generator=generator)
    for index in (module for module in model.modules() if isinstance(module, NgramIndex)):
        known = index.tokens()
        known = known[(known >= 0).all(1)]
        size = known.shape[1]
        for start in range(0, length - size + 1, 2 * size) if len(known) else ():
            chosen = torch.randint(len(known), (batch,), generator=generator)
            ids[:, start : start + size] = known[chosen]
    return ids


def _masks(batch: int, length: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """All real; padded on the right; on the left; with holes; and the same with one text without any token."""
    yield torch.ones(batch, length, dtype=torch.long)
    lengths = torch.randint(1, length + 1, (batch, 1), generator=generator)
    right = (torch.arange(length) < lengths).long()
    yield right
    yield right.flip(1)
    holes = (torch.rand(batch, length, generator=generator) < 0.7).long()
    yield holes
    holes = holes.clone()
    holes[-1] = 0
    yield holes


def _difference(actual: np.ndarray, expected: np.ndarray) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    return float(np.abs(actual - expected).max() / max(1.0, np.abs(expected).max()))


def agreement(
    first: Any, second: Any, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, config: AttnLSTMConfig
) -> Agreement:
    """Compare the answers of two ONNX Runtime sessions to texts, read in batches of like length.

    Args:
        first, second: Sessions of exported files of one model.
        texts: Real texts, or rows of texts for a model of several, at least one.
        tokenizer: The model's tokenizer.
        config: The model's configuration.
    """
    answers, others = [], []
    name = "logits" if config.resolve_problem_type() == REGRESSION else "probabilities"
    texts = [text_or_row(text, config.text_columns, position) for position, text in enumerate(texts)]
    for batch in _batches(TextEncoder(tokenizer, None, config.truncation).input_ids(texts), config):
        one, other = (session.run([name], batch)[0] for session in (first, second))
        answers.append(one)
        others.append(other)
    one, other = np.concatenate(answers), np.concatenate(others)
    return Agreement(len(one), _share_of_equal_labels(one, other, config), float(np.abs(one - other).max()))


def named_inputs(config: AttnLSTMConfig, ids: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """What a session is given for token ids and mask, int64 (batch, length) each, by the names of the config.

    Example:

    ```python
    >>> list(named_inputs(AttnLSTMConfig(), ids, mask))
    ['input_ids', 'attention_mask']
    ```
    """
    return dict(zip(config.model_input_names, (ids, mask)))


def _batches(encoded: Iterable[list[int]], config: AttnLSTMConfig) -> Iterator[dict[str, np.ndarray]]:
    rows = sorted(encoded, key=len)
    for start in range(0, len(rows), BATCH_SIZE):
        ids, mask = pad_ids(rows[start : start + BATCH_SIZE], config.pad_token_id)
        yield named_inputs(config, ids, mask.astype(np.int64))


def _share_of_equal_labels(one: np.ndarray, other: np.ndarray, config: AttnLSTMConfig) -> float | None:
    kind = config.resolve_problem_type()
    if kind == REGRESSION:
        return None
    if kind == MULTI_LABEL:
        bounds = np.asarray(config.threshold)
        return float(((one > bounds) == (other > bounds)).all(-1).mean())
    return float((one.argmax(-1) == other.argmax(-1)).mean())
