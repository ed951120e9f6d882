"""Tiny models of time series, and what they must compute, written again with NumPy, one series at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from modeling_helpers import array, numpy_lstm, numpy_merge, numpy_softmax, sigmoid
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForecasterConfig, AttnLSTMForecasterModel, AttnLSTMForTimeSeriesPrediction


NO_DROPOUT = {"hidden_dropout_prob": 0, "classifier_dropout": 0}
CONTEXT, FUTURE, CHANNELS, SEGMENT = 12, 5, 2, 3
COVARIATES = {
    "num_time_features": 2,
    "num_static_real_features": 3,
    "cardinality": [4, 6],
    "static_embedding_size": 2,
}
# What is missing of each channel of the rows of a batch.
GAPS: dict[str, list[list[Any]]] = {
    "full": [[[], []], [[], []]],
    "short": [[range(4), range(4)], [range(9), range(2)], [range(11), range(6)]],
    "inside": [[range(3, 8), [1, 4]], [[6], range(2, 11)], [[5, 7], []]],
    "at the end": [[[11], [10, 11]], [range(8, 12), []], [range(7, 12), range(9, 12)]],
    "everything": [[range(12), range(12)], [[], range(12)], [[0, 1, 2, 6, 7, 8], range(12)]],
}


def series_config(**options: Any) -> AttnLSTMForecasterConfig:
    sizes: dict[str, Any] = {
        "num_input_channels": CHANNELS,
        "context_length": CONTEXT,
        "prediction_length": FUTURE,
        "embedding_size": 6,
        "hidden_size": 8,
    }
    if options.get("front") != "convolution":
        sizes["segment_length"] = SEGMENT
    return AttnLSTMForecasterConfig(**{**sizes, **options})


def series_model(model_class: type = AttnLSTMForTimeSeriesPrediction, **options: Any) -> nn.Module:
    """A model in evaluation mode whose parameters are all random, biases too, so that none can be overlooked."""
    torch.manual_seed(0)
    model = model_class(series_config(**options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    return model.eval()


def exact_series_model(model_class: type = AttnLSTMForTimeSeriesPrediction, **options: Any) -> nn.Module:
    """In float64, to be compared to NumPy."""
    return series_model(model_class, **options).double()


def mask_of_series(kind: str, length: int = CONTEXT) -> Tensor:
    """Boolean (batch, length, channels), True on values that are there."""
    mask = torch.ones(len(GAPS[kind]), length, CHANNELS, dtype=torch.bool)
    for row, channels in enumerate(GAPS[kind]):
        for channel, missing in enumerate(channels):
            mask[row, list(missing), channel] = False
    return mask


def covariates_for(config: AttnLSTMForecasterConfig, batch: int, length: int, future: bool) -> dict[str, Tensor]:
    """Random ones of all that the model reads."""
    result: dict[str, Tensor] = {}
    if config.num_time_features:
        result["past_time_features"] = torch.randn(batch, length, config.num_time_features)
        if future:
            result["future_time_features"] = torch.randn(batch, config.prediction_length, config.num_time_features)
    if config.num_static_real_features:
        result["static_real_features"] = torch.randn(batch, config.num_static_real_features)
    if config.cardinality:
        ids = torch.stack([torch.randint(0, number, (batch,)) for number in config.cardinality], 1)
        # One that training has not seen.
        ids[0, 0] = -1
        result["static_categorical_features"] = ids
    return result


def series_batch(model: nn.Module, kind: str = "inside", *, exact: bool = True, future: bool = True) -> dict[str, Any]:
    """A batch for this model, with 1e3 where nothing was observed; a seed of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        mask = mask_of_series(kind, model.config.context_length)
        values = 3 + 2 * torch.randn(mask.shape)
        if model.config.distribution_output == "negative_binomial":
            values = values.abs().round()
        batch = {"past_values": torch.where(mask, values, 1e3), "past_observed_mask": mask}
        batch |= covariates_for(model.config, len(mask), mask.shape[1], future)
    if not exact:
        return batch
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in batch.items()}


def future_of(model: nn.Module, batch: int) -> Tensor:
    """What came, (batch, prediction_length, channels); whole numbers where counts are forecast."""
    values = 3 + 2 * torch.randn(batch, model.config.prediction_length, model.config.num_input_channels)
    counts = model.config.distribution_output == "negative_binomial"
    return (values.abs().round() if counts else values).to(next(model.parameters()).dtype)


