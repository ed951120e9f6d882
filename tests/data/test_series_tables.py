"""Tables as people keep them: long and wide, with a series a row, with covariates, and with what is wrong in them."""

from __future__ import annotations

import decimal
import logging
import re

import numpy as np
import pandas as pd
import pytest

from data.series_helpers import DAYS, START, long, rows, values_of, wide
from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.series import Panel, SeriesColumns
from hfattnlstm.data.series_tables import panel_of_frame


def assert_long(panel: Panel, names: tuple[str, str] = ("Aa", "Bb")) -> None:
    assert [each.name for each in panel] == list(names)
    assert [each.start for each in panel] == [START, START]
    assert panel.frequency == "D"
    assert [values_of(panel, name) for name in names] == [[[0], [1], [2], [3]], [[4], [5], [6], [7]]]
    assert all(each.values.dtype == np.float64 for each in panel)


def test_a_long_table(caplog: pytest.LogCaptureFixture) -> None:
    frame = long()
    before = frame.copy()
    panel = panel_of_frame(frame)
    assert_long(panel)
    assert panel.columns == SeriesColumns("unique_id", "ds", ("y",))
    assert (len(panel), panel.channels, panel.origin) == (2, ("y",), "the table")
    assert not caplog.messages
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("identity", ["unique_id", "item_id", "series_id", "ts_id", "Series_ID"])
@pytest.mark.parametrize("when", ["ds", "date", "datetime", "timestamp", "time", "day", "Date", "TIMESTAMP"])
@pytest.mark.parametrize("value", ["y", "target", "value", "Value"])
def test_usual_names_are_found(identity: str, when: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    panel = panel_of_frame(long().set_axis([identity, when, value], axis=1))
    assert_long(panel)
    assert panel.columns == SeriesColumns(identity, when, (value,))
    assert caplog.messages == [f"series: {identity}  times: {when}  values: {value}"]


def test_other_names_are_named() -> None:
    frame = long().set_axis(["shop", "when", "sold"], axis=1).assign(y=0.0)
    assert_long(panel_of_frame(frame, SeriesColumns("shop", "when", ("sold",))))
    panel = panel_of_frame(frame, SeriesColumns("shop", "when", ("sold", "y")))
    assert values_of(panel, "Bb") == [[4, 0], [5, 0], [6, 0], [7, 0]]
    # Times are found by what they hold, too.
    assert_long(panel_of_frame(frame, SeriesColumns("shop", targets=("sold",))))


@pytest.mark.parametrize(
    "named, kind",
    [
        (SeriesColumns(id="unique"), "id_column"),
        (SeriesColumns(time="dss"), "time_column"),
        (SeriesColumns(targets=("y", "z")), "target_columns"),
        (SeriesColumns(features=("price",)), "known_columns"),
        (SeriesColumns(static_categories=("kind",)), "static_columns"),
        (SeriesColumns(static_real=("size",)), "static_columns"),
    ],
)
def test_a_name_of_no_column_is_refused_with_those_that_there_are(named: SeriesColumns, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^{kind}='.*' names no column of sales.csv: (it has|did you mean) '"):
        panel_of_frame(long(), named, origin="sales.csv")
    with pytest.raises(ValueError, match=rf"^--{kind} "), flags_in_sentences():
        panel_of_frame(long(), named, origin="sales.csv")


def test_a_name_that_is_spelt_almost_right() -> None:
    with pytest.raises(ValueError, match=r"^known_columns='prize' names no column of the table: did you mean 'price'"):
        panel_of_frame(long(price=1.0), SeriesColumns(features=("prize",)))
    with pytest.raises(ValueError, match=r"^target_columns='z' names .*: it has 'unique_id', 'ds', 'y'\.$"):
        panel_of_frame(long(), SeriesColumns(targets=("z",)))


def test_a_column_is_not_for_two_purposes() -> None:
    sentence = r"^The column 'y' is named for two purposes: leave it out of one\.$"
    with pytest.raises(ValueError, match=sentence):
        panel_of_frame(long(), SeriesColumns(targets=("y",), features=("y",)))
    with pytest.raises(ValueError, match=sentence):
        panel_of_frame(long(), SeriesColumns(targets=("y", "y")))


def test_columns_that_are_not_read_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with flags_in_sentences():
        assert_long(panel_of_frame(long(price=1.0, note="x")))
    assert caplog.messages == [
        "The table has further columns, which are not read: 'price', 'note'; --known_columns names what is known in "
        "advance of every step."
    ]


def test_a_wide_table_has_a_channel_a_column(caplog: pytest.LogCaptureFixture) -> None:
    panel = panel_of_frame(wide(load=[1, 2, 3, 4], price=[0.5, None, 1.5, None]))
    assert panel.columns == SeriesColumns(None, "ds", ("load", "price"))
    assert values_of(panel) == [[1, 0.5], [2, None], [3, 1.5], [4, None]]
    assert panel_of_frame(wide(**{"0": DAYS.day})).channels == ("0",)
    assert panel_of_frame(pd.DataFrame({"ds": DAYS, 0: 1.0, 1: 2.0})).channels == ("0", "1")
    assert panel_of_frame(pd.DataFrame({"begin": DAYS, "load": 1.0})).columns.time == "begin"
    assert not caplog.messages


def test_rows_without_times_are_steps(caplog: pytest.LogCaptureFixture) -> None:
    panel = panel_of_frame(long()[["unique_id", "y"]].sample(frac=1, random_state=1).sort_values("y"))
    assert (panel.frequency, panel.columns.time, panel["Bb"].start) == (None, None, 0)
    assert values_of(panel, "Bb") == [[4], [5], [6], [7]]
    assert "The table has no column with times: its rows are taken for steps in their order." in caplog.messages


INDEXES = {
    "named as times": DAYS.rename("ds"),
    "named": DAYS.rename("when"),
    "without a name": DAYS,
    "periods": pd.period_range("2024-01-01", periods=4, freq="D", name="ds"),
    "periods by another name": pd.period_range("2024-01-01", periods=4, freq="D", name="when"),
    "periods without a name": pd.period_range("2024-01-01", periods=4, freq="D"),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_times_in_the_index(kind: str) -> None:
    panel = panel_of_frame(pd.DataFrame({"load": [1.0, 2, 3, 4], "price": 1.0}, index=INDEXES[kind]))
    assert (panel.frequency, panel.series[0].start, panel.channels) == ("D", START, ("load", "price"))


def test_names_and_times_in_the_index() -> None:
    assert_long(panel_of_frame(long().set_index("unique_id")))
    assert_long(panel_of_frame(long().set_index(["unique_id", "ds"])))


def test_an_index_that_is_a_column_too() -> None:
    assert_long(panel_of_frame(long().set_index("ds", drop=False)))


def test_the_index_of_a_part_of_a_table_says_nothing() -> None:
    panel = panel_of_frame(long().query("unique_id == 'Bb'"))
    assert values_of(panel, "Bb") == [[4], [5], [6], [7]]


def test_columns_with_names_of_two_levels_are_refused_in_a_sentence() -> None:
    columns = pd.MultiIndex.from_tuples([("Close", "A"), ("Close", "B")])
    with pytest.raises(ValueError, match="column"):
        panel_of_frame(pd.DataFrame(1.0, index=DAYS, columns=columns))


def test_a_column_that_is_there_twice_is_refused() -> None:
    frame = pd.DataFrame([[DAYS[0], 1, 2]], columns=["ds", "y", "y"])
    with pytest.raises(ValueError, match=r"^The table has the column 'y' twice: rename one of them\.$"):
        panel_of_frame(frame)
    with pytest.raises(ValueError, match=r"^The table has the column '1' twice"):
        panel_of_frame(pd.DataFrame([[1, 2]], columns=[1, "1"]))


NUMBERS = {
    "floats": pd.Series([1.5, np.nan, 3, 4]),
    "text": ["1.5", "", "3", " 4 "],
    "words for nothing": ["1.5", "n/a", "3e0", "4"],
    "none": pd.Series([1.5, None, 3, 4], dtype=object),
    "nullable": pd.array([1.5, None, 3, 4], dtype="Float32"),
    "arrow": pd.array([1.5, None, 3, 4], dtype="double[pyarrow]"),
    "decimals": [decimal.Decimal("1.5"), None, decimal.Decimal(3), decimal.Decimal(4)],
    "categories": pd.Categorical([1.5, None, 3, 4]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_are_read_whatever_holds_them(kind: str) -> None:
    assert values_of(panel_of_frame(wide(y=NUMBERS[kind]))) == [[1.5], [None], [3], [4]]


@pytest.mark.parametrize("kind", [bool, "boolean", "bool[pyarrow]", object])
def test_truth_is_a_number(kind: object) -> None:
    assert values_of(panel_of_frame(wide(y=pd.Series([True, False, True, True], dtype=kind)))) == [[1], [0], [1], [1]]
    if kind is not bool:
        values = pd.Series([True, None, False, True], dtype=kind)
        assert values_of(panel_of_frame(wide(y=values))) == [[1], [None], [0], [1]]


@pytest.mark.parametrize("bad", ["?", "1,5", "1_000", "0x10", "-", "inf", "-Infinity", "True", "2024-01-01"])
def test_text_in_a_column_of_numbers_names_its_row(bad: str) -> None:
    sentence = re.escape(
        f"Row 3 of the table has {bad!r} in the column 'y', which is no number: mend it, leave it empty if it is "
        "missing, or name the columns with values by "
    )
    with pytest.raises(ValueError, match=f"^{sentence}target_columns="):
        panel_of_frame(wide(y=["1", "", bad, "4"]))
    with pytest.raises(ValueError, match=f"^{sentence}--target_columns"), flags_in_sentences():
        panel_of_frame(wide(y=["1", "", bad, "4"]))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e39, -1e300, [1.0]])
def test_numbers_that_no_model_can_read_name_their_row(bad: object) -> None:
    with pytest.raises(ValueError, match=r"^Row 3 of the table has '.*' in the column 'y', which is no number"):
        panel_of_frame(wide(y=pd.Series([1.0, 2.0, bad, 4.0])))


@pytest.mark.parametrize("column", [DAYS + pd.Timedelta("1h"), DAYS - DAYS[0]])
def test_times_are_no_numbers(column: pd.Index) -> None:
    with pytest.raises(ValueError, match=r"^Row 1 of the table has '.*' in the column 'end', which is no number"):
        panel_of_frame(wide(end=column, load=1.0))


def test_tables_without_rows_columns_or_values() -> None:
    with pytest.raises(ValueError, match=r"^The table has no rows\.$"):
        panel_of_frame(pd.DataFrame({"ds": [], "y": []}))
    for frame in (wide(), pd.DataFrame(index=range(3))):
        with pytest.raises(ValueError, match=r"^The table has no column with values: name it by target_columns=\.$"):
            panel_of_frame(frame)
    with pytest.raises(ValueError, match=r"^The table has no values: name the columns by target_columns=\.$"):
        panel_of_frame(wide(y=np.nan))


def test_a_file_is_named_as_it_is_called() -> None:
    with pytest.raises(ValueError, match=r"^sales\.csv has no rows"):
        panel_of_frame(pd.DataFrame({"ds": [], "y": []}), origin="sales.csv")


def test_missing_values_at_the_beginning_stay_and_at_the_end_go(caplog: pytest.LogCaptureFixture) -> None:
    panel = panel_of_frame(long(y=[np.nan, 1, np.nan, np.nan, np.nan, np.nan, 5, 6]))
    assert values_of(panel, "Aa") == [[None], [1]]
    assert values_of(panel, "Bb") == [[None], [None], [5], [6]]
    assert not caplog.messages
    panel = panel_of_frame(wide(a=[1, np.nan, np.nan, np.nan], b=[np.nan, np.nan, 3, np.nan]))
    assert values_of(panel) == [[1, None], [None, None], [None, 3]]


def test_a_series_without_values_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    panel = panel_of_frame(long(y=[0.0, 1, 2, 3, *[np.nan] * 4]))
    assert [each.name for each in panel] == ["Aa"]
    assert caplog.messages == ["The series 'Bb' of the table has no values: it is left out."]


def test_a_row_without_a_name_is_refused() -> None:
    sentence = r"^Row 6 of the table has no name of a series in the column 'unique_id': mend it\.$"
    for nothing in (None, np.nan, pd.NA):
        frame = long()
        frame["unique_id"] = frame["unique_id"].astype(object)
        frame.loc[5, "unique_id"] = nothing
        with pytest.raises(ValueError, match=sentence):
            panel_of_frame(frame)


@pytest.mark.parametrize("kind", ["category", "string", "string[pyarrow]", object])
def test_names_of_every_kind(kind: object) -> None:
    assert_long(panel_of_frame(long().astype({"unique_id": kind})))


def test_numbers_as_names() -> None:
    assert_long(panel_of_frame(long().assign(unique_id=[1] * 4 + [2] * 4)), ("1", "2"))


def test_rows_in_any_order(caplog: pytest.LogCaptureFixture) -> None:
    assert_long(panel_of_frame(long().sort_values("ds", kind="stable")))
    assert not caplog.messages
    shuffled = long().iloc[[3, 6, 0, 7, 1, 4, 2, 5]]
    assert_long(panel_of_frame(shuffled))
    assert caplog.messages == ["The times of the table are not in order: they are sorted."]
    # Series stand as they come first.
    assert [each.name for each in panel_of_frame(shuffled[::-1])] == ["Bb", "Aa"]


def test_large_values_keep_what_changes() -> None:
    """As the readings of a meter, of which float32 keeps seven digits."""
    values = 1e12 + 0.25 * np.arange(99.0)
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=99, freq="h"), "y": values, "price": values})
    series = panel_of_frame(frame, SeriesColumns(features=("price",))).series[0]
    assert (series.values[:, 0] == values).all() and (series.features[:, 0] == values).all()


