"""The configuration of the models of time series: bounds, sentences for mistakes, and its way through a file."""

from __future__ import annotations

import copy
import json
import pickle
import time
import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from forecaster_helpers import COVARIATES, series_config, series_model
from huggingface_hub.errors import StrictDataclassFieldValidationError
from transformers import AutoConfig

from hfattnlstm import AttnLSTMForecasterConfig, AttnLSTMForTimeSeriesPrediction
from hfattnlstm.modeling.attention import NORMALIZERS, SCORES
from hfattnlstm.modeling.configuration_base import AttnLSTMBaseConfig
from hfattnlstm.modeling.configuration_forecaster import AUTOREGRESSIVE, DIRECT, QUANTILES
from hfattnlstm.modeling.configuration_pooled import AttnLSTMPooledConfig
from hfattnlstm.modeling.recurrence import DIRECTION_MERGES


# Fields that are never set together stand in one of these.
VALUES: dict[str, dict[str, Any]] = {
    "direct": {
        "num_input_channels": 3,
        "context_length": 50,
        "prediction_length": 7,
        "mix_channels": True,
        "num_time_features": 2,
        "num_static_real_features": 1,
        "cardinality": [3, 4],
        "static_embedding_size": 5,
        "instance_center": "mean",
        "instance_scale": "std",
        "segment_length": 10,
        "embedding_size": 9,
        "hidden_size": 10,
        "num_hidden_layers": 2,
        "bidirectional": True,
        "direction_merge": "weighted",
        "residual": True,
        "hidden_dropout_prob": 0.2,
        "context_layers": ["transformer", "lsh_attention"],
        "context_merge": "concat",
        "num_attention_heads": 5,
        "intermediate_size": 11,
        "num_hashes": 3,
        "num_buckets": 6,
        "lsh_attn_chunk_length": 7,
        "pooling": ["attention", "max"],
        "pooler_score": "diagonal_dot",
        "pooler_size": 6,
        "pooler_num_heads": 2,
        "pooler_temperature": 2.5,
        "pooler_normalizer": "entmax15",
        "pooler_l2_coef": 0.1,
        "pooler_entropy_coef": -0.2,
        "pooler_diversity_coef": 0.3,
        "linear_forecast": True,
        "recurrent_share": 0.5,
        "quantile_spread": 1.5,
        "loss": "quantile",
        "quantiles": [0.25, 0.5, 0.75],
        "classifier_hidden_size": 9,
        "classifier_dropout": 0.5,
        "class_weights": [1.0, 2.0],
        "label_smoothing": 0.1,
        "initializer_range": 0.05,
        "problem_type": "multi_label_classification",
        "id2label": {0: "calm", 1: "storm"},
    },
    "autoregressive": {
        "front": "convolution",
        "conv_kernel_size": 5,
        "conv_pool_size": 4,
        "decoding": "autoregressive",
        "loss": "nll",
        "instance_center": "none",
        "distribution_output": "negative_binomial",
        "num_parallel_samples": 7,
        "context_layers": ["attention"],
        "context_causal": True,
    },
}


def write(folder: Path, **changes: Any) -> Path:
    """A config.json of a tiny model, with these changes; None takes a key out."""
    content = json.loads(series_config(num_labels=2).to_json_string(use_diff=False)) | changes
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_builds_without_arguments_and_says_what_it_reads():
    config = AttnLSTMForecasterConfig()
    assert config.model_type == "attnlstm_forecaster"
    assert (config.context_length, config.prediction_length, config.num_steps) == (336, 96, 14)
    assert (config.num_labels, config.quantiles, config.pooled_size) == (2, None, 256)
    assert config.model_input_names == ("past_values", "past_observed_mask")
    assert config.poolings == ("attention",) and config.attends and config.attention_penalties == {}
    AttnLSTMForTimeSeriesPrediction(config)


