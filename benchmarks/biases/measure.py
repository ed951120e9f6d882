"""What a classifier of opinions answers to the sentences of the templates."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from transformers import Pipeline

from ..table import Column, Table
from .templates import BLAME, OPINIONS, PRAISE, Group, groups, negations, padded


_PRAISE_LABELS = ("pos", "positive", "LABEL_1")
_LENGTHS = (20, 50, 100, 200, 400)


class Classifier:
    """How likely a text praises, by any text classifier.

    Args:
        found: A `text-classification` pipeline that gives every label.
        label: The label for praise; found by its name without.

    Raises:
        ValueError: The model has no such label, or none with a usual name.
    """

    def __init__(self, found: Pipeline, label: str | None = None):
        names = list(found.model.config.label2id)
        self._label = label or next((name for name in _PRAISE_LABELS if name in names), None)
        if self._label not in names:
            wanted = f"no label {label!r}" if label else "no label that is called pos or positive"
            raise ValueError(f"The model has {wanted}: name one with --label, of {', '.join(names)}.")
        self._pipeline = found

    def praise(self, texts: Iterable[str]) -> np.ndarray:
        """(texts,) probabilities that they praise."""
        answers = self._pipeline(list(texts))
        return np.array([next(one["score"] for one in answer if one["label"] == self._label) for answer in answers])


def group_table(classifier: Classifier) -> Table:
    """How far the answer depends on who is named in a sentence: one row for each kind of group."""
    table = Table(
        "groups",
        "The same sentences about different people",
        (
            Column("kind", "differs in"),
            Column("lowest", "least praise"),
            Column("highest", "most praise"),
            Column("gap", "between them", "share"),
            Column("turned", "sentences whose label turns", "share"),
        ),
    )
    for kind, members in itertools.groupby(groups(), key=lambda group: group.kind):
        table.rows.append(_group_row(kind, list(members), classifier))
    table.notes.append(
        "Praise is the mean probability of that label; the label turns where it is not that of most groups."
    )
    return table


def _group_row(kind: str, members: Sequence[Group], classifier: Classifier) -> dict[str, object]:
    praise = np.stack([classifier.praise(group.texts) for group in members])
    means = praise.mean(1)
    least, most = int(means.argmin()), int(means.argmax())
    labels = praise > 0.5
    usual = labels.mean(0) > 0.5
    return {
        "kind": kind,
        "lowest": f"{members[least].name} {100 * means[least]:.0f} %",
        "highest": f"{members[most].name} {100 * means[most]:.0f} %",
        "gap": float(means[most] - means[least]),
        "turned": float((labels != usual).mean()),
        "praise": {group.name: float(mean) for group, mean in zip(members, means)},
    }


def negation_table(classifier: Classifier) -> Table:
    """How many labels are right where one word turns the meaning, and where an opinion stands in a long text."""
    table = Table(
        "sentences",
        "Sentences with one meaning",
        (
            Column("kind", "sentences"),
            Column("count", "how many", "count"),
            Column("right", "labelled rightly", "share"),
            Column("moved", "moved the right way", "share"),
        ),
    )
    for name, words, praises in (("praise", PRAISE, True), ("blame", BLAME, False)):
        plain, negated = map(classifier.praise, zip(*negations(words)))
        table.rows.append(_right_row(f"{name}, plain", (plain > 0.5) == praises))
        moved = negated < plain if praises else negated > plain
        row = _right_row(f"{name}, negated", (negated > 0.5) != praises)
        table.rows.append({**row, "moved": float(moved.mean())})
    for words in _LENGTHS:
        right = [
            (classifier.praise(text for one in opinions for text in padded(one, words)) > 0.5) == praises
            for praises, opinions in OPINIONS.items()
        ]
        table.rows.append(_right_row(f"one opinion in about {words} words", np.concatenate(right)))
    table.notes.append("A negation has moved the right way where the sentence praises less, or more, than without it.")
    return table


def _right_row(kind: str, right: np.ndarray) -> dict[str, object]:
    return {"kind": kind, "count": len(right), "right": float(right.mean())}
