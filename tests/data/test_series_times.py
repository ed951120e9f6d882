"""Times as people write them, the frequency that they follow, and steps counted forwards and back."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd
import pytest

from data.series_helpers import assert_even, read, several, table
from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.series_tables import panel_of_frame
from hfattnlstm.data.series_times import (
    check_frequency,
    find_season,
    later_times,
    season_of_frequency,
    shown_series,
    steps_from,
)


DAYS = pd.date_range("2024-01-01", periods=40, freq="D")
MONTHS = pd.date_range("2023-01-01", periods=14, freq="MS")
# Given, and as it is found; a first time on its grid.
FREQUENCIES = {
    "500ms": "500ms",
    "s": "s",
    "min": "min",
    "10min": "10min",
    "h": "h",
    "6h": "6h",
    "D": "D",
    "2D": "2D",
    "B": "B",
    "W": "7D",
    "W-MON": "7D",
    "2W": "14D",
    "MS": "MS",
    "ME": "ME",
    "2MS": "2MS",
    "QS": "QS-JAN",
    "QE": "QE-MAR",
    "QS-FEB": "QS-FEB",
    "YS": "YS-JAN",
    "YE": "YE-DEC",
    "YS-APR": "YS-APR",
    "YE-JUN": "YE-JUN",
}
NAMED_ONLY = ("4W", "28D", "BME", "BMS", "SMS", "2min30s")


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_frequencies_are_found_in_spite_of_gaps_order_and_repetition(frequency: str) -> None:
    times = pd.date_range("2021-01-01", periods=60, freq=frequency)
    whole = read(times)
    assert whole.frequency == FREQUENCIES[frequency]
    assert whole.series[0].values[:, 0].tolist() == list(range(60))
    rows = [0, *sorted(np.random.default_rng(7).choice(np.arange(1, 59), size=45, replace=False)), 59]
    frame = table(times).iloc[[*rows, rows[5]]]
    found = panel_of_frame(frame.sample(frac=1, random_state=7))
    assert found.frequency == FREQUENCIES[frequency]
    expected = np.full(60, np.nan)
    expected[rows] = rows
    np.testing.assert_array_equal(found.series[0].values[:, 0], expected)


@pytest.mark.parametrize("frequency", NAMED_ONLY)
def test_other_frequencies_are_followed_where_they_are_named(frequency: str) -> None:
    times = pd.date_range("2021-01-01", periods=30, freq=frequency)
    assert_even(read(times, frequency), str(times[0]).replace(" ", "T"), frequency, 30)


@pytest.mark.parametrize("frequency", ["4W", "28D", "30D", "364D"])
def test_an_even_grid_of_many_days_is_a_frequency(frequency: str) -> None:
    panel = read(pd.date_range("2021-01-03", periods=20, freq=frequency))
    assert len(panel.series[0]) == 20


def test_days_of_the_stock_exchange_with_holidays_and_leap_days() -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="B").delete([10, 11, 25])
    panel = read(days)
    assert panel.frequency == "B"
    assert np.flatnonzero(np.isnan(panel.series[0].values[:, 0])).tolist() == [10, 11, 25]
    assert_even(read(["2024-02-28", "2024-02-29", "2024-03-01"]), "2024-02-28", "D", 3)
    assert_even(read(["2023-02-28", "2023-03-01"]), "2023-02-28", "D", 2)
    assert_even(read(["2019-12-31", "2020-01-31", "2020-02-29", "2020-03-31"]), "2019-12-31", "ME", 4)
    assert_even(read(["2016-02-29", "2017-02-28", "2018-02-28"]), "2016-02-29", "YE-FEB", 3)


def test_a_series_too_short_to_tell_its_frequency_has_that_of_the_others() -> None:
    month = list(pd.date_range("2024-01-01", periods=4, freq="MS"))
    panel = panel_of_frame(several(a=month, b=[month[2]], c=[month[0], month[2]]))
    assert panel.frequency == "MS"
    np.testing.assert_array_equal(panel["c"].values[:, 0], [0, np.nan, 1])
    assert_even(read(["2024-01-01", "2024-01-03"]), "2024-01-01", "2D", 2)
    assert_even(read(["2024-01-01"], "D"), "2024-01-01", "D", 1)
    assert read([7]).series[0].start == 7


def test_a_single_time_is_a_series_of_one_step_or_is_refused_for_its_frequency() -> None:
    for frame in (table(["2024-01-01"]), several(a=["2024-01-01"], b=["2024-01-02"])):
        try:
            assert [len(series) for series in panel_of_frame(frame)] == [1] * len(frame)
        except ValueError as error:
            assert "frequency=" in str(error)


@pytest.mark.parametrize("first, second", [("QS", "2020-04-01"), ("QE", "2020-06-30")])
def test_quarters_that_begin_in_another_quarter_are_of_one_frequency(first: str, second: str) -> None:
    one = pd.date_range("2020-01-01", periods=8, freq=first)
    panel = panel_of_frame(several(a=one, b=pd.date_range(second, periods=8, freq=first)))
    assert [series.start for series in panel] == [one[0].to_datetime64(), np.datetime64(second)]
    assert [len(series) for series in panel] == [8, 8]


def test_a_single_week_of_the_stock_exchange_beside_many() -> None:
    days = pd.date_range("2024-01-01", periods=40, freq="B")
    panel = panel_of_frame(several(a=days, b=days[:5]))
    assert (panel.frequency, len(panel["b"])) == ("B", 5)


def test_different_frequencies_name_both_series() -> None:
    frame = several(Sales=DAYS, Prices=pd.date_range("2024-01-01", periods=9, freq="W"))
    sentence = r"^The series 'Sales' has the frequency 'D' in the table, but the series 'Prices' '7D': "
    with pytest.raises(ValueError, match=sentence + "keep series of one frequency in a file"):
        panel_of_frame(frame)
    # A frequency that is named settles it, and the mend says so.
    assert [len(series) for series in panel_of_frame(frame, frequency="D")] == [40, 57]
    with pytest.raises(ValueError, match="frequency="):
        panel_of_frame(frame)


def test_times_without_a_frequency_are_refused() -> None:
    sentence = r"^The times of the series in the table follow no frequency, such as 2024-01-01 00:00:00, .*: bring "
    with pytest.raises(ValueError, match=sentence + r"them on an even grid, or name the frequency by frequency='h'"):
        read(["2024-01-01", "2024-01-02 03:04", "2024-01-05"])
    quarters = pd.date_range("2024-01-01", periods=6, freq="QS")
    for times in (
        ["2024-01-15", "2024-02-15", "2024-03-15"],
        [*DAYS[:5], pd.Timestamp("2024-01-05 06:00")],
        [*quarters, quarters[-1] + pd.DateOffset(months=1)],
    ):
        with pytest.raises(ValueError, match="follow no frequency"):
            read(times)


@pytest.mark.parametrize("frequency", ["BME", "BMS"])
def test_days_of_business_that_begin_or_end_months_are_told_by_name(frequency: str) -> None:
    with pytest.raises(ValueError, match=f"or name the frequency by frequency='{frequency}'"):
        read(pd.date_range("2021-01-01", periods=30, freq=frequency))


@pytest.mark.parametrize(
    "times", [["2024-02-15", "2024-03-15", "2024-05-15"], ["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30"]]
)
def test_days_within_months_are_written_as_the_first(times: list[str]) -> None:
    with pytest.raises(ValueError, match=f"write each month as its first day, such as {times[0][:7]}-01"):
        read(times)


def test_the_sentence_names_the_times_that_are_uneven() -> None:
    uneven = [*DAYS[:5], pd.Timestamp("2024-01-06 05:00")]
    with pytest.raises(ValueError, match="2024-01-06 05:00"):
        read(uneven)
    with pytest.raises(ValueError, match="2024-01-06 05:00"):
        read(uneven, "D")


@pytest.mark.parametrize("times, frequency", [("h", "D"), ("7D", "W"), ("14D", "MS")])
def test_times_between_the_steps_of_a_frequency_that_is_named(times: str, frequency: str) -> None:
    sentence = rf"^Some times of the series in the table lie between the steps of the frequency '{frequency}', such "
    with pytest.raises(ValueError, match=sentence + r"as .*: bring them on an even grid, or name another one by freq"):
        read(pd.date_range("2024-01-02", periods=9, freq=times), frequency)


def test_a_finer_frequency_leaves_steps_empty() -> None:
    values = read(pd.date_range("2024-01-01", periods=3, freq="h"), "30min").series[0].values[:, 0]
    np.testing.assert_array_equal(values, [0, np.nan, 1, np.nan, 2])


def test_a_time_far_away_does_not_fill_the_memory() -> None:
    with pytest.raises(ValueError, match=r"^The series in the table would have 105,190,561 steps of 'min': mend its"):
        read(["1824-01-01", "1824-01-01 00:01", "1824-01-01 00:02", "2024-01-01"])


@pytest.mark.parametrize("frequency", ["hourly", "", "M", "H", "0h", "0D", "-1D", "-1MS"])
def test_what_is_no_frequency_is_refused(frequency: str) -> None:
    sentence = re.escape(f"frequency={frequency!r}") + " is no frequency: it is written as pandas does, such as h, 15m"
    with pytest.raises(ValueError, match=f"^{sentence}"):
        check_frequency(frequency)
    with pytest.raises(ValueError, match=r"^--frequency"), flags_in_sentences():
        read(DAYS, frequency)


def test_a_frequency_is_not_for_whole_numbers() -> None:
    for frame in (table([1, 2, 3]), table([1, 2, 3])[["y"]]):
        with pytest.raises(
            ValueError, match=r"^frequency='h' is for times, and the table has whole numbers: leave it"
        ):
            panel_of_frame(frame, frequency="h")


@pytest.mark.parametrize("frequency", [*FREQUENCIES, *NAMED_ONLY])
@pytest.mark.parametrize("seed", range(3))
def test_steps_and_times_are_inverse(frequency: str, seed: int) -> None:
    start = pd.date_range("2019-12-30 00:00", periods=2, freq=frequency)[1]
    steps = np.sort(np.random.default_rng(seed).choice(200, size=50, replace=False))
    times = later_times(start.to_datetime64(), frequency, steps)
    assert times.dtype == "datetime64[ns]"
    assert steps_from(start, pd.Series(times), frequency).tolist() == steps.tolist()
    assert times.tolist() == pd.date_range(start, periods=200, freq=frequency).as_unit("ns")[steps].asi8.tolist()
    between = pd.Series([times[0] + np.timedelta64(1, "ms"), times[-1]])
    assert steps_from(start, between, frequency) is None


def test_steps_and_times_of_whole_numbers() -> None:
    assert later_times(5, None, [0, 3]).tolist() == [5, 8]
    assert steps_from(5, pd.Series([5, 8]), None).tolist() == [0, 3]
    assert later_times(np.datetime64("2024-02-28"), "D", [1, 2]).astype("M8[D]").astype(str).tolist() == [
        "2024-02-29",
        "2024-03-01",
    ]


@pytest.mark.parametrize(
    "frequency, season",
    [
        *(("500ms", 7200), ("s", 3600), ("30s", 120), ("min", 1440), ("10min", 144), ("15min", 96), ("h", 24)),
        *(("6h", 4), ("12h", 2), ("D", 7), ("B", 5), ("7D", 52), ("W", 52), ("W-MON", 52), ("MS", 12), ("ME", 12)),
        *(("QS", 4), ("QE-FEB", 4), ("YS", 1), ("YE-JUN", 1), ("2D", 1)),
        *(("2MS", 6), ("3MS", 4), ("6MS", 2), ("2W", 26), ("BME", 12), ("BMS", 12), ("BQS", 4), ("BYE", 1)),
    ],
)
def test_the_season_of_a_frequency_is_the_day_the_week_or_the_year(frequency: str, season: int) -> None:
    assert season_of_frequency(frequency) == season


@pytest.mark.parametrize("season", [4, 7, 12, 24, 48])
def test_a_season_is_found_in_spite_of_trend_noise_and_gaps(season: int) -> None:
    generator = np.random.default_rng(season)
    turn = np.arange(400) * 2 * np.pi / season
    values = (np.cos(turn) + 0.5 * np.sin(2 * turn))[:, None] * [1.0, -3.0] + np.linspace(0, 20, 400)[:, None]
    values += 0.2 * generator.normal(size=values.shape)
    values[-3:, 0] = np.nan
    assert find_season([values]) == season


@pytest.mark.parametrize("seed", range(5))
def test_noise_walks_and_lines_have_no_season(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(300, 1))
    for values in (noise, noise.cumsum(0), np.arange(300.0)[:, None], np.ones((300, 1)), noise[:3], noise[:0]):
        assert find_season([values]) == 1
    assert find_season([np.full((50, 2), np.nan)]) == find_season([]) == 1


def test_a_season_is_that_of_most_series() -> None:
    waves = [np.sin(np.arange(200) * 2 * np.pi / length)[:, None] for length in (12, 12, 24)]
    assert find_season(waves) == 12
    assert find_season([waves[0], *np.random.default_rng(0).normal(size=(3, 200, 1))]) == 1


def test_a_series_in_a_sentence() -> None:
    assert (shown_series("A"), shown_series("")) == ("the series 'A'", "the series")


def test_steps_that_are_missing_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    panel_of_frame(several(Load=["2024-01-01", "2024-01-02", "2024-01-05"]), frequency="D")
    assert "The series 'Load' of the table: 2 steps are missing." in caplog.messages
