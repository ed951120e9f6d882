"""Trains models with remedies, and measures what their weights of words say of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hfattnlstm.explain import Explainer, Explanations
from hfattnlstm.explain.faithfulness import kendall_tau
from hfattnlstm.explain.summary import FIGURES

from ..accuracy.candidates.ours import Ours
from ..accuracy.measure import summary
from ..accuracy.problem import Split, Texts
from ..accuracy.scores import score
from ..table import Column, Table
from .remedies import PLAIN


METHODS = ("attention", "attention_x_gradient")
COLUMNS = (
    Column("remedy", "trained with"),
    Column("accuracy", "accuracy, %", "score"),
    Column("difference", "beside plain", "points"),
    Column("comprehensiveness", "comprehensiveness", "two_decimals"),
    Column("sufficiency", "sufficiency", "two_decimals"),
    Column("flip_share", "flip share", "two_decimals"),
    Column("tau", "τ, left out", "two_decimals"),
    Column("gradient_tau", "τ, gradient", "two_decimals"),
    Column("runs", "seeds", "count"),
)
RANDOM = "(random rankings)"
# Means over texts, but a text that never flips would weigh too much.
_MEDIANS = ("flip_share",)

NOTES = (
    "Comprehensiveness, sufficiency and τ are means over texts, the flip share is their median; each is then averaged "
    "over the seeds, and ± is the standard deviation over them.",
    "τ, left out, is Kendall's τ-b of the weights with how much the score changes without each token alone; τ, "
    "gradient, that with the size of gradient × input.",
)


@dataclass(frozen=True)
class Settings:
    """What is measured, and on how many texts.

    Attributes:
        seeds: Of the trainings.
        texts: So many of those that were held out are explained.
        most_tokens: Longer ones are not.
        report: Called with a line about the progress.
    """

    seeds: Sequence[int] = (1, 2, 3)
    texts: int = 75
    most_tokens: int = 250
    report: Callable[[str], None] = lambda _: None


# By method, and there by name of the figure.
Figures = dict[str, dict[str, float]]


def run(
    remedies: Mapping[str, Sequence[str]],
    split: Split,
    settings: Settings,
    keep: Callable[[list[Table]], object] = lambda _: None,
) -> list[Table]:
    """Train with each remedy and seed, and measure; a table for each method.

    Args:
        remedies: Flags of `hfattnlstm train`, by name.
        split: What is learnt from, and what is held out.
        settings: How often, and on how many texts.
        keep: Called with the tables so far after each model, because hours may be interrupted.
    """
    found: dict[str, list[Figures]] = defaultdict(list)
    tables: list[Table] = []
    # All of them once before any of them twice.
    for seed in settings.seeds:
        for name, flags in remedies.items():
            settings.report(f"{name}, seed {seed}")
            found[name].append(_train_and_measure(flags, seed, split, settings))
            tables = [_table(method, found, split, settings) for method in METHODS]
            keep(tables)
    return tables


def _train_and_measure(flags: Sequence[str], seed: int, split: Split, settings: Settings) -> Figures:
    candidate = Ours(split.problem, seed, flags)
    try:
        candidate.fit(split.train.texts, split.train.labels)
        accuracy = score(candidate.predict(split.test.texts), split.test.labels)["accuracy"]
        model, tokenizer = candidate.classifier.model, candidate.classifier.tokenizer
    finally:
        candidate.close()
    texts = short_texts(split.test, tokenizer, settings)
    figures = measure(model, tokenizer, texts)
    return {method: {"accuracy": accuracy, **own} for method, own in figures.items()}


def short_texts(test: Texts, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> list[str]:
    """Some of the held-out texts, the same for all models, but for what their tokenizers call long."""
    order = np.random.default_rng(0).permutation(len(test))
    found: list[str] = []
    for place in order:
        if len(found) == settings.texts:
            break
        text = test.texts[place]
        if len(tokenizer(text).input_ids) <= settings.most_tokens:
            found.append(text)
    return found


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Figures:
    """The figures of both methods, beside those of random rankings, whose names end in `_random`."""
    gradients = Explainer(model, tokenizer, "gradient_x_input")(texts)
    sizes = [np.abs(one.head_weights.mean(0)) for one in gradients]
    measured = {}
    for method in METHODS:
        explained = Explanations(Explainer(model, tokenizer, method)(texts, measured=[True] * len(texts)))
        measured[method] = _figures(explained) | {"gradient_tau": _gradient_tau(explained, sizes)}
    return measured


def _figures(explained: Explanations) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in FIGURES:
        average = getattr(explained.faithfulness, name)
        if average is not None:
            kind = "median" if name in _MEDIANS else "mean"
            found[name] = getattr(average, kind)
            found[f"{name}_random"] = getattr(average, f"random_{kind}")
    return found


def _gradient_tau(explained: Explanations, sizes: Sequence[np.ndarray]) -> float:
    taus = [kendall_tau(np.abs(one.head_weights.mean(0)), size) for one, size in zip(explained, sizes)]
    return float(np.mean([tau for tau in taus if tau is not None] or [0.0]))


def _table(method: str, found: Mapping[str, list[Figures]], split: Split, settings: Settings) -> Table:
    table = Table("faithful", f"How far {method.replace('_', ' ')} can be trusted on {split.name}", COLUMNS)
    for name, runs in found.items():
        figures = [one[method] for one in runs]
        row: dict[str, Any] = {"remedy": name, "runs": len(runs)}
        row |= {key: summary([one[key] for one in figures]) for key in figures[0]}
        if name != PLAIN and PLAIN in found:
            # The same seed with and without.
            pairs = zip(figures, (one[method] for one in found[PLAIN]))
            row["difference"] = summary([one["accuracy"] - plain["accuracy"] for one, plain in pairs])
        table.rows.append(row)
    table.rows.append(_random_row(table.rows))
    table.notes = [
        f"{len(split.train):,} texts to learn from; accuracy on {len(split.test):,} ({split.origin}), the other "
        f"figures on {settings.texts} of them of at most {settings.most_tokens} tokens.",
        *NOTES,
    ]
    return table


def _random_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"remedy": RANDOM}
    for name in FIGURES:
        means = [each[f"{name}_random"]["mean"] for each in rows if f"{name}_random" in each]
        if means:
            row[name] = summary(means)
    return row
