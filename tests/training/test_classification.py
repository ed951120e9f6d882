"""Whole runs, from files to a saved model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import evaluate
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
from transformers.trainer_callback import EarlyStoppingCallback

from hfattnlstm.data.summary import DataSummary
from hfattnlstm.training import TaskRun, parse_task, run_task
from hfattnlstm.training.display import Display
from hfattnlstm.training.metrics import Accuracy


GOOD, BAD = ["great", "lovely", "superb"], ["awful", "dull", "poor"]
NEUTRAL = ["the", "film", "food", "was", "a", "we", "had", "it"]


def write_texts(path: Path, kind: str = "single", count: int = 160) -> Path:
    """Texts that a word or two decide; a csv, or json lines for several labels a text."""
    chooser = random.Random(0)
    rows = []
    for index in range(count):
        good = index % 2 == 0
        words = [chooser.choice(NEUTRAL) for _ in range(chooser.randint(2, 9))]
        words.insert(chooser.randint(0, len(words)), chooser.choice(GOOD if good else BAD))
        label = {"single": "pos" if good else "neg", "regression": 2.5 if good else -1.5}.get(kind)
        if kind == "multi":
            label = ["good" if good else "bad"] + (["film"] if "film" in words else [])
        rows.append({"text": " ".join(words), "label": label})
    if path.suffix == ".csv":
        path.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(folder: Path, train_file: Path, *flags: str) -> TaskRun:
    small = (
        "--embedding_size 16 --hidden_size 16 --num_train_epochs 8 --learning_rate 0.02 --use_cpu --disable_tqdm true"
    )
    common = ["--train_file", str(train_file), "--output_dir", str(folder), "--embedding_dropout", "0.1"]
    return run_task(parse_task([*common, *small.split(), "--report_to", "none", *flags]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    folder = tmp_path_factory.mktemp("run")
    return folder / "model", run(folder / "model", write_texts(folder / "texts.csv"), "--plots")


def test_learns_and_reloads(trained: tuple[Path, TaskRun]) -> None:
    folder, finished = trained
    assert finished.metrics["eval_accuracy"] > 0.9
    assert finished.metrics["eval_samples"] == 16
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)(["a great film", "awful"], padding=True, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(model(**batch).logits, finished.model.eval()(**batch).logits, atol=1e-6, rtol=0)
    assert model.config.id2label == {0: "neg", 1: "pos"}


def test_pipelines_of_the_saved_model(trained: tuple[Path, TaskRun]) -> None:
    folder, _ = trained
    assert pipeline("text-classification", model=str(folder))("it was superb")[0]["label"] == "pos"
    result = pipeline("attention-text-classification", model=str(folder))("it was dull")[0]
    assert result["label"] == "neg"
    assert [entry["text"] for entry in result["attention"]] == ["it", "was", "dull"]


def test_evaluator_works_with_model_and_tokenizer(trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
    from datasets import Dataset

    _, finished = trained
    data = Dataset.from_dict({"text": ["great food", "poor film", "lovely"], "label": [1, 0, 1]})
    result = evaluate.evaluator("text-classification").compute(
        finished.model.eval(),
        data,
        tokenizer=finished.processor,
        metric=Accuracy(),
        label_mapping=finished.model.config.label2id,
    )
    assert result["accuracy"] == 1.0


def test_model_card_says_what_was_measured(trained: tuple[Path, TaskRun]) -> None:
    folder, finished = trained
    card = (folder / "README.md").read_text()
    assert f"| validation | accuracy | {finished.metrics['eval_accuracy']:.4f} |" in card
    assert "trust_remote_code=True" in card and "144 texts for train, 16 texts for validation" in card
    assert "`neg`, `pos`" in card and "fine-tuned version" not in card and str(folder.parent.parent) not in card


def test_what_was_measured_beyond_single_figures(trained: tuple[Path, TaskRun]) -> None:
    folder, finished = trained
    found = finished.evaluations["eval"]
    assert found.samples == 16 and found.scores["accuracy"] == finished.metrics["eval_accuracy"]
    assert f"log loss {found.calibration.log_loss:.4f}" in (folder / "README.md").read_text()
    for picture in ("learning_curve.png", "confusion_matrix.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


def test_metrics_are_written(trained: tuple[Path, TaskRun]) -> None:
    folder, finished = trained
    written = json.loads((folder / "all_results.json").read_text())
    assert written["eval_accuracy"] == finished.metrics["eval_accuracy"]


def test_several_labels_a_text(tmp_path: Path) -> None:
    finished = run(tmp_path / "model", write_texts(tmp_path / "texts.jsonl", "multi"), "--num_train_epochs", "30")
    assert finished.model.config.problem_type == "multi_label_classification"
    assert finished.metrics["eval_f1_micro"] > 0.9
    scores = pipeline("attention-text-classification", model=str(tmp_path / "model"), top_k=None)("a great film")[0]
    assert {entry["label"] for entry in scores if entry["score"] > 0.5} == {"good", "film"}


def test_regression(tmp_path: Path) -> None:
    finished = run(tmp_path / "model", write_texts(tmp_path / "texts.csv", "regression"), "--num_train_epochs", "16")
    assert finished.model.config.problem_type == "regression"
    assert finished.metrics["eval_mse"] < 1.0 and finished.evaluations == {}
    assert not (tmp_path / "model" / "learning_curve.png").exists()
    assert pipeline("text-classification", model=str(tmp_path / "model"))("superb")[0]["score"] > 1.0


def test_going_on_from_a_model_with_other_labels(trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
    folder, finished = trained
    texts = tmp_path / "texts.csv"
    rows = [
        f"{word} film,{label}" for label, words in {"x": GOOD, "y": BAD, "z": NEUTRAL}.items() for word in words * 8
    ]
    texts.write_text("text,label\n" + "\n".join(rows) + "\n")
    going_on = run(tmp_path / "model", texts, "--model_name_or_path", str(folder), "--num_train_epochs", "1")
    assert going_on.model.config.id2label == {0: "x", 1: "y", 2: "z"}
    assert len(going_on.processor) == len(finished.processor)


def test_flags_reach_the_trainer(tmp_path: Path) -> None:
    finished = run(
        tmp_path / "model",
        write_texts(tmp_path / "texts.csv", count=60),
        *("--num_train_epochs", "2", "--early_stopping_patience", "1", "--max_grad_value", "0.5"),
        *("--lr_scheduler_type", "reduce_lr_on_plateau", "--gradient_accumulation_steps", "2"),
        *("--activation_checkpointing", "--bf16", "--class_weights", "balanced", "--tokenizer_kind", "char"),
    )
    trainer = finished.trainer
    names = [type(callback).__name__ for callback in trainer.callback_handler.callbacks]
    assert EarlyStoppingCallback.__name__ in names and "GradientValueClipping" in names
    assert trainer.lr_scheduler.mode == "max" and trainer.args.metric_for_best_model == "accuracy"
    assert finished.model.config.class_weights == pytest.approx([1.0, 1.0])
    assert finished.model.is_activation_checkpointing


def test_resume_flag_goes_on(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv", count=64)
    whole = run(tmp_path / "model", texts, "--save_total_limit", "9")
    resumed = run(tmp_path / "model", texts, "--resume_from_checkpoint", str(tmp_path / "model" / "checkpoint-4"))
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--early_stopping_patience", "1", "--eval_strategy", "no"], "early_stopping_patience"),
        (["--do_predict"], "test split"),
        (["--resume_from_checkpoint", "nowhere"], "There is no checkpoint nowhere"),
        (["--class_weights", "heavy"], "class_weights must be numbers"),
        (["--class_weights", "1", "2", "3"], "3 numbers for 2 labels"),
        (["--hidden_size", "7"], "hidden_size"),
        (["--dataset", "x"], "either --dataset or --train_file"),
    ],
)
def test_flags_that_do_not_fit(tmp_path: Path, flags: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(tmp_path / "model", write_texts(tmp_path / "texts.csv", count=40), "--num_train_epochs", "1", *flags)


def write_rows(path: Path, rows: list[tuple[str, object]]) -> Path:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return path


def labelled(good: object, bad: object, count: int = 40) -> list[tuple[str, object]]:
    """The bad texts first, so that the data's order is not the alphabet's."""
    words = [(f"the {word} film", good) for word in GOOD] + [(f"the {word} film", bad) for word in BAD]
    return list(reversed(words)) * (count // len(words) + 1)


def test_tokenizer_flags_beside_a_tokenizer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--lowercase is for a tokenizer that is trained, and --tokenizer_name"):
        run(tmp_path / "out", write_texts(tmp_path / "t.csv", count=40), "--tokenizer_name", "x", "--no_lowercase")


def test_the_card_says_whether_validation_chose_the_checkpoint(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv", count=40)
    sentence = "The validation split also chose the best checkpoint"
    run(tmp_path / "best", texts, "--num_train_epochs", "1")
    assert sentence in (tmp_path / "best" / "README.md").read_text()
    run(tmp_path / "last", texts, "--num_train_epochs", "1", "--load_best_model_at_end", "false")
    assert sentence not in (tmp_path / "last" / "README.md").read_text()


def test_another_data_seed_gives_another_order(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv", count=64)
    flags = ("--num_train_epochs", "1", "--seed", "1")
    plain, other, same = (
        run(tmp_path / name, texts, *flags, *more).trainer._get_train_sampler()
        for name, more in (("a", ()), ("b", ("--data_seed", "7")), ("c", ("--data_seed", "1")))
    )
    assert list(plain) == list(same) != list(other)


@pytest.mark.parametrize(("flags", "told"), [((), "400 tokens"), (("--max_length", "700"), None)])
def test_what_a_training_reads_of_long_texts_is_told(tmp_path: Path, flags: tuple[str, ...], told: str | None) -> None:
    """With the length that it reads, not the one that it would read by default."""
    rows = [{"text": f"word {row} " * 300, "label": row % 2} for row in range(40)]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    seen = []

    class Watching(Display):
        def show_data(self, summary: DataSummary) -> None:
            seen.append(summary.findings.get("long_train"))

    argv = ["--train_file", str(tmp_path / "texts.jsonl"), "--output_dir", str(tmp_path / "out"), "--max_steps", "1"]
    run_task(parse_task([*argv, "--hidden_size", "8", "--disable_tqdm", "true", *flags]), Watching())
    assert seen == [None] if told is None else told in seen[0]
