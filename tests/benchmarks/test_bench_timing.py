"""Candidates are interleaved, sized and compared as they should be; the clock of these tests is not a real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import timing
from benchmarks.machine import QuietMachine
from benchmarks.options import Options
from benchmarks.timing import Candidate, NotAvailableError, measure, rotated, spread
from benchmarks.workload import Sample, Workload


WORKLOAD = Workload("sentences", words=50)


class FakeTime:
    """A clock that only the candidates move, and a log of who was called with how many texts."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[tuple[str, int]] = []

    def __call__(self) -> float:
        return self.now

    def candidate(self, name: str, seconds: Callable[[int], float], **limits: int) -> Candidate:
        """One whose k-th call takes seconds(k) a text."""

        def load() -> timing.Prepare:
            def prepare(sample: Sample) -> timing.Call:
                def call() -> int:
                    self.now += seconds(len(self.log)) * len(sample)
                    self.log.append((name, len(sample)))
                    return len(sample)

                return call

            return prepare

        return Candidate(name, load, **limits)


def run(clock: FakeTime, candidates: list[Candidate], **arguments) -> timing.Measurements:
    options = Options(patience=0, **{"rounds": 3, "budget": 1.0, **arguments.pop("options", {})})
    return measure(candidates, WORKLOAD, options, clock=clock, **arguments)


def test_rotated_puts_each_first_in_turn():
    assert [rotated(["a", "b", "c"], round_)[0] for round_ in range(4)] == ["a", "b", "c", "a"]
    assert rotated(["a", "b", "c"], 1) == ["b", "c", "a"]


def test_rounds_interleave_the_candidates():
    clock = FakeTime()
    names = ["a", "b", "c"]
    run(clock, [clock.candidate(name, lambda _: 1.0, least=2) for name in names])
    assert [name for name, _ in clock.log[-9:]] == [*"abc", *"bca", *"cab"]


def test_every_candidate_is_warmed_up_before_the_first_round():
    clock = FakeTime()
    run(clock, [clock.candidate("a", lambda _: 1.0, least=2), clock.candidate("b", lambda _: 1.0, least=2)])
    assert [name for name, _ in clock.log[:-6]] == ["a", "a", "b", "b"]


def test_a_call_has_as_many_texts_as_fit_into_its_time():
    clock = FakeTime()
    fast = clock.candidate("fast", lambda _: 0.01, least=8)
    slow = clock.candidate("slow", lambda _: 10.0, least=8)
    limited = clock.candidate("limited", lambda _: 1e-9, least=8, most=32)
    measured = run(clock, [fast, slow, limited])
    assert measured.by_name["fast"].texts == 96  # the largest multiple of 8 in 100
    assert measured.by_name["slow"].texts == 8
    assert measured.by_name["limited"].texts == 32


def test_the_time_is_that_of_a_text():
    clock = FakeTime()
    measured = run(clock, [clock.candidate("a", lambda _: 0.25, least=2)])
    assert measured.by_name["a"].seconds == pytest.approx((0.25,) * 3)


def test_the_ratio_is_the_median_of_the_ratios_of_each_round():
    measured = timing.Measurements(
        {
            "slow": timing.Measurement("slow", 1, (10.0, 100.0, 30.0)),
            "fast": timing.Measurement("fast", 1, (1.0, 50.0, 10.0)),
        }
    )
    # Of 10, 2 and 3; the ratio of the medians would be 30 / 10 as well, that of the means 2.3.
    assert measured.ratio("fast", "slow").median == pytest.approx(3.0)
    measured.by_name["slow"] = timing.Measurement("slow", 1, (10.0, 100.0, 60.0))
    assert measured.ratio("fast", "slow").median == pytest.approx(6.0)
    assert measured.ratio("fast", "missing") is None


def test_spread_has_the_quartiles():
    assert spread([5.0]) == (5.0, 5.0, 5.0)
    assert spread([1.0, 2.0, 3.0, 4.0, 9.0]) == (3.0, 2.0, 4.0)


def test_same_texts_gives_all_the_texts_of_the_slowest():
    clock = FakeTime()
    candidates = [
        clock.candidate("fast", lambda _: 0.01, least=8),
        clock.candidate("slow", lambda _: 0.045, least=4),
    ]
    measured = run(clock, candidates, same_texts=True)
    assert {times.texts for times in measured.by_name.values()} == {20}


def test_a_candidate_may_have_texts_of_its_own():
    clock = FakeTime()
    own = Workload("reviews", words=50)
    seen: list[Sample] = []

    def load() -> timing.Prepare:
        def prepare(sample: Sample) -> timing.Call:
            seen.append(sample)
            return lambda: len(sample)

        return prepare

    run(clock, [Candidate("a", load, least=4, most=4, workload=own)])
    assert seen[0].ids == own.sample(4).ids


def failing(error: Exception) -> Callable[[], timing.Prepare]:
    def load() -> timing.Prepare:
        raise error

    return load


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ModuleNotFoundError("No module named 'spacy'", name="spacy"), "peer, not installed: spacy"),
        (NotAvailableError("needs a GPU"), "peer, needs a GPU"),
        (ImportError("cannot import name 'x'\nmore"), "peer, ImportError: cannot import name 'x'"),
    ],
)
def test_a_peer_that_cannot_be_loaded_is_left_out_and_named(error: Exception, sentence: str):
    clock = FakeTime()
    measured = run(clock, [Candidate("peer", failing(error)), clock.candidate("a", lambda _: 1.0, least=2)])
    assert measured.left_out == [sentence]
    assert list(measured.by_name) == ["a"]


@pytest.mark.parametrize("successes", [0, 2, 4])
def test_a_peer_that_fails_later_is_left_out_too(successes: int):
    clock = FakeTime()
    calls = iter(range(successes))

    def load() -> timing.Prepare:
        def call() -> int:
            if next(calls, None) is None:
                raise MemoryError("too much")
            return 1

        return lambda sample: call

    measured = run(clock, [Candidate("peer", load), clock.candidate("a", lambda _: 1.0, least=2)])
    assert measured.left_out == ["peer, MemoryError: too much"]
    assert [len(times.seconds) for times in measured.by_name.values()] == [3]


def test_only_chooses_candidates_but_keeps_the_baseline():
    clock = FakeTime()
    candidates = [clock.candidate(name, lambda _: 1.0, least=2) for name in ("packed", "Ours, fast", "naive")]
    measured = run(clock, candidates, baseline="packed", options={"only": ("ours",)})
    assert list(measured.by_name) == ["packed", "Ours, fast"]


def test_waiting_for_a_quiet_machine_ends_when_it_is_quiet(monkeypatch: pytest.MonkeyPatch):
    shares = iter([0.9, 0.5, 0.02, 0.9])
    monkeypatch.setattr("benchmarks.machine.busy_share", lambda: next(shares))
    quiet = QuietMachine(patience=60)
    quiet.wait()
    assert next(shares) == 0.9
    assert quiet.remark(3) is None


def test_waiting_gives_up_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.machine.busy_share", lambda: 0.9)
    now = iter(range(100))
    monkeypatch.setattr("benchmarks.machine.time.monotonic", lambda: next(now))
    quiet = QuietMachine(patience=2)
    quiet.wait()
    quiet.wait()
    assert "2 of 3 rounds" in quiet.remark(3)


def test_a_system_that_does_not_tell_its_load_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.machine.busy_share", lambda: None)
    quiet = QuietMachine(patience=60)
    quiet.wait()
    assert "does not tell" in quiet.remark(1)
