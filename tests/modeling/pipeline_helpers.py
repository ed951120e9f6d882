"""Pipelines around tiny models, and the comparison of their results."""

from __future__ import annotations

from typing import Any

import pytest
from modeling_helpers import tiny_model
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast, pipeline

from hfattnlstm import AttnLSTMTextClassificationPipeline


TASK = "attention-text-classification"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "not", "so", "good", "under", "##stand", "##able", "bad", "##ly", "!"]
WORDS = ["not", "so", "good", "understandable", "badly", "!", "unknown"]
LABELS = {0: "negative", 1: "neutral", 2: "positive"}
TEXTS = ["Not so good!", "", "understandable", " ", "badly " * 60, "so so GOOD, unknown", "x"]


def word_piece(model_max_length: int = 40) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    template = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=template)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=model_max_length,
    )


def without_special_tokens() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["[PAD]", "[UNK]", *WORDS])}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=40)


def attention_pipeline(
    model: nn.Module | None = None, tokenizer: PreTrainedTokenizerFast | None = None, **options: Any
) -> AttnLSTMTextClassificationPipeline:
    model = tiny_model(id2label=LABELS) if model is None else model
    return pipeline(TASK, model=model, tokenizer=tokenizer or word_piece(), **options)


def assert_same(actual: Any, expected: Any, tolerance: float = 1e-6) -> None:
    """Equal in shape, keys and strings, and near in numbers."""
    # A shown result is a dictionary, and several are a list.
    kind = next((kind for kind in (dict, list) if isinstance(expected, kind)), type(expected))
    assert isinstance(actual, kind)
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key in expected:
            assert_same(actual[key], expected[key], tolerance)
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected):
            assert_same(one, other, tolerance)
    else:
        assert actual == (pytest.approx(expected, abs=tolerance) if isinstance(expected, float) else expected)