def test_the_names_of_the_inputs_are_those_that_the_model_reads():
    names = ("past_values", "past_observed_mask", "past_time_features", "future_time_features")
    static = ("static_real_features", "static_categorical_features")
    assert series_config(**COVARIATES).model_input_names == names + static
    assert series_config(num_time_features=1).model_input_names == names
    assert series_config(cardinality=[2]).model_input_names == (*names[:2], static[1])


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"context_length": 12, "segment_length": 3}, 4),
        ({"context_length": 13, "segment_length": 3}, 5),
        ({"context_length": 2, "segment_length": 3}, 1),
        ({"context_length": 13, "front": "convolution"}, 7),
        ({"context_length": 13, "front": "convolution", "conv_pool_size": 13}, 1),
    ],
)
def test_the_steps_are_those_of_the_states(options, steps):
    model = series_model(**options)
    assert model.config.num_steps == steps
    outputs = model(torch.zeros(1, options["context_length"], 2), output_attentions=True)
    assert outputs.attentions[-1].shape[-1] == steps


def test_the_width_of_the_pooled_states_counts_the_heads():
    assert series_config(pooling=["attention", "last"], pooler_num_heads=3).pooled_size == 32
    assert series_config(pooling="max").pooled_size == 8


@pytest.mark.parametrize("name", VALUES)
def test_every_field_survives_a_round_trip(name, tmp_path):
    values = VALUES[name]
    config, default = AttnLSTMForecasterConfig(**values), AttnLSTMForecasterConfig()
    assert not [field for field, value in values.items() if value == getattr(default, field)]
    config.save_pretrained(tmp_path)
    for loaded in (
        AttnLSTMForecasterConfig.from_pretrained(tmp_path),
        AutoConfig.from_pretrained(tmp_path),
        AttnLSTMForecasterConfig.from_dict(config.to_dict()),
        AttnLSTMForecasterConfig(**config.to_diff_dict()),
        copy.deepcopy(config),
        pickle.loads(pickle.dumps(config)),
    ):
        assert type(loaded) is AttnLSTMForecasterConfig
        assert {field: getattr(loaded, field) for field in values} == values
        assert loaded.num_labels == config.num_labels == len(config.label2id)


def test_no_field_is_left_out_of_the_round_trip():
    shared = AttnLSTMBaseConfig.__annotations__ | AttnLSTMPooledConfig.__annotations__
    fields = {*AttnLSTMForecasterConfig.__annotations__, *shared}
    of_classes = {name for name, hint in shared.items() if "ClassVar" in str(hint)}
    assert fields - of_classes == {*VALUES["direct"], *VALUES["autoregressive"]} - {"problem_type", "id2label"}


