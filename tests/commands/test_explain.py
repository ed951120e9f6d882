"""`hfattnlstm explain`: what it reads, prints and writes, and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForSequenceClassification

from commands.predict_helpers import records, refusal, save_model
from deploy_helpers import LABELS, random_model, word_tokenizer
from hfattnlstm import train_tokenizer
from hfattnlstm.commands.explained_texts import print_explanations
from hfattnlstm.commands.main import main
from hfattnlstm.explain import Explanations, explain, plausibility


TEXTS = ["not a good film", "bad", "the film is not bad at all the film is good a bad film"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("explain") / "model", id2label=LABELS)


def expected(model: str, **options: Any) -> Explanations:
    loaded = AutoModelForSequenceClassification.from_pretrained(model)
    return explain(TEXTS, loaded, word_tokenizer(), **options)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_texts_are_printed_with_their_heaviest_words_and_verdicts(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", model, *TEXTS, "--method", "occlusion"]) == 0
    found = expected(model, method="occlusion")
    lines = capsys.readouterr().out.splitlines()
    for one, (head, words, verdict) in zip(found, zip(lines[::3], lines[1::3], lines[2::3])):
        assert head == f"{one.label} {one.score:.4f}  {one.text}"
        heaviest = sorted(one.words, key=lambda word: -abs(word.weight))[:5]
        assert words == "  " + ", ".join(f"{word.text} {word.weight:+.4f}" for word in heaviest)
        assert verdict == f"  {one.faithfulness.verdict}"
    assert lines[-2:] == ["", found.faithfulness.verdict]


def test_a_file_may_stand_in_the_place_of_a_text(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    (tmp_path / "texts.csv").write_text("review\n" + "\n".join(TEXTS), encoding="utf-8")
    printed = []
    for place in ([str(tmp_path / "texts.txt")], ["--file", str(tmp_path / "texts.csv")], TEXTS):
        assert main(["explain", model, *place, "--faithfulness_samples", "0"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] == printed[2]


def test_json_lines_hold_all_of_it(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "found.jsonl"
    flags = ["--output", str(output), "--target", "größer", "--method", "gradient_x_input", "--level", "token"]
    assert main(["explain", model, *TEXTS, *flags, "--seed", "3"]) == 0
    assert capsys.readouterr().out == f"Wrote {output}: 3 texts\n"
    found = expected(model, target="größer", method="gradient_x_input", seed=3)
    for row, one in zip(records(output.read_text("utf-8")), found):
        wanted = json.loads(json.dumps(one.to_dict("token")))
        assert row["tokens"] == [pytest.approx(entry, abs=1e-5) for entry in wanted["tokens"]]
        assert row["faithfulness"]["comprehensiveness_random"] == pytest.approx(
            wanted["faithfulness"]["comprehensiveness_random"], abs=1e-5
        )
        assert (row["target"], row["label"]) == ("größer", one.label)


def test_a_report_knows_the_labels_of_a_table(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [one.label for one in expected(model, faithfulness=False)]
    other = next(label for label in LABELS.values() if label != given[0])
    rows = [f"{text},{label}" for text, label in zip(TEXTS, [other, *given[1:]])]
    (tmp_path / "labelled.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    output = tmp_path / "report.html"
    assert main(["explain", model, str(tmp_path / "labelled.csv"), "--output", str(output)]) == 0
    page = output.read_text("utf-8")
    assert "Of 3 with a known label, 2 are labelled rightly." in page
    assert "Most confident mistakes (1 of 1)" in page and f"in truth <bdi>{other}</bdi>" in page
    capsys.readouterr()
    (tmp_path / "others.csv").write_text("text,label\ngood,fine\nbad,not fine\n", encoding="utf-8")
    assert main(["explain", model, str(tmp_path / "others.csv"), "--output", str(output)]) == 0
    assert "known label" not in output.read_text("utf-8")
    capsys.readouterr()
    flags = ["--output", str(output), "--label_column", "label"]
    assert "fine" in refusal(["explain", model, str(tmp_path / "others.csv"), *flags], capsys)
    assert main(["explain", model, str(tmp_path / "others.csv"), "--faithfulness_samples", "1"]) == 0
    assert capsys.readouterr().out.count("too short") == 1


def test_a_sample_of_the_texts_is_measured_and_that_is_said(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS * 4), encoding="utf-8")
    flags = [str(tmp_path / "texts.txt"), "--faithfulness_samples", "5", "--seed", "1"]
    assert main(["explain", model, *flags]) == 0
    assert capsys.readouterr().out.endswith("(measured on 5 of 12 texts).\n")
    for output in ("one.jsonl", "other.jsonl"):
        assert main(["explain", model, *flags, "--output", str(tmp_path / output)]) == 0
    rows = records((tmp_path / "one.jsonl").read_text("utf-8"))
    assert sum("faithfulness" in row for row in rows) == 5
    assert (tmp_path / "one.jsonl").read_text() == (tmp_path / "other.jsonl").read_text()


def test_on_a_terminal_words_are_shaded_for_and_against(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    print_explanations(expected(model, method="occlusion", faithfulness=False), True, stream)
    assert "against the label " in stream.getvalue() and "\x1b[30;48;5;208m" in stream.getvalue()
    assert any(f"\x1b[30;48;5;{shade}m" in stream.getvalue().split("\n\n")[1] for shade in (195, 159, 153, 117, 75))
    stream = Terminal()
    print_explanations(expected(model, faithfulness=False), False, stream)
    assert stream.getvalue().startswith("weight: less ")


def test_a_model_without_attention_is_explained_by_gradients_which_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    name = save_model(tmp_path / "mean", classifier_pooling=["mean"])
    assert main(["explain", name, "a good film", "--output", str(tmp_path / "found.jsonl")]) == 0
    assert records((tmp_path / "found.jsonl").read_text("utf-8"))[0]["method"] == "gradient_x_input"
    assert "has no attention pooling, and --method gradient_x_input is taken" in caplog.text
    capsys.readouterr()
    refused = refusal(["explain", name, "good", "--method", "attention"], capsys)
    assert refused.startswith("The model has no attention pooling, which attention is about: take one of ")


def test_a_model_of_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = random_model(text_columns=["first", "second"])
    network.save_pretrained(tmp_path / "pairs")
    train_tokenizer(["a good bad film is not the"] * 2, kind="word").save_pretrained(tmp_path / "pairs")
    assert main(["explain", str(tmp_path / "pairs"), "a good film", "not bad", "--faithfulness_samples", "0"]) == 0
    assert "a good film | not bad" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["good", "--output", "found.txt"], "--output 'found.txt' must end in one of .html, .jsonl, .png, .svg."),
        (["good", "--level", "token"], "--level is for what is written as .jsonl"),
        (["good", "--label_column", "label"], "--label_column is for the report of a table"),
        (["good", "--faithfulness_samples", "-1"], "--faithfulness_samples must be at least 0, got -1."),
        (["good", "--target", "gutt"], "target 'gutt' is no label of the model"),
        (["good", "--file", "x.csv"], "Give texts or --file, not both."),
        (["--file", "nowhere.csv"], "There is no file nowhere.csv"),
        (["good", "--method", "lime"], "--method"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    flags: list[str], sentence: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refusal(["explain", model, *flags], capsys)


def test_what_was_exported_is_refused(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    (tmp_path / "config.json").write_text((Path(model) / "config.json").read_text())
    assert "was exported, and can only be asked for labels" in refusal(["explain", str(tmp_path), "good"], capsys)


def test_agreement_with_what_people_have_marked_is_told(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = [[0, 0, 1, 0], [1], [0] * 14]
    lines = [json.dumps({"text": text, "marks": own}) for text, own in zip(TEXTS, marks)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = ["explain", model, str(tmp_path / "texts.jsonl"), "--faithfulness_samples", "0"]
    command += ["--method", "occlusion", "--rationale_column", "marks"]
    found = expected(model, method="occlusion", faithfulness=False)
    wanted = plausibility([[token.weight for token in one.tokens] for one in found[:2]], marks[:2])
    sentence = f"Agreement with what people have marked, in 2 texts: token F1 {wanted.token_f1:.2f}, IOU F1 "
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(sentence)
    assert main([*command, "--output", str(tmp_path / "report.html")]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith(sentence) and told in (tmp_path / "report.html").read_text("utf-8")


def test_marks_are_no_labels_whatever_their_column_is_called(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"text": text, "label": own}) for text, own in zip(("so good", "a bad"), ([1, 0], [0, 1]))]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = ["explain", model, str(tmp_path / "texts.jsonl"), "--rationale_column", "label"]
    assert main([*command, "--output", str(tmp_path / "report.html"), "--faithfulness_samples", "0"]) == 0
    assert "known label" not in (tmp_path / "report.html").read_text("utf-8")
    assert "in 2 texts" in capsys.readouterr().out


def test_marks_that_cannot_be_read_are_refused(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": "so good", "marks": [1, 0, 0]}), encoding="utf-8")
    command = ["explain", model, str(tmp_path / "texts.jsonl"), "--rationale_column"]
    assert "has in row 1 neither" in refusal([*command, "marks"], capsys)
    assert "has no column 'nix'" in refusal([*command, "nix"], capsys)
    assert "needs a --file that is a table" in refusal(
        ["explain", model, "so good", "--rationale_column", "x"], capsys
    )
