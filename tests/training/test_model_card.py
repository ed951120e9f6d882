"""The card of a run, as the Hub reads it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results
from training_helpers import make_model, make_tokenizer, make_trainer

import hfattnlstm
from hfattnlstm import Evaluation, evaluate_logits
from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.card_evaluation import describe_evaluation
from hfattnlstm.training.model_card import write_model_card


METRICS = {"eval_accuracy": 0.5, "eval_f1_macro": 0.25, "eval_runtime": 2.0, "test_accuracy": 0.75}
LOGITS, REFERENCES = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), np.array([0, 0, 1, 0])


def evaluation(names: list[str]) -> Evaluation:
    return evaluate_logits(LOGITS, REFERENCES, names)


def write(folder: Path, *flags: str, names: tuple[str, str] = ("a|b", "`c`\nd"), split: str = "test") -> str:
    task = parse_task(["--train_file", "texts.csv", "--output_dir", str(folder), "--use_cpu", *flags])
    task.problem_type, task.label_names = "single_label_classification", names
    rows = Dataset.from_dict({"text": ["w2"], "label": [0]})
    trainer = make_trainer(folder, make_model(), rows)
    trainer.args = task.training
    trainer.processing_class = make_tokenizer()
    folder.mkdir(exist_ok=True)
    found = {split: evaluation(list(names))} if split else {}
    splits = DatasetDict({"train": rows, "validation": rows})
    return write_model_card(folder, task, trainer, splits, METRICS, found).read_text(encoding="utf-8")


def test_what_the_hub_reads(tmp_path: Path) -> None:
    write(tmp_path / "model", "--language", "en", "no", "--license", "cc-by-4.0")
    data = metadata_load(tmp_path / "model" / "README.md")
    assert data["language"] == ["en", "no"] and data["license"] == "cc-by-4.0"
    assert data["pipeline_tag"] == "text-classification" and data["library_name"] == "transformers"
    name, results = model_index_to_eval_results(data["model-index"])
    assert name == "model"
    assert [(of.dataset_split, of.metric_type, of.metric_name, of.metric_value) for of in results] == [
        ("validation", "accuracy", "accuracy", 0.5),
        ("validation", "f1", "f1_macro", 0.25),
        ("test", "accuracy", "accuracy", 0.75),
    ]
    assert ModelCard.load(tmp_path / "model" / "README.md").data.eval_results


def test_tables_hold_whatever_labels_are_called(tmp_path: Path) -> None:
    card = write(tmp_path / "model")
    assert r"| a\|b | 1.0000 | 0.6667 | 0.8000 | 3 |" in card
    assert r"| \`c\` d | 0 | 1 |" in card and r"|  | a\|b | \`c\` d |" in card
    assert "labels: `a|b`, `` `c` d ``." in card
    found = evaluation(["x", "y"]).calibration
    assert f"On the test split, the expected calibration error of the score is {found.ece:.4f} (15 bins)" in card
    assert "75.0 % of the texts are labelled rightly" in card


def test_validation_is_shown_without_a_test_split_and_nothing_without_either(tmp_path: Path) -> None:
    assert "On the validation split:" in write(tmp_path / "one", split="eval")
    card = write(tmp_path / "two", split="")
    assert "### Classes" not in card and "calibrat" not in card


def test_many_classes_have_no_square() -> None:
    found = evaluate_logits(np.eye(11), np.arange(11), [f"c{number}" for number in range(11)])
    assert "### Confusions" not in describe_evaluation(found, "test")


def test_what_the_calibration_has_brought() -> None:
    cold, warm = (evaluate_logits(LOGITS, REFERENCES, ["x", "y"], temperature=temperature) for temperature in (1, 2))
    before = f"ECE {cold.calibration.ece:.4f} and log loss {cold.calibration.log_loss:.4f}."
    said = describe_evaluation(warm, "test")
    assert f"the log loss {warm.calibration.log_loss:.4f}" in said
    assert said.endswith(f"labelled rightly, with the temperature 2; without it, {before}")
    assert "temperature" not in describe_evaluation(cold, "test")
    crossed = replace(warm, calibration=replace(warm.calibration, cross_fitted=True))
    told = "The temperature was fitted on this split: each half was measured with that of the other half."
    assert describe_evaluation(crossed, "validation").endswith(f"{before} {told}")
    several = describe_evaluation(replace(crossed, threshold=[0.2, 0.4]), "validation")
    assert several.endswith("The thresholds were chosen on it, and fit it better than other texts.")


def test_thresholds_of_their_own_stand_beside_the_labels() -> None:
    several = evaluate_logits(
        LOGITS, np.eye(2, dtype=int)[REFERENCES], ["x", "y"], "multi_label_classification", threshold=[0.25, 0.6]
    )
    said = describe_evaluation(several, "test").splitlines()
    assert "| label | precision | recall | F1 | texts | above |" in said
    assert [line[-10:] for line in said if line.startswith(("| x", "| y"))] == [" | 0.250 |", " | 0.600 |"]


def test_what_only_a_person_knows_is_not_guessed(tmp_path: Path) -> None:
    card = write(tmp_path / "one")
    assert "(`--language`)" in card and "(`--license`)" in card
    data = metadata_load(tmp_path / "one" / "README.md")
    assert "language" not in data and "license" not in data
    card = write(tmp_path / "two", "--language", "zh", "--license", "mit")
    assert "(`--language`)" not in card and "(`--license`)" not in card


def test_the_versions(tmp_path: Path) -> None:
    card = write(tmp_path / "model")
    assert f"Made with hfattnlstm {hfattnlstm.__version__}, Python 3." in card and f"torch {torch.__version__}" in card


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--language", "english"], "--language takes codes of ISO 639 such as en, or pt-BR, not 'english'"),
        (["--language", "en", "EN"], "not 'EN'"),
        (["--license", "Apache 2.0"], "--license takes a name of the Hub such as apache-2.0"),
        (["--do_train", "false", "--model_name_or_path", "m", "--license", "mit"], "--license has no effect beside"),
        (["--do_train", "false", "--model_name_or_path", "m", "--plots"], "--plots has no effect beside"),
    ],
)
def test_flags_of_the_card_are_checked_before_anything_is_read(flags: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        run_task(parse_task(["--train_file", "missing.csv", "--output_dir", "missing", *flags]))


def test_plots_need_matplotlib_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"--plots needs matplotlib.*hfattnlstm\[plots\]"):
        run_task(parse_task(["--train_file", "missing.csv", "--output_dir", "missing", "--plots"]))
