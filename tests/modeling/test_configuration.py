"""The configuration: labels, bounds, the sentences for mistakes, and its way through a config.json."""

from __future__ import annotations

import copy
import json
import pickle
import time
import tracemalloc
import typing
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassFieldValidationError
from modeling_helpers import tiny_config, tiny_model
from transformers import AutoConfig

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification
from hfattnlstm.modeling.attention import NORMALIZERS, SCORES
from hfattnlstm.modeling.configuration_base import AttnLSTMBaseConfig
from hfattnlstm.modeling.configuration_pooled import POOLINGS as CONFIG_POOLINGS
from hfattnlstm.modeling.configuration_pooled import AttnLSTMPooledConfig
from hfattnlstm.modeling.pooling import POOLINGS
from hfattnlstm.modeling.recurrence import DIRECTION_MERGES


def write(folder: Path, **changes: Any) -> Path:
    """A config.json of a tiny model, with these changes; None takes a key out."""
    content = json.loads(tiny_config(num_labels=2).to_json_string(use_diff=False)) | changes
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_builds_without_arguments_and_has_the_usual_fields():
    config = AttnLSTMConfig()
    assert (config.vocab_size, config.hidden_size, config.num_hidden_layers, config.pooler_num_heads) == (
        30_000,
        256,
        1,
        1,
    )
    assert config.model_type == "attnlstm"
    assert config.num_labels == 2
    assert config.keys_to_ignore_at_inference == ["hidden_states", "attentions"]


OTHER_VALUES = {
    "vocab_size": 31,
    "embedding_size": 7,
    "hidden_size": 10,
    "num_hidden_layers": 3,
    "bidirectional": False,
    "residual": True,
    "hidden_dropout_prob": 0.2,
    "embedding_dropout": 0.3,
    "locked_dropout": True,
    "word_dropout": 0.4,
    "classifier_pooling": ["attention", "max"],
    "pooler_score": "diagonal_dot",
    "pooler_size": 6,
    "pooler_num_heads": 2,
    "pooler_temperature": 2.5,
    "pooler_normalizer": "entmax15",
    "pooler_l2_coef": -0.1,
    "pooler_entropy_coef": 0.2,
    "pooler_diversity_coef": 0.3,
    "classifier_hidden_size": 9,
    "classifier_dropout": 0.5,
    "class_weights": [1.0, 2.0],
    "label_smoothing": 0.1,
    "threshold": 0.3,
    "truncation": "tail",
    "text_columns": ["premise", "hypothesis"],
    "embedding_ngrams": 11,
    "embedding_ngram_length": 2,
    "ngram_dropout": 0.25,
    "subword_ngrams": 3,
    "subword_entries": 7,
    "token_inputs": ["word", "char_cnn", "char_lstm", "case", "vectors"],
    "input_merge": "gated",
    "word_input_dropout": 0.15,
    "num_characters": 40,
    "max_word_length": 12,
    "char_embedding_size": 9,
    "char_hidden_size": 8,
    "char_kernel_size": 5,
    "char_dropout": 0.35,
    "case_embedding_size": 6,
    "vector_sizes": [5, 6],
    "vector_rows": [7, 8],
    "sentence_context": True,
    "image_conv_sizes": [6, 7],
    "num_image_channels": 4,
    "num_cross_modal_layers": 3,
    "cross_modal_intermediate_size": 11,
    "classifier_ngrams": 12,
    "classifier_ngram_length": 4,
    "num_sampled_tokens": 64,
    "calibration_temperature": 1.5,
    "initializer_range": 0.05,
    "pad_token_id": 3,
    "bos_token_id": 4,
    "eos_token_id": [5, 6],
    "tie_word_embeddings": True,
    "problem_type": "multi_label_classification",
    "id2label": {0: "neg", 1: "pos"},
}


