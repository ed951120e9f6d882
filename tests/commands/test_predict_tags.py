"""`hfattnlstm predict` with a tagger, and what it writes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from predict_helpers import records, refusal, save_model

from hfattnlstm import AttnLSTMConfig, AttnLSTMForTokenClassification
from hfattnlstm.commands.main import main
from hfattnlstm.commands.outputs import check_form
from hfattnlstm.commands.tag_results import HtmlTagWriter, located, writer_of
from hfattnlstm.data.conll import read_conll
from hfattnlstm.data.word_tokenizer import spelling_tables, train_word_tokenizer
from training.tagging_helpers import parts_of_speech, run, sentences, write_columns


TEXT = "yesterday Anna Berg visited New York."
SHOWN = "yesterday [PER Anna Berg] visited [LOC New York]."
CONTROL = {*map(chr, range(32)), *map(chr, range(127, 160))} - {"\n", "\t"}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tagger")
    data = write_columns(folder / "train.conll", sentences(120))
    run(folder / "model", data, "--epochs", "5", "--save_strategy", "no", "--eval_strategy", "no")
    return str(folder / "model")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of tags that mark no spans."""
    folder = tmp_path_factory.mktemp("single")
    data = write_columns(folder / "train.conll", parts_of_speech(80))
    run(folder / "model", data, "--epochs", "5", "--save_strategy", "no", "--eval_strategy", "no")
    return str(folder / "model")


def hostile_tagger(folder: Path, kind: str) -> str:
    """Everything is a span of this kind."""
    tokenizer = train_word_tokenizer([["Anna", "met", "Boris"]] * 2)
    tables = spelling_tables(tokenizer, 8)
    config = AttnLSTMConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        embedding_size=4,
        hidden_size=4,
        num_characters=len(tables.kinds),
        max_word_length=8,
        id2label={0: "O", 1: f"B-{kind}", 2: f"I-{kind}"},
        tagging_scheme="bio",
    )
    model = AttnLSTMForTokenClassification(config)
    model.attnlstm.set_spelling(*(torch.from_numpy(table) for table in tables[:-1]))
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.zero_()
        list(model.classifier.parameters())[-1][1] = 9.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not as a fixture: pytest captures anew when the test begins."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", shown := Terminal())
    return shown


