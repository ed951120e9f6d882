"""The help of a task: every flag of ours, in its group, in lines that fit."""

from __future__ import annotations

from dataclasses import fields

import pytest
from transformers import TrainingArguments

from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.classification_arguments import DataArguments, ModelArguments
from hfattnlstm.training.task import parse_task


KINDS = (DataArguments, ModelArguments, RunArguments)
INHERITED = {item.name for item in fields(TrainingArguments)} - set(RunArguments.__annotations__)
SHORT = {"num_train_epochs": "epochs", "per_device_train_batch_size": "batch_size", "learning_rate": "lr"}


def shown(flag: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stop:
        parse_task([flag], "hfattnlstm train")
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    return shown("--help", 80, monkeypatch, capsys)


def group_of(page: str, flag: str) -> str:
    before = page[: page.index(f"\n  --{flag} ")]
    return [line for line in before.splitlines() if line and not line.startswith(" ")][-1]


def test_all_flags_of_ours_and_no_others(page: str) -> None:
    names = {item.name for kind in KINDS for item in fields(kind) if item.init} - INHERITED
    lines = [line.split()[0] for line in page.splitlines() if line.startswith("  --")]
    others = ("--recipe", "--task", "--help-all")
    assert sorted(lines) == sorted([*(f"--{SHORT.get(name, name)}" for name in names), *others])


def test_groups_examples_and_defaults(page: str) -> None:
    assert page.index("Examples\n  hfattnlstm train --train_file") < page.index("\nData\n")
    expected = {"train_file": "Data", "hidden_size": "Model", "vocab_size": "Tokenizer", "lr": "Training"}
    for flag, group in (expected | {"output_dir": "Output"}).items():
        assert group_of(page, flag) == group
    for line in ("--lr 0.002 ", "--lowercase true ", "--classifier_pooling attention max ", "--train_file FILE "):
        assert f"  {line}" in page
    assert "--pooler_normalizer softmax" in page and "Scores to weights: softmax, sparsemax, entmax15." in page


def test_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown("--help-all", 80, monkeypatch, capsys)
    for item in fields(RunArguments):
        assert not item.init or f"\n  --{SHORT.get(item.name, item.name)} " in page


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_what_is_said_fits_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = shown("--help", columns, monkeypatch, capsys)
    flags = page[page.index("\nData\n") :].splitlines()
    assert max(len(line) for line in flags if " --train_sampling_strategy" not in line) <= min(columns, 100)
    assert columns > 40 or max(map(len, flags)) > 30
