from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from data.tagging_helpers import write
from hfattnlstm.data.conll import read_conll


CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

German JJ B-NP B-MISC
"""
EIGHT = "\t_" * 8
UNIVERSAL = """# sent_id = 1
# text = Im Haus
1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_
1\tIn\tin\tADP\tAPPR\t_\t3\tcase\t_\t_
2\tdem\tder\tDET\tART\tCase=Dat\t3\tdet\t_\t_
3\tHaus\tHaus\tNOUN\tNN\t_\t0\troot\t_\tSpaceAfter=No
3.1\tist\tsein\tVERB\tVV\t_\t_\t_\t0:x\t_

# text = 3 km
1\t3 km\t3\tNUM\tCARD\t_\t0\troot\t_\t_
"""


def read(tmp_path, content, name="a.conll", **options):
    return read_conll(write(tmp_path / name, content), **options)


def pairs(sentences):
    return [list(zip(sentence.words, sentence.tags)) for sentence in sentences]


def test_columns_with_spaces_and_documents(tmp_path):
    found = read(tmp_path, CONLL_2003)
    assert pairs(found) == [[("EU", "B-ORG"), ("rejects", "O")], [("German", "B-MISC")]]
    assert [list(sentence.lines) for sentence in found] == [[3, 4], [6]]
    assert found[0].place == f"The file {tmp_path / 'a.conll'}"
    assert found[0].text is None


@pytest.mark.parametrize(
    ("column", "tags"), [("1", ["EU", "rejects"]), ("2", ["NNP", "VBZ"]), (3, ["B-NP", "B-VP"]), ("4", ["B-ORG", "O"])]
)
def test_a_column_by_its_number(tmp_path, column, tags):
    assert read(tmp_path, CONLL_2003, label_column=column)[0].tags == tags


@pytest.mark.parametrize("column", ["0", "5", "-1", "upos", "", "²", "1.0"])
def test_no_such_column(tmp_path, column):
    with pytest.raises(ValueError, match=r"^label_column='.*' is no column of the file .*a\.conll: give a number "):
        read(tmp_path, CONLL_2003, label_column=column)


@pytest.mark.parametrize(
    "content",
    [
        CONLL_2003.replace("\n", "\r\n"),
        CONLL_2003.replace("\n", "\r"),
        "\ufeff" + CONLL_2003,
        CONLL_2003.replace("\n\n", "\n  \t \n").replace(" ", "\t"),
        CONLL_2003.replace("\n\n", "\n \u00a0\n\n\n") + "\n\n",
        "\n\n" + CONLL_2003.rstrip("\n"),
        CONLL_2003.replace(" ", "   "),
        CONLL_2003.replace(" ", "\t"),
        CONLL_2003.replace("O\n\nEU", "O\nEU"),
        "# a comment\n" + CONLL_2003.replace(" ", "\t").replace("rejects", "# another\nrejects"),
    ],
)
def test_the_same_however_it_is_written(tmp_path, content):
    assert pairs(read(tmp_path, content)) == [[("EU", "B-ORG"), ("rejects", "O")], [("German", "B-MISC")]]


@pytest.mark.parametrize(("ending", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_files(tmp_path, ending, packed):
    content = packed(CONLL_2003.encode())
    assert len(read(tmp_path, content, f"a.conll.{ending}")) == 2
    with pytest.raises(ValueError, match=rf"a\.conll\.{ending} is no whole \.{ending} file"):
        read(tmp_path, content[: len(content) // 2], f"a.conll.{ending}")


def test_words_with_spaces_of_their_own(tmp_path):
    assert read(tmp_path, "New York\tB-LOC\n is \tO\n")[0].words == ["New York", "is"]
    assert read(tmp_path, "10\u00a0000 B-NUM\nYen O\n")[0].words == ["10\u00a0000", "Yen"]


def test_a_number_sign_may_be_a_word(tmp_path):
    assert read(tmp_path, "# O\n1 B-X\n")[0].words == ["#", "1"]
    assert read(tmp_path, "#\tO\n#tag\tB-X\n# no word\n")[0].words == ["#", "#tag"]


def test_universal_dependencies(tmp_path):
    found = read(tmp_path, UNIVERSAL, "a.conllu")
    assert pairs(found) == [[("In", "ADP"), ("dem", "DET"), ("Haus", "NOUN")], [("3 km", "NUM")]]
    assert list(found[0].lines) == [4, 5, 6]


@pytest.mark.parametrize("first", ["0.1\tist", "1-2\tIm", "1\tIm"])
def test_universal_dependencies_are_known_by_any_first_line(tmp_path, first):
    rows = [first + EIGHT, "2\tHaus" + EIGHT]
    found = read(tmp_path, "\n".join(rows))
    assert found[0].words == ["Im", "Haus"][first != "1\tIm" :]


@pytest.mark.parametrize(("column", "tags"), [("xpos", ["APPR", "ART", "NN"]), ("XPOS", ["APPR", "ART", "NN"])])
def test_a_column_of_universal_dependencies_by_its_name(tmp_path, column, tags):
    for named in (column, "5"):
        found = read(tmp_path, UNIVERSAL, label_column=named)[0]
        assert (found.words, found.tags) == (["In", "dem", "Haus"], tags)


def test_a_column_that_universal_dependencies_have_not(tmp_path):
    with pytest.raises(ValueError, match=r"'ner' is no column .*give a number from 1 to 10, or one of 'id', 'form'"):
        read(tmp_path, UNIVERSAL, label_column="ner")


def test_ten_columns_without_numbers_are_no_universal_dependencies(tmp_path):
    assert pairs(read(tmp_path, "a b c d e f g h i B-X\n")) == [[("a", "B-X")]]
    assert pairs(read(tmp_path, "1 km B-X\n")) == [[("1", "B-X")]]


def test_one_column(tmp_path):
    with pytest.raises(ValueError, match=r"^The file .*a\.conll has one column: give a file with a word and its tag"):
        read(tmp_path, "EU\nrejects\n")


@pytest.mark.parametrize(
    ("content", "line", "count", "first"),
    [
        ("EU O\nrejects\n", 2, "1 column", 2),
        ("EU O\nrejects a O\n", 2, "3 columns", 2),
        ("EU O\n\n\nthe call O\n", 4, "3 columns", 2),
        ("EU\tNNP\tO\nrejects O\n", 2, "1 column", 3),
        (UNIVERSAL.replace("\tSpaceAfter=No", ""), 6, "9 columns", 10),
    ],
)
def test_other_numbers_of_columns(tmp_path, content, line, count, first):
    with pytest.raises(ValueError, match=rf"a\.conll has {count} in line {line}, and {first} in its first line"):
        read(tmp_path, content)


def test_lines_without_a_word_or_a_tag(tmp_path):
    with pytest.raises(ValueError, match=r"a\.conll has no word in line 2: write one, or leave the line out"):
        read(tmp_path, "EU\tO\n\tO\n")
    with pytest.raises(ValueError, match=r"no tag in line 1, column 3: .*or name another column with label_column="):
        read(tmp_path, "EU\tO\t\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("\ufeff", "is empty"),
        (" \n\n", "has no words: give a file with a word and its tag a line"),
        ("-DOCSTART- -X- O\n\n", "has no words"),
        ("# a comment\n\t\n", "has no words"),
        ("EU O\ncaf\xe9 O\n".encode("latin-1"), "is not UTF-8 text in line 2"),
        ("EU O\n".encode("utf-16"), "is not UTF-8 text in line 1"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content, told):
    with pytest.raises(ValueError, match=rf"^The file .*a\.conll {told}"):
        read(tmp_path, content)


def test_words_alone(tmp_path):
    found = read(tmp_path, "EU\nrejects\n\nGerman call\n", with_tags=False)
    assert [(sentence.words, sentence.tags) for sentence in found] == [(["EU", "rejects"], []), (["German"], [])]
    assert read(tmp_path, UNIVERSAL, with_tags=False)[0].words == ["In", "dem", "Haus"]
    with pytest.raises(ValueError, match=r"no word in line 2"):
        read(tmp_path, f"1\tIm{EIGHT}\n2\n", with_tags=False)


def test_comments_between_spaces(tmp_path):
    path = tmp_path / "multi.conll"
    path.write_text("# id 17f domain=en\nParis _ _ B-LOC\n# _ _ O\n\n# id 18 domain=en\nGo _ _ O\n")
    assert [(sentence.words, sentence.tags) for sentence in read_conll(path)] == [
        (["Paris", "#"], ["B-LOC", "O"]),
        (["Go"], ["O"]),
    ]


@pytest.mark.parametrize("first", ["Token\tPOS\tNER", "word\tpos\ttag", "text\tx\tLABEL"])
def test_a_line_that_names_the_columns(tmp_path, first, caplog):
    found = read(tmp_path, f"{first}\nEU\tNNP\tB-ORG\n\nGerman\tJJ\tB-MISC\n", "a.tsv")
    assert pairs(found) == [[("EU", "B-ORG")], [("German", "B-MISC")]]
    assert [list(sentence.lines) for sentence in found] == [[2], [4]]
    assert "is read for the names of its columns" in caplog.text
    for column in (first.split("\t")[1], "2"):
        assert read(tmp_path, f"{first}\n\nEU\tNNP\tB-ORG\n", "a.tsv", label_column=column)[0].tags == ["NNP"]
    with pytest.raises(ValueError, match=r"give a number from 1 to 3, or one of '"):
        read(tmp_path, f"{first}\nEU\tNNP\tB-ORG\n", "a.tsv", label_column="chunks")
    with pytest.raises(ValueError, match="has the names of its columns, and no words"):
        read(tmp_path, first, "a.tsv")


def test_words_that_could_be_names_of_columns(tmp_path):
    assert pairs(read(tmp_path, "Token O\nring B-X\n")) == [[("Token", "O"), ("ring", "B-X")]]
