"""`hfattnlstm evaluate` on a tagger, and what it prints and writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from predict_helpers import refusal, save_model

from hfattnlstm.commands.main import main
from hfattnlstm.commands.tag_report import print_tag_evaluation
from hfattnlstm.training.tagging_evaluation import NOTHING, TagEvaluation, evaluate_tags
from training.tagging_helpers import parts_of_speech, run, sentences, tagged_words, write_columns


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tagger")
    data = write_columns(folder / "train.conll", sentences(120))
    # Not so long that it makes no mistakes.
    run(folder / "model", data, "--max_steps", "12", "--save_strategy", "no", "--eval_strategy", "no")
    return str(folder / "model")


@pytest.fixture(scope="module")
def test_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_columns(tmp_path_factory.mktemp("data") / "test.conll", sentences(40, 1)))


def evaluated(folder: Path, *arguments: str) -> dict:
    assert main(["evaluate", *arguments, "--output", str(folder / "scores.json")]) == 0
    return json.loads((folder / "scores.json").read_text(encoding="utf-8"))


def test_the_figures_are_those_of_predict(
    tagger: str, test_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(tmp_path, tagger, test_file)
    assert main(["predict", tagger, "--file", test_file, "--output", str(tmp_path / "x.jsonl")]) == 0
    said = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    rows = sentences(40, 1)
    tags = [[word["tag"] for word in entry["words"]] for entry in said]
    equal = sum(one == other for (_, right), own in zip(rows, tags) for one, other in zip(right, own, strict=True))
    assert found["words"] == tagged_words(rows) and found["sentences"] == 40
    assert found["scores"]["accuracy"] == pytest.approx(equal / found["words"])
    assert set(found["scores"]) == {"precision", "recall", "f1", "accuracy"} and 0.3 < found["scores"]["f1"] < 1
    assert found["model"] == tagger and found["file"] == test_file
    low, high = found["intervals"]["f1"]
    assert low <= found["scores"]["f1"] <= high
    assert set(found["per_kind"]) == {"LOC", "PER"} and found["kinds"] == ["LOC", "PER", NOTHING]
    assert sum(found["confusions"][1]) == found["per_kind"]["PER"]["support"]
    assert found["mistakes"] == sorted(found["mistakes"], key=lambda mistake: -mistake["score"])
    for mistake in found["mistakes"]:
        assert mistake["predicted"] == tags[mistake["row"] - 1] != mistake["tags"] == rows[mistake["row"] - 1][1]


def test_other_files_and_schemes_have_the_same_scores(tagger: str, test_file: str, tmp_path: Path) -> None:
    expected = evaluated(tmp_path, tagger, test_file)
    for scheme in ("iobes", "iob1"):
        other = write_columns(tmp_path / f"{scheme}.conll", sentences(40, 1, scheme))
        found = evaluated(tmp_path, tagger, str(other), "--tagging_scheme", scheme)
        assert found["scores"] == expected["scores"] and found["mistakes"] == expected["mistakes"]
    words, tags = zip(*sentences(40, 1))
    pa.parquet.write_table(pa.table({"mine": words, "others": tags}), tmp_path / "t.parquet")
    columns = ("--tokens_column", "mine", "--label_column", "others", "--batch_size", "3")
    found = evaluated(tmp_path, tagger, str(tmp_path / "t.parquet"), *columns)
    assert found["scores"] == expected["scores"]


def test_what_is_printed(tagger: str, test_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", tagger, test_file, "--mistakes", "1"]) == 0
    printed = capsys.readouterr()
    shown = " ".join(printed.out.split())
    assert shown.startswith(f"{tagger} on {test_file}: 40 sentences, {tagged_words(sentences(40, 1))} words")
    assert "a span counts where its kind, beginning and end are right" in shown and "wrong borders" in shown
    assert "confusions of spans that share words" in shown and printed.out.count(", right: ") >= 1
    assert printed.out.count("sentence ") == 1 and printed.err == ""


def test_single_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_columns(tmp_path / "train.conll", parts_of_speech(60))
    run(tmp_path / "model", data, "--max_steps", "10", "--save_strategy", "no", "--eval_strategy", "no")
    model = str(tmp_path / "model")
    found = evaluated(tmp_path, model, str(write_columns(tmp_path / "test.conll", parts_of_speech(20, 1))))
    assert set(found["scores"]) == {"accuracy", "f1_macro"} and found["borders"] == {}
    assert "a span counts" not in capsys.readouterr().out
    spans = str(write_columns(tmp_path / "spans.conll", sentences(5)))
    told = refusal(["evaluate", model, spans], capsys)
    assert told.startswith(f"{spans} has spans, and the model gives tags of single words: name the column of its tags")


@pytest.mark.parametrize(
    ("tag", "flags", "sentence"),
    [
        ("B-ORG", [], "{file} in line 1 ('Anna') has the tag 'B-ORG', and the model has 'O', 'B-LOC', 'I-LOC', "),
        (
            "NOUN",
            [],
            "{file} has tags of single words, and the model gives spans: name the column of its tags with --la",
        ),
        ("O", ["--threshold", "0.5"], "--threshold is for models that label texts, and {model} tags words: leave it"),
        (
            "O",
            ["--text_column", "a"],
            "--text_column is for models that label texts, and {model} tags words: name the column of the words with "
            "--tokens_column.",
        ),
        ("O", ["--tokens_column", "a"], "--tokens_column is for rows with lists of words"),
        ("O", ["--label_column", "5"], "--label_column 5 is no column of the file {file}: give a number from 1 to 2."),
        ("O", ["--split", "test"], "--split test is none of 'train': choose one of them."),
        ("I-PER", ["--tagging_scheme", "bio"], "{file} in line 1 ('Anna') has the tag 'I-PER' without a B-PER"),
        ("O", ["--batch_size", "0"], "--batch_size must be at least 1, got 0."),
    ],
)
def test_mistakes_are_one_sentence(
    tag: str, flags: list[str], sentence: str, tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_columns(tmp_path / "test.conll", [(["Anna"], [tag])])
    told = refusal(["evaluate", tagger, str(file), *flags], capsys)
    assert told.removeprefix("The file ").startswith(sentence.format(file=file, model=tagger))


def test_flags_of_taggers_are_refused_for_classifiers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier = save_model(tmp_path / "model")
    (tmp_path / "t.csv").write_text("text,label\na,pos\n")
    capsys.readouterr()
    for flag, value in (("--tagging_scheme", "bio"), ("--tokens_column", "text")):
        told = refusal(["evaluate", classifier, str(tmp_path / "t.csv"), flag, value], capsys)
        assert told == f"{flag} is for taggers, and {classifier} labels texts: leave it out."


def test_pictures(tagger: str, test_file: str, tmp_path: Path) -> None:
    assert main(["evaluate", tagger, test_file, "--plots", str(tmp_path / "plots")]) == 0
    (picture,) = (tmp_path / "plots").iterdir()
    assert picture.name == "confusion_matrix.png" and picture.read_bytes().startswith(b"\x89PNG")


def test_standard_output_can_be_json_alone(tagger: str, test_file: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", tagger, test_file, "--output", "/dev/stdout"]) == 0
    assert json.loads(capfd.readouterr().out)["sentences"] == 40


def of_tags(right: list[str], said: list[str], scheme: str | None = "bio") -> TagEvaluation:
    references, predictions = [each.split() for each in right], [each.split() for each in said]
    words = [[f"w{place}" for place in range(len(tags))] for tags in references]
    return evaluate_tags(words, references, predictions, [[0.75] * len(tags) for tags in references], scheme)


def printed(evaluation: TagEvaluation, title: str = "m on f") -> str:
    print_tag_evaluation(evaluation, title, stream := io.StringIO())
    return stream.getvalue()


class TestReport:
    """What people see of an evaluation."""

    def test_a_sentence_and_a_word(self) -> None:
        assert printed(of_tags(["O"], ["O"])).startswith("m on f: 1 sentence, 1 word\n")

    def test_borders_and_kinds(self) -> None:
        rows = [line.split() for line in printed(of_tags(["B-A I-A O B-B"], ["B-A O O B-B"])).splitlines()]
        assert ["A", "0.000", "0.000", "0.000", "1", "1"] in rows and [
            "B",
            "1.000",
            "1.000",
            "1.000",
            "1",
            "0",
        ] in rows
        assert ["A", "1", "0", "0"] in rows and [NOTHING, "0", "0", "0"] in rows

    def test_a_mistake_is_shown_with_the_words_around_it(self) -> None:
        right = " ".join(["O"] * 40)
        said = " ".join("B-A" if place == 20 else "O" for place in range(40))
        shown = " ".join(printed(of_tags([right], [said])).split())
        words = [f"w{place}" for place in range(12, 29)]
        words[8] = "w20 [B-A, right: O]"
        assert shown.endswith(f"sentence 1, 0.750: … {' '.join(words)} …")

    def test_at_the_border_of_a_sentence_nothing_is_left_out(self) -> None:
        shown = " ".join(printed(of_tags(["O O O"], ["B-A O O"])).split())
        assert shown.endswith("0.750: w0 [B-A, right: O] w1 w2") and "…" not in shown

    def test_without_mistakes_there_are_none(self) -> None:
        assert "mistakes" not in printed(of_tags(["B-A"], ["B-A"]))

    def test_of_many_kinds_the_largest_confusions_are_listed(self) -> None:
        names = [f"T{number:02}" for number in range(21)]
        said = [names[1], names[2], names[2], *names[3:], names[0]]
        right = [names[0], names[1], names[1], *names[3:], names[0]]
        shown = printed(of_tags([" ".join(right), "T02"], [" ".join(said), "T02"], None))
        lines = [line.split() for line in shown[shown.index("largest confusions") :].splitlines()]
        assert lines[:4] == [["largest", "confusions"], *lines[1:2], ["T01", "T02", "2"], ["T00", "T01", "1"]]

    def test_hostile_words_tags_and_names(self) -> None:
        words = [["\x1b[31mw\x9b2J", "[bold]b[/bold]"]]
        found = evaluate_tags(words, [["O", "B-\x1b[2J"]], [["B-[red]x", "O"]], [[0.5, 0.5]], "bio")
        shown = printed(found, "\x1b]0;title\x07 on [link=x]f")
        assert not {"\x1b", "\x9b", "\x07"} & set(shown)
        # What stands in brackets is no markup.
        assert "[bold]b[/bold]" in shown and "[link=x]f" in shown and "[red]x" in shown
