"""`python -m benchmarks accuracy`: mistakes are one sentence, the texts are split once, results are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.accuracy import command
from benchmarks.accuracy.problem import is_unspaced, load_split
from benchmarks.table import Table


THINGS = [f"soup{number}" for number in range(20)]


@pytest.fixture
def reviews(tmp_path: Path) -> str:
    rows = [f"{word} {thing},{label}" for thing in THINGS for word, label in (("Good", "pos"), ("Bad", "neg"))]
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs of the other tests are not to be switched off."""
    monkeypatch.setattr(command, "hush", lambda: None)
    monkeypatch.setattr("benchmarks.machine.busy_share", lambda: 0.0)


def run(*arguments: str) -> int:
    return benchmarks.main(["accuracy", *arguments])


def test_a_table_is_printed_and_written(reviews: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    pytest.importorskip("matplotlib")
    files = {name: tmp_path / f"found.{name}" for name in ("json", "markdown", "png")}
    flags = [f"--{'plot' if name == 'png' else name}={path}" for name, path in files.items()]
    assert run(reviews, "--only", "NB-SVM", "--seeds", "5", "--threads", "1", *flags) == 0
    out = capsys.readouterr().out
    for part in ("Accuracy on reviews.csv", "majority class", "NB-SVM", "36 texts to learn from, 4 to be scored on"):
        assert part in out
    found = json.loads(files["json"].read_text(encoding="utf-8"))
    assert found["command"].startswith("python -m benchmarks accuracy ")
    assert found["seeds"] == [5]
    assert found["machine"]["torch_threads"] == 1
    rows = {row["candidate"]: row for row in found["tables"][0]["rows"]}
    assert list(rows) == ["majority class", "TF-IDF + logistic regression", "NB-SVM"]
    assert rows["NB-SVM"]["accuracy"]["mean"] == 1.0
    assert rows["majority class"]["accuracy"]["mean"] == 0.5
    assert "| NB-SVM | 100.0 |" in files["markdown"].read_text(encoding="utf-8")
    assert files["png"].stat().st_size > 1_000


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "name the texts, as PATH_OR_HUB_NAME or with --train_file"),
        (["REVIEWS", "--train_file", "x.csv"], "--train_file stands in place of PATH_OR_HUB_NAME"),
        (["REVIEWS", "--test_file", "x.csv"], "--test_file goes with --train_file"),
        (["no-such-file.csv"], "There is no file no-such-file.csv: check its name"),
        (["REVIEWS", "--text_column", "body"], "has no column 'body'"),
        (["REVIEWS", "--validation_size", "1.5"], "--validation_size must lie between 0 and 1, got 1.5"),
        (["REVIEWS", "--only", "svm", "bert"], "--only 'bert' is no part of any of majority class, TF-IDF"),
        (["REVIEWS", "--seeds", "1", "1"], "--seeds must all be different"),
        (["REVIEWS", "--seeds", "-1"], "--seeds must not be below 0, got -1"),
        (["REVIEWS", "--split_seed", "-2"], "--split_seed must not be below 0, got -2"),
        (["REVIEWS", "--max_minutes", "0"], "--max_minutes must be above 0, got 0"),
        (["REVIEWS", "--threads", "0"], "--threads must be above 0"),
        (["REVIEWS", "--finetune"], "--finetune needs --model"),
        (["REVIEWS", "--model", "a", "a"], "two candidates are called 'a'"),
        (["REVIEWS", "--recipe", "no-such-recipe"], "recipe"),
        (["REVIEWS", "--flags", "--no_such_flag 3"], "no_such_flag"),
        (["REVIEWS", "--flags", "--num_attention_heads 2"], "--num_attention_heads has no effect without"),
        (["REVIEWS", "--plot", "x.doc"], ".png"),
        (["REVIEWS", "--json", "/no/such/folder/x.json"], "/no/such/folder/x.json cannot be written"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    arguments: list[str], part: str, reviews: str, capsys: pytest.CaptureFixture
):
    with pytest.raises(SystemExit) as raised:
        run(*(reviews if word == "REVIEWS" else word for word in arguments))
    assert raised.value.code == 2
    message = capsys.readouterr().err
    assert part in message
    assert message.count("\n") == 1


def test_numbers_are_no_classes(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "numbers.csv"
    path.write_text("text,label\n" + "".join(f"text {row},{row}.5\n" for row in range(20)), encoding="utf-8")
    with pytest.raises(SystemExit) as raised:
        run(str(path))
    assert raised.value.code == 2
    assert "The column 'label' of numbers.csv holds numbers" in capsys.readouterr().err


def test_a_split_that_is_there_takes_no_size(reviews: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as raised:
        run("--train_file", reviews, "--test_file", reviews, "--split_seed", "1")
    assert raised.value.code == 2
    assert "--split_seed has no effect, because reviews.csv has a test split" in capsys.readouterr().err


def test_the_overview_names_the_table(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        benchmarks.main(["accurracy"])
    assert "accuracy, faithful, biases, typos, hashing, or all." in capsys.readouterr().err


def test_nothing_measured_is_a_failure(reviews: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "run", lambda *_, **__: Table("accuracy", "Accuracy", ()))
    assert run(reviews) == 1


def test_texts_are_held_out_as_the_package_does_it(reviews: str):
    import hfattnlstm

    split = load_split(reviews, "reviews", validation_size=0.25, split_seed=3)
    expected = hfattnlstm.load_texts(reviews, validation_size=0.25, seed=3)
    assert split.train.texts == expected["train"]["text"][:]
    assert split.test.texts == expected["validation"]["text"][:]
    assert split.test.labels.tolist() == expected["validation"]["label"][:]
    assert split.problem.label_names == ("neg", "pos")
    assert "25 % of the training texts, held out with the seed 3" in split.origin


def test_a_test_file_is_scored_and_nothing_held_out(reviews: str, tmp_path: Path):
    test = tmp_path / "test.csv"
    test.write_text("text,label\nGood tea,pos\nBad tea,neg\n", encoding="utf-8")
    split = load_split({"train": reviews, "test": str(test)}, "reviews")
    assert (len(split.train), split.test.texts) == (40, ["Good tea", "Bad tea"])
    assert split.test.labels.tolist() == [1, 0]
    assert split.origin == "the test split"


def test_several_labels_are_indicators_and_back(tmp_path: Path):
    path = tmp_path / "topics.jsonl"
    rows = [{"text": f"text {row}", "label": ["art", "law"][: row % 3]} for row in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    split = load_split(str(path), "topics")
    assert split.problem.several
    assert split.train.labels.shape == (27, 2)
    assert set(map(tuple, split.train.labels.tolist())) == {(0, 0), (1, 0), (1, 1)}
    data = split.problem.as_dataset(split.train.texts[:3], np.array([[0, 1], [1, 1], [0, 0]]))
    assert data["label"][:] == [[1], [0, 1], []]
    assert data.features["label"].feature.names == ["art", "law"]


@pytest.mark.parametrize(
    ("texts", "unspaced"),
    [
        (["A good film."], False),
        (["这部电影很好看"], True),
        (["スープはおいしいです。"], True),
        (["Das 好 ist gut."], False),
    ],
)
def test_scripts_without_spaces_are_seen(texts: list[str], unspaced: bool):
    assert is_unspaced(texts) is unspaced
