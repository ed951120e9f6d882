"""Weights of the tokens of a text in what a classifier says of it, by several methods.

Each takes a [`TextScorer`], encoded texts and for each the place of the label that is explained, and gives an
[`Attribution`] for each text, or what somebody makes of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers.utils import logging

from .._extras import import_optional
from ..modeling.attention_entries import shared_out
from ..modeling.batch_workers import TOKENS_IN_BATCH
from ..modeling.text_inputs import EncodedText
from .scoring import WINDOW_TEXTS, TextScorer, as_array, one_at_a_time


logger = logging.get_logger(__name__)

# On the path from no text to the text; more where the weights do not sum to what they should, up to this share.
INTEGRATION_STEPS = (50, 200, 800)
LARGEST_GAP = 0.1


def own_places(encoded: EncodedText) -> np.ndarray:
    """Where the tokens stand that come from the text, as special ones do not.

    Example:

    ```python
    >>> own_places(EncodedText(input_ids=[1, 5, 2], spans=[None, (0, 3), None], word_ids=[None, 0, None], left_out=0))
    array([1])
    ```
    """
    parts = encoded.parts or (encoded.own_tokens,)
    return np.concatenate([np.arange(part.start, part.stop) for part in parts])


class Attribution(NamedTuple):
    """What a method finds of a text.

    Attributes:
        logits: (num_labels,), float64.
        scores: (num_labels,), what these are to people; see [`TextScorer.scores`].
        target: Place of the label that is explained.
        weights: (rows, tokens), float64, of the tokens that come from the text: a row for each head of an attention,
            else one.
    """

    logits: np.ndarray
    scores: np.ndarray
    target: int
    weights: np.ndarray


# Places of the labels to explain, one for each text; None for that which the model gives.
Targets = Sequence[int | None]
# Called with the place of a text and what is found of it, while other texts are being read; a method returns what it
# returns of each text, or without it the attributions.
Take = Callable[[int, Attribution], Any]


def _as_it_is(place: int, found: Attribution) -> Attribution:
    return found


def attention(scorer: TextScorer, texts: Sequence[EncodedText], targets: Targets, take: Take = _as_it_is) -> list[Any]:
    """How much of each token the pooled state takes; of another model, the last layer's attention from the token that
    it classifies by. What lies on special tokens is left out, and the rest sums to 1.
    """

    @torch.inference_mode()
    def attribute(inputs: dict[str, Tensor], wanted: Targets) -> _Batch:
        outputs = scorer.model(**inputs, output_attentions=True)
        weights = _of_classifying_token(scorer, _attentions(scorer, outputs, inputs), inputs)
        return _Batch(outputs.logits, scorer.choose(outputs.logits, wanted), weights)

    def take_shares(place: int, found: Attribution) -> Any:
        return take(place, found._replace(weights=shared_out(found.weights)))

    with _giving_attention(scorer):
        return _over_texts(scorer, texts, targets, take_shares, attribute)


def attention_x_gradient(
    scorer: TextScorer, texts: Sequence[EncodedText], targets: Targets, take: Take = _as_it_is
) -> list[Any]:
    """Each attention weight times the gradient in it of the target's margin (Serrano and Smith, 2019), summed over the
    heads, and what the n-grams add to that margin. A positive weight speaks for the target.
    """

    def attribute(inputs: dict[str, Tensor], wanted: Targets) -> _Batch:
        reading = _Reading.of(scorer, inputs)
        outputs = reading.read(reading.embedded.requires_grad_(), reading.ngrams, output_attentions=True)
        weights, chosen = _attentions(scorer, outputs, inputs), scorer.choose(outputs.logits, wanted)
        margin = scorer.margin(outputs.logits, chosen)
        wanted_of = [weights, *reading.differentiable_ngrams]
        gradient, *of_ngrams = torch.autograd.grad(margin.sum(), wanted_of, allow_unused=True)
        if gradient is None:
            raise ValueError(
                f"The logits of the model, a {type(scorer.model).__name__}, do not come from the attention that it "
                "gives: take another method, such as gradient_x_input."
            )
        product = _of_classifying_token(scorer, weights * gradient, inputs).sum(1)
        return _Batch(outputs.logits, chosen, (product + reading.shared_out(of_ngrams))[:, None])

    with _giving_attention(scorer):
        return _over_texts_with_gradients(scorer, texts, targets, take, attribute)


def gradient_x_input(
    scorer: TextScorer, texts: Sequence[EncodedText], targets: Targets, take: Take = _as_it_is
) -> list[Any]:
    """The gradient of the target's margin in the embedding of each token times that embedding, and what the n-grams
    add to that margin. A positive weight speaks for the target.
    """

    def attribute(inputs: dict[str, Tensor], wanted: Targets) -> _Batch:
        reading = _Reading.of(scorer, inputs)
        logits = reading.read(reading.embedded.requires_grad_(), reading.ngrams).logits
        chosen = scorer.choose(logits, wanted)
        margin = scorer.margin(logits, chosen).sum()
        gradient, *of_ngrams = torch.autograd.grad(margin, [reading.embedded, *reading.differentiable_ngrams])
        product = (gradient * reading.embedded).sum(-1) + reading.shared_out(of_ngrams)
        return _Batch(logits, chosen, product[:, None])

    return _over_texts_with_gradients(scorer, texts, targets, take, attribute)


def integrated_gradients(
    scorer: TextScorer, texts: Sequence[EncodedText], targets: Targets, take: Take = _as_it_is
) -> list[Any]:
    """Integrated gradients (Sundararajan et al., 2017) of the target's margin, by captum: from embeddings of zero,
    without n-grams, to those of the text. They sum, with those of special tokens, to what the margin gains on the way,
    up to a tenth; a warning tells where 800 steps are too few for that.
    """
    captum = import_optional("captum.attr")

    def attribute(inputs: dict[str, Tensor], wanted: Targets) -> _Batch:
        reading = _Reading.of(scorer, inputs)
        with torch.no_grad():
            logits = reading.read(reading.embedded, reading.ngrams).logits
        chosen = scorer.choose(logits, wanted)

        def margin_of(embedded: Tensor, *ngrams: Tensor) -> Tensor:
            found = reading.read(embedded, ngrams[0] if ngrams else None).logits
            return scorer.margin(found, chosen.expand(len(found)))

        ways = (reading.embedded, *reading.differentiable_ngrams)
        for steps in INTEGRATION_STEPS:
            (found, *of_ngrams), apart = captum.IntegratedGradients(margin_of).attribute(
                ways,
                n_steps=steps,
                internal_batch_size=_steps_at_once(scorer, reading.embedded.shape[1]),
                return_convergence_delta=True,
            )
            total = found.sum(-1) + sum(_over_tokens(part.sum(-1)) for part in of_ngrams)
            apart = float(apart.detach().sum())
            gain = float(total.detach().sum()) - apart
            if abs(apart) <= max(LARGEST_GAP * abs(gain), LARGEST_GAP / 10):
                break
        else:
            logger.warning_once(
                "Integrated gradients do not converge for some texts: after %s steps their weights do not sum to what "
                "they should. Take another method, such as occlusion.",
                steps,
            )
        return _Batch(logits, chosen, total[:, None])

    return _over_texts_with_gradients(scorer, texts, targets, take, attribute, batch_size=1)


def _steps_at_once(scorer: TextScorer, length: int) -> int:
    return 1 if scorer.reads_single_texts else max(1, TOKENS_IN_BATCH // length)


def occlusion(scorer: TextScorer, texts: Sequence[EncodedText], targets: Targets, take: Take = _as_it_is) -> list[Any]:
    """How much the target's probability, in a regression the number, falls when a word is left out; the tokens of a
    word share that.
    """
    found: list[Any] = []
    for start in range(0, len(texts), WINDOW_TEXTS):
        window = slice(start, start + WINDOW_TEXTS)
        for attribution in _occluded(scorer, texts[window], targets[window]):
            found.append(take(len(found), attribution))
    return found


def _occluded(scorer: TextScorer, texts: Sequence[EncodedText], targets: Targets) -> Iterator[Attribution]:
    sequences = [scorer.tokens_of(text) for text in texts]
    words = [_words(text) for text in texts]
    for tokens, own in zip(list(sequences), words):
        sequences += [tokens.only(np.delete(np.arange(len(tokens.ids)), word)) for word in own]
    logits = scorer.logits(sequences)
    chosen = scorer.choose(torch.from_numpy(logits[: len(texts)]), targets).tolist()
    probabilities, scores = scorer.probabilities(logits), scorer.scores(logits[: len(texts)])
    first = len(texts)
    for index, (target, own) in enumerate(zip(chosen, words)):
        falls = probabilities[index, target] - probabilities[first : first + len(own), target]
        first += len(own)
        sizes = np.array([len(word) for word in own], dtype=np.int64)
        yield Attribution(logits[index], scores[index], target, np.repeat(falls / sizes, sizes)[None])


Method = Callable[..., list[Any]]

# By the name that is given to [`explain`].
METHODS: dict[str, Method] = {
    method.__name__: method
    for method in (attention, attention_x_gradient, gradient_x_input, integrated_gradients, occlusion)
}
# Of those that cost little, the one that can be trusted most.
DEFAULT_METHOD = attention_x_gradient.__name__
# Those that need a model with attention.
ATTENTION_METHODS = ("attention", "attention_x_gradient")
# Those that take many passes a text.
SLOW_METHODS = ("integrated_gradients", "occlusion")
# Their weights are never negative, and say how much a token counts, not for what.
UNSIGNED = ("attention",)


class _Batch(NamedTuple):
    """Of a batch of texts: logits (batch, num_labels), places of labels (batch,), weights (batch, rows, length)."""

    logits: Tensor
    targets: Tensor
    weights: Tensor


class _Reading(NamedTuple):
    """What a batch looks like to the model in numbers that have gradients.

    Attributes:
        read: Takes embeddings, and what n-grams add, and gives the model's outputs.
        embedded: (batch, length, width).
        ngrams: (batch, length, longest, num_labels), what the n-grams that end at a token add to the logits; None of a
            model without.
    """

    read: Callable[..., Any]
    embedded: Tensor
    ngrams: Tensor | None

    @classmethod
    def of(cls, scorer: TextScorer, inputs: dict[str, Tensor]) -> _Reading:
        model, rest = scorer.model, dict(inputs)
        ids, mask = rest.pop("input_ids"), inputs["attention_mask"]
        own_ngrams = getattr(model, "ngrams", None) if scorer.is_own else None
        with torch.no_grad():
            embedded = model.embed(ids, mask) if scorer.is_own else model.get_input_embeddings()(ids)
            ngrams = None if own_ngrams is None else own_ngrams.contributions(ids, mask.bool()).requires_grad_()

        def read(embedded: Tensor, ngrams: Tensor | None = None, **options: Any) -> Any:
            # The steps of a path are a batch of their own.
            others = {name: value.expand(len(embedded), -1) for name, value in rest.items()}
            if ngrams is not None:
                options["ngram_logits"] = own_ngrams.bias + ngrams.sum((1, 2))
            return model(inputs_embeds=embedded, **others, **options)

        return cls(read if scorer.is_own else _telling(model, read), embedded.detach(), ngrams)

    @property
    def differentiable_ngrams(self) -> list[Tensor]:
        return [] if self.ngrams is None else [self.ngrams]

    def shared_out(self, gradients: Sequence[Tensor]) -> Tensor | float:
        """What the n-grams add to a margin with these gradients, (batch, length)."""
        return _over_tokens((self.ngrams * gradients[0]).sum(-1)) if gradients else 0.0


def _telling(model: Any, read: Callable[..., Any]) -> Callable[..., Any]:
    """Tells what to do instead where a model of another kind cannot read embeddings."""

    def read_or_tell(*arguments: Any, **options: Any) -> Any:
        try:
            return read(*arguments, **options)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                f"The model, a {type(model).__name__}, cannot be read from embeddings ({error}): take another method, "
                "such as occlusion."
            ) from error

    return read_or_tell


def _over_tokens(parts: Tensor) -> Tensor:
    """(batch, length, longest), of the n-grams that end at a token, to (batch, length): their tokens share that."""
    length = parts.shape[1]
    total = torch.zeros_like(parts[..., 0])
    for size in range(1, parts.shape[-1] + 1):
        share = parts[..., size - 1] / size
        for back in range(min(size, length)):
            total[:, : length - back] += share[:, back:]
    return total


def _over_texts(
    scorer: TextScorer,
    texts: Sequence[EncodedText],
    targets: Targets,
    take: Take,
    attribute: Callable[[dict[str, Tensor], Targets], _Batch],
    batch_size: int | None = None,
) -> list[Any]:
    def run(inputs: dict[str, Tensor], places: list[int]) -> list[Attribution]:
        found = attribute(inputs, [targets[place] for place in places])
        logits, weights = as_array(found.logits), as_array(found.weights)
        rows = zip(places, logits, scorer.scores(logits), found.targets.tolist(), weights)
        return [
            Attribution(said, scores, target, row[:, own_places(texts[place])])
            for place, said, scores, target, row in rows
        ]

    return scorer.over_batches([scorer.tokens_of(text) for text in texts], run, batch_size, take)


def _over_texts_with_gradients(scorer: TextScorer, *arguments: Any, **options: Any) -> list[Any]:
    # cuDNN gives no gradients of an LSTM in evaluation mode. The switch is one for all threads.
    with one_at_a_time, torch.backends.cudnn.flags(enabled=False):
        return _over_texts(scorer, *arguments, **options)


def _attentions(scorer: TextScorer, outputs: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Those that come last, (batch, heads, queries, length)."""
    found = getattr(outputs, "attentions", None)
    # Those of a window, or of a decoder, are over something else than the tokens.
    if not found or found[-1] is None or found[-1].shape[-1] != inputs["input_ids"].shape[1]:
        raise ValueError(
            f"The model, a {type(scorer.model).__name__}, gives no attention over all tokens: take another method, "
            "such as occlusion."
        )
    return found[-1]


