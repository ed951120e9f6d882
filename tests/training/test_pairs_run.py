"""A training on pairs: the model remembers the columns, and learns what no bag of both texts tells."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from hfattnlstm.training import parse_task, run_task


WORDS = ["cat", "dog", "bird", "fish", "cow"]
SMALL = ["--embedding_size", "16", "--hidden_size", "16", "--learning_rate", "2e-2", "--save_strategy", "no"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whether the animal of the first text comes before that of the second in the alphabet."""
    generator = random.Random(0)
    rows = [generator.sample(WORDS, 2) for _ in range(400)]
    lines = [f"the {one} sleeps,a {two} rests,{'before' if one < two else 'after'}" for one, two in rows]
    file = tmp_path_factory.mktemp("data") / "pairs.csv"
    file.write_text("premise,hypothesis,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "pairs"
    words = ["--train_file", str(data), "--text_column", "premise", "hypothesis", "--output_dir", str(folder), *SMALL]
    task = parse_task([*words, "--num_train_epochs", "4"])
    assert "--text_column premise hypothesis" in task.command()
    assert run_task(task).metrics["eval_accuracy"] > 0.8
    return folder


def test_the_model_remembers_its_columns(model: Path) -> None:
    assert json.loads((model / "config.json").read_text())["text_columns"] == ["premise", "hypothesis"]
    card = (model / "README.md").read_text()
    assert 'classifier({"text": "a text", "text_pair": "a text"})' in card
    assert "the columns `premise` and `hypothesis` together" in card


def test_a_measurement_finds_the_columns_by_itself(data: Path, model: Path, tmp_path: Path) -> None:
    words = ["--train_file", str(data), "--model_name_or_path", str(model), "--do_train", "false"]
    assert run_task(parse_task([*words, "--output_dir", str(tmp_path / "new")])).metrics["eval_accuracy"] > 0.8
    with pytest.raises(ValueError, match=r"--text_column premise contradicts .* which reads premise and hypothesis"):
        run_task(parse_task([*words, "--text_column", "premise", "--output_dir", str(tmp_path / "other")]))


def test_a_file_of_flags_takes_one_column_or_a_list(tmp_path: Path) -> None:
    for value, expected in (("a", ["a"]), ("[a, b]", ["a", "b"])):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(f"train_file: x.csv\noutput_dir: y\ntext_column: {value}\n")
        assert parse_task([str(recipe)]).data.text_column == expected
