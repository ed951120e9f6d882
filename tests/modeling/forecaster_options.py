"""Options of the models of time series which together use everything that they have."""

from __future__ import annotations

from typing import Any

import pytest
from forecaster_helpers import COVARIATES, GAPS


QUANTILES = {"loss": "quantile", "quantiles": [0.1, 0.5, 0.8]}
AUTO = {"decoding": "autoregressive"}
TRANSFORMER = {"context_layers": ["transformer"], "num_attention_heads": 2, "intermediate_size": 5}
MODELS: dict[str, dict[str, Any]] = {
    "default": {},
    "centre none": {"instance_center": "none"},
    "centre mean, scale std": {"instance_center": "mean", "instance_scale": "std"},
    "centre last, scale mean_abs": {"instance_scale": "mean_abs"},
    "centre none, scale std": {"instance_center": "none", "instance_scale": "std"},
    "a segment that does not divide the series": {"segment_length": 5},
    "one step a segment": {"segment_length": 1},
    "one segment": {"segment_length": 13},
    "mixed channels": {"mix_channels": True},
    "covariates": COVARIATES,
    "covariates, mixed channels": {**COVARIATES, "mix_channels": True, "instance_scale": "std"},
    "static numbers alone": {"num_static_real_features": 2},
    "convolution": {"front": "convolution"},
    "convolution, mixed channels": {
        **COVARIATES,
        "front": "convolution",
        "conv_kernel_size": 5,
        "conv_pool_size": 5,
        "mix_channels": True,
    },
    "convolution without pooling": {"front": "convolution", "conv_kernel_size": 1, "conv_pool_size": 1},
    "two directions": {"bidirectional": True, "num_hidden_layers": 2},
    "two directions, sum": {"bidirectional": True, "direction_merge": "sum", "residual": True, "num_hidden_layers": 2},
    "two directions, mean": {"bidirectional": True, "direction_merge": "mean", "pooling": ["last", "attention"]},
    "two directions, weighted": {"bidirectional": True, "direction_merge": "weighted", "pooling": "last"},
    "residual everywhere": {"residual": True, "embedding_size": 8, "num_hidden_layers": 3},
    "additive": {"pooler_num_heads": 3, "pooler_size": 5, "pooler_temperature": 0.5},
    "linear": {"pooler_score": "linear", "pooler_num_heads": 2},
    "dot": {"pooler_score": "dot", "pooler_num_heads": 2},
    "general": {"pooler_score": "general", "pooler_num_heads": 2, "pooling": ["attention", "last"]},
    "diagonal_dot": {"pooler_score": "diagonal_dot", "pooler_num_heads": 2, "pooling": ["max", "attention"]},
    "mean of the states": {"pooling": "mean"},
    "sum of the states": {"pooling": "sum", "mix_channels": True},
    "max of the states": {"pooling": "max"},
    "all poolings": {"pooling": ["attention", "mean", "max", "last", "sum"], "classifier_hidden_size": 4},
    "self-attention": {"context_layers": ["attention"], "pooling": ["attention", "last"]},
    "transformer": {**TRANSFORMER, "pooling": ["mean", "last"], "bidirectional": True},
    "two context layers": {**TRANSFORMER, "context_layers": ["transformer", "attention"], "pooler_score": "general"},
    "joined self-attention": {"context_layers": ["attention"], "context_merge": "concat", "context_causal": True},
    "linear forecast": {"linear_forecast": True, "instance_scale": "std"},
    "a share of the recurrent forecast": {"linear_forecast": True, "recurrent_share": 0.3, "loss": "huber"},
    "linear forecast, mixed channels": {"linear_forecast": True, "mix_channels": True, "pooling": "last"},
    "quantiles": {**QUANTILES, "linear_forecast": True, "mix_channels": True},
    "wider quantiles": {**QUANTILES, "linear_forecast": True, "recurrent_share": 0.4, "quantile_spread": 1.7},
    "quantiles, one wider": {**QUANTILES, "linear_forecast": True, "quantile_spread": [3.5, 1.0, 0.6]},
    "student_t": {"loss": "nll", "instance_scale": "std", "linear_forecast": True},
    "narrower student_t": {"loss": "nll", "recurrent_share": 0.6, "quantile_spread": 0.5, "linear_forecast": True},
    "normal": {"loss": "nll", "distribution_output": "normal", "instance_center": "mean", "mix_channels": True},
    "negative_binomial": {
        "loss": "nll",
        "distribution_output": "negative_binomial",
        "instance_center": "none",
        "instance_scale": "mean_abs",
    },
    "autoregressive": AUTO,
    "autoregressive, one segment": {**AUTO, "segment_length": 7, "pooler_temperature": 2},
    "autoregressive, longer segments than the past": {**AUTO, "segment_length": 14, "instance_scale": "std"},
    "autoregressive, covariates": {**AUTO, **COVARIATES, "segment_length": 2, "pooler_num_heads": 2},
    "autoregressive, mixed channels": {**AUTO, **COVARIATES, **QUANTILES, "mix_channels": True, "segment_length": 2},
    "autoregressive, convolution": {**AUTO, "front": "convolution", "segment_length": 3, "pooler_score": "dot"},
    "autoregressive, linear score": {**AUTO, "pooler_score": "linear", "pooler_num_heads": 2, "linear_forecast": True},
    "autoregressive, general": {**AUTO, **TRANSFORMER, "pooler_score": "general", "pooler_num_heads": 2},
    "autoregressive, diagonal_dot": {
        **AUTO,
        "pooler_score": "diagonal_dot",
        "pooler_num_heads": 4,
        "bidirectional": True,
    },
    "autoregressive, student_t": {**AUTO, "loss": "nll", "instance_scale": "std", "mix_channels": True},
    "autoregressive, negative_binomial": {
        **AUTO,
        "loss": "nll",
        "distribution_output": "negative_binomial",
        "instance_center": "none",
        "instance_scale": "mean_abs",
    },
}
every_model = pytest.mark.parametrize("name", MODELS)
every_gap = pytest.mark.parametrize("kind", GAPS)
