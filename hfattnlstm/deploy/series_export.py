"""Export of a model of time series to one ONNX file, checked before it is in place."""

from __future__ import annotations

import copy
import json
import os
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers.feature_extraction_utils import FeatureExtractionMixin

from .._extras import import_optional
from .._version import __version__
from ..data.series_processor import SeriesProcessor
from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from ..modeling.forecast_distributions import DISTRIBUTIONS, make_distribution
from ..modeling.modeling_time_series_classification import AttnLSTMForTimeSeriesClassification
from ..modeling.modeling_time_series_prediction import AttnLSTMForTimeSeriesPrediction
from .export_files import FILES, check_replaced, write_files
from .onnx_check import TOLERANCE
from .onnx_export import OnnxExport
from .onnx_writing import check_layers, check_opset, describe, export_graph, save, staging_folder, target_file
from .session import open_session


SeriesModel = AttnLSTMForTimeSeriesPrediction | AttnLSTMForTimeSeriesClassification
# Batches that the check runs, none of which the export has seen.
_BATCHES = (1, 2, 5)
_EXAMPLE = 3


class SeriesGraph(nn.Module):
    """Computes the outputs of [`output_names`]; only for `torch.onnx.export`.

    Args:
        model: A forecaster, or a classifier of series, in float32 and in evaluation mode.
    """

    def __init__(self, model: SeriesModel):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """From the inputs of [`input_names`] to the outputs."""
        outputs = self.model(**dict(zip(input_names(self.model), inputs, strict=True)), output_attentions=True)
        config = self.model.config
        if is_classifier(self.model):
            found = [outputs.logits]
        elif config.loss == "nll":
            distribution = make_distribution(config.distribution_output, outputs.prediction_outputs)
            found = [distribution.mean, *outputs.prediction_outputs]
        else:
            found = [outputs.prediction_outputs]
            found += [outputs.quantile_outputs] if outputs.quantile_outputs is not None else []
        return (*found, *([outputs.attentions[-1]] if config.attends else []))


def is_classifier(model: SeriesModel) -> bool:
    """Whether a model gives labels, not forecasts."""
    return isinstance(model, AttnLSTMForTimeSeriesClassification)


def input_names(model: SeriesModel) -> list[str]:
    """What an exported model reads, in order: a classifier reads nothing of the future."""
    names = model.config.model_input_names
    return [name for name in names if not (is_classifier(model) and name.startswith("future_"))]


def output_names(model: SeriesModel) -> list[str]:
    """What an exported model computes, in order.

    Example:

    ```python
    >>> output_names(AttnLSTMForTimeSeriesPrediction(AttnLSTMForecasterConfig(loss="quantile")))
    ['forecast', 'quantiles', 'attentions']
    ```
    """
    config = model.config
    attentions = ["attentions"] if config.attends else []
    if is_classifier(model):
        return ["logits", *attentions]
    names = {"nll": list(DISTRIBUTIONS[config.distribution_output][0].args_dim), "quantile": ["quantiles"]}
    return ["forecast", *names.get(config.loss, []), *attentions]


def export_series_model(
    model: SeriesModel | str | PathLike[str],
    path: str | PathLike[str],
    *,
    processor: FeatureExtractionMixin | None = None,
    opset: int | None = None,
) -> OnnxExport:
    """Write a forecaster, or a classifier of series, as one ONNX file that ONNX Runtime runs without this package.

    The graph takes `past_values` float32 and `past_observed_mask` bool (batch, context_length, channels), and the
    covariates that the model was trained with, of any number of series. A forecaster gives `forecast`
    (batch, prediction_length, channels), `quantiles` with one more dimension, or the parameters of a distribution, and
    a classifier `logits` (batch, num_labels); both give `attentions` as the model has them. Values are those of scaled
    series, and forecasts may pass the bounds of theirs: the preprocessor_config.json beside the file has means,
    deviations and bounds. The file is compared with the model on random series with gaps, and is put in place only
    when nothing is off by more than 1e-5 (values beyond 1: in relation to the largest).

    Args:
        model: The model, or its folder or name on the Hub. It is not changed.
        path: Folder, or file that ends in .onnx. In a folder the file is called model.onnx.
        processor: Written beside the file; by default the one in the model's folder.
        opset: Version of ONNX's operators, 18 or later; what torch prefers by default.

    Raises:
        ImportError: Without the extra `onnx`.
        OSError: When the model cannot be read or the files cannot be written.
        RuntimeError: When torch cannot export the model, or the exported graph computes something else.
        ValueError: When the model has layers that hash, or a file is in the way that is not as an earlier export has
            written it.

    Example:

    ```python
    >>> export_series_model("power-model", "power-model-onnx").path.name
    'model.onnx'
    ```
    """
    for module in ("onnx", "onnxruntime", "onnxscript"):
        import_optional(module)
    target = target_file(Path(path).expanduser(), False)
    check_opset(opset)
    if isinstance(model, (str, PathLike)):
        processor = processor or SeriesProcessor.from_pretrained(model)
        model = _class_of(model).from_pretrained(model)
    model.check_trained()
    check_layers(model.config)
    twin = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    with staging_folder(target.parent) as folder:
        beside = folder / "beside"
        beside.mkdir()
        files = write_files(beside, twin.config, processor)
        check_replaced(target, files)
        proto = _export(twin, opset)
        describe(proto, {"producer": f"hfattnlstm {__version__}", FILES: json.dumps(files), **_facts(twin)})
        finished = folder / "model.onnx"
        save(proto, finished)
        difference = _checked(finished, twin)
        for item in beside.iterdir():
            os.replace(item, target.parent / item.name)
        os.replace(finished, target)
    return OnnxExport(target, target.stat().st_size, False, difference, None)


