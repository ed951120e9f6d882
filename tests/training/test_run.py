"""What a run measures, chooses by, tells and refuses."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, PrinterCallback, ProgressCallback, TrainerCallback

from hfattnlstm._wording import option
from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.display import Display
from hfattnlstm.training.intervals import wilson_interval
from training.test_classification import GOOD, labelled, run, write_rows, write_texts


SHORT = ("--num_train_epochs", "1")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts") / "texts.csv", count=64)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("numbers") / "texts.csv", "regression", count=64)


class TestBestModel:
    """It is the one with the best metric, whichever way that is better."""

    @pytest.mark.parametrize(
        ("metric", "chosen"),
        [("mse", min), ("eval_rmse", min), ("mae", min), ("loss", min), ("r2", max), ("spearman", max)],
    )
    def test_of_a_regression(self, metric: str, chosen, tmp_path: Path, numbers: Path) -> None:
        # So fast that it does not get better all the time.
        flags = ("--num_train_epochs", "6", "--learning_rate", "0.3", "--metric_for_best_model", metric)
        finished = run(tmp_path / "model", numbers, *flags)
        name = f"eval_{metric.removeprefix('eval_')}"
        values = [entry[name] for entry in finished.trainer.state.log_history if name in entry]
        assert finished.trainer.state.best_metric == chosen(values[:6])
        assert finished.metrics[name] == pytest.approx(chosen(values[:6]), rel=1e-4)

    def test_by_the_score_of_a_label(self, tmp_path: Path, texts: Path) -> None:
        finished = run(tmp_path / "model", texts, *SHORT, "--metric_for_best_model", "f1/pos")
        assert finished.trainer.args.greater_is_better and "eval_f1/pos" in finished.metrics

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (
                "--metric_for_best_model f1",
                "--metric_for_best_model f1 is none of the metrics: accuracy, f1_macro, f1_m",
            ),
            ("--metric_for_best_model mse", "--metric_for_best_model mse is none of the metrics"),
            ("--metric_for_best_model f1/good", "f1/good is none of the metrics: .*f1/neg, f1/pos"),
            ("--metric_for_best_model loss --greater_is_better true", "of loss, lower is better. Leave"),
            ("--greater_is_better false", "--greater_is_better false contradicts the metric: of accuracy, greater is"),
        ],
    )
    def test_what_is_refused_before_the_training(self, flags: str, sentence: str, tmp_path: Path, texts: Path) -> None:
        with pytest.raises(ValueError, match=sentence):
            run(tmp_path / "model", texts, *flags.split())
        assert not (tmp_path / "model").exists()

    def test_a_direction_that_is_right_is_accepted(self, tmp_path: Path, numbers: Path) -> None:
        finished = run(tmp_path / "model", numbers, *SHORT, "--greater_is_better", "false")
        assert finished.trainer.args.greater_is_better is False

    def test_a_plateau_follows_it(self, tmp_path: Path, numbers: Path) -> None:
        plateau = ("--lr_scheduler_type", "reduce_lr_on_plateau", "--metric_for_best_model", "mae")
        assert run(tmp_path / "a", numbers, *SHORT, *plateau).trainer.lr_scheduler.mode == "min"


class TestSplits:
    """Which splits are measured."""

    def test_a_test_file_that_is_named_is_measured(self, tmp_path: Path, texts: Path) -> None:
        held_out = write_rows(tmp_path / "test.jsonl", labelled("pos", "neg", 12))
        finished = run(tmp_path / "model", texts, *SHORT, "--test_file", str(held_out))
        assert finished.metrics["test_samples"] == 18
        assert "| test | accuracy |" in (tmp_path / "model" / "README.md").read_text()

    def test_no_evaluation(self, tmp_path: Path, texts: Path) -> None:
        finished = run(tmp_path / "model", texts, *SHORT, "--do_eval", "false")
        assert not [name for name in finished.metrics if name.startswith("eval")]
        assert not [entry for entry in finished.trainer.state.log_history if "eval_loss" in entry]
        assert finished.report() == "no metrics"

    def test_more_texts_than_there_are(self, tmp_path: Path, texts: Path) -> None:
        with pytest.raises(ValueError, match="--max_train_samples 99 is more than the 58 training texts: make it"):
            run(tmp_path / "model", texts, "--max_train_samples", "99")


class TestIntervals:
    """Figures on few texts come with an interval."""

    def test_in_report_card_and_results(self, tmp_path: Path) -> None:
        finished = run(tmp_path / "model", write_texts(tmp_path / "texts.csv"))
        right = round(finished.metrics["eval_accuracy"] * 16)
        low, high = wilson_interval(right, 16)
        assert (finished.metrics["eval_accuracy_low"], finished.metrics["eval_accuracy_high"]) == (low, high)
        assert low < 0.9
        lines = finished.report().splitlines()
        assert lines[0].split() == ["metric", "value", "95", "%", "interval"]
        accuracy = next(line for line in lines if line.startswith("eval_accuracy"))
        assert accuracy.endswith(f"{low:.4f} to {high:.4f}") and "eval_accuracy_low" not in finished.report()
        card = (tmp_path / "model" / "README.md").read_text()
        value = finished.metrics["eval_accuracy"]
        assert f"| validation | accuracy | {value:.4f} | {low:.4f} to {high:.4f} |" in card
        assert "accuracy_low" not in card
        written = json.loads((tmp_path / "model" / "all_results.json").read_text())
        assert written["eval_f1_macro_low"] < written["eval_f1_macro"] <= written["eval_f1_macro_high"]

    def test_of_errors_and_of_several_labels(self, tmp_path: Path, numbers: Path) -> None:
        finished = run(tmp_path / "numbers", numbers, *SHORT)
        assert finished.metrics["eval_mse_low"] < finished.metrics["eval_mse"] < finished.metrics["eval_mse_high"]
        several = run(tmp_path / "several", write_texts(tmp_path / "several.jsonl", "multi", 64), *SHORT)
        assert several.metrics["eval_subset_accuracy_high"] > several.metrics["eval_subset_accuracy_low"]

    def test_not_on_many_texts(self, tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hfattnlstm.training.task.FEW_TEXTS", 6)
        finished = run(tmp_path / "model", texts, *SHORT)
        assert "eval_accuracy_low" not in finished.metrics
        assert finished.report().splitlines()[0].split() == ["metric", "value"]


@pytest.mark.parametrize(
    "flags",
    [
        "--max_steps 3",
        "--do_eval false --max_steps 2",
        "--metric_for_best_model f1_macro --num_train_epochs 1.0",
        "--seed 3",
    ],
)
def test_the_command_on_the_card_is_the_one_that_was_given(flags: str, tmp_path: Path, texts: Path) -> None:
    """Not with what the run made of it, such as epochs beside --max_steps, which would be refused."""
    task = ["--train_file", str(texts), "--output_dir", str(tmp_path / "model"), "--max_train_samples", "8"]
    run_task(parse_task([*task, "--hidden_size", "4", "--use_cpu", "--report_to", "none", *flags.split()]))
    card = (tmp_path / "model" / "README.md").read_text()
    command = next(line for line in card.splitlines() if line.startswith("hfattnlstm train"))
    given = dict(zip(flags.split()[::2], flags.split()[1::2]))
    given |= {"--train_file": "texts.csv", "--max_train_samples": "8", "--hidden_size": "4"}
    words = shlex.split(command)[2:]
    assert {k: v.lower() for k, v in zip(words[::2], words[1::2])} == given


class TestProblemTypes:
    """Flags that have a meaning for some of them only."""

    @pytest.mark.parametrize(
        ("kind", "flags", "sentence"),
        [
            ("single", "--threshold 0.7", "--threshold is for texts with any number of labels, and this is a single"),
            ("regression", "--threshold 0.7", "--threshold is for texts with any number of labels"),
            ("regression", "--label_smoothing_factor 0.1", "--label_smoothing_factor has no meaning in a regression"),
            ("regression", "--class_weights 2", "--class_weights has no meaning in a regression"),
        ],
    )
    def test_refused(self, kind: str, flags: str, sentence: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=sentence):
            run(tmp_path / "model", write_texts(tmp_path / "texts.csv", kind, 40), *flags.split())

    def test_the_threshold_is_measured_and_saved(self, tmp_path: Path) -> None:
        several = write_texts(tmp_path / "texts.jsonl", "multi", 64)
        eager = run(tmp_path / "eager", several, *SHORT, "--threshold", "0.001")
        assert eager.metrics["eval_recall_micro"] == 1.0
        assert AutoConfig.from_pretrained(tmp_path / "eager").threshold == 0.001
        assert "- threshold of a label: 0.001" in (tmp_path / "eager" / "README.md").read_text()
        unsure = ("--classifier_ngrams", "0", "--calibrate", "false")
        strict = run(tmp_path / "strict", several, *SHORT, *unsure, "--threshold", "0.999")
        assert strict.metrics["eval_recall_micro"] == 0.0

    def test_without_one_each_label_has_a_threshold_that_was_fitted(self, tmp_path: Path) -> None:
        finished = run(tmp_path / "model", write_texts(tmp_path / "texts.jsonl", "multi", 64), *SHORT)
        saved = AutoConfig.from_pretrained(tmp_path / "model").threshold
        assert len(saved) == 3 and all(0 < threshold < 1 for threshold in saved)
        assert finished.evaluations["eval"].threshold == saved == finished.trainer.compute_metrics.threshold

    def test_smoothing_is_the_models(self, tmp_path: Path, texts: Path) -> None:
        finished = run(
            tmp_path / "model", texts, *SHORT, "--label_smoothing_factor", "0.2", "--class_weights", "1", "3"
        )
        assert finished.trainer.label_smoother is None
        saved = AutoConfig.from_pretrained(tmp_path / "model")
        assert (saved.label_smoothing, saved.class_weights) == (0.2, [1.0, 3.0])


class TestWordVectors:
    """Vectors that do not fit are not left out without a word."""

    def write(self, path: Path, words: list[str]) -> Path:
        path.write_text("".join(f"{word} {' '.join(['0.5'] * 16)}\n" for word in words))
        return path

    def test_none_that_fits(self, tmp_path: Path, texts: Path) -> None:
        vectors = self.write(tmp_path / "v.txt", ["zebra", "aardvark"])
        with pytest.raises(ValueError, match=r"--word_vectors .*v\.txt has none of the [0-9]+ words of the texts \("):
            run(tmp_path / "model", texts, "--word_vectors", str(vectors))

    def test_the_coverage_is_told(self, tmp_path: Path, texts: Path, caplog: pytest.LogCaptureFixture) -> None:
        vectors = self.write(tmp_path / "v.txt", GOOD)
        with caplog.at_level("WARNING", "hfattnlstm"):
            run(tmp_path / "model", texts, *SHORT, "--word_vectors", str(vectors))
        assert "found 3 of" in caplog.text and "v.txt" in caplog.text


def test_sentences_name_flags(tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in Python: the flags are how a run is described there."""

    def load(*_: object, **__: object) -> None:
        raise ValueError(option("label_column"))

    monkeypatch.setattr("hfattnlstm.training.classification_texts.load_splits", load)
    for call in (lambda task: run_task(task), lambda task: task.load()):
        with pytest.raises(ValueError, match=r"^--label_column$"):
            call(parse_task(["--train_file", str(texts), "--output_dir", str(tmp_path / "model")]))