# What is never set beside some of those.
OF_TAGGERS = {"use_crf": True, "tagging_scheme": "bio", "id2label": {0: "O", 1: "B-PER"}}
SCORED_ALONE = ("class_weights", "label_smoothing")
OF_FEATURES = {"image_feature_size": 5, "id2label": {0: "neg", 1: "pos"}}


def test_every_field_survives_a_round_trip(tmp_path):
    check_round_trip(OTHER_VALUES, tmp_path)
    check_round_trip(OTHER_VALUES | {"bidirectional": True, "direction_merge": "weighted"}, tmp_path)
    tagger = {name: value for name, value in OTHER_VALUES.items() if name not in SCORED_ALONE} | OF_TAGGERS
    check_round_trip(tagger, tmp_path)
    check_round_trip(OF_FEATURES, tmp_path)
    known = {*OTHER_VALUES, *OF_TAGGERS, *OF_FEATURES, "direction_merge"}
    assert not [name for name in AttnLSTMConfig.__annotations__ if name not in known]


def check_round_trip(values, folder):
    config, default = AttnLSTMConfig(**values), AttnLSTMConfig()
    assert not [name for name in values if getattr(config, name) == getattr(default, name) and name != "bidirectional"]
    config.save_pretrained(folder)
    for loaded in (
        AttnLSTMConfig.from_pretrained(folder),
        AutoConfig.from_pretrained(folder),
        AttnLSTMConfig.from_dict(config.to_dict()),
        AttnLSTMConfig(**config.to_diff_dict()),
        copy.deepcopy(config),
        pickle.loads(pickle.dumps(config)),
    ):
        assert {name: getattr(loaded, name) for name in values} == values
        assert loaded.label2id == {name: number for number, name in values["id2label"].items()}
        assert loaded.num_labels == 2