def test_quantiles_are_those_of_the_table_where_none_are_named(tmp_path):
    config = series_config(loss="quantile")
    assert config.quantiles is None and config.quantile_levels == QUANTILES
    config.save_pretrained(tmp_path)
    assert AttnLSTMForecasterConfig.from_pretrained(tmp_path).quantile_levels == QUANTILES
    assert series_config(loss="quantile", quantiles=[0.5]).quantile_levels == (0.5,)
    assert series_config().quantile_levels == ()
    assert min(QUANTILES) > 0 and 0.5 in QUANTILES and sorted(set(QUANTILES)) == list(QUANTILES)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"hiden_size": 4}, "no field 'hiden_size': did you mean 'hidden_size'"),
    ({"prediction_lenght": 4}, "no field 'prediction_lenght': did you mean 'prediction_length'"),
    ({"num_input_channels": 0}, "num_input_channels must be between 1 and 65,536, got 0"),
    ({"context_length": 0}, "context_length must be between 1 and 100,000, got 0"),
    ({"context_length": 100_001}, "context_length must be between 1 and 100,000, got 100,001"),
    ({"prediction_length": 0}, "prediction_length must be between 1 and"),
    ({"segment_length": -1}, "segment_length must be between 1 and"),
    ({"conv_kernel_size": 0, "front": "convolution"}, "conv_kernel_size must be between 1 and"),
    ({"conv_pool_size": 0, "front": "convolution"}, "conv_pool_size must be between 1 and"),
    ({"conv_kernel_size": 4, "front": "convolution"}, "conv_kernel_size must be odd, got 4"),
    ({"conv_kernel_size": 5}, 'conv_kernel_size is for front="convolution": leave it out, or set that'),
    ({"conv_pool_size": 5}, 'conv_pool_size is for front="convolution": leave it out, or set that'),
    ({"embedding_size": 0}, "embedding_size must be between 1 and"),
    ({"hidden_size": 10**9}, "hidden_size must be between 1 and 65,536, got 1,000,000,000"),
    ({"num_hidden_layers": 257}, "num_hidden_layers must be between 1 and 256, got 257"),
    ({"num_attention_heads": 0}, "num_attention_heads must be between 1 and"),
    ({"intermediate_size": 0, "context_layers": ["transformer"]}, "intermediate_size must be between 1 and"),
    ({"pooler_num_heads": 5000}, "pooler_num_heads must be between 1 and 4,096"),
    ({"pooler_size": 0}, "pooler_size must be between 1 and"),
    ({"classifier_hidden_size": 0}, "classifier_hidden_size must be between 1 and"),
    ({"static_embedding_size": 0, "cardinality": [2]}, "static_embedding_size must be between 1 and"),
    ({"num_parallel_samples": 0, "loss": "nll"}, "num_parallel_samples must be between 1 and"),
    ({"num_time_features": -1}, "num_time_features must be between 0 and 65,536, got -1"),
    ({"num_static_real_features": 70_000}, "num_static_real_features must be between 0 and 65,536, got 70000"),
    ({"cardinality": [3, 0]}, r"cardinality must hold numbers from 1 to 10,000,000, got \[3, 0\]"),
    ({"cardinality": [10**8]}, "cardinality must hold numbers from 1 to 10,000,000"),
    ({"static_embedding_size": 4}, "static_embedding_size has no effect without cardinality: leave it out, or set"),
    ({"intermediate_size": 4}, 'intermediate_size is for "transformer" or "lsh_transformer" in context_layers'),
    ({"intermediate_size": 4, "context_layers": []}, 'intermediate_size is for "transformer"'),
    ({"initializer_range": -0.1}, "initializer_range must not be negative, got -0.1"),
    ({"hidden_size": 7, "bidirectional": True}, 'hidden_size .* even, got 7: .*direction_merge than "concat"'),
    ({"direction_merge": "sum"}, "direction_merge is for two directions: leave it out with bidirectional=False"),
    ({"residual": True}, "residual needs a layer that is as wide as what it reads"),
    ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is a share of units and must be at least 0 and below 1"),
    ({"classifier_dropout": -0.1}, "classifier_dropout is a share of units"),
    ({"pooler_temperature": 0}, "pooler_temperature must be above 0, got 0"),
    (
        {"context_layers": ["attention"], "num_attention_heads": 3},
        "hidden_size=8 must be a multiple of num_attention_heads=3",
    ),
    ({"context_layers": ["lstm"]}, "context_layers"),
    ({"context_layers": "attention"}, "context_layers"),
    ({"pooling": "first"}, "pooling must be one of attention, mean, max, last, sum, .*got 'first'"),
    ({"pooling": []}, "pooling must be one of"),
    ({"pooling": ["max", "max"]}, "list of different ones"),
    ({"pooling": "max", "pooler_num_heads": 2}, 'pooler_num_heads needs "attention" in pooling: leave it out, or add'),
    ({"pooling": ["last"], "pooler_l2_coef": 0.1}, 'pooler_l2_coef needs "attention" in pooling'),
    ({"pooler_size": 4, "pooler_score": "general"}, "pooler_size is for the scores additive and diagonal_dot: leave"),
    (
        {"pooler_score": "diagonal_dot", "pooler_num_heads": 3},
        'pooler_size=8 must be a multiple of pooler_num_heads=3 with pooler_score="diagonal_dot"',
    ),
    (
        {"decoding": "autoregressive", "pooling": "last"},
        'pooling is for decoding="direct": leave one of the two out',
    ),
    ({"decoding": "autoregressive", "pooling": ["attention", "last"]}, 'pooling is for decoding="direct"'),
    (
        {"decoding": "autoregressive", "pooler_score": "dot", "pooler_num_heads": 2},
        'pooler_score="dot" has one head in an autoregressive decoder: take "general"',
    ),
    ({"quantiles": [0.5]}, 'quantiles are for loss="quantile": leave them out, or set that'),
    ({"loss": "quantile", "quantiles": []}, "quantiles must rise, lie between 0 and 1, and have 0.5 among them"),
    ({"loss": "quantile", "quantiles": [0.1, 0.9]}, r"and have 0.5 among them, got \[0.1, 0.9\]"),
    ({"loss": "quantile", "quantiles": [0.5, 0.1]}, "quantiles must rise"),
    ({"loss": "quantile", "quantiles": [0.5, 0.5]}, "quantiles must rise"),
    ({"loss": "quantile", "quantiles": [0.5, 1]}, "quantiles must rise, lie between 0 and 1"),
    ({"loss": "quantile", "quantiles": [0, 0.5]}, "quantiles must rise, lie between 0 and 1"),
    ({"distribution_output": "normal"}, 'distribution_output is for loss="nll": leave it out, or set that'),
    ({"num_parallel_samples": 5}, 'num_parallel_samples is for loss="nll": leave it out, or set that'),
    (
        {"loss": "nll", "distribution_output": "negative_binomial"},
        'A negative binomial is for counts, of which nothing is taken off: set instance_center="none"',
    ),
    (
        {
            "loss": "nll",
            "distribution_output": "negative_binomial",
            "instance_center": "none",
            "linear_forecast": True,
        },
        "linear_forecast has no place in a negative binomial, whose logits are no forecast",
    ),
    (
        {
            "loss": "nll",
            "distribution_output": "negative_binomial",
            "instance_center": "none",
            "recurrent_share": 0.5,
        },
        "(recurrent_share|linear_forecast) has no place in a negative binomial|recurrent_share has no effect",
    ),
    (
        {
            "loss": "nll",
            "distribution_output": "negative_binomial",
            "instance_center": "none",
            "quantile_spread": 2,
        },
        "quantile_spread has no place in a negative binomial",
    ),
    ({"recurrent_share": -0.1, "linear_forecast": True}, "recurrent_share must not be negative, got -0.1"),
    ({"quantile_spread": 0, "loss": "quantile"}, "quantile_spread must be above 0, got 0"),
    ({"quantile_spread": 1.5}, "quantile_spread is for quantiles: leave it out with loss='mae'"),
    ({"quantile_spread": [1.5]}, "quantile_spread is for quantiles: leave it out with loss='mae'"),
    ({"quantile_spread": [2, 1], "loss": "quantile"}, "quantile_spread has 2 numbers for 11 quantiles: give one"),
    ({"quantile_spread": [2, 0], "loss": "quantile"}, "quantile_spread must be above 0, got 0"),
    ({"quantile_spread": [2.0], "loss": "nll"}, "quantile_spread must be one number for a distribution, not a list"),
    ({"problem_type": "foo"}, "problem_type must be one of .*got 'foo'"),
    ({"label_smoothing": 1}, "label_smoothing must be at least 0 and below 1, got 1"),
    ({"label_smoothing": 0.1, "num_labels": 1}, "A regression has no label_smoothing: leave it out"),
    ({"class_weights": [1.0]}, "class_weights has 1 numbers for 2 labels: give one a label"),
    ({"class_weights": [1.0, -1.0]}, "class_weights must not be negative, and not all 0"),
    ({"class_weights": [1.0, 1.0], "problem_type": "regression"}, "A regression has no class_weights: leave it out"),
    ({"num_labels": 0}, "num_labels must be a whole number between 1 and 100,000, got 0"),
    ({"num_labels": 3, "id2label": {0: "a", 1: "b"}}, "num_labels=3 contradicts the 2 labels of id2label"),
    ({"id2label": {0: "a", 2: "b"}}, r"keys of id2label must be 0 … 1, got \[0, 2\]"),
    ({"id2label": {0: "a", 1: "a"}}, "label 'a' twice"),
    ({"id2label": {0: 5}}, "labels in id2label must be strings"),
    ({"id2label": {"first": "a"}}, "keys of id2label must be whole numbers"),
    ({"label2id": {"a": 0, "b": 0}}, "label2id gives the same number to two labels"),
    ({"id2label": {0: "a", 1: "b"}, "label2id": {"a": 1, "b": 0}}, "contradict each other"),
]


