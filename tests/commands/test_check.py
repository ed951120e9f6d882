"""`hfattnlstm check`, and the summary before a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from predict_helpers import refusal

from hfattnlstm.commands.data_report import print_summary
from hfattnlstm.commands.main import main
from hfattnlstm.data.summary import summarize_texts


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("check") / "reviews.csv"
    rows = [
        f"{word} thing {number},{label},{number}"
        for number in range(24)
        for word, label in (("good", "yes"), ("bad", "no"))
    ]
    path.write_text("\n".join(["review,label,id", "a\x1b[31m <b>red</b> one,yes,99", *rows]))
    return str(path)


def test_the_summary_is_printed_and_nothing_is_written(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path(table).parent.iterdir())
    assert main(["check", table]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("texts: review  labels: label  not read: id\n")
    assert "train     49" in printed and "yes       25  51.02 %" in printed
    assert "What is odd\n" in printed and "with tags or entities of HTML: 1 of 49, the first in row 1" in printed
    assert sorted(Path(table).parent.iterdir()) == before


def test_json_has_all_of_it(table: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "summary.json"
    assert main(["check", table, "--test_file", table, "--output", str(output)]) == 0
    shown = json.loads(output.read_text())
    assert shown["file"] == table and shown["shared"] == {"test": 49}
    assert "are among those for training, too" in shown["findings"]["shared_test"]
    capfd.readouterr()
    assert main(["check", table, "--output", "/dev/stdout"]) == 0
    assert json.loads(capfd.readouterr().out)["splits"]["train"]["rows"] == 49


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("text,label\ngood,a\nbad,a\n", "too few different labels"),
        ("a,b\n1,2\n", "no column that is known to hold the label"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    content: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    assert sentence in refusal(["check", str(path)], capsys)


def test_flags_that_cannot_be_followed(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is the file with the texts" in refusal(["check", table, "--output", table], capsys)
    assert "--suspects must be at least 0" in refusal(["check", table, "--suspects", "-1"], capsys)


def test_what_has_been_told_is_left_out(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = summarize_texts({"train": table, "test": table})
    print_summary(summary, warned=True)
    assert "among those for training" not in capsys.readouterr().out
    print_summary(summary)
    assert "among those for training" in capsys.readouterr().out


def test_many_labels_are_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.csv"
    path.write_text("\n".join(["text,label", *(f"text {n} of {n % 30},label {n % 30}" for n in range(90))]))
    assert main(["check", str(path), "--problem_type", "single_label_classification"]) == 0
    printed = capsys.readouterr().out
    assert "… 15 more" in printed and printed.count("\nlabel ") == 16


def test_a_training_begins_with_it(table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--epochs", "1", "--embedding_size", "8", "--hidden_size", "8", "--save_strategy", "no"]
    assert main(["train", "--train_file", table, "--output_dir", str(tmp_path / "m"), *flags]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("texts: review  labels: label  not read: id\n")
    assert printed.index("What is odd") < printed.index("epoch 1")