def test_whole_numbers_serve_as_probabilities_and_coefficients():
    config = tiny_config(hidden_dropout_prob=0, embedding_dropout=0, pooler_l2_coef=1, pooler_temperature=2)
    assert config.pooler_temperature == 2


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"hiden_size": 4}, "no field 'hiden_size': did you mean 'hidden_size'"),
        ({"dropout": 0.1}, "no field 'dropout'"),
        ({"num_attention_heads": 0}, "num_attention_heads must be between 1 and"),
        ({"vocab_size": 0}, "vocab_size must be between 1 and"),
        ({"vocab_size": 10**12}, "vocab_size must be between 1 and"),
        ({"embedding_size": -8}, "embedding_size must be between 1 and"),
        ({"hidden_size": -12}, "hidden_size must be between 1 and"),
        ({"hidden_size": 10**9}, "hidden_size must be between 1 and"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be between 1 and"),
        ({"pooler_num_heads": 0}, "pooler_num_heads must be between 1 and"),
        ({"pooler_size": 0}, "pooler_size must be between 1 and"),
        ({"classifier_hidden_size": -1}, "classifier_hidden_size must be between 1 and"),
        ({"hidden_size": 7}, 'hidden_size .* even, got 7: .*direction_merge than "concat"'),
        ({"direction_merge": "product"}, "direction_merge"),
        ({"pooler_score": "cosine"}, "pooler_score"),
        ({"pooler_normalizer": "hardmax"}, "pooler_normalizer"),
        ({"classifier_pooling": "first"}, "classifier_pooling must be one of .*got 'first'"),
        ({"classifier_pooling": []}, "classifier_pooling must be one of"),
        ({"classifier_pooling": ["max", "max"]}, "list of different ones"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is a share"),
        ({"embedding_dropout": -0.1}, "embedding_dropout is a share"),
        ({"word_dropout": 1.5}, "word_dropout is a share"),
        ({"classifier_dropout": float("nan")}, "classifier_dropout is a share"),
        ({"pooler_temperature": 0}, "pooler_temperature must be above 0"),
        ({"pooler_temperature": -1.0}, "pooler_temperature must be above 0"),
        ({"initializer_range": -0.1}, "initializer_range must not be negative"),
        ({"pad_token_id": 30}, "pad_token_id must be below vocab_size=30"),
        ({"pad_token_id": -1}, "pad_token_id must be"),
        (
            {"pooler_score": "diagonal_dot", "pooler_num_heads": 5},
            "pooler_size=12 must be a multiple of pooler_num_heads=5",
        ),
        (
            {"pooler_l2_coef": 0.1, "classifier_pooling": "max"},
            'pooler_l2_coef needs "attention" in classifier_pooling',
        ),
        ({"pooler_num_heads": 2, "classifier_pooling": ["max"]}, 'pooler_num_heads needs "attention" in'),
        ({"pooler_score": "dot", "classifier_pooling": "mean"}, 'pooler_score needs "attention" in'),
        (
            {"pooler_size": 4, "pooler_score": "linear"},
            "pooler_size is for the scores additive and diagonal_dot: leave",
        ),
        ({"pooler_size": 4, "pooler_score": "dot"}, "leave it out with pooler_score='dot'"),
        ({"pooler_size": 4, "pooler_score": "general"}, "leave it out with pooler_score='general'"),
        ({"direction_merge": "sum", "bidirectional": False}, "direction_merge is for two directions"),
        ({"residual": True}, "residual needs a layer that is as wide as what it reads"),
        ({"label_smoothing": -0.1}, "label_smoothing must be at least 0 and below 1, got -0.1"),
        ({"label_smoothing": 1}, "label_smoothing must be at least 0 and below 1, got 1"),
        ({"label_smoothing": 0.1, "num_labels": 1}, "A regression has no label_smoothing: leave it out"),
        ({"label_smoothing": 0.1, "problem_type": "regression"}, "A regression has no label_smoothing: leave it out"),
        ({"threshold": 0}, "threshold is a probability and must lie between 0 and 1, got 0"),
        ({"threshold": 1.0}, "threshold is a probability and must lie between 0 and 1, got 1.0"),
        (
            {"threshold": [0.5, 0], "problem_type": "multi_label_classification"},
            "threshold is a probability .*, got 0",
        ),
        (
            {"threshold": [0.5] * 3, "problem_type": "multi_label_classification"},
            "threshold has 3 numbers for 2 labels: give one a label",
        ),
        ({"threshold": [], "problem_type": "multi_label_classification"}, "threshold has 0 numbers for 2 labels"),
        ({"threshold": [0.5, 0.5], "problem_type": "single_label_classification"}, "threshold is for multi-label"),
        ({"threshold": 0.3, "num_labels": 1}, "threshold is for multi-label problems: leave it at 0.5"),
        ({"threshold": 0.3, "problem_type": "single_label_classification"}, "threshold is for multi-label problems"),
        ({"problem_type": "foo"}, "problem_type must be one of .*got 'foo'"),
        ({"num_labels": 0}, "num_labels must be a whole number"),
        ({"num_labels": 2.0}, "num_labels must be a whole number"),
        ({"num_labels": 10**9}, "num_labels must be a whole number between 1 and 100,000"),
        ({"num_labels": 3, "id2label": {0: "a", 1: "b"}}, "num_labels=3 contradicts the 2 labels of id2label"),
        ({"id2label": {0: "a", 2: "b"}}, r"keys of id2label must be 0 … 1, got \[0, 2\]"),
        ({"id2label": {0: "a", 1: "a"}}, "label 'a' twice"),
        ({"id2label": {0: 5}}, "labels in id2label must be strings"),
        ({"id2label": {0: "a", 1: "b"}, "label2id": {"a": 1, "b": 0}}, "contradict each other"),
        ({"class_weights": [1.0, 2.0, 3.0]}, "class_weights has 3 numbers for 2 labels"),
        ({"class_weights": [1.0, -2.0]}, "class_weights must not be negative"),
        ({"class_weights": [0, 0]}, "class_weights must not be negative, and not all 0"),
        (
            {"class_weights": [1.0, 2.0], "problem_type": "regression"},
            "A regression has no class_weights: leave",
        ),
        ({"vocab_size": "30"}, "vocab_size"),
        ({"hidden_size": None}, "hidden_size"),
    ],
)
def test_a_mistake_gets_a_sentence(mistake, sentence):
    with pytest.raises(Exception, match=sentence) as caught:
        tiny_config(**mistake)
    assert isinstance(caught.value, (ValueError, StrictDataclassFieldValidationError))