def test_equal_rows_are_read_once(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.concat([long(), long()[2:4]])
    assert_long(panel_of_frame(frame))
    assert caplog.messages == ["The table has 2 rows twice: each is read once."]
    nothing = long(y=np.nan)
    nothing.loc[[0, 4], "y"] = 1.0
    assert [len(each) for each in panel_of_frame(pd.concat([nothing, nothing]))] == [1, 1]


@pytest.mark.parametrize("other", [9.0, np.nan])
def test_rows_that_contradict_each_other_are_refused(other: float) -> None:
    sentence = (
        r"^The table has 2024-01-03 00:00:00 twice in the series 'Aa', with different values: keep one of the rows, "
        r"or write all that tells series apart into the column 'unique_id'\.$"
    )
    frame = pd.concat([long(), long(y=other)[2:4]])
    with pytest.raises(ValueError, match=sentence):
        panel_of_frame(frame)
    frame = long().drop(columns="unique_id")
    sentence = r"^The table has 2024-01-01 00:00:00 twice in the series, with .* or name the column with the names of "
    with pytest.raises(ValueError, match=sentence + r"series by id_column=\.$"):
        panel_of_frame(frame)
    with pytest.raises(ValueError, match=sentence + r"series by --id_column\.$"), flags_in_sentences():
        panel_of_frame(frame)


def test_a_column_of_names_that_is_not_found_is_asked_for() -> None:
    frame = long().rename(columns={"unique_id": "shop"})
    assert_long(panel_of_frame(frame, SeriesColumns(id="shop")))
    with pytest.raises(ValueError, match=r"'shop'.*id_column="):
        panel_of_frame(frame)


def test_columns_that_do_not_change_are_read() -> None:
    assert values_of(panel_of_frame(wide(y=5))) == [[5]] * 4


def test_what_is_known_of_every_step() -> None:
    frame = long(price=np.arange(8.0) / 2, open=[True, False] * 4)
    frame.loc[[2, 3, 7], "y"] = np.nan
    panel = panel_of_frame(frame, SeriesColumns(features=("price", "open")))
    assert [len(each) for each in panel] == [2, 3]
    # Beyond the last value, too.
    assert panel["Aa"].features.tolist() == [[0, 1], [0.5, 0], [1, 1], [1.5, 0]]
    assert panel["Bb"].features.shape == (4, 2)
    assert panel["Bb"].features.dtype == np.float64
    until = panel.until([1, 2])
    assert [len(each) for each in until] == [1, 2]
    assert until["Bb"].features.shape == (4, 2)
    assert len(panel["Bb"]) == 3


def test_what_is_known_stays_beside_its_time_when_rows_are_sorted() -> None:
    frame = long(price=np.arange(8.0) * 10).sample(frac=1, random_state=3)
    panel = panel_of_frame(frame, SeriesColumns(features=("price",)))
    for each in panel:
        assert (each.features == each.values * 10).all()


def test_gaps_in_what_is_known_are_refused() -> None:
    frame = long(price=np.arange(8.0))
    sentence = (
        r"^Step 2, 2024-01-02 00:00:00, of the series 'Bb' in the table has nothing in 'price', which known_columns= "
        r"says is known of every step: fill it in\.$"
    )
    known = SeriesColumns(features=("price",))
    with pytest.raises(ValueError, match=sentence):
        panel_of_frame(frame.drop(index=5), known)
    frame.loc[5, "price"] = np.nan
    with pytest.raises(ValueError, match=sentence):
        panel_of_frame(frame, known)
    with pytest.raises(ValueError, match=r"^Row 1 of the table has 'x' in the column 'price', which is no number"):
        panel_of_frame(long(price="x"), known)


def test_what_is_known_of_a_series(caplog: pytest.LogCaptureFixture) -> None:
    frame = long(size=[1] * 4 + [2] * 4, kind=["shop"] * 4 + ["web"] * 4, is_open=[True] * 4 + [False] * 4, area=0.5)
    named = SeriesColumns(static_real=("area",), static_categories=("size", "kind", "is_open"))
    panel = panel_of_frame(frame, named)
    assert panel.columns.static_real == ("area", "size", "is_open")
    assert panel.columns.static_categories == ("kind",)
    assert [each.static_real.tolist() for each in panel] == [[0.5, 1, 1], [0.5, 2, 0]]
    assert [each.static_categories for each in panel] == [("shop",), ("web",)]
    assert_long(panel)
    assert not caplog.messages
    single = panel_of_frame(frame[:4].drop(columns="unique_id"), named)
    assert (single.series[0].name, single.series[0].static_categories) == ("", ("shop",))


@pytest.mark.parametrize("values", [list("xxxyzzzz"), [1, 1, 1, 2, 3, 3, 3, 3], ["x", "x", "x", None] + ["y"] * 4])
def test_what_is_known_of_a_series_does_not_change(values: list) -> None:
    sentence = r"^The column 'kind' of the table changes within the series 'Aa': what is known of every step is named "
    with pytest.raises(ValueError, match=sentence + r"by known_columns=\.$"):
        panel_of_frame(long(kind=values), SeriesColumns(static_categories=("kind",)))


def test_a_series_of_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^The series 'Bb' of the table lacks one of 'size': fill it in\.$"):
        panel_of_frame(long(size=[1.0] * 4 + [np.nan] * 4), SeriesColumns(static_categories=("size",)))
    with pytest.raises(ValueError, match=r"^Row 1 of the table has 'x' in the column 'size', which is no number"):
        panel_of_frame(long(size="x"), SeriesColumns(static_real=("size",)))


def test_nothing_is_no_name_of_a_category() -> None:
    with pytest.raises(ValueError, match=r"^The series 'Bb' of the table lacks one of 'kind'"):
        panel_of_frame(long(kind=["x"] * 4 + [None] * 4), SeriesColumns(static_categories=("kind",)))


@pytest.mark.parametrize("frame", [long(), wide(a=1.0, b=2.0), rows()])
def test_the_columns_that_were_found_are_read_again(frame: pd.DataFrame) -> None:
    panel = panel_of_frame(frame)
    again = panel_of_frame(frame, panel.columns, panel.frequency)
    assert again.columns == panel.columns
    for one, other in zip(panel, again, strict=True):
        assert (one.name, one.start) == (other.name, other.start)
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("frequency", ["h", "B", "MS"])
def test_thousands_of_series(frequency: str) -> None:
    times = pd.date_range("2000-01-01", periods=100, freq=frequency)
    names = [f"series {number}" for number in range(2_000)]
    values = np.random.default_rng(0).normal(size=200_000)
    frame = pd.DataFrame({"unique_id": np.repeat(names, 100), "ds": np.tile(times, 2_000), "y": values})
    panel = panel_of_frame(frame)
    assert (len(panel), panel.frequency) == (2_000, frequency)
    np.testing.assert_array_equal(panel["series 1999"].values[:, 0], values[-100:])


def test_many_channels() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(4_000, 200)))
    frame.insert(0, "date", pd.date_range("2020-01-01", periods=4_000, freq="h"))
    assert panel_of_frame(frame).series[0].values.shape == (4_000, 200)


@pytest.mark.parametrize("identity", [None, "unique_id"])
def test_which_series_it_is_may_be_known_to_the_model(identity: str | None) -> None:
    columns = SeriesColumns(id=identity, static_categories=("unique_id",))
    panel = panel_of_frame(long(), columns)
    assert panel.columns.id == "unique_id" and panel.columns.static_categories == ("unique_id",)
    assert [each.static_categories for each in panel] == [("Aa",), ("Bb",)]
    # Numbers are names here, too.
    numbers = long()
    numbers["unique_id"] = numbers["unique_id"].map({"Aa": 7, "Bb": 8})
    assert [each.static_categories for each in panel_of_frame(numbers, columns)] == [("7",), ("8",)]


@pytest.mark.parametrize(("values", "told"), [([1, 2], True), ([1.5, 2.0], False), (["1a", "2a"], False)], ids=str)
def test_numbers_that_may_be_names_are_told(values: list, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    frame = long()
    frame["store"] = frame["unique_id"].map(dict(zip(["Aa", "Bb"], values)))
    with caplog.at_level("INFO"):
        panel_of_frame(frame, SeriesColumns(static_categories=("store",)))
    assert (
        any("'store' of the table: whole numbers, which are read as such" in line for line in caplog.messages) == told
    )
