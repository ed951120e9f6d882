"""Tables of one form after another: what a model was trained on, and what is forecast with it later."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from hfattnlstm import Forecaster, SeriesProcessor, load_series
from hfattnlstm.data.series import SeriesColumns
from hfattnlstm.data.series_tables import panel_of_frame
from training.forecasting_helpers import gluonts_table, long_table, row_table, wide_table


def forecaster_of(table: pd.DataFrame, **columns: object) -> Forecaster:
    """What reads tables, without a model."""
    panel = panel_of_frame(table, SeriesColumns(**columns))
    forecaster = Forecaster()
    forecaster.model = object()
    forecaster.processor = SeriesProcessor.fit(panel, [len(each) for each in panel], season_length=6)
    return forecaster


def known_gluonts() -> pd.DataFrame:
    known = {"feat_dynamic_real": [[list(range(124))]] * 2, "feat_static_cat": [[0], [1]]}
    return gluonts_table().assign(**known, feat_static_real=[[0.5], [1.5]])


FORMS = {
    "long": long_table(),
    "wide": wide_table(),
    "rows": row_table(),
    "gluonts": gluonts_table(),
    "gluonts without names": gluonts_table().drop(columns="item_id"),
    "gluonts with all": known_gluonts(),
    "gluonts of channels": gluonts_table().assign(target=[[[1.0, 2, 3], [4.0, 5, 6]]] * 2),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_training_is_read_again(form: str) -> None:
    table = FORMS[form]
    expected = panel_of_frame(table)
    found = forecaster_of(table).load(table)
    assert (found.columns, found.frequency) == (expected.columns, expected.frequency)
    for one, other in zip(expected, found, strict=True):
        assert (one.name, one.start, one.static_categories) == (other.name, other.start, other.static_categories)
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("form", ["wide", "gluonts", "long"])
def test_another_form_than_that_of_the_training(form: str) -> None:
    assert len(forecaster_of(FORMS["long"]).load(FORMS[form])) in (1, 2)
    assert forecaster_of(FORMS["gluonts"]).load(FORMS["long"]).columns == SeriesColumns("unique_id", "ds", ("y",))


def test_a_shorter_table_with_a_series_a_row() -> None:
    assert [len(each) for each in forecaster_of(row_table()).load(row_table().iloc[:, :3])] == [2, 2, 2]


def test_columns_in_the_index_are_those_of_the_training() -> None:
    table = long_table(region="north", price=1.0)
    forecaster = forecaster_of(table, features=("price",), static_categories=("region",))
    found = forecaster.load(table.set_index(["unique_id", "ds"]))
    assert found.columns == forecaster.processor.series_columns


def test_a_future_is_refused_where_the_form_has_it() -> None:
    with pytest.raises(ValueError, match=r"^future= is for tables with a row a step: let feat_dynamic_real go on"):
        forecaster_of(known_gluonts()).load(known_gluonts(), future=long_table())


def test_names_that_are_numbers_in_one_table_only() -> None:
    table = long_table(("1", "2"), region="north", price=1.0)
    forecaster = forecaster_of(table, features=("price",), static_categories=("region",))
    times = pd.date_range(table["ds"].max(), periods=5, freq="h")[1:]
    future = pd.DataFrame({"unique_id": np.repeat([1, 2], 4), "ds": [*times, *times], "price": 2.0})
    found = forecaster.load(table, future=future)
    assert [len(each.features) - len(each) for each in found] == [4, 4]


def test_what_gluonts_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^known_columns= names 'price', but the table has the form of GluonTS"):
        panel_of_frame(gluonts_table(), SeriesColumns(features=("price",)))
    with pytest.raises(ValueError, match=r"^id_column='house' names no column of the table"):
        panel_of_frame(gluonts_table(), SeriesColumns(id="house"))
    table = gluonts_table().rename(columns={"item_id": "house"})
    assert [each.name for each in panel_of_frame(table, SeriesColumns(id="house"))] == ["a", "b"]


def test_data_sets_and_series_of_pandas_are_tables() -> None:
    data = datasets.Dataset.from_pandas(long_table())
    for source in (data, datasets.DatasetDict({"train": data})):
        assert load_series(source).columns == SeriesColumns("unique_id", "ds", ("y",))
    assert load_series(wide_table().set_index("date")["left"]).channels == ("left",)
    with pytest.raises(
        TypeError, match=r"^Series are read from a file, a folder, the Hub or a table, not list: make a table of"
    ):
        load_series([1.0, 2.0])


def test_a_panel_has_its_frequency() -> None:
    panel = load_series(long_table())
    assert load_series(panel, frequency="h") is panel
    with pytest.raises(ValueError, match=r"^frequency='D' is for a table: these series have 'h', leave it out\.$"):
        load_series(panel, frequency="D")


def test_the_column_that_is_named_holds_names_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("shop,ds,y\n007,2024-01-01,1\n007,2024-01-02,2\nNA,2024-01-01,3\nNA,2024-01-02,NA\n")
    assert [each.name for each in load_series(path, SeriesColumns(id="shop"))] == ["007", "NA"]