@pytest.mark.parametrize(("mistake", "sentence"), MISTAKES, ids=[str(mistake) for mistake, _ in MISTAKES])
def test_a_mistake_gets_a_sentence(mistake, sentence):
    with pytest.raises(Exception, match=sentence) as caught:
        series_config(**mistake)
    assert isinstance(caught.value, (ValueError, StrictDataclassFieldValidationError, TypeError))
    assert "\n" not in str(caught.value) or isinstance(caught.value, StrictDataclassFieldValidationError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance_center", "first"),
        ("instance_scale", "max"),
        ("front", "linear"),
        ("decoding", "transformer"),
        ("loss", "crps"),
        ("distribution_output", "poisson"),
        ("pooler_score", "cosine"),
        ("pooler_normalizer", "hardmax"),
        ("direction_merge", "product"),
        ("context_length", "12"),
        ("hidden_size", None),
        ("cardinality", 3),
        ("mix_channels", "yes"),
        ("quantiles", 0.5),
    ],
)
def test_values_of_another_kind_are_refused(name, value):
    with pytest.raises((StrictDataclassFieldValidationError, TypeError, ValueError), match=name):
        series_config(**{name: value})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name",
    [
        *("pooler_l2_coef", "pooler_entropy_coef", "pooler_diversity_coef", "pooler_temperature"),
        *("initializer_range", "recurrent_share", "quantile_spread"),
    ],
)
def test_numbers_must_be_finite(name, number):
    with pytest.raises(ValueError, match=name):
        series_config(**{name: number})


