"""Windows of series: what lies before a step, and what comes from it on, and nothing of one in the other."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hfattnlstm.data.series import Panel, Series, SeriesColumns
from hfattnlstm.data.series_processor import SeriesInputs, SeriesProcessor
from hfattnlstm.data.series_windows import SeriesWindows, collate_windows, window_at


CONTEXT, HORIZON = 12, 5
LENGTHS = (30, 9, 1, 20)


def inputs(length: int, seed: int = 0, known: bool = False, beyond: int = 0) -> SeriesInputs:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(length, 2)).astype(np.float32)
    values[generator.random((length, 2)) < 0.1] = np.nan
    features = generator.normal(size=(length + beyond, 3)).astype(np.float32) if known else None
    static = (generator.normal(size=1).astype(np.float32), np.array([seed])) if known else (None, None)
    return SeriesInputs(values, features, *static, np.zeros(2, np.float32), np.ones(2, np.float32))


def windows_of(first: list[int], last: list[int], known: bool = False) -> SeriesWindows:
    parts = [inputs(length, seed, known) for seed, length in enumerate(LENGTHS[: len(first)])]
    names = [f"S{number}" for number in range(len(parts))]
    return SeriesWindows(parts, names, first, last, context_length=CONTEXT, prediction_length=HORIZON)


def rows_between(values: np.ndarray, begin: int, end: int, filling: float) -> np.ndarray:
    """Row by row, as slow as it is plain."""
    rows = [
        values[step] if 0 <= step < len(values) else np.full(values.shape[1], filling) for step in range(begin, end)
    ]
    return np.array(rows, np.float32)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("beyond", [0, 3, HORIZON, 40])
def test_a_window_holds_what_lies_around_its_step(length: int, beyond: int) -> None:
    series = inputs(length, 3, True, beyond)
    for step in range(length + CONTEXT + HORIZON + 2):
        window = window_at(series, step, CONTEXT, HORIZON)
        for name, values, filling in (("values", series.values, np.nan), ("time_features", series.features, 0.0)):
            past = rows_between(values, step - CONTEXT, step, filling)
            future = rows_between(values, step, step + HORIZON, filling)
            np.testing.assert_array_equal(window[f"past_{name}"], past, strict=True)
            np.testing.assert_array_equal(window[f"future_{name}"], future, strict=True)
        assert window["static_real_features"] is series.static_real
        assert window["static_categorical_features"] is series.static_categories


def test_what_is_not_known_is_not_there() -> None:
    assert set(window_at(inputs(30), 20, CONTEXT, HORIZON)) == {"past_values", "future_values"}


@pytest.mark.parametrize("known", [False, True])
def test_no_value_from_the_step_on_reaches_the_past(known: bool) -> None:
    windows = windows_of([1, 1, 1, 1], [29, 8, 1, 19], known)
    for index in range(len(windows)):
        window = windows[index]
        number, step = windows.place(index)
        series = windows.inputs[number]
        changed = series.values.copy()
        changed[step:] = 1e9
        other = window_at(series._replace(values=changed), step, CONTEXT, HORIZON)
        np.testing.assert_array_equal(window["past_values"], other["past_values"])
        assert (other["future_values"][: len(series.values) - step] == 1e9).all()
        changed = series.values.copy()
        changed[:step] = 1e9
        other = window_at(series._replace(values=changed), step, CONTEXT, HORIZON)
        np.testing.assert_array_equal(window["future_values"], other["future_values"])


def test_from_series_to_windows_nothing_of_the_future_is_known() -> None:
    values = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    series = Series("A", np.datetime64("2024-01-01", "ns"), values)
    columns = SeriesColumns("unique_id", "ds", ("y",))
    step, train = 45, 40
    found = []
    for last in (values[step:], np.full_like(values[step:], 1e6)):
        changed = Series("A", series.start, np.concatenate([values[:step], last]))
        panel = Panel([changed], columns, "D")
        processor = SeriesProcessor.fit(panel, [train], season_length=7, calendar=["weekday"])
        parts = [processor.inputs(each) for each in panel]
        windows = SeriesWindows(parts, ["A"], [train], [55], context_length=CONTEXT, prediction_length=HORIZON)
        found.append(windows[step - train])
    assert found[0]["future_values"].max() < 1e3 < found[1]["future_values"].max()
    for name in ("past_values", "past_time_features", "future_time_features"):
        np.testing.assert_array_equal(found[0][name], found[1][name])


def test_every_step_from_the_first_to_the_last_is_forecast_once() -> None:
    windows = windows_of([12, 3, 1, 15], [25, 4, 0, 15])
    expected = [(0, step) for step in range(12, 26)] + [(1, 3), (1, 4), (3, 15)]
    assert len(windows) == windows.total == len(expected)
    assert [windows.place(index) for index in range(len(windows))] == expected
    assert windows.place(-1) == (3, 15)
    assert windows.place(-len(windows)) == (0, 12)
    for index, (series, step) in enumerate(expected):
        np.testing.assert_array_equal(
            windows[index]["past_values"], rows_between(windows.inputs[series].values, step - CONTEXT, step, np.nan)
        )


@pytest.mark.parametrize("index", [17, 18, 1000, -18])
def test_there_are_no_windows_beyond_the_last_one(index: int) -> None:
    windows = windows_of([12, 3, 1, 15], [25, 4, 0, 15])
    with pytest.raises(IndexError):
        windows[index]
    with pytest.raises(IndexError):
        windows.place(index)
    assert len(list(windows)) == 17


@pytest.mark.parametrize("last", [[-5, -1, -1, -4], [0, 0, 0, 0]])
def test_series_without_windows(last: list[int]) -> None:
    windows = windows_of([1, 1, 1, 1], last)
    assert len(windows) == len(windows.thinned(10)) == 0
    with pytest.raises(IndexError):
        windows[0]


def test_windows_of_the_border_reach_exactly_to_the_end() -> None:
    series = inputs(30)
    windows = SeriesWindows([series], [""], [12], [25], context_length=CONTEXT, prediction_length=HORIZON)
    np.testing.assert_array_equal(windows[0]["past_values"], series.values[:12])
    np.testing.assert_array_equal(windows[0]["future_values"], series.values[12:17])
    np.testing.assert_array_equal(windows[-1]["future_values"], series.values[25:])


def test_a_short_series_is_filled_up_with_nothing_in_front() -> None:
    window = window_at(inputs(9, known=True), 4, CONTEXT, HORIZON)
    assert np.isnan(window["past_values"][:8]).all()
    assert not window["past_time_features"][:8].any()
    np.testing.assert_array_equal(window["past_values"][8:], inputs(9, known=True).values[:4])
    single = window_at(inputs(1), 1, CONTEXT, HORIZON)
    assert np.isnan(single["past_values"][:-1]).all()
    assert np.isnan(single["future_values"]).all()


@pytest.mark.parametrize("most", [1, 2, 3, 5, 7, 16, 17, 18, 1000])
def test_thinned_windows_are_spread_evenly(most: int) -> None:
    windows = windows_of([12, 3, 1, 15], [25, 4, 0, 15])
    thinned = windows.thinned(most)
    every = -(-17 // most)
    assert 0 < len(thinned) <= most
    assert [thinned.place(index) for index in range(len(thinned))] == [windows.place(i) for i in range(0, 17, every)]
    assert len(windows) == thinned.total == 17
    np.testing.assert_array_equal(thinned[-1]["past_values"], windows[(len(thinned) - 1) * every]["past_values"])
    with pytest.raises(IndexError):
        thinned[len(thinned)]
    assert len(thinned.thinned(1000)) == 17


def test_fewer_windows_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match="0"):
        windows_of([1], [20]).thinned(0)


@pytest.mark.parametrize("known", [False, True])
def test_a_batch_has_one_more_dimension(known: bool) -> None:
    windows = windows_of([12, 3, 1, 15], [25, 4, 0, 15], known)
    batch = collate_windows([windows[0], windows[15], windows[-1]])
    shapes = {name: tuple(values.shape) for name, values in batch.items()}
    expected = {"past_values": (3, CONTEXT, 2), "future_values": (3, HORIZON, 2)}
    if known:
        expected |= {"past_time_features": (3, CONTEXT, 3), "future_time_features": (3, HORIZON, 3)}
        expected |= {"static_real_features": (3, 1), "static_categorical_features": (3, 1)}
        assert batch["static_categorical_features"].dtype == torch.int64
        assert batch["static_categorical_features"].flatten().tolist() == [0, 1, 3]
    assert shapes == expected
    assert {values.dtype for name, values in batch.items() if "cat" not in name} == {torch.float32}
    np.testing.assert_array_equal(batch["past_values"][1].numpy(), windows[15]["past_values"])


def test_a_batch_may_be_changed_without_the_series() -> None:
    windows = windows_of([12], [25])
    before = windows.inputs[0].values.copy()
    collate_windows([windows[0]])["past_values"].fill_(7.0)
    np.testing.assert_array_equal(windows.inputs[0].values, before)


def test_windows_are_loaded_and_copied_to_other_processes() -> None:
    windows = windows_of([12, 3, 1, 15], [25, 4, 0, 15], True).thinned(9)
    copy = pickle.loads(pickle.dumps(windows))
    assert [copy.place(index) for index in range(len(copy))] == [windows.place(index) for index in range(len(windows))]
    batches = list(DataLoader(windows, batch_size=4, collate_fn=collate_windows))
    assert [len(batch["past_values"]) for batch in batches] == [4, 4, 1]
    np.testing.assert_array_equal(batches[2]["future_values"][0].numpy(), windows[8]["future_values"])
