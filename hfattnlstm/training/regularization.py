"""Losses of a training beyond that of the model: R-Drop, and adversarial texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.marks import RATIONALE
from ..modeling.configuration_base import MULTI_LABEL
from ..modeling.embeddings import TokenEmbeddings
from ..modeling.reading_order import mask_of
from .faithful_attention import AttentionPenalties, relevance_of


# How far a text moves at most, in deviations of the embeddings for each token: with 2.3, sentences taught nothing.
MOST_A_TOKEN = 1.5


def regularized_loss(
    model: nn.Module,
    inputs: Mapping[str, Tensor],
    *,
    rdrop_alpha: float = 0.0,
    adversarial_epsilon: float = 0.0,
    penalties: AttentionPenalties | None = None,
    forward: Callable[..., Any] | None = None,
) -> Tensor:
    """The loss of a batch with R-Drop, on adversarial texts, with penalties on the attention, or all of these.

    R-Drop (Liang et al., 2021) reads each text twice, with other units dropped, and adds `rdrop_alpha` times the
    [`divergence`] of the two predictions to the mean of the two losses.

    Adversarial training (fast gradient method, Miyato et al., 2017) takes the mean of the loss of the texts and of
    that of their embeddings moved by [`perturbation`]; other units are dropped in the second reading.

    Args:
        model: A classifier of this package, in training mode.
        inputs: A batch with labels, as the model takes it; perhaps with `rationale`, (batch, length) of 0 and 1.
        rdrop_alpha, adversarial_epsilon: 0 leaves that part out.
        penalties: What is added for the sake of the attention, which is drawn to the gradient of the unmoved texts.
        forward: What calls the model where processes train together; the model without.

    Returns:
        A scalar. The gradients of the unmoved texts are computed in this call, and are those of its backward pass.

    Example:

    ```python
    >>> batch = {"input_ids": torch.tensor([[5, 6, 7]]), "labels": torch.tensor([1])}
    >>> regularized_loss(model.train(), batch, rdrop_alpha=1.0, adversarial_epsilon=1.0).shape
    torch.Size([])
    ```
    """
    forward = model if forward is None else forward
    if rdrop_alpha:
        inputs = {name: torch.cat([value, value]) for name, value in inputs.items()}

    penalties, inputs = penalties or AttentionPenalties(), dict(inputs)
    rationale = inputs.pop(RATIONALE, None)

    def loss_of(reader: Callable[..., Any], batch: Mapping[str, Tensor], relevance: Tensor | None = None) -> Tensor:
        outputs = reader(**batch, **penalties.wanted_outputs)
        loss = outputs["loss"]
        if rdrop_alpha:
            problem_type = model.config.resolve_problem_type(batch["labels"].is_floating_point())
            loss = loss + rdrop_alpha * divergence(*outputs["logits"].chunk(2), problem_type)
        return loss + penalties.of(outputs, _mask_of(batch), relevance, rationale) if penalties else loss

    if adversarial_epsilon:
        return _with_adversarial_texts(model, inputs, adversarial_epsilon, forward, loss_of)
    if penalties.alignment:
        return _with_relevance(model, inputs, forward, loss_of)
    return loss_of(forward, inputs)


def kl_divergence(first: Tensor, second: Tensor, problem_type: str) -> Tensor:
    """The Kullback-Leibler divergence from one prediction to another.

    Args:
        first, second: Logits (batch, num_labels) of the same texts.
        problem_type: Of several labels a text, each is a yes or no of its own, and their mean is taken.

    Returns:
        A scalar, the mean over the texts.

    Example:

    ```python
    >>> kl_divergence(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), "single_label_classification")
    tensor(0.1201)
    ```
    """
    first, second = (logits if logits.dtype == torch.float64 else logits.float() for logits in (first, second))
    if problem_type == MULTI_LABEL:
        return (first.sigmoid() * (first - second) + F.softplus(second) - F.softplus(first)).mean()
    return F.kl_div(second.log_softmax(-1), first.log_softmax(-1), log_target=True, reduction="batchmean")


def divergence(first: Tensor, second: Tensor, problem_type: str) -> Tensor:
    """How far two predictions differ: the mean of the two Kullback-Leibler divergences.

    Args:
        first, second, problem_type: As in [`kl_divergence`].

    Returns:
        A scalar, the mean over the texts.

    Example:

    ```python
    >>> divergence(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), "single_label_classification")
    tensor(0.1155)
    ```
    """
    return (kl_divergence(first, second, problem_type) + kl_divergence(second, first, problem_type)) / 2


@torch.no_grad()
def perturbation(gradient: Tensor, embedded: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Where a text's embeddings move to raise its loss the most, as far as its gradient tells.

    Miyato et al. (2017) normalise the embeddings to a standard deviation of 1, with words as often as they occur. Here
    epsilon is multiplied by that deviation instead, as the batch has it. What is right for a review would make noise
    of a phrase: a text moves no further than 1.5 deviations a token, in the mean of squares.

    Args:
        gradient: (batch, length, width), of the loss by the embeddings.
        embedded: (batch, length, width), the embeddings.
        mask: Boolean (batch, length), True on real tokens.
        epsilon: Norm of the move over a whole text, in standard deviations of the embeddings; at most 1.5 times
            the root of how many tokens it has.

    Returns:
        (batch, length, width); 0 on padding, and for texts without a gradient.

    Example:

    ```python
    >>> embedded, mask = torch.tensor([[[1.0], [3.0], [0.0]]]), torch.tensor([[True, True, False]])
    >>> perturbation(torch.tensor([[[3e-9], [4e-9], [0.0]]]), embedded, mask, epsilon=1.0)[0, :, 0]
    tensor([0.6000, 0.8000, 0.0000])
    ```
    """
    real = mask[..., None].to(embedded.dtype)
    least = torch.finfo(gradient.dtype).tiny
    gradient = gradient * real
    # The squares of a late training's gradients are too small to be told from 0.
    gradient = gradient / gradient.abs().amax((1, 2), keepdim=True).clamp(min=least)
    norm = torch.linalg.vector_norm(gradient, dim=(1, 2), keepdim=True).clamp(min=least)
    most = (MOST_A_TOKEN * real.sum(1, keepdim=True).sqrt()).clamp(max=epsilon)
    return gradient * (most * _deviation(embedded, real) / norm)


