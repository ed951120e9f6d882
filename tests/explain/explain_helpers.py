"""Small random models with tokenizers, and scorers over them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from deploy_helpers import random_model
from hfattnlstm.explain.scoring import TextScorer


PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "all", "at", "bad", "film", "good", "is", "not", "the", "##ly", "!"]
TEXTS = [
    "the film is not bad at all !",
    "good",
    "a badly bad film , the film is badly not good at all ! ! not a good film",
    "is the film good or is the film bad , not at all",
]


def word_pieces(special: bool = False, types: bool = False) -> PreTrainedTokenizerFast:
    """Pieces of words; with special tokens around a text and between two, or without any."""
    backend = Tokenizer(models.WordPiece({piece: place for place, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    names = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
        model_input_names=names,
    )


def scorer(special: bool = False, **options: Any) -> TextScorer:
    """Over a random model of ours, in float64, whose figures are exact."""
    return TextScorer(random_model(vocab_size=len(PIECES), **options).double(), word_pieces(special))


def small_bert(**options: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(**{"vocab_size": len(PIECES), "max_position_embeddings": 64, **sizes, **options})
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.double().eval()


def assert_same(actual: Any, expected: Any) -> None:
    """Equal but for the rounding that other texts in the batch bring about."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key in expected:
            assert_same(actual[key], expected[key])
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected):
            assert_same(one, other)
    else:
        assert actual == (pytest.approx(expected, abs=1e-9) if isinstance(expected, float) else expected)
