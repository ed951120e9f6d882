"""Where the parts of series end: by rows, by shares and by times, one after the other."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.series import Panel, Series, SeriesColumns
from hfattnlstm.data.series_splits import HELD_OUT, SplitEnds, split_series


def series(length: int, name: str = "", start: str | int = "2024-01-01") -> Series:
    begin = start if isinstance(start, int) else np.datetime64(start, "ns")
    return Series(name, begin, np.arange(length, dtype=np.float32)[:, None])


def panel(*parts: Series, frequency: str | None = "D") -> Panel:
    return Panel(parts, SeriesColumns(targets=("y",)), frequency, "power.csv")


ONE = panel(series(100))
COUNTED = panel(series(100, start=0), frequency=None)
TWO = panel(series(100, "a"), series(85, "b"))


def test_a_tenth_at_the_end_is_held_out_and_a_forecast_at_least() -> None:
    assert HELD_OUT == 0.1
    assert split_series(ONE, 5) == SplitEnds([90], [100], None)
    assert split_series(ONE, 24) == SplitEnds([76], [100], None)
    assert split_series(ONE, 5, validation_size=0.2) == SplitEnds([80], [100], None)
    assert split_series(TWO, 5) == SplitEnds([90, 77], [100, 85], None)
    assert split_series(COUNTED, 99) == SplitEnds([1], [100], None)


@pytest.mark.parametrize("horizon", [1, 7, 24])
@pytest.mark.parametrize("size", [None, 0.1, 0.25])
def test_parts_of_series_of_every_length(horizon: int, size: float | None) -> None:
    for length in range(1, horizon + 1):
        with pytest.raises(ValueError, match=r"^No series of power\.csv is long enough"):
            split_series(panel(series(length)), horizon, validation_size=size)
    for length in range(horizon + 1, 60):
        (train,), (validation,), _ = split_series(panel(series(length)), horizon, validation_size=size)
        assert 0 < train <= length - horizon
        assert validation == length
        assert length - train == max(round((size or HELD_OUT) * length), horizon)


def test_series_that_are_too_short_have_no_part_to_learn_from() -> None:
    both = panel(series(30, "a"), series(4, "b"))
    assert split_series(both, 5) == SplitEnds([25, 0], [30, 4], None)
    with pytest.raises(
        ValueError,
        match=r"^No series of power\.csv is long enough: the longest has 30 steps, of which 30 are held out for every "
        r"forecast of 30\. Take a smaller horizon, or longer series\.$",
    ):
        split_series(both, 30)


@pytest.mark.parametrize("size", [0, -0.1, 1, 24])
def test_a_share_that_is_none_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match="validation_size="):
        split_series(ONE, 5, validation_size=size)


ROWS = [["70", "80", "100"], [70, 80, 100], [np.int64(70), 80, 100]]
SHARES = [["0.7", "0.8", "1"], [0.7, 0.8, 1.0], [".7", ".8", "1.0"], ["7e-1", "8e-1", 1]]
TIMES = [
    ["2024-03-11", "2024-03-21", "2024-04-10"],
    ["2024-03-11 00:00", "2024-03-20 01:00", "2030-01-01"],
    ["2024-03-11T00:00Z", "2024-03-21T00:00Z", "2024-04-09T12:00Z"],
    [pd.Timestamp("2024-03-11"), np.datetime64("2024-03-21"), "20 May 2024"],
]


@pytest.mark.parametrize("borders", [*ROWS, *SHARES, *TIMES])
def test_borders_as_rows_shares_and_times(borders: list) -> None:
    assert split_series(ONE, 10, borders) == SplitEnds([70], [80], [100])
    assert split_series(ONE, 10, borders[:2]) == SplitEnds([70], [80], None)
    # Exactly, though 0.29 * 100 is less than 29.
    assert split_series(ONE, 10, [0.29, 0.58]) == SplitEnds([29], [58], None)
    if borders not in TIMES:
        assert split_series(COUNTED, 10, borders) == SplitEnds([70], [80], [100])


@pytest.mark.parametrize("frequency, start", [("h", "2024-01-01"), ("MS", "2016-09-01"), ("B", "2023-10-26")])
def test_a_time_begins_the_next_part(frequency: str, start: str) -> None:
    times = pd.date_range(start, periods=100, freq=frequency)
    one = panel(series(100, start=str(times[0])), frequency=frequency)
    assert split_series(one, 10, [str(times[70]), str(times[80])]) == SplitEnds([70], [80], None)
    later = str(times[80] + pd.Timedelta("1s"))
    assert split_series(one, 10, [str(times[70]), later]) == SplitEnds([70], [81], None)
    soon = str(times[70] + pd.Timedelta("1s"))
    assert split_series(one, 1, [str(times[70]), soon, "2100-01-01"]) == SplitEnds([70], [71], [100])


def test_a_month_is_its_beginning() -> None:
    assert split_series(ONE, 5, ["2024-02", "2024-03"]) == SplitEnds([31], [60], None)


@pytest.mark.parametrize("borders", [["01.03.2024", "20.03.2024"], ["13/03/2024", "20/03/2024"]])
def test_times_are_read_with_the_day_first_or_refused(borders: list[str]) -> None:
    try:
        ends = split_series(ONE, 5, borders)
    except ValueError as error:
        assert borders[0] in str(error)
    else:
        assert ends.train == [60 if borders[0].startswith("01") else 72]


@pytest.mark.parametrize("borders", [[], ["70"], ["60", "70", "80", "90"]])
def test_two_or_three_borders(borders: list[str]) -> None:
    sentence = " takes two or three: where training, validation and test end"
    with pytest.raises(ValueError, match=rf"^borders={sentence}\.$"):
        split_series(ONE, 5, borders)
    with pytest.raises(ValueError, match=rf"^--borders{sentence}\.$"), flags_in_sentences():
        split_series(ONE, 5, borders)


@pytest.mark.parametrize(
    "borders",
    [
        *(["80", "70"], ["70", "70"], ["70", "80", "80"], ["0.8", "0.7"], [".7", ".8", ".8"]),
        *(["2024-03-20", "2024-03-11"], ["2030-01-01", "2031-01-01"]),
    ],
)
def test_borders_rise_within_the_series(borders: list[str]) -> None:
    shown = " ".join(borders)
    with pytest.raises(ValueError, match=rf"^borders='{shown}' must rise, and lie within the series\.$"):
        split_series(ONE, 5, borders)
    with pytest.raises(ValueError, match=rf"^--borders {shown} must rise"), flags_in_sentences():
        split_series(ONE, 5, borders)


def test_rows_beyond_the_series() -> None:
    with pytest.raises(ValueError, match=r"^borders= names row 1,200, but power\.csv has 100: lower it\.$"):
        split_series(ONE, 5, ["70", "1200"])
    with pytest.raises(ValueError, match=r"^borders= names row 2,024, but power\.csv has 100: lower it\.$"):
        split_series(ONE, 5, ["2024", "2025"])


@pytest.mark.parametrize("wrong", ["soon", "", "NaT", "2024-02-30", "-5", "1.5", "101%"])
@pytest.mark.parametrize("place", [0, 1])
def test_what_is_neither_row_nor_share_nor_time_is_named(wrong: str, place: int) -> None:
    borders = ["2024-03-01", "2024-03-20"]
    borders[place] = wrong
    sentence = " takes numbers of rows, shares such as 0.7, or times such as 2024-12-31, not "
    with pytest.raises(ValueError, match=rf"^borders={sentence}'{wrong}'\.$"):
        split_series(ONE, 5, borders)
    with pytest.raises(ValueError, match=rf"^--borders{sentence}'{wrong}'\.$"), flags_in_sentences():
        split_series(ONE, 5, borders)


@pytest.mark.parametrize("borders", [["70", "0.8"], ["0.7", "1.2"], ["-5", "80"], ["0.0", "0.8"], ["70.0", "80.0"]])
def test_rows_shares_and_times_are_not_mixed(borders: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^borders= takes numbers of rows, shares such as 0\.7, or times such as"):
        split_series(ONE, 5, borders)


@pytest.mark.parametrize("borders", [["2024-03-01", "2024-03-20"], ["70", "0.8"], ["soon", "later"]])
def test_series_without_times_take_no_times(borders: list[str]) -> None:
    sentence = r"^borders= takes numbers of rows, or shares such as 0\.7, for series without times, not "
    with pytest.raises(ValueError, match=rf"{sentence}'{borders[0]}'\.$"):
        split_series(COUNTED, 5, borders)


@pytest.mark.parametrize("borders", [["0", "80"], ["2020-01-01", "2024-02-01"], ["0.001", "0.5"], ["90", "93"]])
def test_borders_that_leave_nothing_to_learn_from_or_choose_by_are_named(borders: list[str]) -> None:
    """The sentence about series that are too short has another mend, which would not help."""
    with pytest.raises(ValueError, match="borders="):
        split_series(ONE, 5, borders)


@pytest.mark.parametrize("borders", [["70", "75", "100"], ["70", "97", "100"]])
def test_every_part_has_a_forecast_at_least(borders: list[str]) -> None:
    with pytest.raises(ValueError, match=r"borders=|long enough"):
        split_series(ONE, 10, borders)


def test_series_that_end_before_the_borders_are_only_learnt_from() -> None:
    both = panel(series(100, "a"), series(50, "b"))
    assert split_series(both, 5, ["80", "90", "100"]) == SplitEnds([80, 50], [90, 50], [100, 50])
    assert split_series(both, 5, ["2024-03-21", "2024-03-31"]) == SplitEnds([80, 50], [90, 50], None)


@pytest.mark.parametrize("borders", [["80", "90", "100"], ["2024-03-21", "2024-03-31", "2024-04-10"]])
@pytest.mark.parametrize("length", [79, 80, 81, 85, 89, 90, 91, 99])
def test_series_that_end_between_the_borders_keep_what_they_have(length: int, borders: list[str]) -> None:
    ends = split_series(panel(series(100, "a"), series(length, "b")), 5, borders)
    assert [part[1] for part in ends] == [min(length, border) for border in (80, 90, 100)]


def test_series_that_begin_after_the_borders_keep_what_they_have() -> None:
    both = panel(series(100, "a"), series(15, "b", start="2024-03-26"), series(8, "c", start="2024-04-02"))
    ends = split_series(both, 5, ["2024-03-21", "2024-03-31", "2024-04-10"])
    assert ends == SplitEnds([80, 0, 0], [90, 5, 0], [100, 15, 8])


def test_shares_of_a_series_of_two_steps_among_longer_ones() -> None:
    both = panel(series(100, "a"), series(2, "b"))
    ends = split_series(both, 5, ["0.7", "0.8", "1"])
    assert [part[0] for part in ends] == [70, 80, 100]


def test_rows_beyond_every_series_are_named() -> None:
    with pytest.raises(ValueError, match=r"^borders= names row 200, but power\.csv has 100"):
        split_series(TWO, 5, ["200", "300"])


def test_the_series_up_to_the_end_of_a_part(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ends = split_series(TWO, 5, ["80", "85"])
    train = TWO.until(ends.train)
    assert [len(each) for each in train] == [80, 80]
    assert [len(each) for each in TWO] == [100, 85]
    assert train["b"].values[-1] == 79
    assert TWO["b"].values[-1] == 84
    assert (train.columns, train.frequency, train.origin) == (TWO.columns, TWO.frequency, TWO.origin)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        TWO.until([80])
    assert not caplog.messages
