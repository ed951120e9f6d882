"""The attention over the past of a series, and what erasing parts of it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hfattnlstm import AttnLSTMForecasterConfig, AttnLSTMForTimeSeriesPrediction, SeriesProcessor
from hfattnlstm.data.series import Panel, Series, SeriesColumns
from hfattnlstm.explain import ForecastFaithfulness, explain_forecasts
from hfattnlstm.explain import series as explain_series


LENGTH, PARTS = 60, 12


def panel_of(length: int = LENGTH, channels: int = 1) -> Panel:
    values = np.random.default_rng(0).normal(size=(length, channels)).astype(np.float32)
    columns = SeriesColumns(targets=tuple(f"c{index}" for index in range(channels)))
    return Panel([Series("", np.datetime64("2024-01-01", "ns"), values)], columns, "h")


def model_of(**options: Any) -> AttnLSTMForTimeSeriesPrediction:
    torch.manual_seed(0)
    sizes = {"context_length": LENGTH, "prediction_length": 4, "segment_length": LENGTH // PARTS, "hidden_size": 8}
    config = AttnLSTMForecasterConfig(embedding_size=8, instance_center="none", **{**sizes, **options})
    return AttnLSTMForTimeSeriesPrediction(config)


def explained(model: AttnLSTMForTimeSeriesPrediction, panel: Panel, **options: Any) -> list[Any]:
    processor = SeriesProcessor.fit(panel, [len(each) for each in panel], season_length=1)
    return list(explain_forecasts(model, processor, panel, **options))


@pytest.mark.parametrize(
    ("options", "channels", "explanations"),
    [
        ({}, 1, 1),
        ({"pooler_num_heads": 2, "pooler_score": "linear"}, 3, 3),
        ({"mix_channels": True}, 3, 1),
        ({"decoding": "autoregressive", "pooler_score": "general"}, 2, 2),
        ({"loss": "nll"}, 1, 1),
    ],
)
def test_weights_are_those_of_the_model(options: dict[str, Any], channels: int, explanations: int) -> None:
    model, panel = model_of(num_input_channels=channels, **options), panel_of(channels=channels)
    found = explained(model, panel, faithfulness=False)
    assert len(found) == explanations
    for index, one in enumerate(found):
        assert one.weights.shape == (PARTS,) and one.weights.sum() == pytest.approx(1, abs=1e-5)
        assert one.faithfulness is None and one.channel == f"c{index}"
        assert one.times[0] == np.datetime64("2024-01-01") and one.times[1] - one.times[0] == np.timedelta64(5, "h")
        np.testing.assert_allclose(one.past, panel.series[0].values[:, index], atol=1e-5)
        assert one.to_frame().columns.tolist() == ["ds", "weight"]


def test_segments_of_which_the_past_holds_no_whole_number() -> None:
    """The last one ends at the end, and the first one begins before the past."""
    pytest.importorskip("matplotlib")
    model, panel = model_of(context_length=30, segment_length=24), panel_of()
    one = explained(model, panel, faithfulness=False)[0]
    assert one.times.tolist() == [
        np.datetime64("2024-01-01T12", "ns").item(),
        np.datetime64("2024-01-02T12", "ns").item(),
    ]
    below = one.plot().axes[1]
    assert one.part_length == 24 and below.images[0].get_extent()[:2] == [-47.5, 0.5]
    # Without the last segment, the weights of the other one decide.
    read = explain_series._Read(model, SeriesProcessor.fit(panel, [LENGTH], season_length=1), panel.series[0])
    masks = []
    read._forecast = lambda mask: masks.append(mask) or (np.repeat(read.values, len(mask), 0), None)
    read._faithfulness(0, one.weights, 24, 0)
    observed = {int(each.sum()) for each in masks[0]}
    assert observed == {6, 24}


def test_the_forecast_of_counts_is_their_mean() -> None:
    model = model_of(loss="nll", distribution_output="negative_binomial")
    panel = panel_of()
    processor = SeriesProcessor.fit(panel, [LENGTH], season_length=1, scaler="none")
    (one,) = explain_forecasts(model, processor, panel, faithfulness=False)
    past = torch.from_numpy(panel.series[0].values)[None]
    total, logits = model(past).prediction_outputs
    np.testing.assert_allclose(one.forecast, (total * logits.exp())[0, :, 0].detach(), rtol=1e-5)


def test_a_model_that_looks_at_one_part_alone_is_found_to_do_so() -> None:
    model, panel = model_of(), panel_of()
    # The second part from the end has a value that no other one has; the attention follows it, and the forecast too.
    panel.series[0].values[:] = 0.01
    panel.series[0].values[-10:-5] = 5
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    processor = SeriesProcessor.fit(panel, [LENGTH], season_length=1)
    scaled = torch.from_numpy(processor.inputs(panel.series[0]).values)
    torch.manual_seed(0)
    for _ in range(150):
        level = torch.rand(16, 1, 1) * 4 - 2
        past = scaled.repeat(16, 1, 1)
        past[:, -10:-5] = level
        optimizer.zero_grad()
        model(past, future_values=level.expand(-1, 4, -1)).loss.backward()
        optimizer.step()
    found = explained(model, panel)[0].faithfulness
    assert isinstance(found, ForecastFaithfulness) and found.tokens == PARTS
    # Whatever is left out beside it moves nothing.
    assert found.comprehensiveness.random < found.comprehensiveness.value
    assert "the forecast moves by" in found.verdict
    assert set(found.to_dict()) >= {"level", "verdict", "comprehensiveness", "sufficiency", "tau"}


def test_equal_weights_are_no_better_than_a_random_ranking() -> None:
    model = model_of()
    with torch.no_grad():
        for parameter in model.attnlstm_forecaster.pooler.parameters():
            parameter.zero_()
    found = explained(model, panel_of())[0]
    assert found.weights.max() == pytest.approx(found.weights.min())
    assert found.faithfulness.tau.value is None
    assert found.faithfulness.level in ("no better", "partly")


def test_a_short_past_is_too_short_to_tell() -> None:
    found = explained(model_of(), panel_of(20))[0]
    assert np.flatnonzero(found.weights).tolist() == [8, 9, 10, 11]
    assert found.faithfulness.level == "too short"
    assert found.faithfulness.verdict.startswith("The past has too few parts (4)")
    assert np.isnan(found.past[: LENGTH - 20]).all() and np.isfinite(found.forecast).all()


def test_measuring_is_repeatable_and_changes_nothing() -> None:
    model, panel = model_of(), panel_of()
    model.train()
    first, again = (explained(model, panel)[0] for _ in range(2))
    assert first.faithfulness == again.faithfulness
    np.testing.assert_array_equal(first.forecast, again.forecast)


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="has no attention: its pooling is max"):
        explained(model_of(pooling="max"), panel_of())


def test_the_picture_has_past_forecast_and_weights() -> None:
    pytest.importorskip("matplotlib")
    one = explained(model_of(), panel_of(), faithfulness=False)[0]
    above, below = one.plot().axes[:2]
    past, forecast = above.lines
    assert len(past.get_xdata()) == LENGTH and forecast.get_xdata().tolist() == [1, 2, 3, 4]
    assert above.get_xlim()[1] > 4
    np.testing.assert_allclose(below.images[0].get_array()[0], one.weights)
