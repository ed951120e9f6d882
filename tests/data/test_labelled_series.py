"""Series with a label each: from lists and from tables, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hfattnlstm.data.labelled_series import load_labelled_series


def frame(labels: list, values: list | None = None) -> pd.DataFrame:
    values = values or [[1.0, 2.0, 3.0]] * len(labels)
    return pd.DataFrame({"values": values, "label": labels})


def test_lists_of_numbers_and_of_steps(tmp_path: Path) -> None:
    rows = [{"values": [[1, 2], [3, 4], [5, 6]], "label": "up"}, {"values": [[1, 2]], "label": "down"}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    splits, kind = load_labelled_series({"train": tmp_path / "x.jsonl"})
    assert kind == "single_label_classification"
    assert splits["train"].features["label"].names == ["down", "up"]
    assert splits["train"]["values"][:] == [[[1, 2], [3, 4], [5, 6]], [[1, 2]]]
    assert load_labelled_series({"train": frame([0, 1])})[0]["train"]["values"][0] == [[1], [2], [3]]


def test_a_csv_with_a_number_in_each_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("label,t1,t2,t3\n2,1,2,3\n10,4,5,\n")
    splits, _ = load_labelled_series({"train": tmp_path / "x.csv"})
    assert splits["train"]["values"][:] == [[[1], [2], [3]], [[4], [5]]]
    # Numbers as names stand in their order.
    assert splits["train"].features["label"].names == ["2", "10"]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([0, 1], "single_label_classification"),
        ([0.0, 1.0], "single_label_classification"),
        ([0.5, 1.0], "regression"),
        ([[1, 0], [0, 1]], "multi_label_classification"),
        ([True, False], "single_label_classification"),
    ],
)
def test_what_labels_are_is_found(labels: list, kind: str) -> None:
    assert load_labelled_series({"train": frame(labels)})[1] == kind


def test_gaps_in_a_row_of_a_csv_do_not_move_what_comes_after_them(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("label,t1,t2,t3,t4\na,1,,3,\nb,,5,6,7\n")
    values = load_labelled_series({"train": tmp_path / "x.csv"})[0]["train"]["values"][:]
    np.testing.assert_array_equal(values[0], [[1], [np.nan], [3]])
    np.testing.assert_array_equal(values[1], [[np.nan], [5], [6], [7]])


def test_missing_values_inside_stay_missing() -> None:
    splits, _ = load_labelled_series({"train": frame(["a", "b"], [[1.0, None, 3.0], [1.0, 2.0, 3.0]])})
    assert np.isnan(splits["train"]["values"][0][1][0])


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (frame(["a"]).drop(columns="label"), "has no column with labels: name it by label_column="),
        (frame(["a"]).rename(columns={"values": "z"}), "has no column with values: name it by values_column="),
        (frame(["a"], [[]]), "Row 1 of the table has no values"),
        (frame(["a", None]), "Row 2 of the table has no label"),
        (frame(["a", "b"], [[1.0], ["x"]]), "The values in row 2 of the table are no list of numbers"),
        (frame(["a"], [[[1, 2], [1]]]), "nor one list of equal length a step"),
        (frame(["a", "b"], [[[1, 2]], [[1]]]), "The series have .* channels: give all of them as many"),
    ],
)
def test_what_cannot_be_read_is_told(table: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_labelled_series({"train": table})


def test_a_label_that_training_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="The test split has the label 'c', which no training series has"):
        load_labelled_series({"train": frame(["a", "b"]), "test": frame(["c"])})
    with pytest.raises(ValueError, match="values_column='no' names no column of the table: it has 'values', 'label'"):
        load_labelled_series({"train": frame(["a"])}, values_column="no")
