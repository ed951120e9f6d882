"""How many labels `predict` shows, and flags that would have no effect."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from predict_helpers import records, refusal, save_model, save_multi_label
from transformers import pipeline

from hfattnlstm import AttnLSTMForSequenceClassification
from hfattnlstm.commands.main import main


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    found = {
        "attention": save_model(folder / "attention"),
        "mean": save_model(folder / "mean", classifier_pooling="mean"),
        "multi": save_multi_label(folder / "multi"),
        "multi-mean": save_multi_label(folder / "multi-mean", classifier_pooling="mean"),
        "high": save_multi_label(folder / "high", threshold=0.99),
        "own": save_multi_label(folder / "own", threshold=[0.999, 0.001, 0.001], calibration_temperature=9.0),
        "own-mean": save_multi_label(
            folder / "own-mean",
            classifier_pooling="mean",
            threshold=[0.999, 0.001, 0.001],
            calibration_temperature=9.0,
        ),
        "number": save_model(folder / "number", id2label=None, num_labels=1, problem_type="regression"),
    }
    assert main(["export", found["attention"], "--output", str(folder / "onnx")]) == 0
    return found | {"onnx": str(folder / "onnx")}


def probabilities(model: str, text: str) -> dict[str, float]:
    """What the model itself says, by a sigmoid of each calibrated logit."""
    loaded = AttnLSTMForSequenceClassification.from_pretrained(model)
    tokenizer = pipeline("text-classification", model=model).tokenizer
    with torch.no_grad():
        logits = loaded(**tokenizer(text, return_tensors="pt")).logits[0]
    calibrated = (logits / loaded.config.calibration_temperature).sigmoid()
    return {loaded.config.id2label[index]: value for index, value in enumerate(calibrated.tolist())}


@pytest.mark.parametrize("kind", ["multi", "multi-mean"])
def test_all_labels_above_the_threshold(models: dict[str, str], kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = sorted(probabilities(models[kind], "a good film").items(), key=lambda item: -item[1])
    # Between the second and the third.
    threshold = (expected[1][1] + expected[2][1]) / 2
    for flags, kept in ((["--threshold", str(threshold)], expected[:2]), (["--threshold", "0.001"], expected)):
        capsys.readouterr()
        assert main(["predict", models[kind], "a good film", "--format", "json", *flags]) == 0
        (record,) = records(capsys.readouterr().out)
        assert [entry["label"] for entry in record["labels"]] == [label for label, _ in kept]
        assert [entry["score"] for entry in record["labels"]] == pytest.approx([s for _, s in kept], abs=1e-5)
        assert main(["predict", models[kind], "a good film", *flags]) == 0
        shown = ", ".join(f"{label} {score:.2f}" for label, score in kept)
        assert capsys.readouterr().out == f"{shown}\ta good film\n"


def test_the_threshold_of_the_model_holds(models: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    above_half = [label for label, score in probabilities(models["multi-mean"], "good").items() if score > 0.5]
    capsys.readouterr()
    assert main(["predict", models["multi-mean"], "good", "--format", "json"]) == 0
    (record,) = records(capsys.readouterr().out)
    assert above_half and {entry["label"] for entry in record["labels"]} == set(above_half)


@pytest.mark.parametrize("kind", ["own", "own-mean"])
def test_each_label_has_its_threshold_for_its_calibrated_score(
    models: dict[str, str], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = probabilities(models[kind], "good film")
    capsys.readouterr()
    assert main(["predict", models[kind], "good film", "--format", "json"]) == 0
    (record,) = records(capsys.readouterr().out)
    found = {entry["label"]: entry["score"] for entry in record["labels"]}
    assert found == pytest.approx({name: score for name, score in scores.items() if name != "calm"}, abs=1e-5)
    assert main(["predict", models[kind], "good film", "--format", "json", "--threshold", "0.001"]) == 0
    (record,) = records(capsys.readouterr().out)
    assert {entry["label"] for entry in record["labels"]} == set(scores)


def test_a_text_without_labels_keeps_its_row_and_its_attention(
    models: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", models["high"], "good film"]) == 0
    assert capsys.readouterr().out == "-\tgood film\n"
    assert main(["predict", models["high"], "good film", "--format", "json"]) == 0
    (record,) = records(capsys.readouterr().out)
    assert record["labels"] == [] and [entry["text"] for entry in record["attention"]] == ["good", "film"]


def test_the_best_labels_do_not_depend_on_the_threshold(
    models: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", models["high"], "good", "--top_k", "2", "--format", "json"]) == 0
    (record,) = records(capsys.readouterr().out)
    assert len(record["labels"]) == 2
    assert main(["predict", models["high"], "good", "--top_k", "1", "--format", "json"]) == 0
    (best,) = records(capsys.readouterr().out)
    assert (best["label"], best["score"]) == (record["labels"][0]["label"], record["labels"][0]["score"])


def test_one_label_a_text_is_printed_as_ever(models: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", models["attention"], "good", "--top_k", "1"]) == 0
    label, score, text = capsys.readouterr().out.rstrip("\n").split("\t")
    assert label in ("neg", "pos") and len(score) == 6 and text == "good"
    assert main(["predict", models["attention"], "good", "--top_k", "2"]) == 0
    first, second = capsys.readouterr().out.split("\t")[0].split(", ")
    assert float(first.split()[1]) + float(second.split()[1]) == pytest.approx(1, abs=0.011)


@pytest.mark.parametrize(
    ("kind", "flags", "sentence"),
    [
        ("attention", ["--top_k", "0"], "--top_k must be at least 1, got 0."),
        ("attention", ["--top_k", "-1"], "--top_k must be at least 1, got -1."),
        ("mean", ["--batch_size", "0"], "--batch_size must be at least 1, got 0."),
        ("attention", ["--batch_size", "-1"], "--batch_size must be at least 1, got -1."),
        ("multi", ["--threshold", "0"], "--threshold is a probability and must lie between 0 and 1, got 0."),
        ("multi", ["--threshold", "nan"], "--threshold is a probability and must lie between 0 and 1, got nan."),
        ("multi", ["--threshold", "0.2", "--top_k", "2"], "--top_k shows the best labels, and --threshold"),
        ("attention", ["--threshold", "0.2"], "--threshold is for models with several labels a text, and "),
        ("number", ["--threshold", "0.2"], "--threshold is for models with several labels a text, and "),
        ("number", ["--top_k", "1"], "--top_k is for models with labels, and "),
        ("mean", ["--level", "word", "--format", "json"], "--level is for models with attention pooling: leave"),
        ("mean", ["--dtype", "float32"], "--dtype is for models with attention pooling: leave it out."),
        ("onnx", ["--dtype", "auto"], "--dtype is not for what was exported, and "),
        ("attention", ["--level", "token"], "--level is for results with the attention: write .jsonl,"),
        ("attention", ["--level", "word", "--output", "x.csv"], "--level is for results with the attention: write"),
        ("attention", ["--level", "word", "--output", "x.txt"], "--level is for results with the attention: write"),
    ],
)
def test_flags_that_cannot_apply(
    models: dict[str, str],
    kind: str,
    flags: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def loaded(*_: object) -> None:
        raise AssertionError("The model was loaded first.")

    monkeypatch.setattr("hfattnlstm.commands.predict.load_classifier", loaded)
    assert refusal(["predict", models[kind], "good", *flags], capsys).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_levels_are_shown_in_colours(
    models: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["predict", models["attention"], "good", "--level", "token"]) == 0
    assert "\x1b[30;48;5;" in capsys.readouterr().out


def test_those_who_type_have_no_batches(
    models: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    sentence = refusal(["predict", models["attention"], "--batch_size", "2"], capsys)
    assert sentence == "--batch_size is for many texts, and those that are typed are answered one by one."