@pytest.mark.parametrize("quantiles", [[0.5, float("nan")], [float("nan"), 0.5]])
def test_quantiles_must_be_numbers(quantiles):
    with pytest.raises(ValueError, match="quantiles must"):
        series_config(loss="quantile", quantiles=quantiles)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 7, "context_layers": None},
        {"hidden_size": 7, "bidirectional": True, "direction_merge": "mean"},
        {"hidden_size": 7, "num_attention_heads": 4},
        {"context_layers": ["attention", "attention", "transformer"], "num_attention_heads": 8},
        {"conv_kernel_size": 3, "conv_pool_size": 2},
        {"loss": "quantile", "quantiles": [0.01, 0.5, 0.99]},
        {"loss": "nll", "num_parallel_samples": 3},
        {"decoding": "autoregressive", "pooling": ["attention"]},
        {"decoding": "autoregressive", "pooler_score": "dot"},
        {"decoding": "autoregressive", "pooler_l2_coef": 0.1, "pooler_num_heads": 2},
        {"cardinality": [1], "static_embedding_size": 1},
        {"residual": True, "embedding_size": 8},
    ],
    ids=str,
)
def test_options_that_go_together_are_taken(options, tmp_path):
    series_config(**options).save_pretrained(tmp_path)
    loaded = AttnLSTMForecasterConfig.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in options} == options
    AttnLSTMForTimeSeriesPrediction(loaded)


@pytest.mark.parametrize("decoder", [None, True])
def test_no_field_is_taken_for_a_configuration_inside(decoder):
    """transformers looks for such ones by the names of attributes, when it loads, trains and generates."""
    for options in VALUES.values():
        config = AttnLSTMForecasterConfig(**options)
        assert config.get_text_config(decoder=decoder) is config


