"""Checkpoints of each kind, and what `predict` says and writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy_helpers import random_model, word_tokenizer
from hfattnlstm.commands.main import main


def save_model(folder: Path, **options: Any) -> str:
    options = {"id2label": {0: "neg", 1: "pos"}, "classifier_pooling": "attention", **options}
    random_model(**options).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return str(folder)


def save_multi_label(folder: Path, **options: Any) -> str:
    labels = {0: "calm", 1: "sad", 2: "glad"}
    return save_model(folder, id2label=labels, problem_type="multi_label_classification", **options)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a mistake, after which nothing was printed and the exit status is 2."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    beginning = f"hfattnlstm {arguments[0]}: "
    assert printed.err.startswith(beginning)
    return printed.err.removeprefix(beginning).rstrip("\n")


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]