@pytest.mark.parametrize(
    "mistake",
    [
        {"pooler_l2_coef": float("nan")},
        {"pooler_entropy_coef": float("inf")},
        {"pooler_diversity_coef": float("nan")},
        {"pooler_temperature": float("inf")},
        {"initializer_range": float("nan")},
        {"initializer_range": float("inf")},
        {"class_weights": [1.0, float("nan")]},
        {"class_weights": [1.0, float("inf")]},
        {"label_smoothing": float("nan")},
        {"threshold": float("nan")},
    ],
    ids=str,
)
def test_numbers_must_be_finite(mistake):
    with pytest.raises(ValueError, match=next(iter(mistake))):
        tiny_config(**mistake)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"id2label": ["a", "b"]}, "id2label"),
        ({"id2label": {"first": "a"}}, "id2label"),
        ({"label2id": {"a": "first"}}, "label2id"),
        ({"label2id": {"a": 0, "b": 0}}, r"label2id .*\b0\b"),
    ],
)
def test_labels_of_a_wrong_kind_are_named(mistake, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        tiny_config(**mistake)


def test_class_weights_are_refused_where_one_label_means_a_regression():
    with pytest.raises(ValueError, match="class_weights"):
        tiny_config(num_labels=1, class_weights=[2.0])


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.1},
        {"label_smoothing": 0.1, "num_labels": 1, "problem_type": "multi_label_classification"},
        {"threshold": 0.9},
        {"threshold": [0.9, 0.2], "problem_type": "multi_label_classification"},
        {"threshold": 0.9, "num_labels": 1, "problem_type": "multi_label_classification"},
        {"residual": True, "num_hidden_layers": 2},
        {"residual": True, "embedding_size": 12},
        {"pooler_size": 4, "pooler_score": "diagonal_dot"},
        {"pooler_num_heads": 2, "classifier_pooling": ["max", "attention"]},
    ],
    ids=str,
)
def test_options_that_have_an_effect_are_taken(options, tmp_path):
    tiny_config(**options).save_pretrained(tmp_path)
    loaded = AttnLSTMConfig.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in options} == options


def test_an_odd_width_is_fine_where_nothing_is_halved():
    assert tiny_config(hidden_size=7, bidirectional=False).hidden_size == 7
    assert tiny_config(hidden_size=7, direction_merge="mean").hidden_size == 7


