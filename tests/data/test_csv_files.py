"""Quotes, separators and headers of csv and tsv files, and what spreadsheets and `cat` leave in them."""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import zipfile
from pathlib import Path

import pytest

from hfattnlstm.data import csv_files
from hfattnlstm.data.csv_files import parse_csv
from hfattnlstm.data.loading import read_text_column
from hfattnlstm.data.sources import read_source


ROWS = [(f"good day {row}", "pos") if row % 2 else (f"bad day {row}", "neg") for row in range(40)]


def parse(text: str, separator: str | None = None) -> dict[str, list]:
    return parse_csv(Path("a.csv"), text, separator).to_pydict()


def lines(separator: str = ",", header: str = "text,label", quoted: tuple[int, ...] = ()) -> str:
    rows = [f"{chr(34) if row in quoted else ''}{text}{separator}{label}" for row, (text, label) in enumerate(ROWS)]
    return "\n".join([header.replace(",", separator), *rows]) + "\n"


def test_a_stray_quote_names_the_row_and_line_where_it_opened() -> None:
    with pytest.raises(ValueError, match=r"^Row 6 of a.csv \(line 7\) opens a quote .* closes: remove it"):
        parse(lines(quoted=(5, 20)))


def test_a_quote_that_is_still_open_at_the_end_names_its_row() -> None:
    with pytest.raises(ValueError, match=r"Row 40 of a.csv \(line 41\) opens a quote"):
        parse(lines(quoted=(39,)))
    with pytest.raises(ValueError, match=r"Row 2 of a.csv \(line 5\) opens a quote"):
        parse('text,label\n"two\nlines",a\n\n"b,c\n')
    with pytest.raises(ValueError, match=r"The header of a.csv opens a quote"):
        parse('"text,label\na,b\n')


@pytest.mark.parametrize("bad", ['"good" day,pos', '"say \\"x\\"",pos', '"good" ,pos'])
def test_only_a_separator_or_the_end_of_the_line_follows_a_closing_quote(bad: str) -> None:
    with pytest.raises(ValueError, match=r"Row 2 of a.csv \(line 3\) opens a quote"):
        parse(f"text,label\na,pos\n{bad}\nb,neg\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quoted_separators_quotes_and_line_breaks_are_legal(end: str) -> None:
    text = f'text,label{end}"a, b",x{end}"say ""no""",y{end}"two{end}lines",x{end}5" pipe,y{end}"",x{end}"last",y'
    assert parse(text) == {
        "text": ["a, b", 'say "no"', f"two{end}lines", '5" pipe', "", "last"],
        "label": ["x", "y", "x", "y", "x", "y"],
    }


def test_in_a_tsv_quotes_are_text(caplog: pytest.LogCaptureFixture) -> None:
    columns = parse(lines("\t", quoted=(5, 20)), "\t")
    assert columns["text"][5] == '"good day 5'
    assert len(columns["text"]) == 40
    assert not caplog.messages
    assert parse('text\tlabel\n"a b"\tx\n', "\t")["text"] == ['"a b"']
    assert caplog.messages == [
        "Row 1 of a.csv (line 2) has a value in quotes, which in a tsv are a part of the text: if they are not meant "
        "so, save the file as csv."
    ]


def test_two_quotes_around_many_rows_are_told(caplog: pytest.LogCaptureFixture) -> None:
    text = lines(quoted=(5,)).replace("good day 21,", 'good day 21",')
    assert len(parse(text)["text"]) == 24
    assert "Row 6 of a.csv (line 7) holds several lines that look like rows of their own" in caplog.messages[0]
    caplog.clear()
    parse('text,label\n"a\nb\nc\nd",x\n')
    assert not caplog.messages


def test_a_value_without_end_is_told_before_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_LONGEST_VALUE", 100)
    with pytest.raises(ValueError, match=r"Row 1 of a\.csv \(line 2\) opens a quote that no quote"):
        parse('text\n"good\n' + "bad\n" * 100)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", ["text,label", '"text","label"', "id,text,label"])
def test_the_separator_is_that_of_the_header(separator: str, header: str) -> None:
    first = "1," if header.startswith("id") else ""
    other = ";" if separator == "," else ","
    rows = [f"{first}good day{other} ok,pos", f"{first}bad,neg"]
    text = "\n".join([header.replace(",", separator), *(row.replace(",", separator) for row in rows)])
    if separator != ",":
        text = text.replace(f"good day{separator} ok", "good day, ok")
    columns = parse(text)
    assert columns["text"] == [f"good day{other} ok", "bad"]
    assert columns["label"] == ["pos", "neg"]


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_a_line_that_names_the_separator(line: str) -> None:
    assert parse(line + "text,x;label\na;b\n") == {"text,x": ["a"], "label": ["b"]}


def test_columns_without_a_name_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert parse("v1,v2,,,\npos,good,,,\nneg,bad,,,\n") == {"v1": ["pos", "neg"], "v2": ["good", "bad"]}
    assert not caplog.messages
    assert parse(",text,label\n0,a,x\n1,b,y\n") == {"text": ["a", "b"], "label": ["x", "y"]}
    assert len(caplog.messages) == 1
    assert "Row 1 of a.csv (line 2) has a value in a column without a name" in caplog.messages[0]


def test_what_a_spreadsheet_leaves_behind() -> None:
    assert parse("text,label\na,x,,\n\n,\n  ,\t\nb,y\n\x1a") == {"text": ["a", "b"], "label": ["x", "y"]}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_in_the_middle_names_its_row(mark: str) -> None:
    with pytest.raises(ValueError, match=r"Row 2 of a.csv \(line 3\) is the header again, as where two files"):
        parse(f"text,label\na,x\n{mark}text,label\nb,y\n")
    assert parse("text\na\ntext\n") == {"text": ["a", "text"]}


def test_many_rows_and_a_long_text() -> None:
    long = "word, " * 100_000
    columns = parse("text,label\n" + f'"{long}",x\n' + "a,y\n" * 25_000)
    assert columns["text"][0] == long
    assert len(columns["label"]) == 25_001
    with pytest.raises(ValueError, match=r"Row 25001 of a.csv \(line 25002\) has 1 columns, not 2"):
        parse("text,label\n" + "a,y\n" * 25_000 + "b\n")


def texts_of(path: Path) -> list[str]:
    return read_source(path, None)["train"].data["text"][:]


@pytest.mark.parametrize("ending", [".gz", ".GZ", ".bz2", ".xz", ".zip"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_compressed_files(tmp_path: Path, ending: str, name: str) -> None:
    contents = {
        "a.csv": "text,label\na,x\n",
        "a.tsv": "text\tlabel\na\tx\n",
        "a.jsonl": '{"text": "a", "label": "x"}\n',
    }
    path, content = tmp_path / (name + ending), contents[name].encode()
    compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}.get(ending.lower())
    if compress is not None:
        path.write_bytes(compress(content))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"folder/{name}", content)
            archive.writestr(f"__MACOSX/folder/._{name}", b"\x00")
    assert texts_of(path) == ["a"]
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ValueError, match=f"{path.name} is no whole {ending.lower()} file: "):
        texts_of(path)


