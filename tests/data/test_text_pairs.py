"""Several columns of texts in one data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from hfattnlstm.data.loading import load_texts, read_text_column
from hfattnlstm.data.tokenization import train_tokenizer


NAMES = ["premise", "hypothesis"]


def pairs(rows: int = 20, **changes: list) -> Dataset:
    columns = {"premise": [f"a cat {row}" for row in range(rows)], "hypothesis": ["it sleeps", ""] * (rows // 2)}
    return Dataset.from_dict({**columns, "label": ["yes", "no"] * (rows // 2), **changes})


def test_the_columns_are_read_together_in_their_order() -> None:
    splits = load_texts(DatasetDict(train=pairs(), validation=pairs(2)), text_column=NAMES)
    assert splits["validation"]["text"][:] == [["a cat 0", "it sleeps"], ["a cat 1", ""]]
    assert splits["train"].column_names == ["text", "label"]
    turned = load_texts(DatasetDict(train=pairs(), validation=pairs(2)), text_column=NAMES[::-1])
    assert turned["validation"]["text"][0] == ["it sleeps", "a cat 0"]
    assert load_texts(pairs(), text_column=["premise"])["train"]["text"][0] == "a cat 0"


def test_a_column_of_texts_may_have_any_name() -> None:
    data = pairs().rename_columns({"label": "class", "hypothesis": "label"})
    assert load_texts(data, text_column=["premise", "label"], label_column="class")["train"][0]["text"][1] in (
        "it sleeps",
        "",
    )


def test_a_missing_text_is_told_with_its_row() -> None:
    data = pairs(hypothesis=["it sleeps"] * 3 + [None] + ["it rests"] * 16)
    with pytest.raises(ValueError, match=r"column 'hypothesis' of the .* has no text in row 4"):
        load_texts(data, text_column=NAMES)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["premise", "premise"], "must name different columns, got 'premise', 'premise'"),
        ([], "must name different columns, got none"),
        (["premise", "conclusion"], "has no column 'conclusion'"),
        (None, r"or both of a pair with text_column=\['premise', 'hypothesis'\]"),
    ],
)
def test_wrong_columns_are_told(names: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_texts(pairs(), text_column=names)


def test_half_of_a_pair_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "hfattnlstm"):
        load_texts(pairs().rename_columns({"premise": "question", "hypothesis": "passage"}))
    assert "only the column 'question' is read" in caplog.text
    caplog.clear()
    with caplog.at_level("WARNING", "hfattnlstm"):
        load_texts(pairs().rename_columns({"premise": "question"}), text_column="question")
    assert "is read" not in caplog.text


def test_shared_pairs_are_told_and_shared_halves_are_not(caplog: pytest.LogCaptureFixture) -> None:
    others = pairs(hypothesis=["something else"] * 20)
    with caplog.at_level("WARNING", "hfattnlstm"):
        load_texts(DatasetDict(train=pairs(), validation=others), text_column=NAMES)
    assert "are among those for training" not in caplog.text
    with caplog.at_level("WARNING", "hfattnlstm"):
        load_texts(DatasetDict(train=pairs(), validation=pairs()), text_column=NAMES)
    assert "20 of the 20 texts for validation are among those for training" in caplog.text


def test_a_file_without_labels_gives_rows(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("premise,hypothesis\na cat,it sleeps\na dog,\n", encoding="utf-8")
    assert read_text_column(file, NAMES) == [["a cat", "it sleeps"], ["a dog", ""]]


def test_a_tokenizer_learns_from_all_columns() -> None:
    texts = load_texts(pairs(), text_column=NAMES)["train"]["text"]
    assert {"cat", "sleeps"} <= set(train_tokenizer(texts).get_vocab())