class TestLabels:
    """`num_labels`, `id2label` and `label2id` agree however they are given."""

    @pytest.mark.parametrize(
        "given",
        [
            {"id2label": {0: "neg", 1: "mid", 2: "pos"}},
            {"id2label": {"0": "neg", "1": "mid", "2": "pos"}},
            {"label2id": {"neg": 0, "mid": 1, "pos": 2}},
            {"label2id": {"pos": 2, "neg": 0, "mid": 1}, "num_labels": 3},
            {"id2label": {0: "neg", 1: "mid", 2: "pos"}, "label2id": {"neg": 0, "mid": 1, "pos": 2}, "num_labels": 3},
        ],
    )
    def test_one_of_them_is_enough(self, given):
        config = tiny_config(**given)
        assert config.id2label == {0: "neg", 1: "mid", 2: "pos"}
        assert config.label2id == {"neg": 0, "mid": 1, "pos": 2}
        assert config.num_labels == 3

    def test_a_number_makes_names(self):
        config = tiny_config(num_labels=3)
        assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
        assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}

    def test_the_number_can_be_set(self):
        config = tiny_config(id2label={0: "neg", 1: "pos"})
        config.num_labels = 2
        assert config.id2label == {0: "neg", 1: "pos"}
        config.num_labels = 4
        assert len(config.id2label) == len(config.label2id) == 4
        with pytest.raises(ValueError, match="num_labels must be"):
            config.num_labels = 10**9

    def test_contradictions_made_later_are_found_when_saving(self, tmp_path):
        config = tiny_config(id2label={0: "neg", 1: "pos"})
        config.id2label = {0: "bad", 1: "good"}
        with pytest.raises(Exception, match="contradict each other"):
            config.save_pretrained(tmp_path)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"num_labels": 3}, {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}),
            ({"num_labels": 2}, {0: "LABEL_0", 1: "LABEL_1"}),
            ({"id2label": {0: "a", 1: "b", 2: "c"}}, {0: "a", 1: "b", 2: "c"}),
            ({"label2id": {"a": 0, "b": 1, "c": 2}}, {0: "a", 1: "b", 2: "c"}),
        ],
    )
    def test_labels_given_replace_those_of_a_checkpoint(self, given, expected, tmp_path):
        folder = write(tmp_path, id2label={"0": "neg", "1": "pos"}, label2id={"neg": 0, "pos": 1})
        for loaded in (AttnLSTMConfig.from_pretrained(folder, **given), AutoConfig.from_pretrained(folder, **given)):
            assert loaded.id2label == expected
            assert loaded.label2id == {name: index for index, name in expected.items()}
        assert AttnLSTMConfig.from_pretrained(folder).id2label == {0: "neg", 1: "pos"}

    def test_a_checkpoint_gets_a_head_of_another_size(self, tmp_path):
        tiny_model(num_labels=2).save_pretrained(tmp_path)
        model = AttnLSTMForSequenceClassification.from_pretrained(tmp_path, num_labels=3, ignore_mismatched_sizes=True)
        assert model.classifier.out_proj.weight.shape == (3, 12)
        assert model.classifier.out_proj.weight.isfinite().all()
        assert model.config.num_labels == model.num_labels == 3


class TestConfigFile:
    """A config.json may come from anywhere."""

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"num_labels": 10**9, "id2label": None, "label2id": None}, "num_labels"),
            ({"num_labels": 10**9}, "num_labels"),
            ({"hidden_size": 10**9}, "hidden_size"),
            ({"vocab_size": 10**15}, "vocab_size"),
            ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
            ({"pooler_num_heads": 10**9}, "pooler_num_heads"),
        ],
    )
    def test_an_absurd_size_is_refused_at_once(self, changes, name, tmp_path):
        folder = write(tmp_path, **changes)
        tracemalloc.start()
        start = time.perf_counter()
        with pytest.raises(ValueError, match=f"{name} must be"):
            AutoConfig.from_pretrained(folder)
        seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seconds < 1
        assert peak < 5_000_000

    def test_keys_of_others_are_kept(self, tmp_path):
        folder = write(tmp_path, exported_by="some tool", quality={"f1": 0.9})
        config = AttnLSTMConfig.from_pretrained(folder)
        config.save_pretrained(tmp_path / "again")
        again = AutoConfig.from_pretrained(tmp_path / "again")
        assert (again.exported_by, again.quality) == ("some tool", {"f1": 0.9})

    def test_misspelt_fields_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="unknown field 'hiden_size': did you mean 'hidden_size'"):
            AttnLSTMConfig.from_pretrained(write(tmp_path, hiden_size=4))
        with pytest.raises(ValueError, match="unknown field 'word_droput': did you mean 'word_dropout'"):
            AttnLSTMConfig.from_pretrained(write(tmp_path), word_droput=0.2)

    @pytest.mark.parametrize("key", ["input_size", "poolings", "pooled_size"])
    def test_a_key_named_like_code_is_not_a_crash(self, key, tmp_path):
        folder = write(tmp_path, **{key: 4})
        try:
            config = AttnLSTMConfig.from_pretrained(folder)
        except ValueError as error:
            assert key in str(error)
        else:
            assert config.to_dict()["vocab_size"] == 30

    def test_fields_given_win_over_the_file(self, tmp_path):
        folder = write(tmp_path, word_dropout=0.1)
        config, unused = AttnLSTMConfig.from_pretrained(folder, word_dropout=0.3, foo=1, return_unused_kwargs=True)
        assert config.word_dropout == 0.3
        assert unused == {"foo": 1}

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"problem_type": "foo"}, "problem_type"),
            ({"hidden_size": 7}, "even"),
            ({"word_dropout": 2}, "word_dropout"),
        ],
    )
    def test_the_file_is_checked_like_arguments(self, changes, sentence, tmp_path):
        with pytest.raises(ValueError, match=sentence):
            AutoConfig.from_pretrained(write(tmp_path, **changes))


