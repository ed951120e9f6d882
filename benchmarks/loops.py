"""The training step and the inference loop that all torch models share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from hfattnlstm.modeling.batch_workers import BatchWorkers, plan_batches
from hfattnlstm.modeling.modeling_attnlstm import AttnLSTMPreTrainedModel
from hfattnlstm.training.lazy_adamw import LazyAdamW
from hfattnlstm.training.sparse_gradients import clip_sparse_grad_norm_
from hfattnlstm.training.trainer import LEAST_ROWS

from .batches import BATCH_SIZE, Batch, collate, grouped_batches, padded_batches, random_batches, sorted_batches
from .models import logits_of
from .timing import Call, Prepare
from .workload import Sample


LEARNING_RATE = 2e-3
MAX_GRAD_NORM = 1.0
MakeModel = Callable[[], nn.Module]


def optimizer_of(model: nn.Module) -> tuple[torch.optim.Optimizer, Callable[..., Tensor]]:
    """Fused AdamW, and what clips the gradients; for ours the form of both that the package's Trainer takes."""
    parameters = list(model.parameters())
    on_cpu = parameters[0].device.type == "cpu"
    if isinstance(model, AttnLSTMPreTrainedModel) and on_cpu and model.config.vocab_size >= LEAST_ROWS:
        optimizer = LazyAdamW(parameters, lr=LEARNING_RATE, fused=True)
        optimizer.attach(model.get_input_embeddings())
        return optimizer, clip_sparse_grad_norm_
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE, fused=True), nn.utils.clip_grad_norm_


class TrainingStep:
    """Forward and backward pass, clipping, and a step of AdamW.

    Args:
        model: Any of the models of `models.py`; it is trained in place.
        autocast: Whether the forward pass runs under bf16 autocast.
    """

    def __init__(self, model: nn.Module, autocast: bool = False):
        self.model = model.train()
        self.device = next(model.parameters()).device
        self.autocast = autocast
        self.optimizer, self.clip = optimizer_of(model)

    def __call__(self, batch: Batch) -> Tensor:
        """One step; returns the loss."""
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16) if self.autocast else nullcontext():
            logits = logits_of(self.model, batch)
        loss = nn.functional.cross_entropy(logits.float(), batch.labels.to(self.device))
        loss.backward()
        self.clip(list(self.model.parameters()), MAX_GRAD_NORM)
        self.optimizer.step()
        return loss.detach()


def batches_in(order: str, sample: Sample, batch_size: int = BATCH_SIZE) -> Iterable[Batch]:
    """Batches of a sample.

    Args:
        order: `"random"`; `"sorted"` from short to long; `"grouped"`: of like length in random order, for training;
            `"padded"`: random and all padded to the longest text that there can be.
        sample: The texts.
        batch_size: Texts in a batch.
    """
    if order == "padded":
        return padded_batches(sample, sample.longest, batch_size)
    return {"random": random_batches, "sorted": sorted_batches, "grouped": grouped_batches}[order](sample, batch_size)


def training(
    make_model: MakeModel,
    order: str,
    autocast: bool = False,
    batch_size: int = BATCH_SIZE,
    device: str = "cpu",
) -> Callable[[], Prepare]:
    """The `load` of a candidate that trains on every text once; the batches are made before the time is taken."""

    def load() -> Prepare:
        step = TrainingStep(make_model().to(device), autocast)

        def prepare(sample: Sample) -> Call:
            batches = list(batches_in(order, sample, batch_size))

            def call() -> int:
                for batch in batches:
                    step(batch)
                synchronize(device)
                return len(sample)

            return call

        return prepare

    return load


def inference(
    make_model: MakeModel,
    order: str,
    dtype: torch.dtype = torch.float32,
    batch_size: int = BATCH_SIZE,
    device: str = "cpu",
) -> Callable[[], Prepare]:
    """The `load` of a candidate that goes from token ids to logits; the making of the batches is timed, too."""

    def load() -> Prepare:
        model = make_model().eval().to(device, dtype)

        def prepare(sample: Sample) -> Call:
            def call() -> int:
                with torch.inference_mode():
                    for batch in batches_in(order, sample, batch_size):
                        logits_of(model, batch)
                synchronize(device)
                return len(sample)

            return call

        return prepare

    return load


def our_inference(make_model: MakeModel, dtype: torch.dtype = torch.float32) -> Callable[[], Prepare]:
    """The `load` of our model as the package itself runs it over many encoded texts."""

    def load() -> Prepare:
        model = make_model().eval().to(dtype=dtype)

        def prepare(sample: Sample) -> Call:
            def call() -> int:
                classify_encoded(model, sample)
                return len(sample)

            return call

        return prepare

    return load


def classify_encoded(model: PreTrainedModel, sample: Sample) -> None:
    """Run our model over encoded texts as its pipeline does: batches of like length side by side, one core each."""

    def run(chosen: list[int]) -> None:
        with torch.inference_mode():
            logits_of(
                model, collate([sample.ids[index] for index in chosen], [sample.labels[index] for index in chosen])
            )

    with BatchWorkers(model.device) as workers:
        batches = plan_batches(sample.lengths, workers=workers.count)
        for wait in workers.start([partial(run, batch) for batch in batches]):
            wait()


def synchronize(device: str) -> None:
    """Wait until the device has done what it was told."""
    if device != "cpu":
        torch.accelerator.synchronize()
