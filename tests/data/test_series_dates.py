"""Times and days as people write them, and how it is told which of two readings was taken."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from data.series_helpers import assert_even, read, several
from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.series_tables import panel_of_frame


DAYS = pd.date_range("2024-01-01", periods=40, freq="D")
MONTHS = pd.date_range("2023-01-01", periods=14, freq="MS")


DAY_FORMATS = [
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M"),
    *("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p"),
    *("%d %b %Y", "%b %d, %Y", "%B %d %Y", "%d-%b-%Y", "%a, %d %b %Y", "%m/%d/%y"),
]


@pytest.mark.parametrize("form", DAY_FORMATS)
def test_days_are_read_however_they_are_written(form: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_even(read(DAYS.strftime(form)), "2024-01-01", "D", 40)
    assert not caplog.messages


@pytest.mark.parametrize("form", ["%d.%m.%y", "%d/%m/%y", "%d.%m.%y %H:%M"])
def test_the_day_stands_first_for_years_of_two_digits_too(form: str) -> None:
    assert_even(read(DAYS.strftime(form)), "2024-01-01", "D", 40)


def test_a_time_of_day_in_front_is_no_time_zone(caplog: pytest.LogCaptureFixture) -> None:
    assert_even(read(DAYS.strftime("%H:%M %d-%m-%Y")), "2024-01-01", "D", 40)
    assert not caplog.messages


HOLDERS = {
    "times": DAYS,
    "times of seconds": DAYS.as_unit("s"),
    "times of nanoseconds": DAYS.as_unit("ns"),
    "objects": pd.Series(list(DAYS), dtype=object),
    "dates": [each.date() for each in DAYS],
    "python times": pd.Series([datetime.datetime(2024, 1, 1) + datetime.timedelta(days=day) for day in range(40)]),
    "periods": pd.period_range("2024-01-01", periods=40, freq="D"),
    "objects of periods": pd.Series(list(pd.period_range("2024-01-01", periods=40, freq="D")), dtype=object),
    "numbers": DAYS.strftime("%Y%m%d").astype(int),
    "nullable numbers": pd.Series(DAYS.strftime("%Y%m%d").astype(int)).astype("Int64"),
    "categories": pd.Series(DAYS.strftime("%Y-%m-%d")).astype("category"),
    "arrow strings": pd.Series(DAYS.strftime("%Y-%m-%d")).astype("string[pyarrow]"),
    "arrow times": pd.Series(DAYS).astype("timestamp[us][pyarrow]"),
    "arrow dates": pd.Series([each.date() for each in DAYS]).astype("date32[pyarrow]"),
    "floats": DAYS.strftime("%Y%m%d").astype(float),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_days_are_read_whatever_holds_them(holder: str) -> None:
    assert_even(read(HOLDERS[holder]), "2024-01-01", "D", 40)


@pytest.mark.parametrize("form", ["%Y-%m", "%b %Y", "%B %Y", "%m/%Y", "%Y/%m", "%Y%m"])
def test_months_are_read_as_their_first_days(form: str) -> None:
    assert_even(read(MONTHS.strftime(form)), "2023-01-01", "MS", 14)


@pytest.mark.parametrize("form", ["%b-%y", "%m/%y", "%b", "%B", "%YM%m"])
def test_months_that_are_not_understood_are_refused_in_a_sentence(form: str) -> None:
    with pytest.raises(ValueError, match=r"^Row 1 of the table has '.*' in the column 'ds', which should hold times"):
        read(MONTHS.strftime(form))


@pytest.mark.parametrize("frequency", ["M", "Q"])
@pytest.mark.parametrize("kind", [None, object])
def test_periods_begin_with_their_first_day(frequency: str, kind: type | None) -> None:
    periods = pd.period_range("2023-01", periods=9, freq=frequency)
    times = pd.Series(list(periods), dtype=kind or periods.dtype)
    assert_even(read(times), "2023-01-01", {"M": "MS", "Q": "QS-JAN"}[frequency], 9)


@pytest.mark.parametrize("as_text", [False, True])
def test_periods_of_weeks_begin_with_their_first_day(as_text: bool) -> None:
    weeks = pd.period_range("2024-01-01", periods=5, freq="W")
    assert_even(read(weeks.astype(str) if as_text else weeks), "2024-01-01", "7D", 5)


@pytest.mark.parametrize("text", ["2023Q1 2023Q2 2023Q3 2023Q4", "2023-Q1 2023-Q2 2023-Q3 2023-Q4"])
def test_quarters_as_text(text: str) -> None:
    assert_even(read(text.split()), "2023-01-01", "QS-JAN", 4)


ZONED = {
    "Z": DAYS.strftime("%Y-%m-%dT%H:%MZ"),
    "+00:00": DAYS.strftime("%Y-%m-%d %H:%M:%S+00:00"),
    "+0000": DAYS.strftime("%Y-%m-%d %H:%M+0000"),
    "+00": DAYS.strftime("%Y-%m-%d %H:%M:%S+00"),
    "UTC": DAYS.strftime("%Y-%m-%d %H:%M UTC"),
    "times": DAYS.tz_localize("UTC"),
}


@pytest.mark.parametrize("kind", ZONED)
def test_times_with_a_zone_are_those_of_utc(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_even(read(ZONED[kind]), "2024-01-01", "D", 40)
    assert caplog.messages == ["The times of column 'ds' have a time zone: they are read as those of UTC."]


@pytest.mark.parametrize("zones", [("+01:00", "+02:00"), ("+0100", "+0200"), ("+01", "+02")])
def test_an_hour_that_summer_time_leaves_out_is_no_gap(zones: tuple[str, str]) -> None:
    winter, summer = zones
    hours = [f"2024-03-31 00:00{winter}", f"2024-03-31 01:00{winter}", f"2024-03-31 03:00{summer}"]
    assert_even(read(hours), "2024-03-30T23:00", "h", 3)
    local = pd.date_range("2024-03-31", periods=14, freq="h", tz="Europe/Berlin")
    assert_even(read(local), "2024-03-30T23:00", "h", 14)


@pytest.mark.parametrize("frequency", ["D", "MS"])
def test_local_days_and_months_over_the_change_of_the_clock_are_read_or_refused_for_it(frequency: str) -> None:
    local = pd.date_range("2024-01-01", periods=120, freq=frequency, tz="Europe/Berlin")
    try:
        panel = read(local)
    except ValueError as error:
        assert "time zone" in str(error)
    else:
        assert panel.frequency == frequency
        assert len(panel.series[0]) == 120


def test_local_hours_without_a_zone() -> None:
    spring = [time for time in pd.date_range("2024-03-31", periods=6, freq="h") if time.hour != 2]
    values = read(spring).series[0].values[:, 0]
    np.testing.assert_array_equal(values, [0, 1, np.nan, 2, 3, 4])
    autumn = ["2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"]
    sentence = r"^The table has 2024-10-27 02:00:00 twice in the series, with different values: keep one of the rows"
    with pytest.raises(
        ValueError, match=sentence + r".* write times with their offset, such as 2024-10-27 02:00\+01:00"
    ):
        read(autumn)
    for other in (
        ["2024-10-27 12:00", "2024-10-27 12:00", "2024-10-27 13:00"],
        [*autumn, *autumn[1:3], "2024-11-03 02:00"] * 2,
    ):
        with pytest.raises(ValueError, match=r"id_column=\.$"):
            read(other)


def test_times_with_and_without_a_zone_do_not_go_together() -> None:
    sentence = r"^Column 'ds' of the table has times with a time zone and times without, such as '2024-01-02 00:00': "
    with pytest.raises(ValueError, match=sentence + "write all of them in one way"):
        read(["2024-01-01 00:00+01:00", "2024-01-02 00:00"])


@pytest.mark.parametrize("form, order", [("%d/%m/%Y", "day, month"), ("%m/%d/%Y", "month, day")])
def test_of_day_and_month_the_order_is_taken_that_is_even(
    form: str, order: str, caplog: pytest.LogCaptureFixture
) -> None:
    times = pd.date_range("2024-03-01", periods=12, freq="D").strftime(form)
    panel = panel_of_frame(several(a=times, b=times))
    assert_even(panel, "2024-03-01", "D", 12)
    assert caplog.messages == [f"The times of column 'ds', such as {times[0]!r}, are read as {order}, year."]
    # Where both orders are even, the month stands first.
    assert_even(read(f"04/03/2024 0{hour}:00" for hour in range(9)), "2024-04-03", "h", 9)


@pytest.mark.parametrize("count", [8, 12, 24, 36])
@pytest.mark.parametrize("frequency, found", [("MS", "MS"), ("QS", "QS-JAN")])
def test_first_days_of_months_are_not_taken_for_days_of_january(count: int, frequency: str, found: str) -> None:
    times = pd.date_range("2020-01-01", periods=count, freq=frequency)
    assert_even(read(times.strftime("%d/%m/%Y")), "2020-01-01", found, count)


def test_day_and_month_in_both_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="'ds'"):
        read(["30/12/2023", "31/12/2023", "01/13/2024", "01/14/2024"])


@pytest.mark.parametrize(
    "times, start",
    [([0, 1, 2], 0), ([-2, -1, 0], -2), ([1990, 1991, 1992], 1990), (["5", "6", "7"], 5), ([1.0, 2.0, 3.0], 1)],
)
def test_whole_numbers_are_steps(times: list, start: int) -> None:
    panel = read(times)
    assert panel.frequency is None
    assert panel.series[0].start == start
    assert panel.series[0].values[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "Int64", "int64[pyarrow]"])
def test_whole_numbers_of_every_kind_have_gaps(dtype: str) -> None:
    values = read(pd.array([1, 2, 5], dtype=dtype)).series[0].values[:, 0]
    np.testing.assert_array_equal(values, [0, 1, np.nan, np.nan, 2])


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_seconds_since_1970_are_read_as_times_or_refused_with_a_mend_that_can_be_followed(unit: str) -> None:
    hours = pd.date_range("2024-01-01", periods=48, freq="h").as_unit(unit).asi8
    try:
        panel = read(hours)
    except ValueError as error:
        # This mend is refused, too: a frequency is not for whole numbers.
        assert "by frequency=" not in str(error)
    else:
        assert_even(panel, "2024-01-01", "h", 48)


BAD_TIMES = {
    "nothing": ["2024-01-01", None, "2024-01-03"],
    "'tomorrow week'": ["2024-01-01", "tomorrow week", "2024-01-03"],
    "'2024-02-30'": ["2024-02-29", "2024-02-30", "2024-03-01"],
    "'2024-01-01 24:00'": ["2024-01-01 23:00", "2024-01-01 24:00", "2024-01-02 01:00"],
    "'1.5'": [1.0, 1.5, 2.0],
    "'inf'": [1.0, np.inf, 2.0],
    "'3000-01-01'": ["2024-01-01", "3000-01-01", "2024-01-03"],
    "'0001-01-01'": ["2024-01-01", "0001-01-01", "2024-01-03"],
}


@pytest.mark.parametrize("shown", BAD_TIMES)
def test_what_is_no_time_names_row_and_column(shown: str) -> None:
    sentence = re.escape(
        f"Row 2 of the table has {shown} in the column 'ds', which should hold times or whole numbers: mend it, or "
        "name the column of the times by "
    )
    with pytest.raises(ValueError, match=f"^{sentence}time_column="):
        read(BAD_TIMES[shown])
    with pytest.raises(ValueError, match=f"^{sentence}--time_column"), flags_in_sentences():
        read(BAD_TIMES[shown])


@pytest.mark.parametrize(
    "times", [[True, False], pd.to_timedelta([0, 1], unit="h"), ["00:00", "01:00"], ["Mon", "Tue"], [1.5, 2.5]]
)
def test_columns_without_times_are_refused_in_their_first_row(times: Iterable) -> None:
    with pytest.raises(ValueError, match=r"^Row 1 of the table has '.*' in the column 'ds', which should hold times"):
        read(times)


@pytest.mark.parametrize("unit, word", [("s", "seconds"), ("ms", "milliseconds"), ("us", "microseconds")])
@pytest.mark.parametrize("kind", [int, float, str])
def test_numbers_since_1970_are_told(unit: str, word: str, kind: type, caplog: pytest.LogCaptureFixture) -> None:
    numbers = pd.date_range("2024-01-01", periods=4, freq="h").as_unit(unit).asi8
    panel = read([kind(number) for number in numbers.tolist()])
    assert (panel.frequency, panel.series[0].start) == ("h", np.datetime64("2024-01-01"))
    assert caplog.messages == [f"The times of column 'ds', such as {numbers[0]}, are read as {word} since 1970."]


def test_numbers_that_are_months_are_told(caplog: pytest.LogCaptureFixture) -> None:
    assert read([202311, 202312, 202401]).frequency == "MS"
    assert caplog.messages == ["The times of column 'ds', such as 202311, are read as years and months."]
    # The thirteenth month of a year is none.
    assert read([200011, 200012, 200013]).frequency is None


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Etc/GMT-1"])
def test_days_of_a_zone_stay_days(zone: str, as_text: bool, caplog: pytest.LogCaptureFixture) -> None:
    days = pd.Series(pd.date_range("2024-03-01", periods=60, freq="D", tz=zone))
    panel = read(days.astype(str) if as_text else days)
    assert (panel.frequency, panel.series[0].start, len(panel.series[0])) == ("D", np.datetime64("2024-03-01"), 60)
    assert caplog.messages == ["The times of column 'ds' are days of a time zone: they are read as days, without it."]


@pytest.mark.parametrize("times", [["2024-01-01", "01/02/2024"], ["31/01/2024", "02/13/2024"]])
def test_two_ways_of_writing_are_refused(times: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^Column 'ds' of the table has times written in two ways, '") as caught:
        read(times)
    assert all(repr(time) in str(caught.value) for time in times)


def test_a_word_among_dates_is_named_by_its_row() -> None:
    with pytest.raises(ValueError, match=r"^Row 2 of the table has 'soon' in the column 'ds'"):
        read(["31.01.2024", "soon", "02.02.2024"])


@pytest.mark.parametrize(
    "index", [["2024-01-01", "2024-01-02", "2024-01-03"], ["01.01.2024", "02.01.2024", "03.01.2024"]]
)
def test_text_of_dates_in_an_index_without_a_name(index: list[str]) -> None:
    assert panel_of_frame(pd.DataFrame({"a": [1.0, 2, 3]}, index=index)).columns.time == "ds"


def test_a_series_with_gaps_has_the_finer_frequency_of_another() -> None:
    days = pd.date_range("2024-01-01", periods=9, freq="D")
    parts = [
        pd.DataFrame({"unique_id": name, "ds": times, "y": 1.0}) for name, times in (("a", days), ("b", days[::2]))
    ]
    panel = panel_of_frame(pd.concat(parts))
    assert (panel.frequency, [len(series) for series in panel]) == ("D", [9, 9])
