"""Texts and labels in the forms of scikit-learn's users: what is read, and what is refused in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hfattnlstm.training.sklearn_inputs import class_weights_of, classes_of, texts_of


TEXTS = ["good", "bad"]
FRAME = pd.DataFrame({"text": TEXTS, "stars": [5, 1]})
MISSING = "Text number 1 is missing (%s): fill it in, or leave it out."
SEVERAL = "y has several labels a text, and one is learnt here: train a model for several by `hfattnlstm train`."


@pytest.mark.parametrize(
    "samples",
    [
        TEXTS,
        tuple(TEXTS),
        iter(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=object)[:, None],
        FRAME["text"],
        FRAME["text"].astype("category"),
    ],
    ids=lambda samples: type(samples).__name__,
)
def test_texts_are_read_from_whatever_holds_them(samples: Any) -> None:
    texts, names = texts_of(samples)
    assert texts == TEXTS and {type(text) for text in texts} == {str}
    assert names is None


def test_the_one_column_of_a_table_is_read_and_named() -> None:
    texts, names = texts_of(FRAME[["text"]])
    assert texts == TEXTS and names.tolist() == ["text"]


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ("good", "X must be an iterable of texts, not a str: give a list or a column."),
        ({"good": 1}, "X must be an iterable of texts, not a dict: give a list or a column."),
        (3, "X must be an iterable of texts, not a int: give a list or a column."),
        (FRAME, "X has 2 columns, and one with texts is read: choose it, such as X['text']."),
        (np.zeros((2, 0)), "X has 0 columns, and one with texts is read: choose it, such as X['text']."),
        (["good", None], MISSING % "None"),
        (["good", float("nan")], MISSING % "nan"),
        (["good", pd.NA], MISSING % "<NA>"),
        (["good", 3], "Text number 1 is of type int, not str: leave it out or turn it into text."),
        ([["good"]], "Text number 0 is of type list, not str: leave it out or turn it into text."),
    ],
    ids=str,
)
def test_what_is_no_column_of_texts_is_refused(samples: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        texts_of(samples)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["pos", "neg", "pos"], ["neg", "pos"]),
        ([7, -2, 7], [-2, 7]),
        ([True, False, True], [False, True]),
        ([1.0, 0.0, 1.0], [0.0, 1.0]),
        (np.array(["b", "a", "b"], dtype=object), ["a", "b"]),
        (pd.Series([4, 3, 4], dtype="Int64"), [3, 4]),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
        (iter(["b", "a", "b"]), ["a", "b"]),
    ],
    ids=["strings", "integers", "booleans", "floats", "objects", "Int64", "category", "iterator"],
)
def test_classes_are_sorted_and_keep_their_type(labels: Any, classes: list) -> None:
    found, codes = classes_of(labels, 3)
    assert found.tolist() == classes and {type(value) for value in found.tolist()} == {type(classes[0])}
    assert codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (None, "y must be labels, one for each text, not None: give a list or a column."),
        ("abc", "y must be labels, one for each text, not 'abc': give a list or a column."),
        (["a", "b"], "There are 3 texts, but 2 labels: give one label for each text."),
        (["a", "b", None], "Label number 2 is missing (None): fill it in, or leave its text out."),
        (["a", "b", float("nan")], "Label number 2 is missing (nan): fill it in, or leave its text out."),
        (np.array([1.0, np.nan, 2.0]), "Label number 1 is missing (nan): fill it in, or leave its text out."),
        (["a", 1, "b"], "The labels are of several kinds, int and str: make them all strings."),
        (["a", "a", "a"], "All 3 texts have the label 'a': give texts of two or more classes."),
        ([True, True, True], "All 3 texts have the label True: give texts of two or more classes."),
        ([[1, 0], [0, 1], [1, 1]], SEVERAL),
        ([["a"], ["b"], ["a", "b"]], SEVERAL),
        ([{"a"}, {"b"}, set()], SEVERAL),
    ],
    ids=str,
)
def test_labels_that_are_no_classes_are_refused(labels: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        classes_of(labels, 3)
    assert str(caught.value) == sentence


def test_numbers_that_are_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classes_of([0.1, 0.2, 0.3], 3)
    with pytest.raises(ValueError, match="There are no texts"):
        classes_of([], 0)


@pytest.mark.parametrize(
    ("weights", "flag"),
    [(None, None), ("balanced", ["balanced"]), ({7: 2}, ["1.0", "2.0"]), ({3: 0, 7: 0.5}, ["0.0", "0.5"])],
)
def test_weights_of_classes_become_those_of_the_flag(weights: Any, flag: list[str] | None) -> None:
    assert class_weights_of(weights, np.array([3, 7])) == flag


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ("even", "class_weight must be None, 'balanced' or a dictionary with the weights of classes, got 'even'."),
        ({5: 1}, "class_weight names 5, which is none of the classes 3, 7: leave it out."),
        ({3: -1}, "class_weight must be numbers of at least 0, got -1 for 3."),
        ({7: "2"}, "class_weight must be numbers of at least 0, got '2' for 7."),
        ({7: float("nan")}, "class_weight must be numbers of at least 0, got nan for 7."),
    ],
)
def test_impossible_weights_are_refused(weights: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        class_weights_of(weights, np.array([3, 7]))
    assert str(caught.value) == sentence
