"""The table of the forecaster: it runs without the libraries that it compares with, and says how to have them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import __main__ as command
from benchmarks.options import Options
from benchmarks.series import Counted, Setting, calls_of, series_table
from benchmarks.tables import forecast
from benchmarks.targets import FORECASTER, NEURALFORECAST_LSTM, NEURALFORECAST_NLINEAR
from hfattnlstm.training.forecasting_arguments import ForecastingArguments


PANELS = ["training, windows", "a forecast of one series", "a forecast of 5 series"]


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not they are installed where the tests run."""
    find_spec = importlib.util.find_spec

    def load(*_, **__) -> Callable:
        def missing() -> None:
            raise ModuleNotFoundError("No module named 'neuralforecast'", name="neuralforecast")

        return missing

    monkeypatch.setattr(forecast, "peer", load)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "neuralforecast" else find_spec(name, *rest)
    )


@pytest.mark.long
def test_ours_alone_is_measured_and_the_missing_ones_are_told(
    no_peers: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(command, "_hush", lambda: None)
    assert command.main(["forecast", "--quick", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    found = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["tables"][0]
    assert [(row["configuration"], row["candidate"]) for row in found["rows"]] == [
        (name, FORECASTER) for name in PANELS
    ]
    assert [row["texts"] for row in found["rows"]] == [forecast.OUR_BATCH, 1, 5]
    assert all(row["time"] > 0 and len(row["rounds"]) == 2 and row["ratio"] is None for row in found["rows"])
    for row in found["rows"]:
        assert row["rate"] == pytest.approx((5 if row is found["rows"][-1] else 1) / row["time"])
    assert found["left_out"] == [
        f"{name}, not installed: neuralforecast" for name in (NEURALFORECAST_LSTM, NEURALFORECAST_NLINEAR)
    ]
    assert forecast.NO_PEERS in found["notes"]
    assert "make bench-forecast" in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("neuralforecast") is None, reason="neuralforecast is not installed")
# Lightning's.
@pytest.mark.filterwarnings("ignore")
def test_the_others_are_measured_where_they_are_installed():
    table = forecast.run(Options(quick=True, rounds=1, patience=0))
    assert len(table.rows) == 9 and table.left_out == []
    assert {row["ratio"] for row in table.rows if row["candidate"] == NEURALFORECAST_LSTM} == {1.0}
    assert forecast.NO_PEERS not in table.notes


def test_main_leaves_the_forecasts_out(no_peers: None):
    table = forecast.run(Options(quick=True, rounds=1, patience=0, main=True))
    assert [row["configuration"] for row in table.rows] == PANELS[:1]


def test_the_setting_is_the_default_of_the_package(no_peers: None, tmp_path: Path):
    """What the notes say of it, and what `hfattnlstm forecast train` would choose for such a table itself."""
    setting = Setting()
    trainer = forecast._our_trainer(setting, str(tmp_path), steps=1)
    config = trainer.model.config
    assert (config.context_length, config.prediction_length, config.segment_length) == (720, 96, 24)
    assert (config.loss, len(config.quantile_levels), config.hidden_size) == ("quantile", 11, 256)
    assert config.num_hidden_layers == 1 and not config.bidirectional
    unasked = ForecastingArguments(output_dir=str(tmp_path), use_cpu=True)
    unasked.choose_batch(1)
    assert unasked.per_device_train_batch_size == forecast.OUR_BATCH == trainer.args.per_device_train_batch_size
    assert trainer.train_dataset.context_length == setting.lookback
    assert len(set(trainer.train_dataset.names)) == setting.series


def test_a_call_of_the_training_takes_its_windows(tmp_path: Path):
    setting = Setting(series=2, steps=300, lookback=72, horizon=12)
    assert forecast._our_training(setting, str(tmp_path))(range(2 * forecast.OUR_BATCH))() == 2 * forecast.OUR_BATCH


def test_candidates_have_whole_batches():
    candidates = {each.name: each for each in forecast._training(Setting(), "")}
    assert list(candidates) == [FORECASTER, NEURALFORECAST_LSTM, NEURALFORECAST_NLINEAR]
    assert [each.least for each in candidates.values()] == [256, 128, 1024]
    assert {each.least for each in forecast._forecasts(Setting(), "", 1_000)} == {1}


def test_series_are_the_same_for_the_same_seed_and_differ_otherwise():
    one, same, other = series_table(3, 50), series_table(3, 50), series_table(3, 50, seed=1)
    pd.testing.assert_frame_equal(one, same)
    assert not one["y"].equals(other["y"])
    assert one.groupby("unique_id")["ds"].agg(["count", "nunique"]).eq(50).to_numpy().all()
    assert one.pivot(index="ds", columns="unique_id", values="y").corr().lt(0.999).to_numpy().sum() == 6


def test_a_forecast_of_another_size_is_a_failure():
    setting = Setting(lookback=4, horizon=2)
    frames: list[pd.DataFrame] = []

    def predict(frame: pd.DataFrame) -> pd.DataFrame:
        frames.append(frame)
        return frame.head(6)

    assert calls_of(predict, setting, series=3)(Counted().sample(2))() == 2
    assert len(frames) == 2 and len(frames[0]) == 3 * 4
    with pytest.raises(RuntimeError, match="6 values were forecast instead of 4"):
        calls_of(predict, setting, series=2)(range(1))()
