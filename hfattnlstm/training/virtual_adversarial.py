"""Virtual adversarial training: a loss that needs no labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..modeling.reading_order import mask_of
from .regularization import embedded_batch, kl_divergence, perturbation


# Norm of the trial move, in standard deviations of the embeddings: so small that the divergence is quadratic in it.
TRIAL_NORM = 0.1


def virtual_adversarial_loss(model: nn.Module, batches: Sequence[Mapping[str, Tensor]], epsilon: float) -> Tensor:
    """How far the predictions change when embeddings are moved to where these change the most.

    Virtual adversarial training (Miyato et al., 2017, 2018): the Kullback-Leibler divergence from the prediction of a
    text, through which no gradient flows, to that of its embeddings moved by `epsilon`. The direction comes from one
    power iteration: the gradient of the divergence at a small random move. A text's passes drop the same units, else
    what is dropped would change the prediction more than the small move does; in bf16, rounding makes the direction
    rough.

    Args:
        model: A classifier of this package, in training mode.
        batches: As the model takes them, one or more; labels only tell several labels a text from one.
        epsilon: Norm of the move over a whole text, in standard deviations of the embeddings; see [`perturbation`].

    Returns:
        A scalar, the mean over all texts. Of the global random numbers a batch takes those of the small move and of
        one pass.

    Example:

    ```python
    >>> batch = {"input_ids": torch.tensor([[5, 6, 7]])}
    >>> virtual_adversarial_loss(model.train(), [batch], epsilon=5.0).shape
    torch.Size([])
    ```
    """
    float_labels = any("labels" in batch and batch["labels"].is_floating_point() for batch in batches)
    problem_type = model.config.resolve_problem_type(float_labels)
    counts = [len(batch["input_ids"] if "input_ids" in batch else batch["inputs_embeds"]) for batch in batches]
    losses = [_loss_of_batch(model, batch, epsilon, problem_type) for batch in batches]
    return sum(loss * (count / sum(counts)) for loss, count in zip(losses, counts))


def _loss_of_batch(model: nn.Module, batch: Mapping[str, Tensor], epsilon: float, problem_type: str) -> Tensor:
    embedded, rest = embedded_batch(model, batch)
    rest.pop("labels", None)
    if not embedded.numel():
        return embedded.sum()
    fixed, mask = embedded.detach(), mask_of(embedded[..., 0], batch.get("attention_mask"))

    def logits_of(inputs_embeds: Tensor) -> Tensor:
        return model(inputs_embeds=inputs_embeds, **rest)["logits"]

    trial = perturbation(torch.randn_like(fixed), fixed, mask, TRIAL_NORM).requires_grad_()
    with _random_numbers_again(fixed.device), torch.no_grad():
        clean = logits_of(fixed)
    with _random_numbers_again(fixed.device):
        (gradient,) = torch.autograd.grad(kl_divergence(clean, logits_of(fixed + trial), problem_type), trial)
    moves = perturbation(gradient, fixed, mask, epsilon)
    return kl_divergence(clean, logits_of(embedded + moves), problem_type)


@contextmanager
def _random_numbers_again(device: torch.device) -> Iterator[None]:
    """What draws random numbers after this draws those again that were drawn in it."""
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices, device_type=device.type):
        yield
