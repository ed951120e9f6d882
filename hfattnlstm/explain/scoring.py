"""A classifier as explanations ask it: what it says of many sequences of tokens, parts of texts among them."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

from ..data.problem_types import problem_type_of
from ..modeling.batch_workers import BatchWorkers, plan_batches
from ..modeling.configuration_base import MULTI_LABEL, SINGLE_LABEL
from ..modeling.text_inputs import EncodedText, TextEncoder, longest_input, pad_ids


# Texts of which everything that is asked about them is computed together.
WINDOW_TEXTS = 8


class Tokens(NamedTuple):
    """What the model reads of a text, or of a part of it: ids, and which of two texts each is of, where it asks."""

    ids: np.ndarray
    types: np.ndarray | None

    def only(self, places: np.ndarray) -> Tokens:
        """Those at some places, as if there had been no others."""
        return Tokens(self.ids[places], None if self.types is None else self.types[places])


class TextScorer:
    """A classifier with its tokenizer.

    The model stays as it is: in evaluation mode only while it computes, and in its own dtype.

    Args:
        model: Any sequence classifier of transformers.
        tokenizer: Its tokenizer, a fast one.
        max_length, truncation: What is read of a long text; as the model's and the tokenizer's configuration say.

    Raises:
        TypeError: For what is no model of torch, such as an exported one or a name, or no tokenizer, or a slow one.
        ValueError: For a model with weights that its checkpoint lacked.

    Example:

    ```python
    >>> scorer = TextScorer(model, tokenizer)
    >>> tokens = scorer.tokens_of(scorer.encode(["Not bad at all"])[0])
    >>> scorer.logits([tokens, tokens.only([0, 1])]).shape
    (2, 2)
    ```
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int | None = None,
        truncation: str | None = None,
    ):
        _check_kinds(model, tokenizer)
        check_trained = getattr(model, "check_trained", None)
        if check_trained is not None:
            check_trained()
        self.model = model
        self.problem_type = problem_type_of(model.config)
        length = _longest(model, tokenizer) if max_length is None else max_length
        kept = getattr(model.config, "truncation", "head") if truncation is None else truncation
        self.encode = TextEncoder(tokenizer, length, kept)
        # A model of another kind mostly classifies by the state of this one.
        self.classifying_token = None if self.is_own else tokenizer.cls_token_id
        self._has_types = not self.is_own and "token_type_ids" in tokenizer.model_input_names

    @property
    def is_own(self) -> bool:
        """Whether the model is one of this package, which reads embeddings with their n-grams."""
        return hasattr(self.model.config, "poolings")

    @property
    def reads_single_texts(self) -> bool:
        """Whether the model is of a kind that may refuse several texts at once."""
        return not self.is_own and self.model.config.pad_token_id is None

    def tokens_of(self, encoded: EncodedText) -> Tokens:
        """All that the model reads of a text."""
        ids = np.array(encoded.input_ids, dtype=np.int64)
        if not self._has_types:
            return Tokens(ids, None)
        types = np.zeros(len(ids), dtype=np.int64)
        if len(encoded.parts) > 1:
            # The second text, and the special token that ends it.
            types[encoded.parts[1].start :] = 1
        return Tokens(ids, types)

    def logits(self, sequences: Sequence[Tokens]) -> np.ndarray:
        """Logits (sequences, num_labels), float64; a sequence may be empty."""
        found = self.over_batches(sequences, self._logits_of_batch)
        return np.stack(found) if found else np.zeros((0, self.model.config.num_labels))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Of each label, (…, num_labels); of a regression the numbers themselves."""
        if self.problem_type == SINGLE_LABEL:
            return torch.from_numpy(logits).softmax(-1).numpy()
        return torch.from_numpy(logits).sigmoid().numpy() if self.problem_type == MULTI_LABEL else logits

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """As `probabilities`, calibrated where the model knows how."""
        return self.probabilities(logits / getattr(self.model.config, "calibration_temperature", 1.0))

    def decisions(self, logits: np.ndarray) -> np.ndarray:
        """What is decided: of one label a text its place (…,), of several for each whether it applies (…, labels)."""
        if self.problem_type == SINGLE_LABEL:
            return logits.argmax(-1)
        return self.scores(logits) > np.array(getattr(self.model.config, "threshold", 0.5))

    def choose(self, logits: Tensor, wanted: Sequence[int | None]) -> Tensor:
        """Places of the labels to explain, (batch,): those wanted, and the one with the highest logit for None."""
        given = torch.tensor([-1 if place is None else place for place in wanted], device=logits.device)
        return torch.where(given < 0, logits.argmax(1), given)

    def margin(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What gradients are taken of: how much more the model says for each text's target than against it.

        Args:
            logits: (batch, num_labels).
            targets: (batch,) places of labels.

        Returns:
            (batch,) log-odds of the target; the logit itself for several labels a text, and in a regression. They do
            not saturate as probabilities do, and rank alike.
        """
        own = logits.gather(1, targets[:, None])[:, 0]
        if self.problem_type != SINGLE_LABEL:
            return own
        others = torch.ones_like(logits, dtype=torch.bool).scatter(1, targets[:, None], False)
        return own - logits.masked_fill(~others, -torch.inf).logsumexp(1)

    def over_batches(
        self,
        sequences: Sequence[Tokens],
        function: Callable[[dict[str, Tensor], list[int]], Sequence[Any]],
        batch_size: int | None = None,
        take: Callable[[int, Any], Any] | None = None,
    ) -> list[Any]:
        """What a function finds for each sequence.

        Args:
            sequences: What the model reads.
            function: Takes the inputs of a batch, and the places of its sequences; gives something for each.
            batch_size: Most sequences in a batch; as many as fit into the processor's cache without.
            take: Called with the place of a sequence and what was found, while other batches are being read; what it
                returns takes the place of that.

        Batches of like length run side by side, as many as there are cores.
        """
        found: list[Any] = [None] * len(sequences)
        with one_at_a_time, _evaluating(self.model), BatchWorkers(self.model.device) as workers:
            batches = self._batches([len(tokens.ids) for tokens in sequences], batch_size, workers.count)
            jobs = [functools.partial(self._run, function, sequences, batch) for batch in batches]
            for batch, wait in zip(batches, workers.start(jobs)):
                for place, result in zip(batch, wait()):
                    found[place] = result if take is None else take(place, result)
        return found

    def _batches(self, lengths: Sequence[int], batch_size: int | None, workers: int) -> list[list[int]]:
        """Places of sequences that are read together."""
        if self.is_own:
            return plan_batches([max(length, 1) for length in lengths], batch_size, workers)
        # Models of other kinds read padding in one way or another.
        size = 1 if self.reads_single_texts else batch_size
        alike: dict[int, list[int]] = {}
        for place, length in enumerate(lengths):
            alike.setdefault(length, []).append(place)
        found = []
        for length, places in sorted(alike.items(), reverse=True):
            planned = plan_batches([max(length, 1)] * len(places), size, workers)
            found += [[places[index] for index in batch] for batch in planned]
        return found

    def _run(self, function: Callable[..., Sequence[Any]], sequences: Sequence[Tokens], batch: list[int]) -> Any:
        # Whatever the caller's mode: gradients need tensors of the usual kind.
        with torch.inference_mode(False), torch.enable_grad():
            return function(self._inputs([sequences[place] for place in batch]), batch)

    def _inputs(self, sequences: Sequence[Tokens]) -> dict[str, Tensor]:
        ids, mask = pad_ids([tokens.ids for tokens in sequences], self.model.config.pad_token_id or 0)
        # Other models count with their masks.
        inputs = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
        if self._has_types:
            inputs["token_type_ids"] = pad_ids([tokens.types for tokens in sequences], 0)[0]
        return {name: torch.from_numpy(values).to(self.model.device) for name, values in inputs.items()}

    @torch.inference_mode()
    def _logits_of_batch(self, inputs: dict[str, Tensor], places: list[int]) -> np.ndarray:
        return as_array(self.model(**inputs).logits)