class TestConfigFile:
    """A config.json may come from anywhere."""

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"num_labels": 10**9, "id2label": None, "label2id": None}, "num_labels"),
            ({"hidden_size": 10**9}, "hidden_size"),
            ({"context_length": 10**9}, "context_length"),
            ({"prediction_length": 10**12}, "prediction_length"),
            ({"cardinality": [10**12]}, "cardinality"),
            ({"num_time_features": 10**12}, "num_time_features"),
        ],
    )
    def test_an_absurd_size_is_refused_at_once(self, changes, name, tmp_path):
        folder, start = write(tmp_path, **changes), time.perf_counter()
        with pytest.raises(ValueError, match=f"{name} must"):
            AutoConfig.from_pretrained(folder)
        assert time.perf_counter() - start < 1

    def test_misspelt_fields_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="unknown field 'contxt_length': did you mean 'context_length'"):
            AttnLSTMForecasterConfig.from_pretrained(write(tmp_path, contxt_length=4))
        with pytest.raises(ValueError, match="unknown field 'instance_centre': did you mean 'instance_center'"):
            AttnLSTMForecasterConfig.from_pretrained(write(tmp_path), instance_centre="mean")

    @pytest.mark.parametrize("key", ["num_steps", "model_input_names", "poolings", "pooled_size", "attends"])
    def test_a_key_named_like_code_is_refused(self, key, tmp_path):
        with pytest.raises(ValueError, match=rf"(sets|unknown field) '{key}'(, which follows from|: did)"):
            AttnLSTMForecasterConfig.from_pretrained(write(tmp_path, **{key: 4}))

    def test_keys_of_others_are_kept(self, tmp_path):
        config = AttnLSTMForecasterConfig.from_pretrained(write(tmp_path, exported_by="some tool"))
        config.save_pretrained(tmp_path / "again")
        assert AutoConfig.from_pretrained(tmp_path / "again").exported_by == "some tool"

    def test_fields_given_win_over_the_file(self, tmp_path):
        folder = write(tmp_path, prediction_length=4)
        config, unused = AttnLSTMForecasterConfig.from_pretrained(
            folder, prediction_length=6, foo=1, return_unused_kwargs=True
        )
        assert config.prediction_length == 6 and unused == {"foo": 1}

    def test_another_loss_may_be_given(self, tmp_path):
        folder = write(tmp_path)
        config = AttnLSTMForecasterConfig.from_pretrained(folder, loss="quantile")
        assert AttnLSTMForTimeSeriesPrediction(config).num_outputs == len(QUANTILES)

    def test_labels_given_replace_those_of_a_checkpoint(self, tmp_path):
        folder = write(tmp_path)
        for given in ({"num_labels": 3}, {"id2label": {0: "a", 1: "b", 2: "c"}}):
            assert AttnLSTMForecasterConfig.from_pretrained(folder, **given).num_labels == 3


def test_an_unknown_field_that_resembles_none_is_told_and_kept(caplog):
    with caplog.at_level("WARNING", "hfattnlstm"):
        config = series_config(rotary_layout=3)
    assert "no field 'rotary_layout'" in caplog.text
    assert AttnLSTMForecasterConfig(**config.to_dict()).rotary_layout == 3


def test_the_names_in_the_config_are_those_that_the_blocks_know():
    hints = AttnLSTMBaseConfig.__annotations__ | AttnLSTMPooledConfig.__annotations__
    assert typing.get_args(hints["pooler_score"]) == SCORES
    assert typing.get_args(hints["pooler_normalizer"]) == tuple(NORMALIZERS)
    assert typing.get_args(hints["direction_merge"]) == DIRECTION_MERGES
    own = AttnLSTMForecasterConfig.__annotations__
    assert typing.get_args(own["decoding"]) == (DIRECT, AUTOREGRESSIVE)
