"""What the weights of a few texts become in the course of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from .explaining import Explainer
from .explanation import Explanations
from .heatmaps import plot_steps


if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from transformers import TrainerControl, TrainerState, TrainingArguments


class AttentionHistory(TrainerCallback):
    """Explains the same texts after each epoch of a training, in the process that logs.

    Args:
        texts: A few.
        tokenizer: Of the model.
        method: As for [`explain`].

    Attributes:
        epochs: After which the texts were explained.
        explanations: For each of `epochs`, those of all texts.

    Example:

    ```python
    >>> history = AttentionHistory(["Slow soup", "Great view"], tokenizer)
    >>> args = TrainingArguments("out", num_train_epochs=2)
    >>> trainer = AttnLSTMTrainer(model, args, train_dataset=encoded, callbacks=[history])
    >>> trainer.train().global_step
    80
    >>> history.epochs
    [1.0, 2.0]
    >>> history.plot(0).savefig("epochs.png")
    ```
    """

    def __init__(self, texts: Sequence[Any], tokenizer: PreTrainedTokenizerBase, method: str = "attention"):
        self.texts = list(texts)
        self.tokenizer = tokenizer
        self.method = method
        self.epochs: list[float] = []
        self.explanations: list[Explanations] = []

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel | None = None,
        **kwargs: Any,
    ) -> None:
        """Explain the texts; the Trainer calls this."""
        if state.is_world_process_zero:
            self.epochs.append(round(float(state.epoch), 2))
            self.explanations.append(Explanations(Explainer(model, self.tokenizer, self.method)(self.texts)))

    def plot(self, index: int = 0) -> Figure:
        """A heat map of one of the texts: a row for each epoch, a column for each word.

        Args:
            index: Place of the text.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: No epoch has ended yet.
        """
        if not self.epochs:
            raise ValueError("No epoch has ended yet: train first, with this among the callbacks.")
        return plot_steps([each[index] for each in self.explanations], [f"epoch {epoch:g}" for epoch in self.epochs])