def test_a_script_without_spaces_gets_pieces_of_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        (f"スープは{'おいしい' if row % 2 else 'まずい'}です{chr(0x3042 + row)}。", "ba"[row % 2]) for row in range(60)
    ]
    path = tmp_path / "kana.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    finished = run(tmp_path / "model", path)
    assert finished.metrics["eval_accuracy"] == 1.0
    assert (
        "The texts have no spaces between words, so the tokens are pieces of words, as with --tokenizer_kind bpe"
        in (caplog.text)
    )
    assert "tokenizer: bpe, trained on the texts" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    caplog.clear()
    run(tmp_path / "words", path, "--tokenizer_kind", "word", "--num_train_epochs", "1")
    assert "% of the tokens for train" in caplog.text
    assert "--tokenizer_kind bpe" in caplog.text


class TestDisplay:
    """What follows a run."""

    def test_its_callbacks_stand_in_place_of_bars_and_log(
        self, tmp_path: Path, texts: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen: list[str] = []

        class Steps(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                seen.append("step")

        class Noting(Display):
            @contextlib.contextmanager
            def phase(self, name: str) -> Iterator[None]:
                seen.append(name)
                yield
                seen.append("encoded")

            def callbacks(self) -> list[TrainerCallback]:
                return [Steps()]

        small = (*SHORT, "--hidden_size", "8", "--embedding_size", "8")
        task = parse_task(["--train_file", str(texts), "--output_dir", str(tmp_path / "model"), *small])
        trainer = run_task(task, Noting()).trainer
        assert seen[:3] == ["Tokenising", "encoded", "step"]
        stock = (ProgressCallback, PrinterCallback)
        assert not [item for item in trainer.callback_handler.callbacks if isinstance(item, stock)]
        assert "'loss'" not in capsys.readouterr().out