def _class_of(name: str | PathLike[str]) -> type[SeriesModel]:
    """Of a checkpoint."""
    config = AttnLSTMForecasterConfig.from_pretrained(name)
    classifies = AttnLSTMForTimeSeriesClassification.__name__ in (config.architectures or ())
    return AttnLSTMForTimeSeriesClassification if classifies else AttnLSTMForTimeSeriesPrediction


def _facts(model: SeriesModel) -> dict[str, Any]:
    """What the file says to its user."""
    config = model.config
    if is_classifier(model):
        return {"context_length": config.context_length, "labels": json.dumps(list(config.id2label.values()))}
    return {
        "context_length": config.context_length,
        "prediction_length": config.prediction_length,
        "quantiles": json.dumps(config.quantile_levels) if config.quantile_levels else None,
    }


def _export(twin: SeriesModel, opset: int | None) -> Any:
    inputs = tuple(_random_inputs(twin, _EXAMPLE, torch.Generator().manual_seed(0)).values())
    free = {0: torch.export.Dim("batch")}
    return export_graph(
        SeriesGraph(twin),
        inputs,
        opset,
        # One name for all of the arguments that come as a tuple.
        dynamic_shapes=((free,) * len(inputs),),
        input_names=input_names(twin),
        output_names=output_names(twin),
    )


def _checked(path: Path, twin: SeriesModel) -> float:
    session = open_session(path, first=output_names(twin)[0])
    generator = torch.Generator().manual_seed(1)
    differences = []
    for batch in _BATCHES:
        inputs = _random_inputs(twin, batch, generator)
        with torch.no_grad():
            expected = SeriesGraph(twin)(*inputs.values())
        actual = session.run(None, {name: values.numpy() for name, values in inputs.items()})
        differences += [
            np.abs(found - wanted.numpy()).max() / max(1.0, float(wanted.abs().max()))
            for found, wanted in zip(actual, expected, strict=True)
        ]
    difference = float(np.max(differences))
    # Not greater: NaN is none of both.
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"The exported graph is off by {difference:.2g}, more than {TOLERANCE:.0e}: nothing was written. Please "
            "report this with the model's config.json."
        )
    return difference


def _random_inputs(model: SeriesModel, batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Random series with gaps and beginnings of their own, as the model takes them."""
    config = model.config
    length, horizon, channels = config.context_length, config.prediction_length, config.num_input_channels
    values = torch.randn(batch, length, channels, generator=generator)
    if config.loss == "nll" and config.distribution_output == "negative_binomial":
        values = values.abs().round()
    observed = torch.rand(batch, length, channels, generator=generator) > 0.2
    observed[0, : length // 3] = False
    inputs = {"past_values": values, "past_observed_mask": observed}
    if config.num_time_features:
        for name, steps in (("past_time_features", length), ("future_time_features", horizon)):
            inputs[name] = torch.randn(batch, steps, config.num_time_features, generator=generator)
    if config.num_static_real_features:
        inputs["static_real_features"] = torch.randn(batch, config.num_static_real_features, generator=generator)
    if config.cardinality:
        drawn = [torch.randint(-1, number, (batch,), generator=generator) for number in config.cardinality]
        inputs["static_categorical_features"] = torch.stack(drawn, 1)
    return {name: inputs[name] for name in input_names(model)}


__all__ = ["export_series_model", "input_names", "output_names"]
