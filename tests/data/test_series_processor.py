"""What a forecaster knows of its series: scales of the training part alone, a calendar, covariates, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.series import Panel, Series, SeriesColumns
from hfattnlstm.data.series_processor import CALENDAR, NO_SCALER, SeriesInputs, SeriesProcessor
from hfattnlstm.data.series_tables import panel_of_frame


LENGTH, BEYOND = 60, 70
START = np.datetime64("2024-01-01T00:00", "ns")


def series(name: str = "Aa", seed: int = 0, **columns: object) -> Series:
    values = np.random.default_rng(seed).normal(50 * (seed + 1), 5, size=(LENGTH, 2)).astype(np.float32)
    values[[0, 7, 20], 0] = np.nan
    return Series(name, START, values, **columns)


def known(seed: int) -> dict:
    generator = np.random.default_rng(100 + seed)
    return {
        "features": generator.normal(3, 2, size=(BEYOND, 2)).astype(np.float32),
        "static_real": generator.normal(9, 2, size=1).astype(np.float32),
        "static_categories": (["web", "shop"][seed % 2], "all"),
    }


PLAIN = SeriesColumns("unique_id", "ds", ("load", "price"))
FULL = replace(PLAIN, features=("wind", "sun"), static_real=("size",), static_categories=("kind", "land"))


def panel(frequency: str | None = "h", full: bool = False, count: int = 3) -> Panel:
    parts = [series(f"S{seed}", seed, **(known(seed) if full else {})) for seed in range(count)]
    if frequency is None:
        parts = [replace(each, start=0) for each in parts]
    return Panel(parts, FULL if full else PLAIN, frequency, "power.csv")


def fit(source: Panel, end: int = 40, **options: object) -> SeriesProcessor:
    return SeriesProcessor.fit(source, [end] * len(source), season_length=24, **options)


def assert_same(one: SeriesInputs, other: SeriesInputs) -> None:
    for name, mine, theirs in zip(SeriesInputs._fields, one, other, strict=True):
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs, err_msg=name, strict=True)


def test_each_channel_is_scaled_by_its_training_part() -> None:
    source = panel()
    processor = SeriesProcessor.fit(source, [40, 50, LENGTH], season_length=24)
    for each, end in zip(source, (40, 50, LENGTH), strict=True):
        inputs = processor.inputs(each)
        part = each.values[:end].astype(float)
        np.testing.assert_allclose(inputs.mean, np.nanmean(part, 0), rtol=1e-6)
        np.testing.assert_allclose(inputs.std, np.nanstd(part, 0), rtol=1e-6)
        np.testing.assert_allclose(inputs.values * inputs.std + inputs.mean, each.values, rtol=1e-5)
        np.testing.assert_array_equal(np.isnan(inputs.values), np.isnan(each.values))
        assert inputs.values.dtype == np.float32 and inputs.mean.dtype == inputs.std.dtype == np.float64
        assert inputs.features is inputs.static_real is inputs.static_categories is None


@pytest.mark.parametrize("end", [1, 20, 40])
def test_nothing_after_the_training_part_is_learnt(end: int) -> None:
    source = panel(full=True)
    processor = fit(source, end)
    changed = []
    for each in source:
        values, features = each.values.copy(), each.features.copy()
        values[end:], features[end:] = 1e6, -1e6
        changed.append(replace(each, values=values, features=features))
    other = fit(replace(source, series=changed, _by_name={}), end)
    assert other.to_dict() == processor.to_dict()
    missing = [replace(each, values=each.values[:end]) for each in source]
    assert fit(replace(source, series=missing, _by_name={}), end).to_dict() == processor.to_dict()


def test_a_change_of_the_training_part_is_seen() -> None:
    source = panel(full=True)
    values = source.series[1].values.copy()
    values[39] += 100
    changed = [source.series[0], replace(source.series[1], values=values), source.series[2]]
    other = fit(replace(source, series=changed, _by_name={}))
    assert other.scales["S1"] != fit(source).scales["S1"]
    assert other.scales["S2"] == fit(source).scales["S2"]


@pytest.mark.parametrize("value", [0.0, 7.0, -1e6, 1e-12])
def test_what_does_not_change_is_only_moved(value: float) -> None:
    constant = Series("", 0, np.full((LENGTH, 1), value, np.float32))
    source = Panel([constant], SeriesColumns(targets=("y",)))
    inputs = fit(source).inputs(constant)
    assert inputs.std.tolist() == [1]
    assert not inputs.values.any()
    other = Series("", 0, constant.values + 2)
    np.testing.assert_allclose(fit(source).inputs(other).values, (constant.values + 2) - np.float32(value))


@pytest.mark.parametrize("size", [1e-9, 1e-4, 1.0, 1e6, 1e12])
def test_scales_of_every_size(size: float) -> None:
    values = np.random.default_rng(1).normal(size=(LENGTH, 1)).astype(np.float32) * np.float32(size)
    source = Panel([Series("", 0, values)], SeriesColumns(targets=("y",)))
    np.testing.assert_allclose(fit(source, LENGTH).inputs(source.series[0]).values.std(), 1, rtol=1e-3)


def test_a_large_mean_costs_no_digits() -> None:
    values = (1e6 + np.random.default_rng(1).normal(size=(LENGTH, 1))).astype(np.float32)
    source = Panel([Series("", 0, values)], SeriesColumns(targets=("y",)))
    inputs = fit(source, LENGTH).inputs(source.series[0])
    np.testing.assert_allclose(inputs.mean, values.astype(float).mean(), rtol=1e-7)
    np.testing.assert_allclose(inputs.std, values.astype(float).std(), rtol=1e-6)
    np.testing.assert_allclose(inputs.values.std(), 1, rtol=0.1)


def test_a_series_that_training_has_not_seen_is_scaled_by_what_is_given() -> None:
    processor = fit(panel())
    new = replace(series("New", 8), values=series("New", 8).values[:30])
    inputs = processor.inputs(new)
    np.testing.assert_allclose(inputs.mean, np.nanmean(new.values, 0), rtol=1e-5)
    longer = processor.inputs(series("New", 8))
    assert (inputs.mean != longer.mean).all()
    # One that it has seen keeps its scale, whatever is given.
    seen = panel()["S1"]
    assert_same(
        processor.inputs(seen.until(30)), processor.inputs(seen)._replace(values=processor.inputs(seen).values[:30])
    )


def test_a_series_whose_training_part_is_empty_is_scaled_by_what_is_given() -> None:
    source = panel()
    processor = SeriesProcessor.fit(source, [40, 0, 40], season_length=24)
    assert set(processor.scales) == {"S0", "S2"}
    mean = processor.inputs(source["S1"]).mean
    np.testing.assert_allclose(mean, np.nanmean(source["S1"].values, 0), rtol=1e-5)


def test_a_channel_without_values_in_training_is_scaled_by_what_is_given() -> None:
    values = np.random.default_rng(0).normal(1e6, 1e5, size=(LENGTH, 2)).astype(np.float32)
    values[:40, 0] = np.nan
    source = Panel([Series("", 0, values)], SeriesColumns(targets=("a", "b")))
    assert np.nanmax(np.abs(fit(source).inputs(source.series[0]).values)) < 10


def test_a_channel_without_values_in_training_is_told(caplog: pytest.LogCaptureFixture) -> None:
    values = np.ones((LENGTH, 2), np.float32)
    values[:40, 0] = np.nan
    fit(Panel([Series("A", 0, values)], SeriesColumns(targets=("a", "b")), None, "power.csv"))
    assert caplog.messages == [
        "The series 'A' of power.csv has no value of 'a' in the training part: it is scaled by what is known later."
    ]


def test_a_series_without_a_training_part_has_a_category() -> None:
    source = panel(full=True)
    processor = SeriesProcessor.fit(source, [40, 0, 0], season_length=24)
    assert processor.categories == [["shop", "web"], ["all"]]
    assert processor.inputs(source["S1"]).static_categories.tolist() == [0, 0]


def test_another_number_of_covariates_is_refused() -> None:
    other = series("S1", **{**known(1), "features": np.zeros((BEYOND, 3), np.float32)})
    with pytest.raises(
        ValueError, match=r"^The series 'S1' has 3 numbers that are known in advance, but .* on 2: 'wi"
    ):
        fit(panel(full=True)).inputs(other)


def test_nothing_at_all_is_zero_and_one() -> None:
    nothing = Series("Nothing", START, np.full((5, 2), np.nan, np.float32))
    mean, std = fit(panel()).scale_of(nothing)
    assert (mean.tolist(), std.tolist()) == ([0, 0], [1, 1])


def test_values_stay_as_they_are_without_a_scaler() -> None:
    source = panel()
    processor = fit(source, scaler=NO_SCALER)
    assert processor.scales == {}
    np.testing.assert_array_equal(processor.inputs(source["S1"]).values, source["S1"].values)


def test_an_unknown_scaler_is_refused() -> None:
    with pytest.raises(ValueError, match="scaler"):
        fit(panel(), scaler="minmax")


def test_covariates_are_scaled_by_all_training_parts() -> None:
    source = panel(full=True)
    processor = fit(source)
    together = np.concatenate([each.features[:40] for each in source]).astype(float)
    sizes = np.concatenate([each.static_real for each in source]).astype(float)
    for each in source:
        inputs = processor.inputs(each, further=10)
        expected = (each.features - together.mean(0)) / together.std(0)
        np.testing.assert_allclose(inputs.features, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(inputs.static_real, (each.static_real - sizes.mean()) / sizes.std(), rtol=1e-4)
        assert processor.inputs(each).features.shape == (LENGTH, 2)
    assert processor.num_time_features == 2


def test_categories_are_numbered_in_the_order_of_their_names() -> None:
    source = panel(full=True)
    processor = fit(source)
    assert processor.categories == [["shop", "web"], ["all"]]
    assert [processor.inputs(each).static_categories.tolist() for each in source] == [[1, 0], [0, 0], [1, 0]]


CLOCK = {
    "hour": lambda time: (time.hour + time.minute / 60) / 24,
    "weekday": lambda time: time.weekday() / 7,
    "monthday": lambda time: (time.day - 1) / 31,
    "month": lambda time: (time.month - 1) / 12,
}


@pytest.mark.parametrize("frequency", ["15min", "h", "D", "B", "MS", "ME", "QS", "W"])
def test_the_calendar_is_that_of_each_time(frequency: str) -> None:
    times = pd.date_range("2024-01-01 00:00", periods=BEYOND, freq=frequency)
    one = replace(series(), start=times[0].to_datetime64())
    source = Panel([one], PLAIN, frequency)
    processor = fit(source, calendar=list(CALENDAR))
    assert processor.num_time_features == 8
    found = processor.inputs(one, further=BEYOND - LENGTH).features
    turns = 2 * np.pi * np.array([[CLOCK[name](time) for name in CALENDAR] for time in times])
    expected = np.stack([np.sin(turns), np.cos(turns)], -1).reshape(BEYOND, 8)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32
    # Also for a part of the series.
    np.testing.assert_array_equal(processor.inputs(one.until(10)).features, found[:10])


def test_the_calendar_stands_behind_what_is_known() -> None:
    source = panel(full=True)
    both = fit(source, calendar=["weekday"])
    each = source.series[0]
    alone = fit(source).inputs(each).features
    assert both.num_time_features == 4
    np.testing.assert_array_equal(both.inputs(each).features[:, :2], alone)
    np.testing.assert_allclose(both.inputs(each).features[0, 2:], [0, 1])


def test_an_unknown_part_of_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^calendar='week' is none of hour, weekday, monthday, month\.$"):
        fit(panel(), calendar=["hour", "week"])
    with pytest.raises(ValueError, match=r"^--calendar week is none of"), flags_in_sentences():
        fit(panel(), calendar=["week"])
    with pytest.raises(ValueError, match=r"^calendar='hour' needs times, which power\.csv has not: leave it out\.$"):
        fit(panel(None), calendar=["hour"])


def test_other_channels_are_refused() -> None:
    processor = fit(panel())
    other = Series("Big One", START, np.zeros((5, 3), np.float32))
    sentence = r"^The series 'Big One' has 3 channels, but the model was trained on 2: 'load', 'price'\.$"
    with pytest.raises(ValueError, match=sentence):
        processor.inputs(other)
    with pytest.raises(ValueError, match=r"^The series has 1 channels, but"):
        processor.inputs(Series("", START, np.zeros((5, 1), np.float32)))


def test_covariates_that_end_too_early_are_refused() -> None:
    source = panel(full=True)
    processor = fit(source)
    sentence = (
        r"^The series 'S1' has 'wind', 'sun' for 10 steps after its last value, and 11 are forecast: give what is "
        r"known of them, in rows without a value, or by "
    )
    with pytest.raises(ValueError, match=sentence + r"future=\.$"):
        processor.inputs(source["S1"], further=11)
    with pytest.raises(ValueError, match=sentence + r"--future\.$"), flags_in_sentences():
        processor.inputs(source["S1"], further=11)


@pytest.mark.parametrize("features", [None, np.zeros((LENGTH - 5, 2), np.float32)])
def test_covariates_that_end_before_the_last_value_are_not_told_in_numbers_below_zero(features: object) -> None:
    processor = fit(panel(full=True))
    with pytest.raises(ValueError, match="'wind', 'sun'") as caught:
        processor.inputs(series("S1", **{**known(1), "features": features}), further=3)
    assert "-" not in str(caught.value)


@pytest.mark.parametrize(
    "left_out, sentence",
    [
        ({"static_real": None}, r"^The series 'Next' lacks 'size', which the model was trained with: add the columns"),
        ({"static_categories": ()}, r"^The series 'Next' lacks 'kind', 'land', which the model was trained with: add"),
    ],
)
def test_what_is_known_of_a_series_must_be_as_in_training(left_out: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fit(panel(full=True)).inputs(series("Next", **{**known(0), **left_out}))


@pytest.mark.parametrize(
    ("category", "end"), [("kiosk", "is read."), ("shops", "is read: did you mean 'shop'?")], ids=["new", "misspelt"]
)
def test_a_category_that_training_has_not_seen_is_told(
    category: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = panel(full=True)
    processor = fit(source)
    processor.tell_unknown_categories(source)
    assert not caplog.messages
    new = series("Next", **{**known(0), "static_categories": (category, "all")})
    processor.tell_unknown_categories(replace(source, series=[source.series[0], new], _by_name={}))
    (told,) = caplog.messages
    assert told.startswith(
        "1 of the 2 series of power.csv have something in 'kind' that no series had in the training"
    )
    assert f"such as {category!r}, for which the mean of all others {end}" in told
    assert processor.inputs(new).static_categories.tolist() == [-1, 0]


@pytest.mark.parametrize(("scaler", "told"), [(NO_SCALER, True), ("standard", False)])
@pytest.mark.parametrize("base", [0.0, 1e9])
def test_values_that_are_rounded_are_told(
    scaler: str, told: bool, base: float, caplog: pytest.LogCaptureFixture
) -> None:
    values = base + np.arange(2.0 * LENGTH).reshape(LENGTH, 2)
    fit(Panel([Series("A", 0, values)], SeriesColumns(targets=("a", "b")), None, "power.csv"), scaler=scaler)
    assert [
        line.startswith("The values of 'a' in the series 'A' of power.csv change by 2 at a time, and are rounded")
        for line in caplog.messages
    ] == [True] * (told and base > 0)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("scaler", ["standard", NO_SCALER])
def test_a_processor_is_saved_and_loaded(tmp_path: Path, full: bool, scaler: str) -> None:
    source = panel(full=full)
    processor = fit(source, calendar=["hour", "month"], scaler=scaler)
    processor.save_pretrained(tmp_path)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    (file,) = tmp_path.iterdir()
    json.loads(file.read_text(), parse_constant=refuse)
    loaded = SeriesProcessor.from_pretrained(tmp_path)
    assert loaded.series_columns == processor.series_columns == source.columns
    assert (loaded.channels, loaded.frequency, loaded.season_length) == (("load", "price"), "h", 24)
    assert (loaded.calendar, loaded.scaler, loaded.num_time_features) == (
        ["hour", "month"],
        scaler,
        processor.num_time_features,
    )
    for each in [*source, series("New", 5, **(known(5) if full else {}))]:
        assert_same(processor.inputs(each, further=10 * full), loaded.inputs(each, further=10 * full))


def test_a_processor_of_series_without_times_is_saved_and_loaded(tmp_path: Path) -> None:
    source = panel(None)
    fit(source).save_pretrained(tmp_path)
    loaded = SeriesProcessor.from_pretrained(tmp_path)
    assert loaded.frequency is None
    assert_same(loaded.inputs(source.series[0]), fit(source).inputs(source.series[0]))


def test_a_new_processor_knows_nothing() -> None:
    processor = SeriesProcessor()
    assert (processor.channels, processor.num_time_features, processor.scales) == ((), 0, {})
    assert processor.series_columns == SeriesColumns()


def test_what_a_table_has_is_what_the_model_takes() -> None:
    times = pd.date_range("2024-01-01", periods=6, freq="D")
    frame = pd.DataFrame({"ds": times, "y": [1.0, 2, None, 4, None, None], "price": [1.0, 2, 3, 4, 5, 6], "kind": "x"})
    source = panel_of_frame(frame, SeriesColumns(features=("price",), static_categories=("kind",)))
    processor = SeriesProcessor.fit(source, [2], season_length=7)
    inputs = processor.inputs(source.series[0], further=2)
    np.testing.assert_allclose(inputs.values[:, 0], [-1, 1, np.nan, 5])
    np.testing.assert_allclose(inputs.features[:, 0], [-1, 1, 3, 5, 7, 9])
    assert inputs.static_categories.tolist() == [0]


def test_bounds_are_saved_and_loaded(tmp_path: Path) -> None:
    processor = fit(panel(), lower_bound=-1e3, upper_bound=1e3)
    processor.save_pretrained(tmp_path)
    loaded = SeriesProcessor.from_pretrained(tmp_path)
    assert loaded.bounds == loaded.inputs(panel()["S1"]).bounds == (-1e3, 1e3)
    assert fit(panel()).bounds == fit(panel()).inputs(panel()["S1"]).bounds == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({"lower_bound": 60}, r"^The series 'S0' in power\.csv has \S+ in 'price', beyond lower_bound=60: move"),
        ({"upper_bound": 1}, r"^The series 'S0' in power\.csv has \S+ in 'price', beyond upper_bound=1: move"),
        ({"lower_bound": 5, "upper_bound": 5}, r"^lower_bound=5 is not below upper_bound=5: change one of them\.$"),
    ],
)
def test_bounds_that_cannot_be_are_refused(bounds: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fit(panel(), **bounds)