def training_batch(model: nn.Module, kind: str = "inside") -> dict[str, Tensor]:
    """With what came, in the model's dtype."""
    batch = series_batch(model, kind, exact=next(model.parameters()).dtype == torch.float64)
    return batch | {"future_values": future_of(model, len(batch["past_values"]))}


def without_future(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor for name, tensor in batch.items() if not name.startswith("future")}


def forecast_of(outputs: Any) -> torch.Tensor:
    """Whatever is forecast, in one tensor (batch, length, channels, outputs)."""
    if outputs.get("quantile_outputs") is not None:
        return outputs.quantile_outputs
    given = outputs.prediction_outputs
    return torch.stack(given, -1) if isinstance(given, tuple) else given.unsqueeze(-1)


def series_of_row(batch: dict[str, Tensor], row: int) -> dict[str, np.ndarray]:
    return {name: array(tensor[row]) for name, tensor in batch.items()}


class NumpyScaled(NamedTuple):
    """Of one series, (length, channels); `loc` and `scale` are (channels,)."""

    values: np.ndarray
    observed: np.ndarray
    begun: np.ndarray
    loc: np.ndarray
    scale: np.ndarray


class NumpyReading(NamedTuple):
    """Of one row: a channel, or all where they are mixed."""

    layers: list[np.ndarray]
    attentions: list[np.ndarray]
    states: np.ndarray
    mask: np.ndarray
    final: np.ndarray
    pooled: np.ndarray | None
    weights: np.ndarray | None


def numpy_scaling(values: np.ndarray, mask: np.ndarray, center: str, scale: str) -> NumpyScaled:
    observed = np.isfinite(values) & mask.astype(bool)
    scaled, begun = np.zeros(values.shape), np.zeros(values.shape, bool)
    locs, scales = np.zeros(values.shape[1]), np.ones(values.shape[1])
    for channel in range(values.shape[1]):
        known, last, filled = values[observed[:, channel], channel], None, []
        for step, there in enumerate(observed[:, channel]):
            last = values[step, channel] if there else last
            begun[step, channel] = last is not None
            filled.append(0.0 if last is None else last)
        if len(known):
            locs[channel] = {"none": 0.0, "mean": known.mean(), "last": known[-1]}[center]
        if scale == "std":
            spread = known.std() if len(known) else 0.0
            scales[channel] = spread if spread > 1e-5 else 1.0 if center == "none" else 1e-5
        elif scale == "mean_abs" and len(known) and np.abs(known).mean() >= 1e-5:
            scales[channel] = np.abs(known).mean()
        scaled[:, channel] = np.where(begun[:, channel], (np.array(filled) - locs[channel]) / scales[channel], 0)
    return NumpyScaled(scaled, observed, begun, locs, scales)


def _linear(layer: nn.Linear, values: np.ndarray) -> np.ndarray:
    product = values @ array(layer.weight).T
    return product if layer.bias is None else product + array(layer.bias)


