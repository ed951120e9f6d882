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
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.classification import ClassificationTask
from hfattnlstm.training.classification_arguments import DataArguments, ModelArguments, config_overrides
from hfattnlstm.training.task import parse_task


def parse_arguments(argv: list[str]) -> tuple[DataArguments, ModelArguments, RunArguments]:
    task = parse_task(argv)
    return task.data, task.model, task.training


def test_every_flag_of_the_trainer_is_open() -> None:
    ours = {item.name for item in fields(RunArguments) if item.init}
    assert {item.name for item in fields(TrainingArguments) if item.init} <= ours


def test_every_choice_of_the_model_is_a_flag() -> None:
    not_chosen = {"problem_type", "pad_token_id", "bos_token_id", "eos_token_id", "tie_word_embeddings"}
    # They are fitted, and counted.
    not_chosen |= {"calibration_temperature", "subword_entries"}
    # It is that of a pretraining.
    not_chosen |= {"num_sampled_tokens"}
    # The tokenizer and the files of vectors have them.
    not_chosen |= {"num_characters", "vector_sizes", "vector_rows"}
    # They are those of a tagger.
    not_chosen |= {"use_crf", "tagging_scheme", "sentence_context"}
    # They are those of a classifier of texts with pictures.
    not_chosen |= {"image_feature_size", "image_conv_sizes", "num_image_channels", "num_cross_modal_layers"}
    not_chosen |= {"cross_modal_intermediate_size"}
    # `label_smoothing_factor` of the Trainer sets the one, `text_column` of the data the other.
    own = set(AttnLSTMConfig.__annotations__) - not_chosen - {"label_smoothing", "text_columns"}
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
    training = RunArguments(str(tmp_path))
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
    command = parse_task([*flags, "--output_dir", str(tmp_path)]).command()
    assert str(tmp_path) not in command
    words = shlex.split(command)
    assert words[:2] == ["hfattnlstm", "train"]
    data, model, training = parse_arguments([*words[2:], "--output_dir", str(tmp_path)])
    assert (data.train_file, model.classifier_pooling, model.bidirectional) == ("texts.csv", ["max"], False)
    assert training.learning_rate == 0.25


@pytest.mark.parametrize(
    ("epsilon", "pretrained", "texts", "epochs"),
    [
        *[(0.0, False, 100, 20), (0.0, False, 5_000, 13), (0.0, False, 20_000, 4), (0.0, False, 1_000_000, 4)],
        *[(5.0, False, 100, 40), (5.0, False, 5_000, 7), (5.0, False, 20_000, 2), (5.0, False, 1_000_000, 2)],
        *[(0.0, True, 100, 40), (0.0, True, 5_000, 7), (0.0, True, 20_000, 2)],
        *[(5.0, True, 100, 40), (5.0, True, 5_000, 7), (5.0, True, 20_000, 3), (5.0, True, 1_000_000, 3)],
    ],
)
def test_few_texts_get_more_epochs(tmp_path: Path, epsilon: float, pretrained: bool, texts: int, epochs: int) -> None:
    training = RunArguments(str(tmp_path), adversarial_epsilon=epsilon)
    training.begins_pretrained = pretrained
    training.choose_steps(texts)
    assert training.num_train_epochs == epochs
    given = RunArguments(str(tmp_path), num_train_epochs=3)
    given.choose_steps(texts)
    assert given.num_train_epochs == 3


@pytest.mark.parametrize(("texts", "steps"), [(100, 4), (3_200, 100), (5_000, 100), (1, 1)])
def test_each_epoch_logs_a_loss(tmp_path: Path, texts: int, steps: int) -> None:
    training = RunArguments(str(tmp_path))
    training.choose_steps(texts)
    assert training.logging_steps == steps
    given = RunArguments(str(tmp_path), logging_steps=7)
    given.choose_steps(texts)
    assert given.logging_steps == 7


def test_accumulated_batches_are_one_update(tmp_path: Path) -> None:
    training = RunArguments(str(tmp_path), gradient_accumulation_steps=4)
    training.choose_steps(20_000)
    assert training.num_train_epochs == 13


class TestTask:
    """Which task, and which of its flags somebody chose."""

    def test_classification_is_what_is_meant_without_a_name(self, tmp_path: Path) -> None:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text("task: classification\nlearning_rate: 0.5\n")
        for argv in ([], ["--task", "classification"], ["--task=classification"], [str(recipe)]):
            assert parse_task([*argv, "--output_dir", str(tmp_path)]).name == "classification"

    @pytest.mark.parametrize("argv", [["--task", "taging"], ["--task=taging"], ["--task"]])
    def test_an_unknown_task_gets_the_list_of_those_that_there_are(self, argv: list[str]) -> None:
        with pytest.raises(ValueError, match=r"There is no task '(taging)?': --task takes classification"):
            parse_task(argv)

    def test_the_flags_that_were_given(self, tmp_path: Path) -> None:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text("hidden_size: 256\n")
        task = parse_task([str(recipe), "--no_lowercase", "--max_len", "9", "--output_dir", str(tmp_path)])
        # A default may be chosen, too.
        assert task.given == {"hidden_size", "lowercase", "max_length", "output_dir"}
        assert (task.model.lowercase, task.model.max_length, task.model.hidden_size) == (False, 9, 256)

    def test_flags_made_in_python(self, tmp_path: Path) -> None:
        task = ClassificationTask(DataArguments(), ModelArguments(hidden_size=8), RunArguments(str(tmp_path)))
        assert task.given == {"hidden_size"}


class TestShortNames:
    """Three flags have a second name, on the command line and in files."""

    def test_they_are_the_long_ones(self, tmp_path: Path) -> None:
        task = parse_task(["--epochs", "3", "--batch_size=8", "--lr", "0.25", "--output_dir", str(tmp_path)])
        training = task.training
        assert (training.num_train_epochs, training.per_device_train_batch_size) == (3, 8)
        assert training.learning_rate == 0.25
        assert {"num_train_epochs", "per_device_train_batch_size", "learning_rate"} <= task.given
        assert "--num_train_epochs 3" in task.command() and "--learning_rate 0.25" in task.command()

    @pytest.mark.parametrize("name", ["flags.json", "flags.yaml"])
    def test_in_files_and_the_command_line_over_them(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.write_text(json.dumps({"epochs": 3, "lr": 0.5, "output_dir": str(tmp_path)}))
        training = parse_task([str(path), "--learning_rate", "0.25"]).training
        assert (training.num_train_epochs, training.learning_rate) == (3, 0.25)

    @pytest.mark.parametrize("argv", [["--lr", "1", "--learning_rate", "1"], ["--learning-rate", "1", "--lr", "2"]])
    def test_both_at_once_are_refused(self, argv: list[str]) -> None:
        with pytest.raises(ValueError, match=r"^--l\w+ and --l\w+ are the same: give one of them"):
            parse_task(argv)

    def test_the_same_spelling_twice_is_what_argparse_makes_of_it(self) -> None:
        assert parse_task(["--learning-rate", "1", "--learning_rate", "2"]).training.learning_rate == 2

    def test_both_in_a_file_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "flags.yaml"
        path.write_text("epochs: 1\nnum_train_epochs: 2\n")
        with pytest.raises(ValueError, match="has epochs and num_train_epochs, which are the same: leave one out"):
            parse_task([str(path)])

    def test_a_word_without_a_flag(self) -> None:
        with pytest.raises(ValueError, match=r"^The command line has 'foo', which belongs to no flag"):
            parse_task(["foo", "--lr", "1"])
