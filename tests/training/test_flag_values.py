"""Numbers within their bounds, and the types of values in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.classification import ClassificationTask
from hfattnlstm.training.classification_arguments import DataArguments, ModelArguments
from hfattnlstm.training.flag_values import BOUNDS
from hfattnlstm.training.task import TASKS, Task


@pytest.mark.parametrize(
    ("flag", "values", "must"),
    [
        ("per_device_train_batch_size", "0 -1", "at least 1"),
        ("per_device_eval_batch_size", "0", "at least 1"),
        ("gradient_accumulation_steps", "0 -2", "at least 1"),
        ("num_train_epochs", "0 -1 nan", "above 0|finite"),
        ("learning_rate", "0 -1e-3 inf", "above 0|finite"),
        ("max_steps", "0 -2", "at least 1, or -1"),
        ("early_stopping_patience", "0", "at least 1"),
        ("max_length", "0 -5", "at least 1"),
        ("vocab_size", "0 5", "at least 6"),
        ("dataloader_num_workers", "-1", "at least 0"),
        ("word_dropout", "1 -0.1 1.5 nan", "at least 0 and below 1|finite"),
        ("classifier_dropout", "1", "at least 0 and below 1"),
        ("hidden_size", "0 -4", "at least 1"),
        ("num_hidden_layers", "0", "at least 1"),
        ("validation_size", "0 1 -0.5 2", "above 0 and below 1"),
        ("max_train_samples", "0", "at least 1"),
        ("threshold", "0 1 nan", "above 0 and below 1|finite"),
        ("label_smoothing_factor", "1 -0.1", "at least 0 and below 1"),
        ("pooler_temperature", "0", "above 0"),
        ("pooler_l2_coef", "inf nan", "finite"),
        ("warmup_steps", "-1", "at least 0"),
        ("weight_decay", "-0.1 nan", "at least 0|finite"),
        ("max_grad_norm", "-1", "at least 0"),
        ("max_grad_value", "0", "above 0"),
        ("save_total_limit", "0", "at least 1"),
        ("eval_steps", "0", "above 0"),
        ("logging_steps", "0 -1", "above 0"),
        ("seed", "-1", "between 0 and"),
        ("split_seed", "-1", "between 0 and"),
        ("adam_beta1", "1", "at least 0 and below 1"),
        ("ema_decay", "1 -0.1", "at least 0 and below 1"),
        ("rdrop_alpha", "-1 nan", "at least 0|finite"),
        ("adversarial_epsilon", "-1 inf", "at least 0|finite"),
        ("vat_epsilon", "-1 inf", "at least 0|finite"),
    ],
)
def test_numbers_out_of_bounds(flag: str, values: str, must: str) -> None:
    for value in values.split():
        with pytest.raises(ValueError, match=f"^--{flag} must be (a )?({must})"):
            parse_task([f"--{flag}={value}"])


def test_numbers_of_flags_made_in_python(tmp_path: Path) -> None:
    task = ClassificationTask(DataArguments(train_file="x"), ModelArguments(max_length=0), RunArguments(str(tmp_path)))
    with pytest.raises(ValueError, match="--max_length must be at least 1, got 0"):
        run_task(task)


def test_the_bounds_hold_for_the_defaults() -> None:
    values: dict[str, Any] = {}
    for name in TASKS:
        task = parse_task(["--task", name])
        for part in (task.data, task.model, task.training):
            values |= vars(part)
            assert all(
                BOUNDS[key].holds(value) for key, value in vars(part).items() if key in BOUNDS and value is not None
            )
    assert set(BOUNDS) <= set(values)


def read(folder: Path, ending: str = "yaml", **values: Any) -> Task:
    path = folder / f"flags.{ending}"
    path.write_text(json.dumps(values))
    return parse_task([str(path), "--output_dir", str(folder)])


def value_of(task: Task, name: str) -> Any:
    return next(getattr(part, name) for part in (task.data, task.model, task.training) if hasattr(part, name))


@pytest.mark.parametrize("ending", ["yaml", "json"])
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_length", 200.0, 200),
        ("max_length", "200", 200),
        ("max_length", None, None),
        ("seed", "7", 7),
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", 1, 1.0),
        ("word_dropout", "0.2", 0.2),
        ("lowercase", "false", False),
        ("lowercase", "no", False),
        ("lowercase", "Yes", True),
        ("bidirectional", 0, False),
        ("class_weights", "balanced", ["balanced"]),
        ("class_weights", [1, 2.5], ["1", "2.5"]),
        ("class_weights", None, None),
        ("classifier_pooling", "max", ["max"]),
        ("label_column", 2020, "2020"),
        ("eval_strategy", False, "no"),
        ("eval_strategy", "no", "no"),
        ("tokenizer_kind", "bpe", "bpe"),
        ("resume_from_checkpoint", True, "true"),
        ("lr_scheduler_kwargs", {"num_cycles": 2}, {"num_cycles": 2}),
        ("report_to", "none", []),
        ("lr_scheduler_type", "cosine", "cosine"),
    ],
)
def test_what_is_clear_is_converted(tmp_path, ending: str, name: str, value: Any, expected: Any) -> None:
    found = value_of(read(tmp_path, ending, **{name: value}), name)
    assert found == expected and isinstance(found, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("max_length", 200.5, "max_length: 200.5, but it must be a whole number"),
        ("max_length", "long", "max_length: 'long', but it must be a whole number"),
        ("max_length", True, "max_length: true, but it must be a whole number"),
        ("max_length", [200], r"max_length: \[200\], but it must be a whole number"),
        ("seed", None, "seed: null, but it must be a whole number"),
        ("learning_rate", "fast", "learning_rate: 'fast', but it must be a number"),
        ("learning_rate", False, "learning_rate: false, but it must be a number"),
        ("lowercase", "maybe", "lowercase: 'maybe', but it must be true or false"),
        ("lowercase", 2, "lowercase: 2, but it must be true or false"),
        ("lowercase", None, "lowercase: null, but it must be true or false"),
        ("text_column", True, "text_column: true, but it must be a list"),
        ("text_column", [["a"]], r"text_column: \[\['a'\]\], but it must be a list"),
        ("label_column", ["a"], r"label_column: \['a'\], but it must be a text"),
        ("train_file", 1.5, "train_file: 1.5, but it must be a text"),
        ("class_weights", {"a": 1}, "class_weights: .*, but it must be a list"),
        ("class_weights", [], r"class_weights: \[\], but it must be a list"),
        ("class_weights", [None], "class_weights: .*, but it must be a list"),
        ("tokenizer_kind", "words", "tokenizer_kind: 'words', but it must be one of auto, word, open, wordpiece"),
        ("eval_strategy", True, "eval_strategy: true, but it must be one of no, steps, epoch"),
        ("lr_scheduler_type", "square", "lr_scheduler_type: 'square', but it must be one of linear"),
    ],
)
def test_the_rest_is_refused(tmp_path: Path, name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"The file of flags .*flags\.yaml has {sentence}"):
        read(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("f.yaml", "seed: 1\nmax_length: 3\nseed: 2\n", "is not valid: seed stands there twice"),
        ("f.json", '{"seed": 1, "seed": 2}', "is not valid: seed stands there twice"),
        ("f.yaml", "seed: .nan\n", "has seed: nan, but it must be a whole number"),
        ("f.yaml", "learning_rate: .inf\n", "--learning_rate must be a finite number"),
        ("f.yaml", "2020: 1\n", "unknown flag '2020'"),
        ("f.yaml", b"\xff\xfe\x00", "is not UTF-8 text|is not valid"),
    ],
)
def test_files_that_are_broken(tmp_path: Path, file: str, content: str | bytes, sentence: str) -> None:
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=sentence):
        parse_task([str(path)])


def test_null_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    assert read(tmp_path, max_length=None, pooler_size=None).given == {"output_dir"}


@pytest.mark.parametrize(
    "argv", [["--seed", "2.0"], ["--tokenizer_kind", "words"], ["--eval_strategy", "often"], ["--seed"]]
)
def test_a_wrong_value_on_the_command_line_is_one_sentence(argv: list[str]) -> None:
    with pytest.raises(ValueError, match=rf"^{argv[0]} (takes|needs) .*; see hfattnlstm train --help\.$"):
        parse_task(argv, "hfattnlstm train")


@pytest.mark.parametrize("value", ["{mode: max}", "fast", "[1]"])
def test_mappings_are_json(value: str) -> None:
    with pytest.raises(ValueError, match=r"--lr_scheduler_kwargs must be a mapping in JSON, .*, got "):
        parse_task(["--lr_scheduler_kwargs", value])


def test_a_mapping_on_the_command_line() -> None:
    kwargs = parse_task(["--lr_scheduler_kwargs", '{"num_cycles": 2}', "--lr_scheduler_type", "cosine"]).training
    assert kwargs.lr_scheduler_kwargs == {"num_cycles": 2}


def test_strategies_that_do_not_match_are_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"^--eval_strategy steps and --save_strategy epoch must be the same"
    ) as error:
        parse_task(["--eval_strategy", "steps"])
    assert "\n" not in str(error.value)
