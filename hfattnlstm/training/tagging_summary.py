"""What sentences with tags hold, before anything is learnt from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass

from datasets import Dataset, DatasetDict

from ..modeling.tag_schemes import spans_of


# Kinds in a line.
_MOST = 20


@dataclass(frozen=True)
class TagSummary:
    """What each split holds.

    Attributes:
        tagging_scheme: How tags mark spans; None where they mark none.
        sentences, words: By split, how many there are.
        kinds: By split, how often each kind of span, or each tag, occurs.
        spelt: By split, the share of the words that are no tokens, and are spelt; None where that is not known.
        unseen: By split but that for training, the share of the words that training has not.
    """

    tagging_scheme: str | None
    sentences: dict[str, int]
    words: dict[str, int]
    kinds: dict[str, Counter[str]]
    spelt: dict[str, float] | None
    unseen: dict[str, float]

    def lines(self) -> list[str]:
        """As a person reads it."""
        shown = []
        for name, count in self.sentences.items():
            parts = [f"{name}: {count:,} sentences", f"{self.words[name]:,} words"]
            if name in self.unseen:
                parts.append(f"{100 * self.unseen[name]:.1f} % of them not in training")
            if self.spelt is not None:
                parts.append(f"{100 * self.spelt[name]:.1f} % spelt")
            shown.append("  ".join(parts))
        what = "tags" if self.tagging_scheme is None else "spans"
        found = self.kinds["train"].most_common()
        more = f" and {len(found) - _MOST} more kinds" if len(found) > _MOST else ""
        listed = "  ".join(f"{kind} {count:,}" for kind, count in found[:_MOST])
        return [*shown, f"{what} in training: {listed or 'none'}{more}"]


def summarize_tags(splits: DatasetDict, scheme: str | None, tokens: Container[str] | None = None) -> TagSummary:
    """Count sentences, words and kinds.

    Args:
        splits: With the columns `tokens` and `tags`, as from [`load_tagged_texts`].
        scheme: How tags mark spans; None where they mark none.
        tokens: Words that a tokenizer has whole.

    Example:

    ```python
    >>> rows = Dataset.from_dict({"tokens": [["In", "Paris"]] * 10, "ner_tags": [["O", "I-LOC"]] * 10})
    >>> print("\\n".join(summarize_tags(load_tagged_texts(rows).splits, "bio").lines()))
    train: 9 sentences  18 words
    validation: 1 sentences  2 words  0.0 % of them not in training
    spans in training: LOC 9
    ```
    """
    words = {name: Counter(word for row in split["tokens"] for word in row) for name, split in splits.items()}
    totals = {name: counts.total() for name, counts in words.items()}
    return TagSummary(
        scheme,
        {name: len(split) for name, split in splits.items()},
        totals,
        {name: _kinds(split, scheme) for name, split in splits.items()},
        None if tokens is None else {name: _share(counts, tokens) for name, counts in words.items()},
        {name: _share(counts, words["train"]) for name, counts in words.items() if name != "train"},
    )


def _share(counts: Counter[str], known: Container[str]) -> float:
    return sum(count for word, count in counts.items() if word not in known) / max(counts.total(), 1)


def _kinds(split: Dataset, scheme: str | None) -> Counter[str]:
    names = split.features["tags"].feature.names
    found: Counter[str] = Counter()
    for row in split["tags"]:
        tags = [names[tag] for tag in row]
        found.update(tags if scheme is None else (kind for _, _, kind in spans_of(tags)))
    return found