def embedded_batch(model: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The embeddings of a batch, and what else the model takes beside them, its n-grams' part of the logits too."""
    rest = {name: value for name, value in inputs.items() if name not in ("input_ids", "inputs_embeds")}
    ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
    if ids is None:
        return inputs["inputs_embeds"], rest
    if getattr(model, "ngrams", None) is not None:
        rest.setdefault("ngram_logits", model.ngrams(ids, mask_of(ids, mask)))
    if model.base_model.embeddings.spelling is not None:
        rest["attention_mask"] = model.tokens_read(ids, mask)
    return model.embed(ids, mask), rest


def _deviation(embedded: Tensor, real: Tensor) -> Tensor:
    """The standard deviation of the embeddings of a batch around their mean, a scalar; `real` is 1 on real tokens."""
    count = real.sum().clamp(min=1)
    mean = (embedded * real).sum((0, 1)) / count
    return (((embedded - mean).square() * real).sum((0, 1)) / count).mean().sqrt()


def _with_adversarial_texts(
    model: nn.Module,
    inputs: Mapping[str, Tensor],
    epsilon: float,
    forward: Callable[..., Any],
    loss_of: Callable[..., Tensor],
) -> Tensor:
    embedded, batch = embedded_batch(model, inputs)
    if not embedded.numel():
        return loss_of(forward, inputs)
    leaf = embedded.detach().requires_grad_()
    clean = loss_of(model, {**batch, "inputs_embeds": leaf})
    # A second backward pass through the unmoved texts would cost as much as the first one.
    tensors = [leaf, *_parameters_behind_the_embeddings(model)]
    gradients = torch.autograd.grad(clean, tensors, allow_unused=True)
    tensors[0] = embedded
    used = [(tensor, gradient) for tensor, gradient in zip(tensors, gradients) if gradient is not None]
    clean = _KnownGradients.apply(clean.detach(), [gradient for _, gradient in used], *(tensor for tensor, _ in used))
    moves = perturbation(gradients[0], embedded, mask_of(embedded[..., 0], batch.get("attention_mask")), epsilon)
    moved = loss_of(forward, {**batch, "inputs_embeds": embedded + moves}, relevance_of(gradients[0], embedded))
    return (clean + moved) / 2


def _with_relevance(
    model: nn.Module, inputs: Mapping[str, Tensor], forward: Callable[..., Any], loss_of: Callable[..., Tensor]
) -> Tensor:
    """With what the gradient of a first reading says of the tokens, to which the attention of a second is drawn."""
    embedded, batch = embedded_batch(model, inputs)
    if not embedded.numel():
        return loss_of(forward, inputs)
    leaf = embedded.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(model, {**batch, "inputs_embeds": leaf}), leaf)
    return loss_of(forward, {**batch, "inputs_embeds": embedded}, relevance_of(gradient, embedded))


def _mask_of(batch: Mapping[str, Tensor]) -> Tensor:
    read = batch["input_ids"] if "input_ids" in batch else batch["inputs_embeds"][..., 0]
    return mask_of(read, batch.get("attention_mask"))


def _parameters_behind_the_embeddings(model: nn.Module) -> list[nn.Parameter]:
    embeddings = [module for module in model.modules() if isinstance(module, TokenEmbeddings)]
    # By their ids, because a comparison would read all rows of a table.
    tables = {id(weight) for module in embeddings for weight in module.parameters()}
    return [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in tables]


class _KnownGradients(torch.autograd.Function):
    """A number whose gradients by some tensors are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Sequence[Tensor], *tensors: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(upstream * gradient for gradient in ctx.gradients)
