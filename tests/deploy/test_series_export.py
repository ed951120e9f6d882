"""A model of series as an ONNX file: the same outputs for any number of series, and nothing in its way replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hfattnlstm import (
    AttnLSTMForecasterConfig,
    AttnLSTMForTimeSeriesClassification,
    AttnLSTMForTimeSeriesPrediction,
    SeriesProcessor,
)
from hfattnlstm.commands.main import main
from hfattnlstm.deploy import export_series_model, open_session
from hfattnlstm.deploy.series_export import SeriesGraph, output_names
from hfattnlstm.modeling.forecast_distributions import make_distribution


# Of the exporter of torch, about itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:Exporting a model", "ignore:The tensor attributes"
)
SIZES = {"context_length": 22, "prediction_length": 7, "segment_length": 4, "hidden_size": 8, "embedding_size": 6}
OPTIONS = {
    "quantiles, joined poolings, linear": {
        "loss": "quantile",
        "pooling": ["attention", "last"],
        "linear_forecast": True,
        "recurrent_share": 0.5,
        "instance_center": "mean",
        "instance_scale": "std",
        "num_input_channels": 3,
    },
    "mixed channels, two directions": {"mix_channels": True, "bidirectional": True, "num_input_channels": 2},
    "convolution, a transformer's layer, a distribution": {
        "front": "convolution",
        "context_layers": ["transformer"],
        "loss": "nll",
        "segment_length": 24,
    },
    "segment after segment": {"decoding": "autoregressive", "pooler_score": "general"},
    "covariates": {"num_time_features": 2, "num_static_real_features": 1, "cardinality": [3], "num_input_channels": 2},
    "without attention": {"pooling": "max"},
}


CLASSIFIERS = {name: OPTIONS[name] for name in ("mixed channels, two directions", "covariates", "without attention")}


def forecaster(**options: Any) -> AttnLSTMForTimeSeriesPrediction:
    return series_model(AttnLSTMForTimeSeriesPrediction, **options)


def series_model(kind: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    model = kind(AttnLSTMForecasterConfig(**{**SIZES, **options})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    return model


def inputs_of(model: AttnLSTMForTimeSeriesPrediction, batch: int) -> dict[str, torch.Tensor]:
    config = model.config
    values = torch.randn(batch, config.context_length, config.num_input_channels)
    found = {"past_values": values, "past_observed_mask": torch.rand_like(values) > 0.3}
    # A series of which nothing is known.
    found["past_observed_mask"][-1] = False
    if config.num_time_features:
        found["past_time_features"] = torch.randn(batch, config.context_length, config.num_time_features)
        found["future_time_features"] = torch.randn(batch, config.prediction_length, config.num_time_features)
        found["static_real_features"] = torch.randn(batch, 1)
        found["static_categorical_features"] = torch.randint(3, (batch, 1))
    return found


def _each(options: dict[str, Any], in_short: tuple[str, ...]) -> Any:
    """An export takes seconds: those that are not named are run by `make test-long`."""
    long = {name: () if name in in_short else pytest.mark.long for name in options}
    assert set(in_short) <= set(options)
    return [pytest.param(own, id=name, marks=long[name]) for name, own in options.items()]


@pytest.mark.parametrize("options", _each(OPTIONS, ("segment after segment", "covariates")))
def test_any_number_of_series_gets_the_forecasts_of_the_model(options: dict[str, Any], tmp_path: Path) -> None:
    model = forecaster(**options)
    export = export_series_model(model, tmp_path)
    assert export.path == tmp_path / "model.onnx" and export.largest_difference < 1e-5
    session = open_session(export.path, first="forecast")
    assert [output.name for output in session.get_outputs()] == output_names(model)
    for batch in (1, 4, 9):
        inputs = inputs_of(model, batch)
        found = session.run(None, {name: values.numpy() for name, values in inputs.items()})
        with torch.no_grad():
            expected = SeriesGraph(model)(*inputs.values())
        for actual, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(actual, wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", _each(CLASSIFIERS, ("covariates",)))
def test_any_number_of_series_gets_the_logits_of_a_classifier(options: dict[str, Any], tmp_path: Path) -> None:
    model = series_model(AttnLSTMForTimeSeriesClassification, num_labels=5, **options)
    session = open_session(export_series_model(model, tmp_path).path)
    for batch in (1, 4):
        inputs = {name: values for name, values in inputs_of(model, batch).items() if not name.startswith("future")}
        logits, *attentions = session.run(None, {name: values.numpy() for name, values in inputs.items()})
        with torch.no_grad():
            expected = model(**inputs, output_attentions=True)
        np.testing.assert_allclose(logits, expected.logits.numpy(), rtol=1e-4, atol=1e-5)
        assert bool(attentions) == model.config.attends
        for weights in attentions:
            np.testing.assert_allclose(weights, expected.attentions[-1].numpy(), rtol=1e-4, atol=1e-5)
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == [f"LABEL_{n}" for n in range(5)]


def test_the_forecast_of_a_distribution_is_its_mean(tmp_path: Path) -> None:
    model = forecaster(loss="nll", distribution_output="negative_binomial", instance_center="none")
    session = open_session(export_series_model(model, tmp_path).path, first="forecast")
    inputs = inputs_of(model, 2) | {"past_values": torch.randint(0, 9, (2, 22, 1)).float()}
    mean, *parameters = session.run(None, {name: values.numpy() for name, values in inputs.items()})[:3]
    expected = make_distribution("negative_binomial", tuple(map(torch.from_numpy, parameters))).mean
    np.testing.assert_allclose(mean, expected.numpy(), rtol=1e-4)


def test_what_stands_beside_it_says_how_values_are_scaled(tmp_path: Path) -> None:
    model, folder = forecaster(loss="quantile"), tmp_path / "model"
    processor = SeriesProcessor.of_values(np.array([[1.0], [3.0]]))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    assert main(["export", str(folder), "--output", str(tmp_path / "onnx")]) == 0
    saved = SeriesProcessor.from_pretrained(tmp_path / "onnx")
    assert saved.scaled(np.array([[3.0]])).item() == 1
    facts = open_session(tmp_path / "onnx" / "model.onnx", first="forecast").get_modelmeta().custom_metadata_map
    assert json.loads(facts["quantiles"]) == list(model.config.quantile_levels)
    assert facts["context_length"] == "22" and facts["prediction_length"] == "7"
    # Again, over what it has written itself.
    assert main(["export", str(folder), "--output", str(tmp_path / "onnx")]) == 0


def test_other_files_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, folder = forecaster(), tmp_path / "model"
    model.save_pretrained(folder)
    with pytest.raises(ValueError, match="holds the checkpoint of a model"):
        export_series_model(model, folder)
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_text("mine")
    with pytest.raises(ValueError, match="is not as an earlier export has written it"):
        export_series_model(model, tmp_path / "onnx")
    assert (tmp_path / "onnx" / "model.onnx").read_text() == "mine"
    assert main(["export", str(folder), "--int8", "--output", str(tmp_path / "other")]) == 2
    assert capsys.readouterr().err.count("--int8 is for") == 1
    with pytest.raises(ValueError, match=r"is from elsewhere: give a file that hfattnlstm\.deploy\.export_onnx"):
        open_session(export_series_model(model, tmp_path / "other").path)
