"""What is said of labelled texts before anything is learnt from them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from hfattnlstm import summarize_texts
from hfattnlstm.data.summary import DataSummary


THINGS = [f"{kind} {number}" for number in range(12) for kind in ("table", "chair")]


def rows(**changed: Any) -> dict[str, list]:
    texts = [f"{word} {thing}" for thing in THINGS for word in ("good", "bad")]
    labels = [text.split()[0] for text in texts]
    return {
        "text": [f"a {text[-1]} {text} thing" for text in texts],
        "label": [f"is {name}" for name in labels],
    } | changed


def summary(**changed: Any) -> DataSummary:
    return summarize_texts(Dataset.from_dict(rows(**changed)))


def test_plain_data_are_counted_and_nothing_is_odd() -> None:
    found = summary(date=[1] * 48)
    split = found.splits["train"]
    assert (split.rows, split.labels, split.words.longest) == (48, {"is bad": 24, "is good": 24}, 6)
    assert (list(found.text_columns), found.label_column, list(found.other_columns)) == (["text"], "label", ["date"])
    assert 0 <= found.unknown_tokens < 0.25 and not found.suspects
    assert not {kind for kind in found.findings if not kind.startswith("duplicates")}


def test_all_of_it_is_json_and_names_its_parts() -> None:
    shown = json.loads(json.dumps(summary().to_dict()))
    assert {"problem_type", "splits", "shared", "unknown_tokens", "suspects", "findings"} <= set(shown)
    assert set(shown["splits"]["train"]["duplicates"]) == {"count", "contradicting", "example"}


def changed_texts(texts: dict[int, str]) -> list[str]:
    plain = rows()["text"]
    return [texts.get(row, text) for row, text in enumerate(plain, 1)]


@pytest.mark.parametrize(
    ("texts", "kind", "sentence"),
    [
        ({3: ""}, "empty_train", "Texts of train that are empty: 1 of 48, the first in row 3;"),
        (
            {4: "Das CafÃ©"},
            "mojibake_train",
            "such as Ã©: 1 of 48, the first in row 4",
        ),
        ({5: "www.example.org"}, "url_only_train", "that are an address and nothing else: 1 of"),
        ({6: "so <b>good</b>"}, "html_train", "with tags or entities of HTML: 1 of"),
        ({7: "the same", 8: "The same!"}, "contradicting_train", "1, such as row 8, which repeats row 7: decide"),
        ({row: f"x{row} " * 500 for row in range(1, 9)}, "long_train", "--max_length reads more"),
    ],
)
def test_what_is_odd_about_texts_is_said(texts: dict[int, str], kind: str, sentence: str) -> None:
    found = summary(text=changed_texts(texts))
    assert sentence in found.findings[kind]


def test_what_is_odd_about_classes_is_said() -> None:
    found = summary(label=["rare"] * 3 + ["often"] * 45)
    assert "Labels of fewer than 10 texts for training: 'rare'." in found.findings["rare"]
    assert "'often' has 94 % of the texts, 15 times as many" in found.findings["imbalanced"]
    telling = [f"{name} {thing}" for thing in THINGS for name in ("sport", "music")]
    found = summary(text=telling, label=["sport", "music"] * 24)
    assert "have this very word in them" in found.findings["label_in_text"]


def test_texts_on_both_sides_are_counted() -> None:
    part = Dataset.from_dict(rows())
    test = Dataset.from_dict({"text": [part["text"][0].upper(), "new"], "label": part["label"][:2]})
    found = summarize_texts(DatasetDict(train=part, test=test))
    assert found.shared == {"test": 1}
    assert (
        "Texts of test that are among those for training, too, up to case and punctuation: 1 of 2."
        in found.findings["shared_test"]
    )


def test_suspects_are_listed_with_their_row_and_text() -> None:
    texts = [f"{word} {word} {number}" for number in range(40) for word in ("good", "bad")]
    labels = [text.split()[0] for text in texts]
    labels[10] = "bad"
    found = summarize_texts(Dataset.from_dict({"text": texts, "label": [f"is {name}" for name in labels]}))
    (suspect,) = found.suspects
    assert (suspect.row, suspect.label, suspect.suggested, suspect.text) == (11, "is bad", "is good", texts[10])
    assert (found.suspects_found, found.suspects_looked_at) == (1, 80)


def test_several_labels_and_numbers() -> None:
    several = summary(label=[["a"], ["a", "b"]] * 24)
    assert several.splits["train"].labels == {"a": 48, "b": 24} and several.splits["train"].labels_per_text == 1.5
    assert "rare" not in several.findings
    assert "'c'. These are too few" in summary(label=[["a"], ["a", "c"], *([["a", "b"]] * 46)]).findings["rare"]
    numbers = summary(label=[0.5, 2.5, 1.25] * 16)
    assert numbers.splits["train"].labels == {"least": 0.5, "median": 1.25, "greatest": 2.5}
    assert "All numbers are the same" in summary(label=[1.5] * 48).findings["constant"]


def test_several_columns_are_one_text() -> None:
    pairs = Dataset.from_dict({"a": ["one two", "one two"] * 24, "b": ["three"] * 48, "label": ["x", "y"] * 24})
    found = summarize_texts(pairs, text_column=["a", "b"])
    assert list(found.text_columns) == ["a", "b"] and found.splits["train"].words.longest == 3


def test_without_spaces_lengths_are_characters() -> None:
    texts = [f"这家店{'很好' if number % 2 else '太差'}吃{chr(0x4E00 + number)}" for number in range(48)]
    found = summary(text=texts)
    assert (found.length_unit, found.splits["train"].characters.median) == ("characters", 7)
    assert "more than 504 characters" in summary(text=[text * 72 for text in texts]).findings["long_train"]


def test_texts_without_a_repeated_word_are_no_reason_to_refuse() -> None:
    found = summarize_texts(Dataset.from_dict({"text": ["good", "bad"], "label": ["x", "y"]}))
    assert "does not know 100 % of the tokens" in found.findings["unknown"]
