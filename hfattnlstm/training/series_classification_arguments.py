"""The flags of a training that classifies whole series."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass
from typing import ClassVar, Literal

from .arguments import RunArguments, flag


@dataclass
class LabelledSeriesArguments:
    """Where the series with labels come from."""

    dataset: str | None = flag(None, "Hub name or folder, in place of train_file; its split train is read.")
    train_file: str | None = flag(
        None, "File with a series a row: jsonl or parquet with lists, or csv with a number a column."
    )
    validation_file: str | None = flag(None, "File to measure on; some training series are held out without.")
    test_file: str | None = flag(None, "File for the test metrics.")
    values_column: str | None = flag(None, "Column with the values; found by its name without.")
    label_column: str | None = flag(None, "Column with the labels; found by its name without.")
    problem_type: Literal["regression", "single_label_classification", "multi_label_classification"] | None = flag(
        None, "What the labels are; found without."
    )
    validation_size: float = flag(0.1, "Share of the training series held out.")
    split_seed: int = flag(42, "Seed of that choice alone; --seed is that of the run.")


@dataclass
class SeriesClassificationArguments(RunArguments):
    """The flags of the run, with the defaults of a classifier of series."""

    train_sampling_strategy: Literal["random", "sequential"] = flag("random", "random or sequential.")
    per_device_train_batch_size: int = flag(32, "Series in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(64, "Series in an evaluation batch of one process.")

    unit: ClassVar[str] = "series"
