"""Scores of tags, against cases that are counted by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest
from transformers import EvalPrediction

from hfattnlstm.training.tagging_metrics import TagScorer, scores_by_kind, tag_intervals, tag_scores
from training.tagging_helpers import parts_of_speech, sentences


# What is right, what is predicted, and how many spans are right, there, and predicted.
CASES: dict[str, tuple[str, str, tuple[int, int, int]]] = {
    "all is right": ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", (2, 2, 2)),
    "too short": ("B-PER I-PER O", "B-PER O O", (0, 1, 1)),
    "too long": ("B-PER O O", "B-PER I-PER O", (0, 1, 1)),
    "begins too late": ("B-PER I-PER I-PER", "O B-PER I-PER", (0, 1, 1)),
    "another kind": ("B-PER I-PER O B-LOC", "B-LOC I-LOC O B-LOC", (1, 2, 2)),
    "another kind inside": ("B-PER I-PER O", "B-PER I-LOC O", (0, 1, 1)),
    "one in two": ("B-PER I-PER", "B-PER B-PER", (0, 1, 2)),
    "two in one": ("B-PER B-PER", "B-PER I-PER", (0, 2, 1)),
    # Strictly, what begins with I- is no span.
    "I- without B-": ("B-PER I-PER O B-LOC", "I-PER I-PER O B-LOC", (1, 2, 1)),
    "nothing is found": ("B-PER I-PER O", "O O O", (0, 1, 0)),
    "nothing is there": ("O O O", "O B-PER O", (0, 0, 1)),
    "nothing at all": ("O O O", "O O O", (0, 0, 0)),
}


def ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


@pytest.mark.parametrize("name", CASES)
def test_spans_count_where_kind_and_borders_are_right(name: str) -> None:
    right, said, (hits, there, found) = CASES[name]
    references, predictions = [right.split()], [said.split()]
    scores = tag_scores(references, predictions, "bio")
    assert scores["precision"] == pytest.approx(ratio(hits, found))
    assert scores["recall"] == pytest.approx(ratio(hits, there))
    assert scores["f1"] == pytest.approx(ratio(2 * hits, there + found))
    equal = [one == other for one, other in zip(references[0], predictions[0])]
    assert scores["accuracy"] == pytest.approx(sum(equal) / len(equal))


def test_spans_are_counted_over_all_sentences_together() -> None:
    """Not as a mean over sentences, of which one has many spans."""
    references = [["B-PER"] * 4, ["B-LOC"], ["O"]]
    predictions = [["B-PER"] * 4, ["O"], ["B-LOC"]]
    scores = tag_scores(references, predictions, "bio")
    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx((0.8, 0.8, 0.8))


def test_a_span_does_not_go_on_in_the_next_sentence() -> None:
    scores = tag_scores([["B-PER"], ["B-PER"]], [["B-PER"], ["I-PER"]], "bio")
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)


def test_iobes_is_scored_by_its_spans() -> None:
    """Tags that mark the same span count alike, and a span without its end counts as it is read."""
    right = [["S-PER", "O", "B-LOC", "I-LOC", "E-LOC"]]
    assert tag_scores(right, right, "iobes")["f1"] == 1
    short = tag_scores(right, [["S-PER", "O", "B-LOC", "E-LOC", "O"]], "iobes")
    assert (short["precision"], short["recall"], short["accuracy"]) == (0.5, 0.5, 0.8)
    assert scores_by_kind(right, right, "iobes")["LOC"]["support"] == 1


def test_single_tags() -> None:
    right, said = [["N", "V", "N"], ["X"]], [["N", "N", "N"], ["X"]]
    scores = tag_scores(right, said, None)
    assert set(scores) == {"accuracy", "f1_macro"} and scores["accuracy"] == 0.75
    # F1 of N is 2 · 2 / (3 + 2), of V 0 and of X 1.
    assert scores["f1_macro"] == pytest.approx((0.8 + 0 + 1) / 3)
    found = scores_by_kind(right, said, None)
    assert found["N"] == pytest.approx({"precision": 2 / 3, "recall": 1, "f1": 0.8, "support": 2})
    assert found["V"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert type(found["N"]["support"]) is int


def test_each_kind_has_its_scores() -> None:
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "O"]]
    said = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-PER"]]
    found = scores_by_kind(right, said, "bio")
    assert list(found) == ["LOC", "ORG", "PER"]
    assert found["PER"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert found["LOC"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert found["ORG"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert scores_by_kind([["O"]], [["O"]], "bio") == {}


def test_a_kind_that_is_called_as_a_mean_of_the_report() -> None:
    """seqeval names the rows of its means so; the others are the kinds."""
    right = [["B-avg", "O", "B-micro"]]
    assert set(scores_by_kind(right, right, "bio")) == {"avg", "micro"}


@pytest.mark.parametrize(
    ("references", "predictions", "sentence"),
    [
        ([], [], "There is nothing to score: no word has a tag."),
        ([[], []], [[], []], "There is nothing to score"),
        ([["O", "O"]], [["O"]], "Every sentence needs as many predicted tags as it has right ones."),
        ([["O"]], [["O"], ["O"]], "Every sentence needs as many"),
    ],
)
@pytest.mark.parametrize("measure", [tag_scores, tag_intervals])
def test_what_cannot_be_scored(measure: object, references: list, predictions: list, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        measure(references, predictions, "bio")


def spoiled(tags: list[list[str]], share: float, other: str) -> list[list[str]]:
    chooser = random.Random(0)
    return [[other if chooser.random() < share else tag for tag in row] for row in tags]


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("scheme", ["bio", None])
def test_intervals_hold_their_scores_and_are_narrower_with_more(scheme: str | None, share: float) -> None:
    widths = []
    for count in (20, 200):
        rows = sentences(count) if scheme else parts_of_speech(count)
        right = [tags for _, tags in rows]
        said = spoiled(right, share, "O" if scheme else "verb")
        found, scores = tag_intervals(right, said, scheme), tag_scores(right, said, scheme)
        assert set(found) == ({"accuracy", "f1"} if scheme else {"accuracy"})
        for name, (low, high) in found.items():
            assert 0 <= low <= scores[name] <= high <= 1
        widths.append(found["accuracy"].high - found["accuracy"].low)
        if scheme and share == 0.2:
            assert found["f1"].high - found["f1"].low > 0.02
            assert found == tag_intervals(right, said, scheme)
    assert widths[0] > widths[1] > 0


def test_the_interval_of_f1_draws_sentences() -> None:
    """Of two sentences, one of which is right, every draw has one, the other or both."""
    low, high = tag_intervals([["B-PER"], ["B-PER"]], [["B-PER"], ["O"]], "bio")["f1"]
    assert (low, high) == (0.0, 1.0)


class TestTagScorer:
    """What the Trainer calls."""

    NAMES = ("O", "B-PER", "I-PER")

    def test_tags_logits_and_pairs_give_the_same(self) -> None:
        tags, labels = np.array([[1, 2, 0], [0, 1, 1]]), np.array([[1, 2, -100], [-100, 0, 1]])
        scorer = TagScorer(self.NAMES, "bio")
        logits = np.eye(3)[tags]
        found = [scorer(EvalPrediction(each, labels)) for each in (tags, (tags, logits), logits)]
        assert found[0] == found[1] == found[2]
        assert (
            found[0]["accuracy"] == 0.75 and found[0]["recall"] == 1 and found[0]["precision"] == pytest.approx(2 / 3)
        )

    def test_tokens_without_a_label_are_passed_over(self) -> None:
        tags, labels = np.array([[1, 0, 2], [2, 2, 2]]), np.array([[1, -100, 2], [-100, -100, -100]])
        references, predictions = TagScorer(self.NAMES, "bio").named(EvalPrediction(tags, labels))
        assert references == [["B-PER", "I-PER"]] == predictions

    @pytest.mark.parametrize(
        ("scheme", "names"), [("bio", {"precision", "recall", "f1", "accuracy"}), (None, {"accuracy", "f1_macro"})]
    )
    def test_directions_are_of_what_is_scored(self, scheme: str | None, names: set[str]) -> None:
        scorer = TagScorer(self.NAMES, scheme)
        directions = scorer.directions()
        assert directions.pop("loss") is False and set(directions) == names and all(directions.values())
        assert set(scorer(EvalPrediction(np.array([[1]]), np.array([[1]])))) == names
