"""Options of the Trainer that would bypass or distort the model: what is done about each.

transformers' Trainer computes some losses itself, guesses which way a metric is better, and adds its noise where the
length stands second. The model here has its own loss, with class weights, penalties and smoothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sized
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import SchedulerType
from transformers.utils import logging

from .._wording import option
from ..data.marks import RATIONALE
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import REGRESSION
from .faithful_attention import LOSS_TERMS
from .metrics import Scorer, greater_is_better


logger = logging.get_logger(__name__)

# Names in a sentence.
_SHOWN = 20
_FOLLOW_A_METRIC = (SchedulerType.REDUCE_ON_PLATEAU, SchedulerType.GREEDY)


def is_attnlstm(model: nn.Module | None) -> bool:
    """Whether a model is one of this package, perhaps with adapters around it.

    Example:

    ```python
    >>> is_attnlstm(AttnLSTMForSequenceClassification(AttnLSTMConfig())), is_attnlstm(nn.Linear(1, 1))
    (True, False)
    ```
    """
    return getattr(getattr(model, "config", None), "model_type", None) == AttnLSTMConfig.model_type


def check_options(trainer: Trainer) -> None:
    """Refuse what a model of this package cannot follow.

    Raises:
        ValueError: Names the option and what to do instead.
    """
    args, config = trainer.args, trainer.model.config
    if args.use_liger_kernel:
        raise ValueError("use_liger_kernel has no kernels for this model: leave it out.")
    if args.label_names is not None and "labels" not in args.label_names:
        raise ValueError(
            f"label_names={args.label_names} leaves out 'labels', which this model takes: nothing could be measured. "
            "Leave label_names out."
        )
    if trainer.compute_loss_func is not None and (parts := _parts_of_the_loss(config)):
        raise ValueError(
            f"compute_loss_func replaces the loss of the model, of which {', '.join(parts)} would be lost: leave "
            "compute_loss_func out, or set them back in the model's config."
        )


def regularization_of(args: TrainingArguments) -> dict[str, float]:
    """What a training adds to the loss of the model, by the names of the arguments; only what is not 0.

    Example:

    ```python
    >>> regularization_of(RunArguments("out", rdrop_alpha=0.5))
    {'rdrop_alpha': 0.5}
    ```
    """
    values = {name: getattr(args, name, None) for name in LOSS_TERMS}
    return {name: value for name, value in values.items() if value}


def check_regularization(trainer: Trainer) -> None:
    """Refuse additions to the loss that a training cannot have.

    Raises:
        ValueError: Names the option and what to do instead.
    """
    wanted, model = regularization_of(trainer.args), trainer.model
    for name in wanted:
        if not is_attnlstm(model):
            raise ValueError(f"{option(name)} is for the models of this package: leave it out.")
        if trainer.compute_loss_func is not None:
            raise ValueError(
                f"{option(name)} adds to the loss of the model, which compute_loss_func replaces: leave one out."
            )
    if "rdrop_alpha" in wanted and model.config.resolve_problem_type() == REGRESSION:
        raise ValueError(
            f"{option('rdrop_alpha')} draws two predictions of labels to each other, and a regression predicts "
            "numbers: leave it out."
        )
    if "vat_epsilon" in wanted and model.config.resolve_problem_type() == REGRESSION:
        raise ValueError(
            f"{option('vat_epsilon')} holds the probabilities of labels, and a regression predicts numbers: leave it "
            "out."
        )
    for name in ("alignment_coef", "erasure_coef", "rationale_coef"):
        if name in wanted and "attention" not in model.config.poolings:
            raise ValueError(
                f"{option(name)} is about the attention pooling, which the model lacks: take "
                f"{option('classifier_pooling', 'attention')}, or leave it out ({option(name, 0)} beside a recipe)."
            )
    columns = getattr(trainer.train_dataset, "column_names", None)
    if "rationale_coef" in wanted and columns is not None and RATIONALE not in columns:
        raise ValueError(
            f"{option('rationale_coef')} needs a column {RATIONALE!r} in the texts for training, of 0 and 1 for each "
            "token: add it, or leave this out."
        )
    if "erasure_coef" in wanted and model.config.resolve_problem_type() == REGRESSION:
        raise ValueError(
            f"{option('erasure_coef')} teaches that every label is as probable as any other without the words of most "
            "attention, and a regression predicts numbers: leave it out."
        )
    widths = (model.config.embedding_size, 2 * model.config.embedding_size) if "tying_coef" in wanted else ()
    if widths and model.config.hidden_size not in widths:
        raise ValueError(
            f"{option('tying_coef')} needs states of the width of the embeddings, {widths[0]}, or twice that, and the "
            f"model's are {model.config.hidden_size} wide: leave it out, or change one of the two."
        )
    for name in ("adversarial_epsilon", "vat_epsilon", "alignment_coef"):
        if name in wanted and trainer.args.fp16:
            raise ValueError(
                f"{option(name)} needs gradients that are too small for fp16: train in bf16, or leave one of the two "
                f"out ({option(name, 0)} beside a recipe)."
            )


def check_unlabelled(trainer: Trainer, unlabelled: Sized | None) -> None:
    """Refuse texts without labels that a training would not read.

    Raises:
        ValueError: Names the option and what to do instead.
    """
    if unlabelled is None:
        return
    if "vat_epsilon" not in regularization_of(trainer.args):
        raise ValueError("unlabelled_dataset is read with vat_epsilon alone: set that, or leave it out.")
    if not len(unlabelled):
        raise ValueError("unlabelled_dataset has no rows: leave it out.")


def _parts_of_the_loss(config: AttnLSTMConfig) -> list[str]:
    coefficients = ("pooler_l2_coef", "pooler_entropy_coef", "pooler_diversity_coef", "label_smoothing")
    parts = [name for name in coefficients if getattr(config, name)]
    return ["class_weights", *parts] if config.class_weights is not None else parts


def smooth_in_the_model(trainer: Trainer) -> None:
    """Have the model smooth the labels; the Trainer's smoother would leave the rest of the model's loss out.

    Raises:
        ValueError: In a regression, which has no classes to smooth over.
    """
    trainer.label_smoother = None
    factor, config = trainer.args.label_smoothing_factor, trainer.model.config
    if not factor:
        return
    if config.resolve_problem_type() == REGRESSION:
        raise ValueError("label_smoothing_factor has no meaning in a regression: leave it out.")
    config.label_smoothing = factor


def follow_directions(args: TrainingArguments, compute_metrics: Callable[..., Any] | None, several_sets: bool) -> None:
    """Set `greater_is_better` as the metric has it: transformers takes all but losses for better when greater.

    Args:
        args: Changed where they are wrong about a metric of this package, and that is told.
        compute_metrics: That of the Trainer; where it is one of this package, the metric's name is checked.
        several_sets: Whether there are several evaluation sets, whose names then stand before those of the metrics.

    Raises:
        ValueError: When the metric that chooses the best model will not be among those that are measured.
    """
    metric = args.metric_for_best_model
    if metric is None:
        return
    if not several_sets and (compute_metrics is None or isinstance(compute_metrics, Scorer)):
        known = {"loss": False} if compute_metrics is None else compute_metrics.directions()
        check_metric(metric, {"loss": False} if args.prediction_loss_only else known)
    direction = greater_is_better(metric)
    if direction is not None and bool(args.greater_is_better) is not direction:
        args.greater_is_better = direction
        better = "greater" if direction else "lower"
        logger.warning("Of %s, %s is better: greater_is_better is set to %s.", metric, better, direction)


def check_metric(metric: str, known: dict[str, bool]) -> None:
    """Refuse the name of a metric that will not be measured.

    Example:

    ```python
    >>> check_metric("f1", {"f1_macro": True})
    Traceback (most recent call last):
    ValueError: metric_for_best_model='f1' is none of the metrics: f1_macro.
    ```
    """
    if metric.removeprefix("eval_") not in known:
        asked = option("metric_for_best_model", metric)
        names = [*known][:_SHOWN] + [f"and {len(known) - _SHOWN} more"] * (len(known) > _SHOWN)
        raise ValueError(f"{asked} is none of the metrics: {', '.join(names)}.")


def set_plateau_mode(args: TrainingArguments) -> None:
    """Tell a learning rate that falls when a metric gets no better which way the metric is better.

    Raises:
        ValueError: When `lr_scheduler_kwargs` says the other way.
    """
    if args.lr_scheduler_type not in _FOLLOW_A_METRIC:
        return
    mode = "max" if args.greater_is_better else "min"
    options = {"mode": mode, **(args.lr_scheduler_kwargs or {})}
    if options["mode"] != mode:
        raise ValueError(
            f"lr_scheduler_kwargs has the mode {options['mode']!r}, but of {args.metric_for_best_model} "
            f"{'greater' if mode == 'max' else 'lower'} is better: leave the mode out."
        )
    args.lr_scheduler_kwargs = options


def add_embedding_noise(embedding: nn.Module, alpha: float) -> Callable[[], None]:
    """Noise on the embeddings in training (NEFTune, Jain et al., 2023), uniform within alpha / √(length · width).

    transformers' own hook takes the second dimension for the length; the embedding here is read time-major.

    Args:
        embedding: Gives (length, batch, width).
        alpha: Size of the noise.

    Returns:
        A function that ends this.
    """

    def add(module: nn.Module, _: Any, output: Tensor) -> Tensor:
        if not module.training:
            return output
        size = alpha / (output.shape[0] * output.shape[2]) ** 0.5
        return output + torch.empty_like(output).uniform_(-size, size)

    return embedding.register_forward_hook(add).remove


@contextlib.contextmanager
def precision_kept(model: nn.Module) -> Iterator[None]:
    """Give parameters and buffers their numbers back in the end.

    An evaluation with `bf16_full_eval` or `fp16_full_eval` casts them, and what is saved after it would be cast, too.
    """
    tensors = [*model.parameters(), *model.buffers()]
    kept = [tensor.data for tensor in tensors]
    try:
        yield
    finally:
        for tensor, data in zip(tensors, kept):
            tensor.data = data
