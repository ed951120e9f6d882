"""The Trainer of models that write, which is measured by what it writes."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import (
    PreTrainedModel,
    Seq2SeqTrainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from .arguments import RunArguments
from .trainer import AttnLSTMTrainer


class AttnLSTMSeq2SeqTrainer(AttnLSTMTrainer, Seq2SeqTrainer):
    """[`AttnLSTMTrainer`] and transformers' `Seq2SeqTrainer` in one.

    In the course of a training the most probable tokens are written, without beams. `label_smoothing_factor` is that
    of the model's own loss.

    Example:

    ```python
    >>> from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainingArguments
    >>> args = Seq2SeqTrainingArguments("out", num_train_epochs=1, disable_tqdm=True)
    >>> collator = DataCollatorForSeq2Seq(processor.tokenizer, model=model)
    >>> trainer = AttnLSTMSeq2SeqTrainer(model, args, train_dataset=rows, data_collator=collator)
    >>> trainer.train().global_step
    4
    ```
    """

    def __init__(
        self, model: nn.Module | None = None, args: TrainingArguments | None = None, *rest: Any, **kwargs: Any
    ):
        super().__init__(model, args, *rest, **kwargs)
        self._smooth(self.model)

    def _smooth(self, model: nn.Module | None) -> None:
        config = getattr(model, "config", None)
        if getattr(config, "model_type", None) != AttnLSTMSeq2SeqConfig.model_type:
            return
        self.label_smoother = None
        # Arguments that say nothing of it leave the model's own as it is.
        if self.args.label_smoothing_factor or isinstance(self.args, RunArguments):
            config.label_smoothing = self.args.label_smoothing_factor

    def call_model_init(self, *args: Any, **kwargs: Any) -> nn.Module:
        """As the base class's; the labels are smoothed in this model, too."""
        model = super().call_model_init(*args, **kwargs)
        self._smooth(model)
        return model

    def _lazy_embeddings(self) -> list[nn.Embedding]:
        # What is read is written, too, and so every row has a gradient.
        return []

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As the base class's; without beams in the course of a training."""
        if self.is_in_train:
            kwargs.setdefault("num_beams", 1)
        return super().evaluate(*args, **kwargs)


class ScheduledSampling(TrainerCallback):
    """Lets a model read its own tokens in place of the right ones, more and more often (Bengio et al., 2015).

    Args:
        share: Of the tokens at the end of the training; it rises from 0 in equal steps.

    Example:

    ```python
    >>> trainer.add_callback(ScheduledSampling(0.25))
    ```
    """

    def __init__(self, share: float):
        self.share = share

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called before each step."""
        model: PreTrainedModel = kwargs["model"]
        model.sampling_probability = self.share * state.global_step / max(state.max_steps, 1)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called after the last step."""
        kwargs["model"].sampling_probability = 0.0
