"""How far the weights of the tokens of a text can be trusted: what happens when these tokens are erased.

Erasing leaves tokens out as if the text had never had them, on the token ids: nothing is put in their place, and no
text is tokenised again. Whatever is measured of a ranking by weight is measured of random rankings, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.text_inputs import EncodedText
from .attribution import own_places
from .scoring import WINDOW_TEXTS, TextScorer, Tokens


# Of the tokens, those with the highest weights first; comprehensiveness and sufficiency are averaged over them.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
# What is erased, step by step, until the label is another one.
FLIP_SHARES = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
RANDOM_RANKINGS = 20
# Of a long text, so many tokens are left out one by one.
MOST_LEFT_OUT = 128
# Of the random rankings, so many must be worse; with 20, chance alone does that once in 21 times.
BEATEN_SHARE = 0.95
# In shorter texts, too many random rankings put the same token first.
FEWEST_TOKENS = 10
# What a figure changes by when other texts stand in the batch.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Measure:
    """A figure of a ranking of the tokens, beside that of random rankings.

    Attributes:
        value: Of the ranking by weight; None where it is not defined.
        random: Mean of the random rankings.
        beaten: Share of the random rankings that are worse.
    """

    value: float | None
    random: float | None
    beaten: float


@dataclass(frozen=True)
class Faithfulness:
    """How far the weights of an explanation say what the model does.

    Attributes:
        comprehensiveness: How much the score falls without the tokens that have the highest weights: the mean over
            1, 5, 10, 20 and 50 % of the tokens (DeYoung et al., 2020). High is good.
        sufficiency: How much it falls with nothing but these. Low is good.
        flip_share: The smallest share of the tokens, of 16 from 1 % to all, without which the label is another one;
            1 where none is. None in a regression.
        tau: Kendall's τ-b of the weights with how much the score falls, for weights without sign changes, when a token
            alone is left out.
        left_out: How many tokens that was tried with: all, or 128 at random.
        tokens: How many the text has.
    """

    comprehensiveness: Measure
    sufficiency: Measure
    flip_share: Measure | None
    tau: Measure
    left_out: int
    tokens: int

    @property
    def level(self) -> str:
        """`"better"` than a random ranking, `"partly"` better, `"no better"`, or `"too short"` to tell."""
        if self.tokens < FEWEST_TOKENS:
            return "too short"
        found = [part.beaten >= BEATEN_SHARE for part in (self.comprehensiveness, self.sufficiency)]
        return "better" if all(found) else "partly" if any(found) else "no better"

    @property
    def is_warning(self) -> bool:
        """Whether the weights are no better than a random ranking."""
        return self.level == "no better"

    @property
    def verdict(self) -> str:
        """What the figures mean, in a sentence or two."""
        if self.level == "too short":
            return f"The text is too short ({self.tokens} tokens) to compare the weights with a random ranking."
        return (
            f"{_VERDICTS[self.level]}: without the tokens of the highest weights the score "
            f"{_told(self.comprehensiveness)}; with these alone it {_told(self.sufficiency)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        found: dict[str, Any] = {"level": self.level, "verdict": self.verdict}
        for name in ("comprehensiveness", "sufficiency", "flip_share", "tau"):
            part = getattr(self, name)
            found[name] = None if part is None or part.value is None else part.value
            found[f"{name}_random"] = None if part is None else part.random
        return found | {"tokens_left_out_one_by_one": self.left_out}


def _told(fall: Measure) -> str:
    return f"{_direction(fall.value)} (random ranking: {_direction(fall.random)})"


def _direction(fall: float) -> str:
    return f"{'falls' if fall >= 0 else 'rises'} by {abs(fall):.2f}"


_VERDICTS = {
    "better": "Better than a random ranking",
    "partly": "Better than a random ranking in one respect alone",
    "no better": "Warning: no better than a random ranking, so do not take the weights for reasons",
}


class _Erasures(NamedTuple):
    """What is asked of the model about a text: places of tokens that stay, in this order.

    Attributes:
        without: For each ranking and each of `FLIP_SHARES`.
        only: For each ranking and each of `SHARES`.
        single: For each token of `left_out`.
        rankings: (1 + random, tokens), what a ranking puts first has the highest number.
        left_out: Numbers of the tokens that are left out one by one.
    """

    without: list[np.ndarray]
    only: list[np.ndarray]
    single: list[np.ndarray]
    rankings: np.ndarray
    left_out: np.ndarray


def measure_faithfulness(
    scorer: TextScorer,
    texts: Sequence[EncodedText],
    weights: Sequence[np.ndarray],
    targets: Sequence[int],
    *,
    signed: bool,
    seed: int = 0,
) -> Iterator[Faithfulness]:
    """Measure how far weights can be trusted.

    Args:
        scorer: The model.
        texts: What it reads.
        weights: Of each text (tokens,), one for each token that comes from the text.
        targets: Places of the labels that are explained.
        signed: Whether negative weights speak against the label. Of others, a token counts by how much the score
            changes without it, in whichever direction.
        seed: Of the random rankings.

    Yields:
        One for each text.

    Example:

    ```python
    >>> texts = scorer.encode(["Not great at all, the coffee"])
    >>> weights = [np.array([0.3, 0.5, 0.1, 0.1, 0.0, 0.0, 0.0])]
    >>> next(measure_faithfulness(scorer, texts, weights, [0], signed=False)).tokens
    7
    ```
    """
    for start in range(0, len(texts), WINDOW_TEXTS):
        window = slice(start, start + WINDOW_TEXTS)
        erasures = [_erasures(text, own, seed) for text, own in zip(texts[window], weights[window])]
        sequences = list(_sequences(scorer, texts[window], erasures))
        logits = scorer.logits(sequences)
        first = 0
        for own, target, erased in zip(weights[window], targets[window], erasures):
            count = 1 + len(erased.without) + len(erased.only) + len(erased.single)
            yield _measured(scorer, logits[first : first + count], own, target, erased, signed)
            first += count


def _erasures(text: EncodedText, weights: np.ndarray, seed: int) -> _Erasures:
    generator = np.random.default_rng(seed)
    places, every = own_places(text), np.arange(len(text.input_ids))
    count = len(places)
    # Equal weights, such as the zeros of sparsemax, stand in random order.
    orders = [np.lexsort((generator.random(count), -weights))]
    orders += [generator.permutation(count) for _ in range(RANDOM_RANKINGS)]
    special = np.setdiff1d(every, places)
    without = [
        np.setdiff1d(every, places[order[: number_of(share, count)]]) for order in orders for share in FLIP_SHARES
    ]
    only = [
        np.sort(np.concatenate([special, places[order[: number_of(share, count)]]]))
        for order in orders
        for share in SHARES
    ]
    left_out = np.sort(generator.choice(count, min(count, MOST_LEFT_OUT), replace=False))
    single = [np.delete(every, place) for place in places[left_out]]
    rankings = np.stack([ranks_of(order) for order in orders])
    return _Erasures(without, only, single, rankings, left_out)


def number_of(share: float, count: int) -> int:
    """How many tokens a share of them is, at least one."""
    return math.ceil(share * count - 1e-9)


def ranks_of(order: np.ndarray) -> np.ndarray:
    """The ranks of tokens that are given in order, the highest for the first one."""
    ranks = np.empty(len(order))
    ranks[order] = np.arange(len(order), 0, -1)
    return ranks


def _sequences(scorer: TextScorer, texts: Sequence[EncodedText], erasures: Sequence[_Erasures]) -> Iterator[Tokens]:
    """The whole text, and all that is left of it."""
    for text, erased in zip(texts, erasures):
        tokens = scorer.tokens_of(text)
        yield tokens
        for kept in (*erased.without, *erased.only, *erased.single):
            yield tokens.only(kept)


def _measured(
    scorer: TextScorer, logits: np.ndarray, weights: np.ndarray, target: int, erased: _Erasures, signed: bool
) -> Faithfulness:
    scores = scorer.probabilities(logits)[:, target]
    fall = scores[0] - scores[1:]
    if scorer.problem_type == REGRESSION:
        # A number has no direction in which it would be less certain.
        fall = np.abs(fall)
    rankings, last = len(erased.rankings), len(erased.without) + len(erased.only)
    without = fall[: len(erased.without)].reshape(rankings, len(FLIP_SHARES))
    only = fall[len(erased.without) : last].reshape(rankings, len(SHARES))
    averaged = [FLIP_SHARES.index(share) for share in SHARES]
    single = fall[last:] if signed else np.abs(fall[last:])
    ranked = [weights[erased.left_out], *erased.rankings[1:, erased.left_out]]
    return Faithfulness(
        comprehensiveness=beside(without[:, averaged].mean(1)),
        sufficiency=beside(-only.mean(1), sign=-1),
        flip_share=_flip_share(scorer, logits, target, rankings),
        tau=beside([kendall_tau(ranking, single) for ranking in ranked]),
        left_out=len(erased.left_out),
        tokens=len(weights),
    )


def _flip_share(scorer: TextScorer, logits: np.ndarray, target: int, rankings: int) -> Measure | None:
    if scorer.problem_type == REGRESSION:
        return None
    chosen = scorer.decisions(logits[: 1 + rankings * len(FLIP_SHARES)])
    if scorer.problem_type == MULTI_LABEL:
        chosen = chosen[:, target]
    flipped = (chosen[1:] != chosen[0]).reshape(rankings, len(FLIP_SHARES))
    shares = np.array([FLIP_SHARES[row.argmax()] if row.any() else 1.0 for row in flipped])
    return beside(-shares, sign=-1)


def beside(values: Sequence[float | None] | np.ndarray, sign: int = 1) -> Measure:
    """The first of the values beside the others, of which higher ones are better; -1 turns them for the reader."""
    own, *others = values
    others = [value for value in others if value is not None]
    beaten = sum(own > value + ROUNDING for value in others) / RANDOM_RANKINGS if own is not None else 0.0
    mean = sign * float(np.mean(others)) if others else None
    return Measure(None if own is None else sign * float(own), mean, beaten)


def kendall_tau(first: np.ndarray, second: np.ndarray) -> float | None:
    """Kendall's τ-b of two lists of numbers; None where one of them is constant.

    Example:

    ```python
    >>> kendall_tau(np.array([1, 2, 3]), np.array([0.1, 0.3, 0.2]))
    0.3333333333333333
    ```
    """
    above = np.triu_indices(len(first), 1)
    signs = [np.sign(values[above[0]] - values[above[1]]) for values in (first, second)]
    untied = [np.abs(part).sum() for part in signs]
    if not all(untied):
        return None
    return float((signs[0] * signs[1]).sum() / math.sqrt(untied[0] * untied[1]))