class TestNamesOfOthers:
    """What transformers may add, and what it already calls something else."""

    @pytest.mark.parametrize("key", ["rotary_layout", "top_k", "logit_scale"])
    def test_an_unknown_field_that_resembles_none_is_told_and_kept(self, key, tmp_path, caplog):
        with caplog.at_level("WARNING", "hfattnlstm"):
            config = tiny_config(**{key: 3})
        assert f"no field '{key}'" in caplog.text and "nothing here reads it" in caplog.text
        assert config.hidden_size == 12
        assert AttnLSTMConfig(**config.to_dict()).hidden_size == 12

    def test_the_names_in_the_config_are_those_that_the_blocks_know(self):
        hints = AttnLSTMBaseConfig.__annotations__ | AttnLSTMPooledConfig.__annotations__
        assert typing.get_args(hints["pooler_score"]) == SCORES
        assert typing.get_args(hints["pooler_normalizer"]) == tuple(NORMALIZERS)
        assert typing.get_args(hints["direction_merge"]) == DIRECTION_MERGES
        assert CONFIG_POOLINGS == POOLINGS


@pytest.mark.parametrize(
    ("options", "float_labels", "expected"),
    [
        ({"num_labels": 1}, False, "regression"),
        ({"num_labels": 1}, True, "regression"),
        ({"num_labels": 3}, False, "single_label_classification"),
        ({"num_labels": 3}, True, "multi_label_classification"),
        ({"num_labels": 3, "problem_type": "regression"}, False, "regression"),
        ({"num_labels": 3, "problem_type": "single_label_classification"}, True, "single_label_classification"),
    ],
)
def test_the_problem_type_is_decided_in_one_place(options, float_labels, expected):
    assert tiny_config(**options).resolve_problem_type(float_labels) == expected


@pytest.mark.parametrize(("name", "own", "other"), [("threshold", [0.1, 0.2], 0.5), ("class_weights", [1, 2], None)])
def test_what_stands_for_each_label_is_replaced_with_the_labels(name, own, other, tmp_path):
    kind = {"problem_type": "multi_label_classification"}
    tiny_config(**{name: own}, **kind).save_pretrained(tmp_path)
    labels = {"id2label": {0: "a", 1: "b", 2: "c"}}
    assert getattr(AttnLSTMConfig.from_pretrained(tmp_path, **labels, **{name: other}), name) == other
    assert getattr(AttnLSTMConfig.from_pretrained(tmp_path, **labels, **{name: [0.5] * 3}), name) == [0.5] * 3
    with pytest.raises(ValueError, match=f"{name} has 2 numbers for 3 labels: give one a label"):
        AttnLSTMConfig.from_pretrained(tmp_path, **labels)
