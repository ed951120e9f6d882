"""The Trainer of transformers with length-grouped batches that can be resumed."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers import PreTrainedModel, TrainingArguments
from transformers.trainer_utils import EvalLoopOutput, TrainOutput, has_length

from .._wording import option
from ..data.batching import GroupedSampler, LengthGroupedSampler
from ..data.marks import BATCH_GROUP, RATIONALE
from ..data.unlabelled import UnlabelledBatches
from ..modeling.ngrams import NgramEmbedding
from ..modeling.subwords import SubwordEmbedding
from ..modeling.word_inputs import WordVectors
from .averaging import AVERAGES, WeightAveraging
from .erasure import erasure_loss
from .faithful_attention import take_penalties
from .layer_depth import GradualUnfreezing, decay_by_depth
from .lazy_adamw import LazyAdamW, LazyEmbedding
from .regularization import regularized_loss
from .sparse_gradients import clip_sparse_grad_norm_, has_sparse_gradients
from .trainer_options import (
    add_embedding_noise,
    check_options,
    check_regularization,
    check_unlabelled,
    follow_directions,
    is_attnlstm,
    precision_kept,
    regularization_of,
    set_plateau_mode,
    smooth_in_the_model,
)
from .virtual_adversarial import virtual_adversarial_loss
from .whole_checkpoints import WholeCheckpoints


# Rows of an embedding from which on updating few of them saves time.
LEAST_ROWS = 10_000


class NonFiniteLossError(RuntimeError):
    """The loss has become NaN or infinite; training was stopped."""


class AttnLSTMTrainer(WholeCheckpoints):
    """`Trainer`, with a few differences. Checkpoints are those of [`WholeCheckpoints`].

    `train_sampling_strategy="group_by_length"` groups training batches only, by a sampler that depends on the seed
    and the epoch alone: a resumed run is bit-equal to one that was not interrupted, and `evaluate` and `predict` keep
    the order of the data set. Where the training data have a column `batch_group`, rows with equal values follow each
    other, in
    random order unless `train_sampling_strategy="sequential"` says otherwise.

    A loss that is NaN or infinite stops the training: on a CPU at once, on an accelerator, where looking at every loss
    would make it wait, before anything is logged, evaluated or saved. A model card in the output folder is not
    overwritten.

    AdamW updates only those rows of a large embedding, of tokens or n-grams, that a batch has read, by [`LazyAdamW`],
    with the result of the dense optimiser up to rounding. `embedding_updates` of the arguments, where they have it,
    says "lazy" or "dense"; the default, and "auto", is lazy on a CPU, in one process, from 10,000 rows.

    `rdrop_alpha`, `adversarial_epsilon` and the coefficients of [`AttentionPenalties`] of the arguments, where they
    have them, add to the loss what [`regularized_loss`] says; `rationale_coef` needs a column `rationale` of the
    training texts, with 0 or 1 for each token. `erasure_coef` adds the [`erasure_loss`]. `ema_decay` is what
    [`WeightAveraging`] takes, which a run adds. `vat_epsilon` adds the [`virtual_adversarial_loss`] of each batch, and
    of as many of the rows of `unlabelled_dataset`, which need no labels: which ones depends on the seed and the step
    alone, and all are read before one is read again.

    The model's own loss is used, with its class weights and penalties: `label_smoothing_factor` sets
    `config.label_smoothing` of the model, and a `compute_loss_func` that would replace such parts is refused. Of a
    metric of this package it is known whether greater is better, for the best model, early stopping and a learning
    rate that follows a plateau. `dataloader_drop_last` is for training alone.

    Raises:
        ValueError: When it is made with options that the model cannot follow; from `train`, where there is no whole
            checkpoint to go on from.
        NonFiniteLossError: From `train`, with the step, when the loss is NaN or infinite.

    Example:

    ```python
    >>> args = TrainingArguments("out", train_sampling_strategy="group_by_length")
    >>> trainer = AttnLSTMTrainer(model, args, train_dataset=encoded, processing_class=tokenizer)
    >>> trainer.train().global_step
    120
    ```
    """

    # The optimiser whose rows are put off during a training, and what ends that.
    _attached: LazyAdamW | None = None
    _detach: Callable[[], None] | None = None
    # (2,), on the loss's device: the first step with a broken loss and that loss, or zeros; None where all are known.
    _broken: Tensor | None = None
    # Whether `logging_nan_inf_filter` is to be switched on again.
    _filters: bool = False
    # Those of a training, from its first step on.
    _unlabelled: UnlabelledBatches | None = None
    # What ends the noise on the embeddings.
    _silence: Callable[[], None] | None = None

    def __init__(
        self,
        model: nn.Module | None = None,
        args: TrainingArguments | None = None,
        *rest: Any,
        unlabelled_dataset: Dataset | None = None,
        **options: Any,
    ):
        with warnings.catch_warnings():
            if is_attnlstm(model):
                # Of the Trainer's smoother, which is not used.
                warnings.filterwarnings("ignore", "Label smoothing is not compatible with multi-label")
            super().__init__(model, args, *rest, **options)
        follow_directions(self.args, self.compute_metrics, isinstance(self.eval_dataset, dict))
        if is_attnlstm(self.model):
            smooth_in_the_model(self)
            check_options(self)
            # The noise is added here, see `create_optimizer`.
            self.neftune_noise_alpha = None
        check_regularization(self)
        check_unlabelled(self, unlabelled_dataset)
        self.unlabelled_dataset = unlabelled_dataset

    def call_model_init(self, *args: Any, **kwargs: Any) -> nn.Module:
        """As the base class's; the labels are smoothed in this model, too."""
        model = super().call_model_init(*args, **kwargs)
        if is_attnlstm(model) and self.args.label_smoothing_factor:
            model.config.label_smoothing = self.args.label_smoothing_factor
        return model

    def _updates_rows(self) -> bool:
        return bool(self._lazy_embeddings())

    def _lazy_embeddings(self) -> list[nn.Embedding]:
        """Those of which only the rows in use are updated."""
        args, model = self.args, self.model
        wanted = getattr(args, "embedding_updates", "auto")
        if not isinstance(model, PreTrainedModel) or not is_attnlstm(model):
            return []
        # Each place of a text has noise of its own, so a row is not the same wherever it stands.
        if args.neftune_noise_alpha is not None:
            return []
        if args.torch_compile or self.accelerator.num_processes > 1:
            return []
        # Each replica of DataParallel would be a model of its own.
        if args.n_gpu > 1:
            return []
        if wanted == "dense" or args.adam_beta1 >= args.adam_beta2**0.5:
            return []
        kinds = (NgramEmbedding, SubwordEmbedding, WordVectors)
        tables = (each.table for each in model.modules() if isinstance(each, kinds))
        return [table for table in (model.get_input_embeddings(), *tables) if _can_be_lazy(table, wanted == "auto")]

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """As the base class's; large embeddings have sparse gradients from here to the end of the training."""
        chosen = self.optimizer_cls_and_kwargs
        if self.optimizer is None and chosen is None and self._updates_rows():
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            if optimizer_class is torch.optim.AdamW:
                self.optimizer_cls_and_kwargs = LazyAdamW, options
        is_new = self.optimizer is None
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, GradualUnfreezing):
                # What is frozen would be no part of the optimiser.
                callback.release()
        optimizer = super().create_optimizer(*args, **kwargs)
        self.optimizer_cls_and_kwargs = chosen
        decay = getattr(self.args, "layer_lr_decay", 1.0)
        if is_new and decay != 1 and is_attnlstm(self.model):
            decay_by_depth(optimizer, self.accelerator.unwrap_model(self.model), decay)
        # In a second training it is that of the first, as accelerate has wrapped it.
        inner = getattr(optimizer, "optimizer", optimizer)
        if self._silence is None and self.args.neftune_noise_alpha is not None and is_attnlstm(self.model):
            self._silence = add_embedding_noise(self.model.get_input_embeddings(), self.args.neftune_noise_alpha)
        if isinstance(inner, LazyAdamW) and inner is not self._attached:
            self._leave()
            self._detach = self._attach(inner, self._lazy_embeddings())
            self._attached = inner
        return optimizer

    def _attach(self, optimizer: LazyAdamW, embeddings: Iterable[nn.Embedding]) -> Callable[[], None]:
        detach = [optimizer.attach(embedding) for embedding in embeddings]
        clip = self.accelerator.clip_grad_norm_
        self.accelerator.clip_grad_norm_ = functools.partial(_clip_grad_norm, self.accelerator, clip)

        def undo() -> None:
            for end in detach:
                end()
            self.accelerator.clip_grad_norm_ = clip

        return undo

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """As the base class's."""
        try:
            return super().train(*args, **kwargs)
        finally:
            self._leave()
            if self._silence is not None:
                self._silence()
                self._silence = None
            self._broken = self._unlabelled = None
            self._switch_filter_on()

    def create_scheduler(self, *args: Any, **kwargs: Any) -> torch.optim.lr_scheduler.LRScheduler:
        """As the base class's; one that follows a metric knows which way it is better."""
        set_plateau_mode(self.args)
        return super().create_scheduler(*args, **kwargs)

    def _leave(self) -> None:
        """Give the embedding its dense gradients back."""
        if self._detach is not None:
            self._detach()
        self._detach = self._attached = None

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        strategy = self.args.train_sampling_strategy
        if strategy != "sequential" and BATCH_GROUP in getattr(self.train_dataset, "column_names", ()):
            return GroupedSampler(self.train_dataset[BATCH_GROUP][:], seed=self._seed_of_order())
        if strategy != "group_by_length" or not has_length(dataset):
            return super()._get_train_sampler(train_dataset)
        # The batch of all processes together: each takes its share of it, so their number does not change the order.
        # With `auto_find_batch_size` it may be smaller than the arguments say.
        batch_size = self._train_batch_size * max(self.args.world_size, 1)
        return LengthGroupedSampler(self._lengths(dataset, self.train_dataset), batch_size, seed=self._seed_of_order())

    def _seed_of_order(self) -> int:
        return self.args.data_seed if self.args.data_seed is not None else self.args.seed

    def _lengths(self, dataset: Dataset, *others: Dataset) -> list[int]:
        """Tokens of each row, from the column of another data set of the same rows where this one has lost its own."""
        column = self.args.length_column_name
        for candidate in (dataset, *others):
            if column in getattr(candidate, "column_names", ()) and len(candidate) == len(dataset):
                return list(candidate[column])
        name = self.processing_class.model_input_names[0] if self.processing_class is not None else "input_ids"
        return [len(row[name]) for row in dataset]

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler | None:
        if not has_length(eval_dataset):
            return None
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def _get_dataloader(
        self, dataset: Dataset, description: str, *args: Any, is_training: bool = False, **kwargs: Any
    ) -> DataLoader:
        drops = self.args.dataloader_drop_last
        try:
            # The base class leaves texts out of evaluations and predictions, too.
            self.args.dataloader_drop_last = drops and is_training
            return super()._get_dataloader(dataset, description, *args, is_training=is_training, **kwargs)
        finally:
            self.args.dataloader_drop_last = drops

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """As the base class's; the weights keep their precision, whatever the evaluation is done in."""
        casts = self.args.bf16_full_eval or self.args.fp16_full_eval
        with precision_kept(self.model) if casts and not self.is_in_train else contextlib.nullcontext():
            return super().evaluation_loop(*args, **kwargs)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        averages = None if self.optimizer is None else self.optimizer.state.get(AVERAGES)
        if averages is not None and not any(
            isinstance(each, WeightAveraging) for each in self.callback_handler.callbacks
        ):
            raise ValueError(
                f"The checkpoint {checkpoint} has averaged weights, which this training does not go on with: add "
                f"{option('ema_decay', averages['decay'])}."
            )

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor | Any], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """As the base class's; in training, with what `regularization_of` finds in the arguments."""
        wanted = regularization_of(self.args)
        marks = {RATIONALE: inputs.pop(RATIONALE)} if RATIONALE in inputs else {}
        if return_outputs or not wanted or not model.training:
            return super().compute_loss(model, inputs, return_outputs, **kwargs)
        epsilon, erasure = wanted.pop("vat_epsilon", 0.0), wanted.pop("erasure_coef", 0.0)
        unwrapped = self.accelerator.unwrap_model(model)
        penalties = take_penalties(wanted)
        loss = regularized_loss(unwrapped, inputs | marks, **wanted, penalties=penalties, forward=model)
        if erasure:
            loss = loss + erasure * erasure_loss(unwrapped, inputs)
        if not epsilon:
            return loss
        return loss + virtual_adversarial_loss(unwrapped, [inputs, *self._take_unlabelled()], epsilon)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if getattr(self.args, "rationale_coef", None) and RATIONALE not in self._signature_columns:
            # Read by the loss; the model does not take it.
            self._signature_columns.append(RATIONALE)

    def _take_unlabelled(self) -> list[dict[str, Tensor]]:
        """One batch; none where there are no texts without labels."""
        if self.unlabelled_dataset is None:
            return []
        batch_size = self._train_batch_size
        # `auto_find_batch_size` begins anew with a smaller one.
        if self._unlabelled is None or self._unlabelled.batch_size != batch_size:
            self._unlabelled = UnlabelledBatches(
                self.unlabelled_dataset,
                self._lengths(self.unlabelled_dataset),
                self._get_collator_with_removed_columns(self.data_collator, "unlabelled"),
                batch_size,
                seed=self._seed_of_order(),
                accumulation=self.args.gradient_accumulation_steps,
                process=self.args.process_index,
                processes=max(self.args.world_size, 1),
            )
        return [self._prepare_inputs(self._unlabelled.take(self.state.global_step))]

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """As the base class's, but a card that the run has written is kept; `push_to_hub` calls this."""
        if not (Path(self.args.output_dir) / "README.md").exists():
            super().create_model_card(*args, **kwargs)

    def training_step(self, model: nn.Module, inputs: dict[str, Tensor | Any], *args: Any, **kwargs: Any) -> Tensor:
        """One step; NonFiniteLossError, on an accelerator later, when its loss is NaN or infinite."""
        loss = super().training_step(model, inputs, *args, **kwargs)
        self._broken = _first_broken(self._broken, loss, self.state.global_step + 1)
        if _is_free_to_read(loss):
            self._look_at_losses()
        elif self.args.logging_nan_inf_filter:
            # It looks at every loss, to leave out those with which this training stops anyway.
            self.args.logging_nan_inf_filter, self._filters = False, True
        return loss

    def _switch_filter_on(self) -> None:
        if self._filters:
            self.args.logging_nan_inf_filter, self._filters = True, False

    def _look_at_losses(self) -> None:
        """Raise NonFiniteLossError when one since the last look was NaN or infinite."""
        # The evaluation has a use for the filter, and what is saved has the arguments as they were given.
        self._switch_filter_on()
        if self._broken is None:
            return
        step, loss = _read(self._broken)
        self._broken = None
        if step:
            raise NonFiniteLossError(
                f"The loss is {loss} at step {int(step)}: training was stopped. Lower learning_rate or max_grad_norm, "
                "or look for broken labels."
            )

    def log(self, *args: Any, **kwargs: Any) -> None:
        """As the base class's, unless a loss was broken."""
        self._look_at_losses()
        super().log(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As the base class's, unless a loss of the training was broken."""
        self._look_at_losses()
        return super().evaluate(*args, **kwargs)

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        """As the base class's, unless a loss was broken."""
        self._look_at_losses()
        super().save_model(*args, **kwargs)


def _can_be_lazy(embedding: nn.Module, only_if_large: bool) -> bool:
    """Whether a table can have sparse gradients, and, if that is asked for, whether they save time."""
    # Where it cannot work it is left out even if it is wanted, such as with a frozen embedding.
    if type(embedding) not in (nn.Embedding, LazyEmbedding) or not embedding.weight.requires_grad:
        return False
    weight = embedding.weight
    large = weight.device.type == "cpu" and embedding.num_embeddings >= LEAST_ROWS
    return weight.dtype == torch.float32 and (large or not only_if_large)


def _is_free_to_read(loss: Tensor) -> bool:
    """Whether nothing has to be waited for."""
    return loss.device.type == "cpu"


def _read(values: Tensor) -> list[float]:
    """The one place where the host waits for the device."""
    return values.tolist()


def _first_broken(before: Tensor | None, loss: Tensor, step: int) -> Tensor:
    """`before`, unless it is zeros or None; else step and loss, (2,), of a NaN or infinite loss; else zeros."""
    here = torch.stack([torch.full_like(loss, step, dtype=torch.float32).mean(), loss.float().mean()])
    here = torch.where(torch.isfinite(loss).all(), 0.0, here)
    return here if before is None else torch.where(before[0] > 0, before, here)


def _clip_grad_norm(
    accelerator: Accelerator,
    clip: Callable[..., Tensor],
    parameters: Iterable[nn.Parameter],
    *args: Any,
    **kwargs: Any,
) -> Tensor:
    """What stands in for `accelerator.clip_grad_norm_`, which knows dense gradients only."""
    parameters = list(parameters)
    if not has_sparse_gradients(parameters):
        return clip(parameters, *args, **kwargs)
    accelerator.unscale_gradients()
    return clip_sparse_grad_norm_(parameters, *args, **kwargs)