# A model that explains itself is in another mode, and perhaps in another implementation of its attention, or without
# cuDNN, as long as that takes: what stands for all threads of a process.
one_at_a_time = threading.RLock()


def as_array(values: Tensor) -> np.ndarray:
    """float64, of any dtype and device."""
    return values.detach().cpu().double().numpy()


def _check_kinds(model: Any, tokenizer: Any) -> None:
    if isinstance(model, (str, PathLike)) or not hasattr(model, "config"):
        raise TypeError(
            f"The model must be one of transformers, such as the model of a pipeline, not of type "
            f"{type(model).__name__}: load it with AutoModelForSequenceClassification.from_pretrained."
        )
    if isinstance(model, Pipeline):
        raise TypeError("The model must be one of transformers, not a pipeline: give its model, and its tokenizer.")
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"A {type(model).__name__} can only be asked for labels: give the model of torch that it was made of."
        )
    if not hasattr(tokenizer, "is_fast"):
        raise TypeError(
            f"The tokenizer must be one of transformers, not of type {type(tokenizer).__name__}: load it with "
            "AutoTokenizer.from_pretrained."
        )


# Their positions begin behind that of the padding.
_POSITIONS_AFTER_PADDING = ("roberta", "camembert", "longformer", "mpnet", "data2vec-text", "ibert")


def _longest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that are read: what the tokenizer keeps, and the model has positions for."""
    config, kept = model.config, longest_input(tokenizer)
    positions = getattr(config, "max_position_embeddings", None) or kept
    if positions < 0:
        # XLNet has no end.
        positions = kept
    if any(name in config.model_type for name in _POSITIONS_AFTER_PADDING):
        positions -= (config.pad_token_id or 0) + 1
    return min(kept, positions)


@contextlib.contextmanager
def _evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Every part of the model in evaluation mode, and afterwards in that which it was in."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