def _of_classifying_token(scorer: TextScorer, weights: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """(batch, heads, queries, length) to (batch, heads, length): those of the token that a model classifies by."""
    if weights.shape[2] == 1:
        return weights[:, :, 0]
    texts = torch.arange(len(weights), device=weights.device)
    is_marked = inputs["input_ids"] == (-1 if scorer.classifying_token is None else scorer.classifying_token)
    if is_marked.any(1).all():
        return weights[texts, :, is_marked.int().argmax(1)]
    # A model that reads from left to right has seen the text at its last token alone.
    if not weights[:, :, 0, 1:].any():
        return weights[texts, :, inputs["attention_mask"].sum(1) - 1]
    return weights[:, :, 0]


@contextlib.contextmanager
def _giving_attention(scorer: TextScorer) -> Iterator[None]:
    """A model of another kind in the implementation of its attention that gives the weights."""
    with one_at_a_time:
        model = scorer.model
        usual = getattr(model.config, "_attn_implementation", None)
        if scorer.is_own or usual in (None, "eager"):
            yield
            return
        model.set_attn_implementation("eager")
        try:
            yield
        finally:
            model.set_attn_implementation(usual)


def _words(text: EncodedText) -> list[list[int]]:
    """The places of the tokens of each word."""
    words: dict[int, list[int]] = {}
    for place in own_places(text).tolist():
        words.setdefault(text.word_ids[place], []).append(place)
    return list(words.values())
