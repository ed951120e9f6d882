"""The Trainer of transformers with length-grouped batches that can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer
from transformers.trainer_utils import has_length

from ..data.batching import LengthGroupedSampler


class NonFiniteLossError(RuntimeError):
    """The loss has become NaN or infinite; training was stopped."""


class AttnLSTMTrainer(Trainer):
    """`Trainer`, with a few differences.

    `train_sampling_strategy="group_by_length"` groups training batches only, by a sampler that depends on the seed
    and the epoch alone: a resumed run is bit-equal to one that was not interrupted, and `evaluate` and `predict` keep
    the order of the data set. A loss that is NaN or infinite stops the training at once. A model card in the output
    folder is not overwritten.

    Raises:
        NonFiniteLossError: From `train`, with the step, when the loss is NaN or infinite.

    Example:

    ```python
    >>> args = TrainingArguments("out", train_sampling_strategy="group_by_length")
    >>> trainer = AttnLSTMTrainer(model, args, train_dataset=encoded, processing_class=tokenizer)
    >>> trainer.train().global_step
    120
    ```
    """

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not has_length(dataset):
            return super()._get_train_sampler(train_dataset)
        seed = self.args.data_seed if self.args.data_seed is not None else self.args.seed
        # The batch of all processes together: each takes its share of it, so their number does not change the order.
        batch_size = self.args.train_batch_size * max(self.args.world_size, 1)
        return LengthGroupedSampler(self._lengths(dataset), batch_size, seed=seed)

    def _lengths(self, dataset: Dataset) -> list[int]:
        column = self.args.length_column_name
        for candidate in (dataset, self.train_dataset):
            if column in getattr(candidate, "column_names", ()) and len(candidate) == len(dataset):
                return list(candidate[column])
        name = self.processing_class.model_input_names[0] if self.processing_class is not None else "input_ids"
        return [len(row[name]) for row in dataset]

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler | None:
        if not has_length(eval_dataset):
            return None
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """As the base class's, but a card that the run has written is kept; `push_to_hub` calls this."""
        if not (Path(self.args.output_dir) / "README.md").exists():
            super().create_model_card(*args, **kwargs)

    def training_step(self, model: nn.Module, inputs: dict[str, Tensor | Any], *args: Any, **kwargs: Any) -> Tensor:
        """One step; NonFiniteLossError when its loss is NaN or infinite."""
        loss = super().training_step(model, inputs, *args, **kwargs)
        if not torch.isfinite(loss).all():
            raise NonFiniteLossError(
                f"The loss is {loss.item()} at step {self.state.global_step + 1}: training was stopped. Lower "
                "learning_rate or max_grad_norm, or look for broken labels."
            )
        return loss
