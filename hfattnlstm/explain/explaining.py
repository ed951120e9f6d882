"""From texts to explanations."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, repeat
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..data.problem_types import label_names_of
from ..modeling.text_inputs import EncodedText
from ..modeling.text_rows import PAIR, text_or_row
from .attribution import ATTENTION_METHODS, DEFAULT_METHOD, METHODS, SLOW_METHODS, UNSIGNED, Attribution
from .explanation import Explanation, Explanations
from .faithfulness import measure_faithfulness
from .scoring import TextScorer


# Texts that are read ahead and sorted by length: many, so that the cores seldom wait for each other at the end; few
# where each takes many passes, and somebody waits for the first.
_WINDOW_TEXTS, _WINDOW_OF_SLOW_METHODS = 1024, 64

# The label to explain: its name or place; None for that which the model gives.
Target = str | int | None


def explain(
    texts: Any,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    method: str = DEFAULT_METHOD,
    target: Target | Sequence[Target] = None,
    faithfulness: bool = True,
    max_length: int | None = None,
    truncation: str | None = None,
    seed: int = 0,
) -> Any:
    """Say how much each word has to do with the label of a text, and how far that can be trusted.

    Args:
        texts: A text or a list of texts. For a model of pairs, or of more texts, `{"text": …, "text_pair": …}`, a
            tuple, or a list of such.
        model: Any sequence classifier of transformers.
        tokenizer: Its tokenizer, a fast one.
        method: `"attention"`, the weights of the same forward pass that gives the label, which have no sign;
            `"attention_x_gradient"`, the default, these times their gradients; `"gradient_x_input"`;
            `"integrated_gradients"`,
            which needs captum; or `"occlusion"`, how much the score falls without a word, which takes as many passes
            as there are words. Of a model without attention, the last three.
        target: Name or place of the label to explain, or one for each text; that which the model gives without.
        faithfulness: Whether to measure how far the weights can be trusted, which takes a few hundred passes a text.
        max_length, truncation: What is read of a long text; as the model's and the tokenizer's configuration say
            without.
        seed: Of the random rankings that the weights are compared with.

    Returns:
        An [`Explanation`] of a single text, else [`Explanations`], a list of them in the order of the texts.

    Raises:
        ImportError: `"integrated_gradients"` without captum.
        TypeError: For what is no text, with its position.
        ValueError: For an unknown method or target; for a method that the model does not allow; for a text for which
            the model computes NaN or infinity, with its position; for a model with random weights.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = explain("Not bad at all, the coffee", classifier.model, classifier.tokenizer)
    >>> found.label, [word.text for word in found.words]
    ('positive', ['Not', 'bad', 'at', 'all', ',', 'the', 'coffee'])
    >>> found.faithfulness.comprehensiveness.value > found.faithfulness.comprehensiveness.random
    True
    ```
    """
    single = isinstance(texts, (str, Mapping, tuple))
    if not single and not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a text or a list of texts, got {type(texts).__name__}.")
    every = [texts] if single else list(texts)
    explainer = Explainer(model, tokenizer, method, max_length=max_length, truncation=truncation, seed=seed)
    # Arrays, tensors and columns, too.
    several = isinstance(target, Iterable) and not isinstance(target, str)
    targets = list(target) if several else [target] * len(every)
    if len(targets) != len(every):
        raise ValueError(
            f"target has {len(targets)} labels for {len(every)} texts: give one for all, or one for each."
        )
    found = Explanations(explainer(every, targets, [faithfulness] * len(every)))
    return found[0] if single else found


class Explainer:
    """Explains texts of one model by one method, window by window.

    Args:
        model, tokenizer, method, max_length, truncation, seed: As for [`explain`], which says what is raised.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> explainer = Explainer(classifier.model, classifier.tokenizer, "occlusion")
    >>> [found.label for found in explainer(["Not bad at all, the coffee", "Slow soup"])]
    ['positive', 'negative']
    ```
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        method: str = DEFAULT_METHOD,
        *,
        max_length: int | None = None,
        truncation: str | None = None,
        seed: int = 0,
    ):
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
        self.scorer = TextScorer(model, tokenizer, max_length=max_length, truncation=truncation)
        poolings = getattr(model.config, "poolings", None)
        if method in ATTENTION_METHODS and poolings is not None and "attention" not in poolings:
            others = ", ".join(name for name in METHODS if name not in ATTENTION_METHODS)
            raise ValueError(f"The model has no attention pooling, which {method} is about: take one of {others}.")
        self.method = method
        self.seed = seed
        self._labels = label_names_of(model.config)

    def __call__(
        self,
        texts: Iterable[Any],
        targets: Iterable[Target] = repeat(None),
        measured: Iterable[bool] = repeat(False),
    ) -> Iterator[Explanation]:
        """Explain texts, which are read as they are needed.

        Args:
            texts: As [`explain`] takes them.
            targets: For each, the label to explain; None for that which the model gives.
            measured: For each, whether its faithfulness is measured.
        """
        position = 0
        rows = zip(texts, targets, measured)
        size = _WINDOW_OF_SLOW_METHODS if self.method in SLOW_METHODS else _WINDOW_TEXTS
        while window := list(islice(rows, size)):
            given, wanted, flags = zip(*window)
            columns = self._columns(given[0])
            own = [text_or_row(text, columns, place) for place, text in enumerate(given, position)]
            yield from self._explained(own, [self._place(target) for target in wanted], flags, position)
            position += len(window)

    def _columns(self, text: Any) -> Sequence[str] | None:
        """What the texts of a row are called; a model of another kind reads pairs when it is given some."""
        if self.scorer.is_own:
            return self.scorer.model.config.text_columns
        return PAIR if isinstance(text, (list, tuple)) or (isinstance(text, Mapping) and len(text) > 1) else None

    def _place(self, target: Target) -> int | None:
        if target is None:
            return None
        if isinstance(target, str) and self._labels.count(target) == 1:
            return self._labels.index(target)
        if hasattr(target, "__index__") and not isinstance(target, bool) and 0 <= int(target) < len(self._labels):
            return int(target)
        names = ", ".join(self._labels[:20])
        raise ValueError(f"target {target!r} is no label of the model: give the name or place of one of {names}.")

    def _explained(
        self, texts: list[Any], targets: list[int | None], measured: Sequence[bool], first: int
    ) -> Iterator[Explanation]:
        encoded = self.scorer.encode(texts)

        def take(place: int, found: Attribution) -> tuple[int, Explanation]:
            _check_numbers(found, first + place)
            return found.target, self._explanation(texts[place], encoded[place], found)

        explained = deque(METHODS[self.method](self.scorer, encoded, targets, take))
        chosen = [index for index, wanted in enumerate(measured) if wanted]
        figures = measure_faithfulness(
            self.scorer,
            [encoded[index] for index in chosen],
            [explained[index][1].head_weights.mean(0) for index in chosen],
            [explained[index][0] for index in chosen],
            signed=self.method not in UNSIGNED,
            seed=self.seed,
        )
        for wanted in measured:
            # Let go of at once, for its words are many.
            _, explanation = explained.popleft()
            yield replace(explanation, faithfulness=next(figures)) if wanted else explanation

    def _explanation(self, text: Any, encoded: EncodedText, found: Attribution) -> Explanation:
        given = int(found.logits.argmax())
        return Explanation(
            text=text,
            label=self._labels[given],
            score=float(found.scores[given]),
            target=self._labels[found.target],
            target_score=float(found.scores[found.target]),
            method=self.method,
            faithfulness=None,
            characters_left_out=encoded.left_out,
            encoded=encoded,
            head_weights=found.weights,
        )


def _check_numbers(found: Attribution, position: int) -> None:
    # A sum shows them all: infinity may become NaN in it, but never finite.
    if not np.isfinite(found.logits.sum() + found.weights.sum()):
        raise ValueError(
            f"The model computes NaN or infinity for text number {position}: load its weights again if they are "
            "damaged, or turn it into float32 by model.float()."
        )