class TestPrinted:
    """What appears without a file."""

    def test_a_text_a_line_with_its_spans(self, tagger: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["predict", tagger, TEXT, "that day\nCarla left Lima"]) == 0
        assert capsys.readouterr().out == f"{SHOWN}\nthat day [PER Carla] left [LOC Lima]\n"

    def test_tags_without_spans(self, single: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["predict", single, "Anna met Boris."]) == 0
        assert capsys.readouterr().out == "Anna/name met/verb Boris/name ./rest\n"

    def test_standard_input(
        self, tagger: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TEXT}\n\nBoris left Porto\n"))
        assert main(["predict", tagger, "--batch_size", "1"]) == 0
        assert capsys.readouterr().out == f"{SHOWN}\n\n[PER Boris] left [LOC Porto]\n"

    def test_colours(self, tagger: str, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = on_terminal(monkeypatch)
        assert main(["predict", tagger, TEXT, "Anna met Boris"]) == 0
        shown = terminal.getvalue()
        assert "[PER" not in shown and "Anna Berg" in shown and "PER" in shown
        # Every kind has its own colour, in each text the same.
        colours = [part.split("m")[0] for part in shown.split("\x1b[30;48;5;")[1:]]
        assert len(colours) == 4 and colours[0] == colours[2] == colours[3] != colours[1]

    def test_colours_of_single_tags(self, single: str, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = on_terminal(monkeypatch)
        assert main(["predict", single, "Anna left"]) == 0
        assert "Anna \x1b[30;48;5;" in terminal.getvalue() and "name" in terminal.getvalue()

    def test_json_lines(self, tagger: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["predict", tagger, TEXT, "", "--format", "json"]) == 0
        first, empty = records(capsys.readouterr().out)
        assert first["text"] == TEXT and empty == {"text": "", "entities": [], "words": []}
        assert [(each["entity_group"], TEXT[each["start"] : each["end"]]) for each in first["entities"]] == [
            ("PER", "Anna Berg"),
            ("LOC", "New York"),
        ]
        assert [word["tag"] for word in first["words"]] == ["O", "B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"]
        assert all(0 < word["score"] <= 1 for word in first["words"])

    def test_conll(self, tagger: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["predict", tagger, "Anna left Lima", "Boris", "--format", "conll"]) == 0
        assert capsys.readouterr().out == "Anna\tB-PER\nleft\tO\nLima\tB-LOC\n\nBoris\tB-PER\n\n"


class TestFiles:
    """Texts, and words that are cut already."""

    def test_a_text_a_line(self, tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "texts.txt").write_text(f"{TEXT}\nBoris left\n")
        assert main(["predict", tagger, "--file", str(tmp_path / "texts.txt")]) == 0
        assert capsys.readouterr().out == f"{SHOWN}\n[PER Boris] left\n"

    def test_words_stay_as_they_are_given(
        self, tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [["Anna-Berg", "visited", "New York", "."], ["left."]]
        write_columns(tmp_path / "words.conll", [(words, ["O"] * len(words)) for words in rows])
        (tmp_path / "words.jsonl").write_text("".join(json.dumps({"tokens": words}) + "\n" for words in rows))
        pa.parquet.write_table(pa.table({"words": rows, "id": [1, 2]}), tmp_path / "words.parquet")
        pa.parquet.write_table(pa.table({"mine": rows, "tokens": rows[::-1]}), tmp_path / "named.parquet")
        files = {
            "words.conll": [],
            "words.jsonl": [],
            "words.parquet": [],
            "named.parquet": ["--tokens_column", "mine"],
        }
        found = []
        for name, flags in files.items():
            assert main(["predict", tagger, "--file", str(tmp_path / name), "--format", "json", *flags]) == 0
            found.append(records(capsys.readouterr().out))
        assert [entry["tokens"] for entry in found[0]] == rows and "text" not in found[0][0]
        assert [[word["word"] for word in entry["words"]] for entry in found[0]] == rows
        assert found[0] == found[1] == found[2] == found[3]

    def test_texts_of_a_table(self, tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "t.jsonl").write_text(json.dumps({"text": "x", "other": TEXT}) + "\n")
        assert main(["predict", tagger, "--file", str(tmp_path / "t.jsonl"), "--text_column", "other"]) == 0
        assert capsys.readouterr().out == f"{SHOWN}\n"

    def test_given_words_are_printed_with_spaces(
        self, tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_columns(tmp_path / "w.conll", [(["Anna", "Berg", "visited", "Lima", "."], ["O"] * 5)])
        assert main(["predict", tagger, "--file", str(tmp_path / "w.conll")]) == 0
        assert capsys.readouterr().out == "[PER Anna Berg] visited [LOC Lima] .\n"


class TestWritten:
    """The form follows the ending."""

    def written(self, tagger: str, path: Path, *more: str) -> str:
        assert main(["predict", tagger, TEXT, "Boris left", "--output", str(path), *more]) == 0
        return path.read_text(encoding="utf-8")

    def test_json(self, tagger: str, tmp_path: Path) -> None:
        lines = records(self.written(tagger, tmp_path / "x.jsonl"))
        assert json.loads(self.written(tagger, tmp_path / "x.json")) == lines
        assert [len(entry["entities"]) for entry in lines] == [2, 1]

    def test_no_texts_are_an_empty_array(self, tagger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert main(["predict", tagger, "--output", str(tmp_path / "x.json")]) == 0
        assert json.loads((tmp_path / "x.json").read_text()) == []

    def test_conll_is_read_again(self, tagger: str, tmp_path: Path) -> None:
        self.written(tagger, tmp_path / "x.conll")
        first, second = read_conll(tmp_path / "x.conll")
        assert first.words[1:3] == ["Anna", "Berg"] and first.tags[1:3] == ["B-PER", "I-PER"]
        assert (second.words, second.tags) == (["Boris", "left"], ["B-PER", "O"])

    def test_a_table_has_no_colours(self, tagger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = on_terminal(monkeypatch)
        assert self.written(tagger, tmp_path / "x.txt") == f"{SHOWN}\n[PER Boris] left\n"
        assert terminal.getvalue() == ""

    def test_a_page(self, tagger: str, single: str, tmp_path: Path) -> None:
        page = self.written(tagger, tmp_path / "x.html")
        assert page.startswith("<!doctype html>") and page.count("<article>") == 2
        assert 'Anna Berg<span class="kind">PER</span>' in page and "<script" not in page
        assert 'Boris<span class="tag">name</span>' in self.written(single, tmp_path / "y.html")

    def test_an_unfinished_file_is_not_left(
        self, tagger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise OSError("no room")

        monkeypatch.setattr("hfattnlstm.commands.tag_results.JsonLinesTagWriter.write", broken)
        (tmp_path / "x.jsonl").write_text("before")
        assert main(["predict", tagger, TEXT, "--output", str(tmp_path / "x.jsonl")]) == 2
        assert (tmp_path / "x.jsonl").read_text() == "before" and len(list(tmp_path.iterdir())) == 1


class TestRefused:
    """Flags of one kind of model beside the other."""

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (["--top_k", "2"], "--top_k is for models that label texts, and {} tags words: leave it out."),
            (["--threshold", "0.5"], "--threshold is for models that label texts, and {} tags words: leave it out."),
            (["--level", "word"], "--level is for models that label texts, and {} tags words: leave it out."),
            (["--dtype", "bfloat16"], "--dtype is for models that label texts, and {} tags words: leave it out."),
            (["--format", "csv"], "--format csv is no form for the tags of {}: choose table, json, conll."),
            (
                ["--output", "x.csv"],
                "--output x.csv is no form for the tags of {}: name a file that ends in .jsonl, .json, .txt, .conll, "
                ".html.",
            ),
            (
                ["--output", "x.parquet"],
                "--output x.parquet is no form for the tags of {}: name a file that ends in .jsonl, .json, .txt, "
                ".conll, .html.",
            ),
            (
                ["--format", "json", "--output", "x.conll"],
                "--format json contradicts the ending of --output x.conll: ",
            ),
        ],
    )
    def test_of_classifiers(
        self,
        flags: list[str],
        sentence: str,
        tagger: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert refusal(["predict", tagger, "text", *flags], capsys).startswith(sentence.format(tagger))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (["--format", "conll"], "--format conll is no form for the labels of {}: choose table, csv, tsv, json."),
            (["--output", "x.html"], "--output x.html is no form for the labels of {}: name a file that ends in .csv"),
            (
                ["--output", "x.conll"],
                "--output x.conll is no form for the labels of {}: name a file that ends in .csv",
            ),
        ],
    )
    def test_of_taggers(
        self,
        flags: list[str],
        sentence: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        classifier = save_model(tmp_path / "classifier")
        capsys.readouterr()
        assert refusal(["predict", classifier, "text", *flags], capsys).startswith(sentence.format(classifier))

    def test_a_column_of_taggers(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        classifier = save_model(tmp_path / "classifier")
        (tmp_path / "t.csv").write_text("text\na\n")
        capsys.readouterr()
        flags = ["--file", str(tmp_path / "t.csv"), "--tokens_column", "text"]
        assert refusal(["predict", classifier, *flags], capsys) == (
            f"--tokens_column is for taggers, and {classifier} labels texts: leave it out."
        )

    def test_files(self, tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = str(write_columns(tmp_path / "w.conll", [(["a"], ["O"])]))
        assert refusal(["predict", tagger, "--file", words, "--text_column", "x"], capsys) == (
            f"--text_column is for tables, and {words} has a word a line: leave it out."
        )
        assert refusal(["predict", tagger, "text", "--tokens_column", "x"], capsys) == (
            "--tokens_column names a column of --file: give both, or none."
        )
        (tmp_path / "w.txt").write_text("Anna B-PER\nwent O\n\n. O\n")
        assert refusal(["predict", tagger, "--file", str(tmp_path / "w.txt")], capsys) == (
            f"The file {tmp_path / 'w.txt'} has a word and its tag a line, and .txt is for a text a line: "
            "rename it to end in .conll."
        )
        assert "There is no file" in refusal(["predict", tagger, "--file", str(tmp_path / "no.conll")], capsys)
        (tmp_path / "empty.conll").write_text("\n")
        assert "has no words" in refusal(["predict", tagger, "--file", str(tmp_path / "empty.conll")], capsys)
        assert "is the same file" in refusal(["predict", tagger, "--file", words, "--output", words], capsys)

    @pytest.mark.parametrize("command", ["explain", "embed"])
    def test_what_is_for_classifiers_alone(
        self, command: str, tagger: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        more = ["--output", str(tmp_path / "x.npy")] if command == "embed" else []
        status = main([command, tagger, "text", *more])
        printed = capsys.readouterr()
        assert status in (0, 2) and "Traceback" not in printed.err and printed.err.count("\n") <= 1

    def test_a_form_in_python(self) -> None:
        import argparse

        check_form(argparse.Namespace(output=None, model="m"), "table", ("table",), "tags")
        with pytest.raises(
            ValueError, match=r"--output a\.csv is no form for the tags of m: name a file that ends in \.j"
        ):
            check_form(argparse.Namespace(output="a.csv", model="m"), "csv", ("jsonl",), "tags")


class TestHostile:
    """Nothing of a text or a model becomes a part of what shows it."""

    TEXT = "Anna \x1b[31m\x9b31m\x07 <script>alert(1)</script> Boris"
    KIND = "\x1b[2J<img src=x onerror=alert(1)>"

    @pytest.mark.parametrize("form", ["table", "conll"])
    @pytest.mark.parametrize("coloured", [True, False])
    def test_a_terminal(self, form: str, coloured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = on_terminal(monkeypatch)
        if not coloured:
            monkeypatch.setenv("NO_COLOR", "1")
        model = hostile_tagger(tmp_path / "model", self.KIND)
        assert main(["predict", model, self.TEXT, "--format", form]) == 0
        shown = terminal.getvalue()
        for ours in ("\x1b[30;48;5;", "\x1b[0m", "\x1b[1m"):
            assert form == "table" or ours not in shown
            shown = shown.replace(ours, "")
        assert not CONTROL & set(shown) and "script" in shown and "onerror" in shown

    def test_a_page(self, tmp_path: Path) -> None:
        folder = tmp_path / "<b>model</b>"
        model = hostile_tagger(folder, self.KIND)
        assert main(["predict", model, self.TEXT, "--output", str(tmp_path / "x.html")]) == 0
        page = (tmp_path / "x.html").read_text(encoding="utf-8")
        assert not any(markup in page for markup in ("<script", "<img", "<b>"))
        assert "&lt;img src=x" in page and "&lt;b&gt;model" in page

    def test_conll_keeps_its_columns(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Whatever white space words and tags have."""
        model = hostile_tagger(tmp_path / "model", "X\tY\nZ")
        words = ["New York", "a\tb", "c\nd", " ", "e\u2028f"]
        (tmp_path / "w.jsonl").write_text(json.dumps({"tokens": words}) + "\n")
        assert (
            main(["predict", model, "--file", str(tmp_path / "w.jsonl"), "--output", str(tmp_path / "x.conll")]) == 0
        )
        (found,) = read_conll(tmp_path / "x.conll")
        assert found.words == ["New_York", "a_b", "c_d", "_", "e_f"] and len(set(found.tags)) == 1

    def test_json_is_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        model = hostile_tagger(tmp_path / "model", self.KIND)
        assert main(["predict", model, self.TEXT, "--format", "json"]) == 0
        (found,) = records(capsys.readouterr().out)
        assert found["text"] == self.TEXT and found["entities"][0]["entity_group"] == self.KIND


class TestLocated:
    """Places of the spans of given words, in the words with spaces between them."""

    def test_spans_of_several_words(self) -> None:
        entities = [{"entity_group": "PER", "first": 0, "last": 1}, {"entity_group": "LOC", "first": 3, "last": 3}]
        text, found = located(["Anna", "Berg", "left", "New York"], {"entities": entities, "words": []})
        assert text == "Anna Berg left New York"
        assert [text[each["start"] : each["end"]] for each in found["entities"]] == ["Anna Berg", "New York"]
        assert "start" not in entities[0]

    def test_a_text_stays_as_it_is(self) -> None:
        found = {"entities": [], "words": []}
        assert located("In Paris", found) == ("In Paris", found) and located([], found)[0] == ""


def test_the_writer_of_each_form() -> None:
    for form in ("table", "jsonl", "json", "conll"):
        stream = io.StringIO()
        writer = writer_of(form, stream, True, "model")
        writer.write(["Lima"], {"entities": [], "words": [{"word": "Lima", "tag": "O", "score": 1.0}]})
        writer.finish()
        assert "Lima" in stream.getvalue(), form
    page = writer_of("html", stream := io.StringIO(), True, "my model")
    assert isinstance(page, HtmlTagWriter) and stream.getvalue() == ""
    page.finish()
    assert "<title>my model</title>" in stream.getvalue()
