"""Candidates learn from the same texts, are scored on the same others, and make a row each, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.accuracy.candidates import BASELINE, MAJORITY, Candidate, Entry, Prediction, entries
from benchmarks.accuracy.measure import Settings, measure, run, summary
from benchmarks.accuracy.problem import Problem, Split, Texts
from benchmarks.accuracy.scores import score
from benchmarks.machine import QuietMachine
from benchmarks.table import as_markdown, as_text


SPLIT = Split(
    "soups",
    Problem(("bad", "good")),
    Texts(["good soup", "bad soup", "good tea", "bad tea"] * 5, np.array([1, 0, 1, 0] * 5)),
    Texts(["good bread", "bad bread", "good", "bad"], np.array([1, 0, 1, 1])),
    "made up",
)


class FakeTime:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake(Candidate):
    """One that takes a minute to learn and six seconds to predict, and is right about the first `right` texts."""

    clock: FakeTime
    right: dict[int, int]
    seen: list[tuple[list[str], list[int]]]

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        self.seen.append((list(texts), labels.tolist()))
        self.clock.now += 60

    def predict(self, texts: Sequence[str]) -> Prediction:
        assert list(texts) == SPLIT.test.texts
        self.clock.now += 6
        truth = SPLIT.test.labels
        return Prediction(np.where(np.arange(len(truth)) < self.right.get(self.seed, 4), truth, 1 - truth))

    def size(self) -> int:
        return 3_000_000


def entry(name: str, clock: FakeTime, right: dict[int, int] | None = None, seeded: bool = True) -> Entry:
    kind = type("_Fake", (Fake,), {"clock": clock, "right": right or {}, "seen": []})

    class Own(Entry):
        def make(self, problem: Problem, seed: int) -> Candidate:
            return kind(problem, seed)

    own = Own(name, "", "", seeded)
    object.__setattr__(own, "kind", kind)
    return own


def failing(name: str, error: Exception) -> Entry:
    class Own(Entry):
        def make(self, problem: Problem, seed: int) -> Candidate:
            raise error

    return Own(name, "", "", True)


def test_a_row_has_mean_and_deviation_over_the_seeds():
    clock = FakeTime()
    own = entry("lstm", clock, {1: 4, 2: 3, 3: 2})
    table = run([own], SPLIT, Settings(only=("lstm",)), clock)
    row = table.rows[0]
    assert row["accuracy"] == {"mean": 0.75, "deviation": 0.25, "values": [1.0, 0.75, 0.5]}
    assert row["minutes"]["mean"] == pytest.approx(1.1)
    assert (row["bytes"], row["runs"]) == (3_000_000, 3)
    assert own.kind.seen == [(SPLIT.train.texts, SPLIT.train.labels.tolist())] * 3
    text = as_text(table)
    for part in ("Accuracy on soups", "75.0 ± 25.0", "1.10", "3.0", "20 texts to learn from, 4 to be scored on"):
        assert part in text


def test_what_has_nothing_random_runs_once_and_has_no_deviation():
    clock = FakeTime()
    table = run([entry("svm", clock, {7: 3}, seeded=False)], SPLIT, Settings(seeds=(7, 8)), clock)
    assert table.rows[0]["accuracy"] == {"mean": 0.75, "deviation": None, "values": [0.75]}
    assert "75.0 " in as_text(table)
    assert "75.0 ±" not in as_text(table)


def test_the_speed_of_prediction_is_a_ratio_to_the_baseline():
    clock = FakeTime()
    slow = entry("slow", clock)
    slow.kind.predict = lambda self, texts: (Fake.predict(self, texts), setattr(clock, "now", clock.now + 6))[0]
    table = run([entry(BASELINE, clock, seeded=False), slow], SPLIT, Settings(), clock)
    assert [row["speed"] for row in table.rows] == pytest.approx([1.0, 0.5])
    assert "0.50 ×" in as_text(table)


def test_one_standard_error_of_sampling_is_noted():
    clock = FakeTime()
    table = run([entry("lstm", clock, {1: 3})], SPLIT, Settings(seeds=(1,)), clock)
    # The root of .75 · .25 / 4.
    assert any("On 4 texts, one standard error of sampling is 21.7 points: accuracy 75.0 %." in n for n in table.notes)


@pytest.mark.parametrize(
    ("error", "remark"),
    [
        (ModuleNotFoundError("No module named 'fasttext'", name="fasttext"), "not installed: fasttext"),
        (MemoryError("too much"), "MemoryError: too much"),
    ],
)
def test_a_candidate_that_cannot_be_measured_has_a_row_that_says_so(error: Exception, remark: str):
    clock = FakeTime()
    table = run([failing("peer", error), entry("lstm", clock)], SPLIT, Settings(seeds=(1,)), clock)
    assert [row["remark"] for row in table.rows] == [remark, None]
    assert remark in as_text(table)
    assert f"{remark} |" in as_markdown(table)
    assert "accuracy" in table.rows[1]
    json.dumps(table.as_dict())


def test_no_further_seed_begins_after_the_minutes_that_a_candidate_has():
    clock = FakeTime()
    measured = measure(entry("lstm", clock), SPLIT, Settings(max_minutes=2.0), clock)
    assert len(measured.runs) == 2
    assert measured.remark == "2 of 3 seeds: it had used 2.2 minutes"
    assert len(measure(entry("lstm", clock), SPLIT, Settings(max_minutes=0.1), clock).runs) == 1


def test_only_keeps_the_majority_class_and_the_baseline():
    settings = Settings(only=("svm",))
    wanted = [each.name for each in entries() if settings.wants(each.name)]
    assert wanted == [MAJORITY, BASELINE, "TF-IDF + linear SVM", "NB-SVM"]


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.machine.busy_share", lambda: 0.9)
    clock = FakeTime()
    candidates = [entry("lstm", clock), failing("peer", MemoryError())]
    table = run(candidates, SPLIT, Settings(), clock, QuietMachine(0.0))
    assert table.notes[-1] == "4 of 4 runs began while other programs were busy: measure again."


def test_scores_of_one_label_a_text():
    logs = np.log([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9]])
    found = score(Prediction(logs.argmax(-1), logs), np.array([0, 1, 1, 0]))
    assert found["accuracy"] == 0.75
    # F1 2/3 of the first class and 4/5 of the second one.
    assert found["f1_macro"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.6, 0.7, 0.1]).mean())
    # The four scores are in four bins.
    assert found["ece"] == pytest.approx((0.2 + 0.4 + 0.3 + 0.9) / 4)


def test_decisions_without_probabilities_have_no_log_loss():
    assert set(score(Prediction(np.array([0, 1])), np.array([0, 1]))) == {"accuracy", "f1_macro", "standard_error"}


def test_scores_of_several_labels_a_text():
    decisions, labels = np.array([[1, 0, 0], [1, 1, 0]]), np.array([[1, 0, 0], [0, 1, 1]])
    found = score(Prediction(decisions), labels)
    assert found["f1_micro"] == pytest.approx(2 * 2 / 6)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert 0.1 < found["standard_error"] < 0.4


def test_a_single_value_has_no_deviation():
    assert summary([0.5]) == {"mean": 0.5, "deviation": None, "values": [0.5]}


def test_the_table_so_far_is_kept_after_each_candidate():
    clock = FakeTime()
    kept = []
    run([entry("a", clock), entry("b", clock)], SPLIT, Settings(), clock, keep=lambda table: kept.append(table.rows))
    assert [[row["candidate"] for row in rows] for rows in kept] == [["a"], ["a", "b"]]


def test_flags_of_our_own_have_a_row_each_with_what_they_bring_seed_by_seed():
    clock = FakeTime()
    plain, with_flags = (
        entry("hfattnlstm", clock, {1: 1, 2: 3}),
        entry("hfattnlstm --residual true", clock, {1: 3, 2: 3}),
    )
    table = run([plain, with_flags], SPLIT, Settings(seeds=(1, 2)), clock)
    assert "gain" not in table.rows[0]
    assert table.rows[1]["gain"]["values"] == [0.5, 0.0]
    assert "+25.0 ± 35.4" in as_text(table)
    names = [each.name for each in entries(flags=["--context_layers attention transformer"])]
    assert names[-1] == "hfattnlstm --context_layers attention transformer"