def _windows(values: np.ndarray, size: int) -> list[np.ndarray]:
    """The last one ends at the end; the first is filled up with zeros."""
    whole = np.concatenate([np.zeros((-len(values) % size, *values.shape[1:]), values.dtype), values])
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def numpy_front(front: nn.Module, config: AttnLSTMForecasterConfig, inputs: np.ndarray) -> np.ndarray:
    if config.front == "segments":
        windows = _windows(inputs, config.segment_length)
        return np.stack([np.maximum(_linear(front.projection, window.reshape(-1)), 0) for window in windows])
    weight, bias = array(front.convolution.weight), array(front.convolution.bias)
    whole = np.concatenate(_windows(inputs, config.conv_pool_size))
    half = np.zeros((config.conv_kernel_size // 2, whole.shape[1]))
    padded = np.concatenate([half, whole, half])
    read = np.zeros((len(whole), len(bias)))
    for step in range(len(whole)):
        seen = padded[step : step + config.conv_kernel_size]
        read[step] = np.maximum(bias + sum(weight[:, :, k] @ one for k, one in enumerate(seen)), 0)
    return np.stack([window.max(0) for window in _windows(read, config.conv_pool_size)])


def numpy_layers(
    encoder: nn.Module, config: AttnLSTMForecasterConfig, inputs: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """The inputs, the states of each layer, and the last layer's final state."""
    layers, final = [inputs], np.zeros(config.hidden_size)
    for layer in encoder.layers:
        states, final = numpy_lstm(layers[-1], layer.forward_lstm, backward=False)
        if config.bidirectional:
            merge = config.direction_merge
            weight = array(layer.merge.weight) if merge == "weighted" else None
            backward, last = numpy_lstm(layers[-1], layer.backward_lstm, backward=True)
            states, final = numpy_merge(states, backward, merge, weight), numpy_merge(final, last, merge, weight)
        if config.residual and states.shape == layers[-1].shape:
            states = states + layers[-1]
        layers.append(states)
    return layers, final


def _norm(layer: nn.LayerNorm, values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(-1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + layer.eps)
    return centred / spread * array(layer.weight) + array(layer.bias)


def _gelu(values: np.ndarray) -> np.ndarray:
    return values * (1 + np.vectorize(math.erf)(values / math.sqrt(2))) / 2


def numpy_context(layer: nn.Module, states: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States (steps, hidden), and weights (heads, steps, steps)."""
    attention, (steps, hidden) = layer.attention, states.shape
    query, key, value = (_linear(part, states) for part in (attention.query, attention.key, attention.value))
    heads = attention.num_heads
    weights, attended = np.zeros((heads, steps, steps)), np.zeros(states.shape)
    for head in range(heads):
        own = slice(head * hidden // heads, (head + 1) * hidden // heads)
        for step in np.flatnonzero(mask):
            seen = mask & (np.arange(steps) <= step) if attention.is_causal else mask
            scores = key[seen][:, own] @ query[step, own] / math.sqrt(hidden / heads)
            weights[head, step, seen] = numpy_softmax(scores)
            attended[step, own] = weights[head, step] @ value[:, own]
    attended = _linear(attention.output, attended)
    join = layer.merge.join
    merged = states + attended if join is None else _linear(join, np.concatenate([states, attended], -1))
    result = _norm(layer.merge.norm, merged)
    if layer.feed_forward is not None:
        inner = _gelu(_linear(layer.feed_forward.enter, result))
        result = _norm(layer.feed_forward_merge.norm, result + _linear(layer.feed_forward.leave, inner))
    return np.where(mask[:, None], result, 0), weights


def numpy_score(attend: nn.Module, name: str, key: np.ndarray, query: np.ndarray | None, head: int) -> float:
    weight = {part: array(value) for part, value in attend.scoring.state_dict().items()}
    if name in ("additive", "linear"):
        inner = weight["projection.weight"] @ key + weight["projection.bias"]
        if query is not None:
            inner = inner + weight["query.weight"] @ query
        return np.tanh(inner) @ weight["vector.weight"][head] if name == "additive" else np.tanh(inner[head])
    if name == "dot":
        return key @ (weight["query.weight"][head] if query is None else query)
    if name == "general":
        return weight["query.weight"][head * len(key) : (head + 1) * len(key)] @ query @ key
    asked, told = weight["query.weight"] @ (key if query is None else query), weight["key.weight"] @ key
    share = len(told) // attend.scoring.num_heads
    own = slice(head * share, (head + 1) * share)
    return asked[own] @ told[own]


def numpy_weights(
    attend: nn.Module, config: AttnLSTMForecasterConfig, keys: np.ndarray, query: np.ndarray | None, mask: np.ndarray
) -> np.ndarray:
    """(heads, steps), 0 where the mask is False."""
    weights = np.zeros((config.pooler_num_heads, len(keys)))
    for head in range(config.pooler_num_heads if mask.any() else 0):
        scores = [numpy_score(attend, config.pooler_score, key, query, head) for key in keys[mask]]
        weights[head, mask] = numpy_softmax(np.array(scores) / config.pooler_temperature)
    return weights


def numpy_pool(
    pooler: nn.Module, config: AttnLSTMForecasterConfig, states: np.ndarray, mask: np.ndarray, final: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    seen, parts, weights = states[mask] if mask.any() else np.zeros((1, states.shape[1])), [], None
    for name in config.poolings:
        if name == "attention":
            query = final if config.pooler_score == "general" else None
            weights = numpy_weights(pooler.attention.attend, config, states, query, mask)
            parts.append((weights @ states).reshape(-1))
        else:
            parts.append(final if name == "last" else getattr(seen, name)(0))
    return np.concatenate(parts), weights


def numpy_static(backbone: AttnLSTMForecasterModel, series: dict[str, np.ndarray]) -> np.ndarray:
    parts = [series.get("static_real_features", np.zeros(0))]
    for position, table in enumerate(backbone.static.embeddings if backbone.static is not None else ()):
        weight, category = array(table.weight), series["static_categorical_features"][position]
        parts.append(weight.mean(0) if category < 0 else weight[category])
    return np.concatenate(parts)


def numpy_rows(backbone: nn.Module, series: dict[str, np.ndarray]) -> tuple[list[NumpyReading], NumpyScaled]:
    """What the backbone makes of one series: of each of its rows, and its values."""
    config, given = backbone.config, series["past_values"]
    mask = series.get("past_observed_mask", np.ones(given.shape))
    scaled = numpy_scaling(given, mask, config.instance_center, config.instance_scale)
    rows = [list(range(given.shape[1]))] if config.mix_channels else [[channel] for channel in range(given.shape[1])]
    return [_numpy_row(backbone, series, scaled, channels) for channels in rows], scaled


def _numpy_row(
    backbone: nn.Module, series: dict[str, np.ndarray], scaled: NumpyScaled, channels: list[int]
) -> NumpyReading:
    config = backbone.config
    begun, observed = scaled.begun[:, channels].any(1), scaled.observed[:, channels].any(1)
    inputs = scaled.values[:, channels]
    if config.num_time_features:
        inputs = np.concatenate([inputs, np.where(begun[:, None], series["past_time_features"], 0)], 1)
    inputs = numpy_front(backbone.front, config, inputs)
    if backbone.static is not None:
        inputs = inputs + _linear(backbone.static_projection, numpy_static(backbone, series))
    size = config.segment_length if config.front == "segments" else config.conv_pool_size
    read, mask = (np.array([window.any() for window in _windows(flags, size)]) for flags in (begun, observed))
    layers, final = numpy_layers(backbone.encoder, config, inputs[read])
    layers = [inputs, *(np.concatenate([np.zeros((np.sum(~read), config.hidden_size)), one]) for one in layers[1:])]
    states, attentions = layers[-1], []
    for layer in () if backbone.context is None else backbone.context.layers:
        states, weights = numpy_context(layer, states, mask)
        attentions.append(weights)
    if attentions:
        # After the last step that has a value: what is 0 says nothing.
        final = states[mask][-1] if mask.any() else np.zeros(config.hidden_size)
    pooled, weights = None, None
    if backbone.pooler is not None:
        pooled, weights = numpy_pool(backbone.pooler, config, states, mask, final)
        attentions += [] if weights is None else [weights[:, None]]
    return NumpyReading(layers, attentions, states, mask, final, pooled, weights)


def squareplus(values: np.ndarray) -> np.ndarray:
    return (values + np.sqrt(np.square(values) + 4)) / 2


def numpy_parameters(name: str, raw: np.ndarray, loc: Any, scale: Any) -> tuple[np.ndarray, ...]:
    """The parameters of a distribution, of outputs (…, parameters)."""
    if name == "negative_binomial":
        return squareplus(raw[..., 0]), raw[..., 1] + np.log(scale)
    center, spread = raw[..., -2] * scale + loc, squareplus(raw[..., -1]) * scale
    return (center, spread) if name == "normal" else (2 + squareplus(raw[..., 0]), center, spread)


def _numpy_value(config: AttnLSTMForecasterConfig, raw: np.ndarray) -> np.ndarray:
    """What an autoregressive decoder reads of its outputs (…, outputs): the median, or the mean."""
    if config.loss != "nll":
        return np.sort(raw, -1)[..., (config.quantile_levels or (0.5,)).index(0.5)]
    parameters = numpy_parameters(config.distribution_output, raw, 0.0, 1.0)
    if config.distribution_output == "negative_binomial":
        return parameters[0] * np.exp(parameters[1])
    return parameters[-2]


def _lstm_step(
    lstm: nn.LSTM, inputs: np.ndarray, state: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    gates = array(lstm.weight_ih_l0) @ inputs + array(lstm.bias_ih_l0)
    gates = gates + array(lstm.weight_hh_l0) @ state + array(lstm.bias_hh_l0)
    entry, forget, candidate, exit_ = np.split(gates, 4)
    cell = sigmoid(forget) * cell + sigmoid(entry) * np.tanh(candidate)
    return sigmoid(exit_) * np.tanh(cell), cell


def numpy_head(head: nn.Module, pooled: np.ndarray) -> np.ndarray:
    return _linear(head.out_proj, pooled if head.dense is None else np.tanh(_linear(head.dense, pooled)))


def _numpy_direct(model: nn.Module, row: NumpyReading, static: np.ndarray, features: np.ndarray | None) -> np.ndarray:
    decoder, context = model.decoder, np.concatenate([row.pooled, static])
    outputs = numpy_head(decoder.head, context).reshape(model.config.prediction_length, -1)
    if features is not None:
        inner = _linear(decoder.features.of_step, features) + _linear(decoder.features.of_past, context)
        outputs = outputs + _linear(decoder.features.out_proj, _gelu(inner))
    return outputs


def _numpy_autoregressive(
    model: nn.Module, row: NumpyReading, static: np.ndarray, features: np.ndarray | None, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (length, channels · outputs), and weights (heads, segments, steps)."""
    config, decoder, size, channels = model.config, model.decoder, model.config.segment_length, values.shape[1]
    start, cell = np.split(_linear(decoder.begin, np.concatenate([row.final, static])), 2)
    state = np.tanh(start)
    last = np.concatenate([np.zeros((max(size - len(values), 0), channels)), values])[-size:]
    outputs, weights = [], []
    for first in range(0, config.prediction_length, size):
        read = [last.reshape(-1)]
        if features is not None:
            own = features[first : first + size]
            read.append(np.concatenate([own, np.zeros((size - len(own), own.shape[1]))]).reshape(-1))
        state, cell = _lstm_step(decoder.lstm, np.concatenate(read), state, cell)
        weights.append(numpy_weights(decoder.attention, config, row.states, state, row.mask))
        joined = np.concatenate([state, (weights[-1] @ row.states).reshape(-1)])
        raw = _linear(decoder.out_proj, np.tanh(_linear(decoder.join, joined))).reshape(size, channels, -1)
        last = _numpy_value(config, raw)
        outputs += list(raw.reshape(size, -1))
    return np.stack(outputs[: config.prediction_length]), np.stack(weights, 1)


class NumpyForecast(NamedTuple):
    """Of one series.

    Attributes:
        raw: (length, channels, outputs), in the scale in which the series was read.
        values: (length, channels, outputs), or the parameters, (length, channels) each.
        attentions: Of each layer (channels · heads, queries, steps).
    """

    raw: np.ndarray
    values: np.ndarray | tuple[np.ndarray, ...]
    attentions: list[np.ndarray]
    scaled: NumpyScaled


def numpy_forecast(model: nn.Module, series: dict[str, np.ndarray]) -> NumpyForecast:
    """The whole forward pass of a forecaster over one series."""
    config, backbone = model.config, model.attnlstm_forecaster
    rows, scaled = numpy_rows(backbone, series)
    static, features = numpy_static(backbone, series), series.get("future_time_features")
    outputs, attentions = [], []
    for index, row in enumerate(rows):
        own, attended = scaled.values if config.mix_channels else scaled.values[:, [index]], list(row.attentions)
        if config.decoding == "direct":
            forecast = _numpy_direct(model, row, static, features)
        else:
            forecast, weights = _numpy_autoregressive(model, row, static, features, own)
            attended.append(weights)
        outputs.append(forecast.reshape(config.prediction_length, own.shape[1], -1))
        attentions.append(attended)
    raw = _with_linear(model, np.concatenate(outputs, 1), scaled.values)
    if config.loss == "nll":
        values = numpy_parameters(config.distribution_output, raw, scaled.loc, scaled.scale)
        if config.distribution_output != "negative_binomial":
            values = (*values[:-1], config.quantile_spread * values[-1])
    else:
        values = raw * scaled.scale[:, None] + scaled.loc[:, None]
    return NumpyForecast(raw, values, [np.concatenate(parts) for parts in zip(*attentions)], scaled)


def _with_linear(model: nn.Module, raw: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share of a recurrent forecast (length, channels, outputs), with the linear one."""
    config, linear = model.config, np.zeros((*raw.shape[:2], 1))
    if model.linear is not None:
        linear = (array(model.linear.weight) @ values + array(model.linear.bias)[:, None])[..., None]
    if config.loss == "nll":
        center = raw.shape[-1] - 2
        if config.distribution_output != "negative_binomial":
            raw[..., center] = config.recurrent_share * raw[..., center] + linear[..., 0]
        return raw
    middle = (config.quantile_levels or (0.5,)).index(0.5)
    ordered = np.sort(raw, -1)
    median = ordered[..., middle : middle + 1]
    spread = np.broadcast_to(config.quantile_spread, ordered.shape[-1])
    return np.sort(config.recurrent_share * median + spread * (ordered - median) + linear, -1)
