"""Labels as spreadsheets, pandas and joined files leave them, and vectors and lists of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, List, Value

from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.label_values import clean_label
from hfattnlstm.data.loading import describe_labels, load_texts


def labelled(labels: list) -> Dataset:
    return Dataset.from_dict({"text": [f"text {row}" for row in range(len(labels))], "label": labels})


def load(labels: list, **options: object) -> tuple[list, list]:
    """Names and codes, in the order of the rows."""
    data = labelled(labels)
    splits = load_texts({"train": data, "validation": data}, **options)
    return describe_labels(splits["train"].features)[1], splits["train"]["label"][:]


def csv_of(tmp_path: Path, labels: list[str]) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"text {row},{label}\n" for row, label in enumerate(labels)))
    return path


@pytest.mark.parametrize(
    "spoilt",
    ["pos ", " pos", "\tpos", "pos\u00a0", "\ufeffpos", "pos\u200b", "pos\r", "\u2060 pos \ufeff", "pos\x1a"],
)
def test_what_does_not_show_makes_no_other_class(spoilt: str) -> None:
    assert load(["pos", "neg", spoilt]) == (["neg", "pos"], [1, 0, 1])
    assert load([["pos"], ["neg"], [spoilt, "neg"]])[0] == ["neg", "pos"]


def test_spaces_accents_and_joiners_inside() -> None:
    assert clean_label("very\u00a0 good") == clean_label("very good") == "very good"
    assert clean_label("cafe\u0301") == "café"
    assert clean_label("a\u200db") == "a\u200db"


def test_names_by_argument_may_have_them_too() -> None:
    assert load(["pos", "neg"], label_names=["pos ", "neg"]) == (["pos ", "neg"], [0, 1])


@pytest.mark.parametrize("missing", ["#N/A", "#REF!", "nan", "NaN", "<NA>", "NaT", "\u200b", "#DIV/0!"])
def test_what_stands_for_nothing_is_no_label(missing: str) -> None:
    with pytest.raises(ValueError, match="has no label in row 3"):
        load(["pos", "neg", missing])
    with pytest.raises(ValueError, match="has no label in row 3"):
        load([["pos"], ["neg"], ["neg", missing]])


def test_what_can_be_a_name_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert load(["NA", "DE"])[0] == ["DE", "NA"]
    assert "holds the label 'NA': it is taken for a name like the others" in caplog.text
    caplog.clear()
    assert load(["Pos", "pos"])[0] == ["Pos", "pos"]
    assert "holds both 'Pos', 'pos': they are two labels" in caplog.text


@pytest.mark.parametrize("odd", ["inf", "-inf", "1e999x", "3,5", "n. a.", "+7", "1 000"])
def test_a_value_that_is_no_number_names_its_row(tmp_path: Path, odd: str) -> None:
    scores = [str(row * 0.37) for row in range(40)]
    path = csv_of(tmp_path, [*scores[:3], f'"{odd}"', *scores[4:]])
    with pytest.raises(
        ValueError, match=r"a.csv holds '.*' in row 4, which is no plain number .* other 39 values are"
    ):
        load_texts(path)
    with flags_in_sentences(), pytest.raises(ValueError, match="say --problem_type single_label_classification"):
        load_texts(path)
    assert (
        len(describe_labels(load_texts(path, problem_type="single_label_classification")["train"].features)[1]) == 40
    )


def test_a_name_among_few_numbers_is_a_class(tmp_path: Path) -> None:
    splits = load_texts(csv_of(tmp_path, ["1", "2", "other"] * 8))
    assert splits["train"].features["label"].names == ["1", "2", "other"]
    with pytest.raises(ValueError, match="holds 'other' in row 3, which is no plain number"):
        load_texts(csv_of(tmp_path, ["1", "2", "other"] * 8), problem_type="regression")


def test_zero_and_one_with_a_point_are_classes_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for source in (csv_of(tmp_path, ["0.0", "1.0"] * 10), labelled([0.0, 1.0] * 10)):
        caplog.clear()
        splits = load_texts(source)
        assert splits["train"].features["label"] == ClassLabel(names=["0", "1"])
        assert "taken for classes 0 and 1; for the other, say problem_type='regression'" in caplog.text
    assert load_texts(source, problem_type="regression")["train"].features["label"] == Value("float32")


def test_other_whole_numbers_with_a_point_are_numbers_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert load_texts(labelled([1.0, 5.0, 3.0] * 10))["train"].features["label"] == Value("float32")
    assert "taken for numbers to predict; for the other, say problem_type='single_label" in caplog.text
    caplog.clear()
    assert load_texts(labelled([1.5, 5.0, 3.0] * 10))["train"].features["label"] == Value("float32")
    assert not caplog.messages


@pytest.mark.parametrize(
    "written",
    [
        ("['a', 'b']", "['a']", "[]"),
        ('["a", "b"]', '["a"]', "[]"),
        ("('a', 'b')", "('a',)", "()"),
        ("{'a', 'b'}", "{'a'}", "[]"),
    ],
)
def test_lists_written_as_text_are_lists(written: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    assert load(list(written)) == (["a", "b"], [[0, 1], [0], []])
    assert "holds lists written as text: they are read as lists of labels" in caplog.text


@pytest.mark.parametrize("other", ["['b']", "[1]"])
def test_no_list_at_all_is_no_label(other: str) -> None:
    with pytest.raises(ValueError, match="has no label in row 2"):
        load(["['a']", "", other])


def test_lists_of_numbers_written_as_text() -> None:
    assert load(["[3, 5]", "[5]", "[3]"]) == (["3", "5"], [[0, 1], [1], [0]])
    assert load(["[0 1 1]", "[1 0 0]", "[0. 0. 0.]"], problem_type="multi_label_classification") == (
        ["0", "1", "2"],
        [[1, 2], [0], []],
    )
    assert load(["[1, 'a']", "['a']", "[1]"]) == (["1", "a"], [[0, 1], [1], [0]])


def test_a_list_that_is_broken_names_its_row_and_brackets_alone_are_names() -> None:
    with pytest.raises(ValueError, match=r"holds lists written as text, but \"\['a', b\]\" in row 2 is none: mend it"):
        load(["['a']", "['a', b]", "['b']"])
    assert load(["[PER]", "[LOC]"])[0] == ["[LOC]", "[PER]"]


@pytest.mark.parametrize("kind", [int, float, bool])
def test_vectors_with_exactly_one_1_are_classes(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    rows = [[0, 1], [1, 0], [0, 1]]
    vectors = [[kind(value) for value in row] for row in rows]
    assert load(vectors) == (["0", "1"], [1, 0, 1])
    assert "vectors of 2 zeros and ones: they are read as one class a text" in caplog.text
    assert load(vectors, label_names=["neg", "pos"]) == (["neg", "pos"], [1, 0, 1])
    assert load(vectors, problem_type="multi_label_classification") == (["0", "1"], [[1], [0], [1]])


def test_other_vectors_of_one_length_are_several_labels(caplog: pytest.LogCaptureFixture) -> None:
    assert load([[0, 1, 1], [1, 0, 0], [0, 0, 0]]) == (["0", "1", "2"], [[1, 2], [0], []])
    assert "read as any number of labels a text" in caplog.text
    with pytest.raises(ValueError, match="has not exactly one 1 in row 1, so it is no class"):
        load([[0, 1, 1], [1, 0, 0]], problem_type="single_label_classification")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 1], [1]], "has no vector of 2 zeros and ones in row 2"),
        ([[0, 1], [2, 0]], "has no vector of 2 zeros and ones in row 2"),
        ([[0, 1], [1, 1]], "has not exactly one 1 in row 2, as in the training split"),
        ([["a"], ["b"]], "has no vector of 2 zeros and ones in row 1"),
    ],
)
def test_vectors_of_another_split_that_do_not_fit(labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=f"split 'validation' {message}"):
        load_texts({"train": labelled([[0, 1], [1, 0]]), "validation": labelled(labels)})


def test_lists_of_a_single_0_or_1_can_be_either_and_are_refused() -> None:
    with pytest.raises(ValueError, match="holds lists of one 0 or 1 each: give the numbers alone"):
        load([[0], [1], [0]])
    feature = List(ClassLabel(names=["a", "b"]))
    data = labelled([[0], [1], [0]]).cast_column("label", feature)
    assert load_texts({"train": data, "validation": data})["train"]["label"][:] == [[0], [1], [0]]


def test_a_class_of_its_own_in_nearly_every_row_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"label {row}" for row in range(38)] + ["label 0", "label 1"]
    with pytest.raises(ValueError, match=r"has 38 different labels in 40 rows, .* name another with label_column="):
        load(names)
    assert len(load(names, problem_type="single_label_classification")[0]) == 38
    with pytest.raises(ValueError, match="or problem_type='regression'"):
        load(list(range(40)))
    caplog.clear()
    load([f"label {row % 25}" for row in range(40)])
    assert "has 25 different labels in 40 rows: is it the right one?" in caplog.text


def test_one_label_in_nearly_every_row_is_told(caplog: pytest.LogCaptureFixture) -> None:
    load(["ham"] * 39 + ["spam"])
    assert "has the label 'ham' in 39 of 40 rows: a model that always says so is right as often" in caplog.text
    caplog.clear()
    load([["a", "b"], ["a"]] * 20)
    assert "has the label 'a' in 40 of 40 rows" in caplog.text
    caplog.clear()
    load(["ham"] * 30 + ["spam"] * 10)
    assert "always says so" not in caplog.text


def test_numbers_that_stand_for_names_are_told(caplog: pytest.LogCaptureFixture) -> None:
    assert load([0, 1, 1], label_names=["neg", "pos"]) == (["neg", "pos"], [0, 1, 1])
    assert "are taken so: 0 for neg, 1 for pos" in caplog.text


def test_fixed_names_are_not_given_to_other_labels() -> None:
    fixed = {"label_names": ["neg", "pos"], "label_names_are_fixed": True}
    assert load(["pos", "pos"], **fixed) == (["neg", "pos"], [1, 1])
    assert load([0, 1], **fixed) == (["neg", "pos"], [0, 1])
    with pytest.raises(ValueError, match=r"The label 'good' in row 2 .* is none of the labels 'neg', 'pos'"):
        load(["pos", "good"], **fixed)
    with pytest.raises(ValueError, match=r"The label '3' in row 1"):
        load([3, 1], **fixed)
    other = labelled([0, 1]).cast_column("label", ClassLabel(names=["bad", "good"]))
    with pytest.raises(ValueError, match=r"The label 'bad' in row 1"):
        load_texts({"train": other, "validation": other}, **fixed)
