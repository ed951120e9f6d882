"""Times that can be read in more than one way, and how it is told which of them was taken."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from hfattnlstm.data.series import Panel
from hfattnlstm.data.series_tables import panel_of_frame


def read(times: Iterable) -> Panel:
    return panel_of_frame(pd.DataFrame({"ds": times, "y": 1.0}))


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