def test_an_archive_of_several_files_and_other_endings(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "text\na\n")
        archive.writestr("b.csv", "text\nb\n")
    with pytest.raises(ValueError, match=r"a.zip must hold one file, but has 2: unpack it"):
        texts_of(tmp_path / "a.zip")
    (tmp_path / "a.xlsx.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(ValueError, match=r"a.xlsx.gz must end in one of '.csv', .*: rename or convert it"):
        texts_of(tmp_path / "a.xlsx.gz")
    with pytest.raises(FileNotFoundError, match=r"There is no file reviews.csv.gz"):
        read_source("reviews.csv.gz", None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_other_encodings_name_the_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\ncafé,x\n".encode(encoding))
    line = 1 if encoding == "utf-16" else 2
    with pytest.raises(ValueError, match=f"a.csv is not UTF-8 text in line {line}: save it as UTF-8"):
        texts_of(path)


def test_the_files_of_a_folder_are_read_as_strictly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for shard in range(2):
        (tmp_path / f"train-{shard}.csv").write_text(lines(quoted=(5, 20) if shard else ()))
    with pytest.raises(ValueError, match=r"Row 6 of .*train-1.csv \(line 7\) opens a quote"):
        read_source(tmp_path, None)
    (tmp_path / "train-1.csv").write_text("text,category\na,b\n")
    with pytest.raises(
        ValueError, match=r"train-1.csv has the columns 'text', 'category', but the file .*train-0.csv"
    ):
        read_source(tmp_path, None)


def test_a_folder_that_declares_its_features_is_read_as_strictly(tmp_path: Path) -> None:
    features = "[{name: text, dtype: string}, {name: label, dtype: {class_label: {names: {'0': neg, '1': pos}}}}]"
    (tmp_path / "README.md").write_text(f"---\ndataset_info:\n  features: {features}\n---\n")
    (tmp_path / "train.csv").write_text("text,label\nNA,1\ngood,pos\n")
    split = read_source(tmp_path, None)["train"]
    assert split.data[:] == {"text": ["NA", "good"], "label": [1, 1]}
    assert split.data.features["label"].names == ["neg", "pos"]
    (tmp_path / "train.csv").write_text("text,label\ngood,better\n")
    with pytest.raises(ValueError, match=r"train.csv do not hold what its README.md declares: .*better"):
        read_source(tmp_path, None)
    (tmp_path / "train.csv").write_text('text,label\n"good,1\nbad,0\n')
    with pytest.raises(ValueError, match=r"Row 1 of .*train.csv \(line 2\) opens a quote"):
        read_source(tmp_path, None)


def test_broken_yaml_in_the_readme_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nconfigs: [\n---\n")
    (tmp_path / "train.csv").write_text("text,label\na,x\n")
    with pytest.raises(ValueError, match=r"The README.md of '.*' has broken YAML at its top, mend it: ") as caught:
        read_source(tmp_path, None)
    assert "\n" not in str(caught.value)


def test_quotes_alone_are_an_empty_text_of_a_single_column(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text('text\n"good"\n""\n\n"bad"\n\n', encoding="utf-8")
    assert read_text_column(tmp_path / "texts.csv") == ["good", "", "bad"]
