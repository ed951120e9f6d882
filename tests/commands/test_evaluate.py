"""`hfattnlstm evaluate` on models of each kind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from predict_helpers import refusal, save_model, save_multi_label
from transformers import BertConfig, BertForSequenceClassification, pipeline

from deploy_helpers import random_model, word_tokenizer
from hfattnlstm import evaluate_texts, export_onnx, train_tokenizer
from hfattnlstm.commands.evaluate import evaluate
from hfattnlstm.commands.main import main


TEXTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8", "w2 w2", "w9 w3"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("texts") / "reviews.csv"
    rows = zip(TEXTS, ("pos", "neg", "pos", "neg", "neg"))
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    return str(path)


def evaluated(folder: Path, *arguments: str) -> dict:
    assert main(["evaluate", *arguments, "--output", str(folder / "scores.json")]) == 0
    return json.loads((folder / "scores.json").read_text(encoding="utf-8"))


def test_all_figures_are_those_of_the_predictions(model: str, reviews: str, tmp_path: Path) -> None:
    found = evaluated(tmp_path, model, reviews)
    said = [entry[0] for entry in pipeline("attention-text-classification", model=model)(TEXTS, top_k=1)]
    right = ["pos", "neg", "pos", "neg", "neg"]
    wrong = [place for place, entry in enumerate(said) if entry["label"] != right[place]]
    assert found["accuracy"] == pytest.approx(1 - len(wrong) / 5) and found["samples"] == 5
    assert np.sum(found["confusion_matrix"]) == 5 and found["labels"] == ["neg", "pos"]
    assert {"f1_macro", "ece", "log_loss", "per_class", "intervals"} <= set(found)
    assert sorted(mistake["row"] - 1 for mistake in found["mistakes"]) == wrong
    for mistake in found["mistakes"]:
        entry = said[mistake["row"] - 1]
        assert mistake["text"] == TEXTS[mistake["row"] - 1] and mistake["predicted"] == entry["label"]
        assert mistake["score"] == pytest.approx(entry["score"], abs=1e-5)
        assert [word["text"] for word in mistake["attention"]] == mistake["text"].split()


def test_nothing_is_written_unless_asked(
    model: str, reviews: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(Path(model).iterdir())
    assert main(["evaluate", model, reviews, "--mistakes", "1", "--batch_size", "2"]) == 0
    printed = capsys.readouterr()
    assert "accuracy" in printed.out and printed.out.count("right is") == 1 and printed.err == ""
    assert list(tmp_path.iterdir()) == [] and sorted(Path(model).iterdir()) == before


def test_pictures(model: str, reviews: str, tmp_path: Path) -> None:
    assert main(["evaluate", model, reviews, "--plots", str(tmp_path / "plots")]) == 0
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["confusion_matrix.png", "reliability.png"]


def test_standard_output_can_be_json_alone(model: str, reviews: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", model, reviews, "--output", "/dev/stdout"]) == 0
    assert json.loads(capfd.readouterr().out)["samples"] == 5


@pytest.mark.long
def test_an_exported_model(model: str, reviews: str, tmp_path: Path) -> None:
    export_onnx(model, tmp_path / "onnx")
    ours, exported = evaluated(tmp_path, model, reviews), evaluated(tmp_path, str(tmp_path / "onnx"), reviews)
    assert exported["log_loss"] == pytest.approx(ours["log_loss"], abs=1e-5)


def test_another_kind_of_model(reviews: str, tmp_path: Path) -> None:
    tokenizer = word_tokenizer()
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    labels = {"id2label": {0: "neg", 1: "pos"}, "label2id": {"neg": 0, "pos": 1}}
    other = BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), **sizes, **labels))
    other.save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    found = evaluated(tmp_path, str(tmp_path / "bert"), reviews)
    assert found["samples"] == 5 and all("attention" not in mistake for mistake in found["mistakes"])


def test_several_labels_a_text(tmp_path: Path) -> None:
    model = save_multi_label(tmp_path / "model", threshold=0.4)
    rows = [{"text": text, "label": ["calm"] if "w2" in text else []} for text in TEXTS]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = evaluated(tmp_path, model, str(tmp_path / "t.jsonl"))
    assert found["threshold"] == 0.4 and set(found["confusion_matrix"]) == {"calm", "sad", "glad"}
    own = save_multi_label(tmp_path / "own", threshold=[0.99, 0.4, 0.01])
    each = evaluated(tmp_path, own, str(tmp_path / "t.jsonl"))
    assert each["threshold"] == [0.99, 0.4, 0.01]
    assert each["confusion_matrix"]["calm"] == [[3, 0], [2, 0]] and each["confusion_matrix"]["glad"] == [
        [0, 5],
        [0, 0],
    ]
    assert each["confusion_matrix"]["sad"] == found["confusion_matrix"]["sad"]
    overridden = evaluated(tmp_path, own, str(tmp_path / "t.jsonl"), "--threshold", "0.4")
    assert overridden["confusion_matrix"] == found["confusion_matrix"] and overridden["threshold"] == 0.4
    sure = evaluated(tmp_path, model, str(tmp_path / "t.jsonl"), "--threshold", "0.99")
    assert sure["confusion_matrix"]["calm"] == [[3, 0], [2, 0]] and sure["recall_micro"] == 0


@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_figures_are_those_of_calibrated_probabilities(
    pooling: str, reviews: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cold = save_model(tmp_path / "cold", classifier_pooling=pooling)
    warm = save_model(tmp_path / "warm", classifier_pooling=pooling, calibration_temperature=5.0)
    before, after = evaluated(tmp_path, cold, reviews), evaluated(tmp_path, warm, reviews)
    assert after["log_loss_uncalibrated"] == pytest.approx(before["log_loss"]) != pytest.approx(after["log_loss"])
    assert after["ece_uncalibrated"] == pytest.approx(before["ece"]) and "ece_uncalibrated" not in before
    right = ["pos", "neg", "pos", "neg", "neg"]
    assert main(["predict", warm, *TEXTS, "--top_k", "2", "--format", "json"]) == 0
    found = [json.loads(line)["labels"] for line in capsys.readouterr().out.splitlines()[-len(TEXTS) :]]
    scores = [next(entry["score"] for entry in row if entry["label"] == label) for row, label in zip(found, right)]
    assert after["log_loss"] == pytest.approx(-np.log(scores).mean(), abs=1e-5)


def test_a_number_a_text(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model", id2label={0: "LABEL_0"}, problem_type="regression")
    (tmp_path / "t.csv").write_text("text,score\nw1,1.5\nw2 w3,-2\n", encoding="utf-8")
    found = evaluated(tmp_path, model, str(tmp_path / "t.csv"))
    said = [entry["score"] for entry in pipeline("attention-text-classification", model=model)(["w1", "w2 w3"])]
    assert found["mae"] == pytest.approx((abs(said[0] - 1.5) + abs(said[1] + 2)) / 2, abs=1e-5)
    assert found["largest_errors"][0]["error"] >= found["largest_errors"][1]["error"]


def test_in_python(model: str, reviews: str, tmp_path: Path) -> None:
    classifier = pipeline("attention-text-classification", model=model)
    found = evaluate_texts(classifier, reviews, mistakes=1)
    assert found.samples == 5 and len(found.mistakes) <= 1
    with pytest.raises(ValueError, match="threshold= is for models with several labels a text"):
        evaluate_texts(classifier, reviews, threshold=0.3)
    several = pipeline("attention-text-classification", model=save_multi_label(tmp_path / "several"))
    with pytest.raises(ValueError, match="threshold has 2 numbers for 3 labels: give one a label"):
        evaluate_texts(several, reviews, threshold=[0.3, 0.4])
    with pytest.raises(ValueError, match="mistakes= must be at least 0, got -1"):
        evaluate_texts(classifier, reviews, mistakes=-1)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--batch_size", "0"], "--batch_size must be at least 1, got 0."),
        (["--mistakes", "-1"], "--mistakes must be at least 0, got -1."),
        (["--threshold", "1"], "--threshold is a probability and must lie between 0 and 1, got 1."),
        (["--threshold", "0.3"], "--threshold is for models with several labels a text, and "),
        (["--output", "no/where.json"], "There is no folder "),
        (["--plots", "no/where"], "There is no folder "),
        (["--label_column", "stars"], "The file "),
        (["--split", "test"], "--split test is not there, only 'train': leave it out."),
    ],
)
def test_one_sentence_before_the_work(
    model: str,
    reviews: str,
    flags: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(["evaluate", model, reviews, *flags], capsys).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_standard_output(model: str, reviews: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ValueError, match="Standard output is closed"):
        evaluate([model, reviews])
    assert evaluate([model, reviews, "--output", str(tmp_path / "scores.json")]) == 0


def test_files_are_kept(model: str, reviews: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is the file with the texts" in refusal(["evaluate", model, reviews, "--output", reviews], capsys)
    config = str(Path(model, "config.json"))
    assert "is called as a file of the model" in refusal(["evaluate", model, reviews, "--output", config], capsys)
    assert "is a file: name a folder" in refusal(["evaluate", model, reviews, "--plots", reviews], capsys)


def test_pictures_need_their_extra(
    model: str, reviews: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = refusal(["evaluate", model, reviews, "--plots", "plots"], capsys)
    assert told == '--plots needs matplotlib, which is not installed: pip install "hfattnlstm[plots]".'


def test_a_model_of_pairs_reads_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "pairs")
    tokenizer = train_tokenizer(["a good film", "a bad film"], vocab_size=20)
    random_model(
        vocab_size=len(tokenizer), id2label={0: "no", 1: "yes"}, text_columns=["premise", "other"]
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    table = tmp_path / "pairs.csv"
    table.write_text("other,premise,label\ngood,bad film,no\ngood,bad film,yes\n")
    assert main(["evaluate", folder, str(table), "--output", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["accuracy"] == 0.5 and found["mistakes"][0]["text"] == ["bad film", "good"]
    assert "  bad film\n  good\n" in capsys.readouterr().out
    assert main(["evaluate", folder, str(table), "--text_column", "premise"]) == 2
    assert "reads 2 texts together" in capsys.readouterr().err
