"""Pairs of texts, and what the tests of their loading do with them."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset, DatasetDict


PAIRS = [(f"ein Hund {number}", f"a dog {number}") for number in range(20)]


def table(**columns: list) -> Dataset:
    return Dataset.from_dict(columns)


def both(splits: DatasetDict) -> set[tuple[str, str]]:
    return {pair for split in splits.values() for pair in zip(split["source"], split["target"])}


def write(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)
