"""Flags from the command line, JSON and YAML."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments

from hfattnlstm import AttnLSTMConfig
from hfattnlstm.training.arguments import (
    ClassificationTrainingArguments,
    ModelArguments,
    command_line,
    config_overrides,
    parse_arguments,
)


def test_every_flag_of_the_trainer_is_open() -> None:
    ours = {item.name for item in fields(ClassificationTrainingArguments) if item.init}
    assert {item.name for item in fields(TrainingArguments) if item.init} <= ours


def test_every_choice_of_the_model_is_a_flag() -> None:
    not_chosen = {"problem_type", "pad_token_id", "bos_token_id", "eos_token_id", "tie_word_embeddings"}
    own = set(AttnLSTMConfig.__annotations__) - not_chosen
    assert own <= {item.name for item in fields(ModelArguments)}


def test_command_line(tmp_path: Path) -> None:
    data, model, training = parse_arguments(
        [
            "--dataset",
            "imdb",
            "--output_dir",
            str(tmp_path),
            "--classifier_pooling",
            "max",
            "mean",
            "--bf16",
            "--use_cpu",
        ]
    )
    assert data.dataset == "imdb"
    assert config_overrides(model)["classifier_pooling"] == ["max", "mean"]
    assert training.bf16 and training.train_sampling_strategy == "group_by_length"


@pytest.mark.parametrize("name", ["flags.json", "flags.yaml"])
def test_files_and_the_command_line_over_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    values = {"dataset": "imdb", "output_dir": str(tmp_path), "learning_rate": 0.5, "classifier_pooling": ["last"]}
    path.write_text(json.dumps(values))
    data, model, training = parse_arguments([str(path), "--learning_rate", "0.25"])
    assert (data.dataset, model.classifier_pooling, training.learning_rate) == ("imdb", ["last"], 0.25)


def test_yaml_numbers_with_an_exponent(tmp_path: Path) -> None:
    path = tmp_path / "flags.yml"
    path.write_text(f"learning_rate: 1e-3\noutput_dir: {tmp_path}\n")
    assert parse_arguments([str(path)])[2].learning_rate == 1e-3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("learning_rat: 1", "unknown flag 'learning_rat': did you mean 'learning_rate'"),
        ("- 1", "must hold a mapping"),
        ("a: [", "is not valid"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "flags.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        parse_arguments([str(path)])


def test_misspelt_flag_on_the_command_line() -> None:
    with pytest.raises(ValueError, match="unknown flag 'hiden_size': did you mean 'hidden_size'"):
        parse_arguments(["--hiden_size", "3"])


def test_missing_file() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        parse_arguments(["nowhere.json"])


def test_processes_without_an_accelerator_train_together(tmp_path: Path) -> None:
    """Without `use_cpu`, accelerate takes processes on CPUs for runs of their own."""
    training = ClassificationTrainingArguments(str(tmp_path))
    assert training.use_cpu is not torch.accelerator.is_available()


def test_command_line_gives_the_run_again(tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("text,label")
    flags = [
        "--train_file",
        str(texts),
        "--classifier_pooling",
        "max",
        "--learning_rate",
        "0.25",
        "--no_bidirectional",
    ]
    command = command_line(*parse_arguments([*flags, "--output_dir", str(tmp_path)]))
    assert str(tmp_path) not in command
    words = shlex.split(command)
    assert words[:2] == ["hfattnlstm", "train"]
    data, model, training = parse_arguments([*words[2:], "--output_dir", str(tmp_path)])
    assert (data.train_file, model.classifier_pooling, model.bidirectional) == ("texts.csv", ["max"], False)
    assert training.learning_rate == 0.25


@pytest.mark.parametrize(("texts", "epochs"), [(100, 20), (5_000, 13), (20_000, 4), (1_000_000, 4)])
def test_few_texts_get_more_epochs(tmp_path: Path, texts: int, epochs: int) -> None:
    training = ClassificationTrainingArguments(str(tmp_path))
    training.choose_epochs(texts)
    assert training.num_train_epochs == epochs
    given = ClassificationTrainingArguments(str(tmp_path), num_train_epochs=3)
    given.choose_epochs(texts)
    assert given.num_train_epochs == 3
