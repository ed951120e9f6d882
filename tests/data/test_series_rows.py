"""Tables with a series a row, as the files of the M4 competition."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from data.series_helpers import rows, values_of
from hfattnlstm.data.series import SeriesColumns
from hfattnlstm.data.series_tables import panel_of_frame


def test_a_series_a_row(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    panel = panel_of_frame(rows())
    assert (panel.frequency, panel.columns) == (None, SeriesColumns("V1", None, ("y",)))
    assert values_of(panel, "H1") == [[605], [586], [586]]
    assert values_of(panel, "H2") == [[3124], [2990]]
    assert values_of(panel, "H3") == [[1], [None], [3]]
    assert {each.start for each in panel} == {1}
    assert caplog.messages == ["The table is read with a series in each row, its name in the column 'V1'."]
    assert [each.name for each in panel_of_frame(rows(), SeriesColumns(id="V1"))] == ["H1", "H2", "H3"]


@pytest.mark.parametrize("first", ["a.1.5 km", "2-1", "H1"])
def test_names_of_rows_may_hold_numbers(first: str) -> None:
    assert panel_of_frame(rows(V1=[first, "H2", "H3"])).series[0].name == first


@pytest.mark.parametrize("nothing", [None, np.nan])
def test_a_row_without_a_name_is_not_called_nan(nothing: object) -> None:
    with pytest.raises(ValueError, match=r"^Row 2 of the table has no name of a series in the column 'V1'"):
        panel_of_frame(rows(V1=["H1", nothing, "H3"]))


def test_rows_hold_no_infinite_numbers() -> None:
    with pytest.raises(ValueError, match=r"^Row 1 of the table has 'inf' in the column 'V3', which is no number"):
        panel_of_frame(rows(V3=[np.inf, 1.0, 2.0]))


def test_text_in_a_row_is_named_by_its_place() -> None:
    with pytest.raises(ValueError, match=r"^Row 2 of the table has 'x' in the column 'V3', which is no number"):
        panel_of_frame(rows(V3=["586", "x", ""]))


def test_a_row_without_values_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    panel = panel_of_frame(pd.concat([rows(), pd.DataFrame({"V1": ["H4"]})]))
    assert [each.name for each in panel] == ["H1", "H2", "H3"]
    assert caplog.messages == ["The series 'H4' of the table has no values: it is left out."]


def test_names_of_months_in_front_of_channels_are_no_series() -> None:
    frame = rows(V1=["Jan 2024", "Feb 2024", "Mar 2024"]).rename(columns={"V1": "Monat"})
    try:
        panel = panel_of_frame(frame)
    except ValueError as error:
        assert "time_column=" in str(error)
    else:
        assert (panel.frequency, len(panel)) == ("MS", 1)


def test_what_is_named_for_a_series_a_row_is_followed_or_refused() -> None:
    panel = panel_of_frame(rows().assign(name=["x", "y", "z"])[["name", *rows().columns[1:]]])
    assert [each.name for each in panel] == ["x", "y", "z"]
    with pytest.raises(ValueError, match=r"^frequency='h'"):
        panel_of_frame(rows(), frequency="h")


@pytest.mark.parametrize("named", [{"id": "V3"}, {"features": ("V2",)}, {"static_real": ("V2",)}])
def test_what_a_series_a_row_cannot_have_is_not_read_as_a_value(named: dict) -> None:
    with pytest.raises(ValueError, match=r"id_column|known_columns|static_columns|V2|V3"):
        panel_of_frame(rows(), SeriesColumns(**named))


def test_two_rows_of_one_name_and_rows_of_two_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="'H1'"):
        panel_of_frame(rows(V1=["H1", "H1", "H3"]))
    with pytest.raises(ValueError, match=r"^Row 1 of the table has 'H1' in the column 'V1', which is no number"):
        panel_of_frame(rows()[["V1", "V2", "V3"]])
