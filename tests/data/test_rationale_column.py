"""Words that people have marked: what a column of them may hold, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from hfattnlstm import load_texts, train_tokenizer
from hfattnlstm.data.batching import PaddingCollator
from hfattnlstm.data.encoding import encode_texts
from hfattnlstm.modeling.text_inputs import TextEncoder


TEXTS = ["a slow  soup", "good", "so good!", "bad tea", "fine", "cold rice"] * 3
LABELS = ["neg", "pos", "pos", "neg", "pos", "neg"] * 3


def rows(marks: list[Any]) -> Dataset:
    return Dataset.from_dict({"text": TEXTS, "label": LABELS, "marks": marks})


def stretches(data: Dataset, **options: Any) -> dict[str, list[list[int]]]:
    splits = load_texts(data, rationale_column="marks", validation_size=2, **options)
    return {row["text"]: row["rationale"] for split in splits.values() for row in split}


def test_stretches_of_characters_are_kept_in_every_split() -> None:
    marks = [[[2, 6], [8, 12]], [[0, 4]], [], None, [[0, 4]], [[0, 4]]] * 3
    found = stretches(rows(marks))
    assert found["a slow  soup"] == [[2, 6], [8, 12]] and found["so good!"] == [] and found["bad tea"] == []
    splits = load_texts(rows(marks), rationale_column="marks", validation_size=2)
    assert all(split.column_names == ["text", "label", "rationale"] for split in splits.values())
    assert load_texts(rows(marks))["train"].column_names == ["text", "label"]


def test_marks_of_words_become_stretches() -> None:
    marks = [[0, 1, 1], [1], [0, 0], [1, 0], [0], [1, 1]] * 3
    assert stretches(rows(marks))["a slow  soup"] == [[2, 6], [8, 12]]
    assert stretches(rows(marks))["so good!"] == []


def test_a_csv_has_them_as_json(tmp_path: Path) -> None:
    marks = ["[[2, 6]]", "[1]", "", "[]", "[0]", "[0, 1]"] * 3
    lines = [f'"{text}",{label},"{mark}"' for text, label, mark in zip(TEXTS, LABELS, marks)]
    (tmp_path / "texts.csv").write_text("text,label,marks\n" + "\n".join(lines), encoding="utf-8")
    found = stretches(tmp_path / "texts.csv")
    assert found["a slow  soup"] == [[2, 6]] and found["good"] == [[0, 4]] and found["cold rice"] == [[5, 9]]


@pytest.mark.parametrize(
    "wrong",
    [
        *([[2, 60]], [[6, 2]], [[2, 2]], [[-1, 2]], [[1, 2, 3]], [1, 0], [0, 1, 2], [[0, 1.5]], [["0", "2"]], ["02"]),
        *("[[0, Infinity]]", "[[true, 3]]", '{""04"": 1}', "nix", 7),
    ],
)
def test_what_marks_nothing_in_its_text_is_refused_with_its_row(wrong: list[Any], tmp_path: Path) -> None:
    marks: list[Any] = [[[0, 1]]] * len(TEXTS)
    marks[6] = wrong
    lines = [f'"{text}",{label},"{mark}"' for text, label, mark in zip(TEXTS, LABELS, marks)]
    (tmp_path / "texts.csv").write_text("text,label,marks\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=r"'marks' of the file .*texts.csv has in row 7 neither .* 12 .* 3 words"):
        load_texts(tmp_path / "texts.csv", rationale_column="marks")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rationale_column": "nix"}, r"has no column 'nix'; it has 'text', 'label', 'marks'"),
        ({"rationale_column": "label"}, r"has the texts or the labels: name the column with the marks"),
        ({"rationale_column": "text", "text_column": "text"}, r"has the texts or the labels"),
        ({"rationale_column": "marks"}, r"'marks' of the .* marks nothing: leave .*rationale_column.* out"),
    ],
)
def test_a_column_that_cannot_be_meant_is_refused(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_texts(rows([[]] * len(TEXTS)), **options)


def test_whole_numbers_may_have_a_point() -> None:
    words = [[0.0, 1.0, 1.0], [1.0], [0.0, 0.0], [], None, None] * 3
    assert stretches(rows(words))["a slow  soup"] == [[2, 6], [8, 12]]
    characters = [[[0.0, 1.0]], [[0.0, 4.0]], [], None, None, None] * 3
    assert stretches(rows(characters))["good"] == [[0, 4]]


def test_a_missing_text_is_told_as_such() -> None:
    marks = [[[0, 1]]] * len(TEXTS)
    data = Dataset.from_dict({"text": [None, *TEXTS[1:]], "label": LABELS, "marks": marks})
    with pytest.raises(ValueError, match="has no text in row 1"):
        load_texts(data, rationale_column="marks")


def test_pairs_have_none() -> None:
    data = Dataset.from_dict({"one": TEXTS, "two": TEXTS, "label": LABELS, "marks": [[[0, 1]]] * len(TEXTS)})
    with pytest.raises(ValueError, match="marks words of single texts, and 'one', 'two' are read together"):
        load_texts(data, text_column=["one", "two"], rationale_column="marks")


def test_marked_tokens_reach_the_batch_also_of_a_text_that_is_cut() -> None:
    texts = ["the slow soup and the cold rice were not good", "good"]
    marks = [[[4, 8], [41, 45]], [[0, 4]]]
    tokenizer = train_tokenizer(texts * 4, kind="word", model_max_length=4)
    data = Dataset.from_dict({"text": texts * 4, "label": ["a", "b"] * 4, "marks": marks * 4})
    splits = load_texts(data, rationale_column="marks", validation_size=2)
    encoder = TextEncoder(tokenizer, None, "head_tail")
    encoded = encode_texts(splits, encoder)["train"]
    found = [(tokenizer.convert_ids_to_tokens(row["input_ids"]), row["rationale"]) for row in encoded]
    assert (["the", "were", "not", "good"], [0, 0, 0, 1]) in found and (["good"], [1]) in found
    plain = encode_texts(load_texts(data, validation_size=2), encoder)["train"]
    assert plain["input_ids"][:] == encoded["input_ids"][:] and "rationale" not in plain.column_names
    batch = PaddingCollator(0, ("input_ids", "attention_mask"))([encoded[0] | {"rationale": None}, encoded[1]])
    assert batch["rationale"].shape == batch["input_ids"].shape and batch["rationale"].sum() in (1, 2)
