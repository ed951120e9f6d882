"""What the released models rest on: fields of the configuration and names of weights that change no more.

A field may be added, with a default that changes nothing; a name that a checkpoint has must be loaded for ever.
"""

from __future__ import annotations

import pytest

from hfattnlstm import AttnLSTMConfig, AttnLSTMForPreTraining, AttnLSTMForSequenceClassification


FIELDS = {
    "vocab_size": 30000,
    "embedding_size": 128,
    "hidden_size": 256,
    "num_hidden_layers": 1,
    "bidirectional": True,
    "direction_merge": "concat",
    "residual": False,
    "hidden_dropout_prob": 0.1,
    "embedding_dropout": 0.1,
    "locked_dropout": False,
    "word_dropout": 0.0,
    "classifier_pooling": "attention",
    "pooler_score": "additive",
    "pooler_size": None,
    "pooler_num_heads": 1,
    "pooler_temperature": 1.0,
    "pooler_normalizer": "softmax",
    "pooler_l2_coef": 0.0,
    "pooler_entropy_coef": 0.0,
    "pooler_diversity_coef": 0.0,
    "classifier_hidden_size": None,
    "classifier_dropout": 0.1,
    "class_weights": None,
    "label_smoothing": 0.0,
    "threshold": 0.5,
    "truncation": "head",
    "text_columns": None,
    "embedding_ngrams": 0,
    "embedding_ngram_length": 3,
    "ngram_dropout": 0.0,
    "subword_ngrams": 0,
    "subword_entries": 0,
    "classifier_ngrams": 0,
    "classifier_ngram_length": 3,
    "num_sampled_tokens": 1024,
    "calibration_temperature": 1.0,
    "initializer_range": 0.1,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
    "tie_word_embeddings": False,
    "model_type": "attnlstm",
}
_BACKBONE = {
    "attnlstm.embeddings.word_embeddings.weight",
    "attnlstm.encoder.layers.0.backward_lstm.bias_hh_l0",
    "attnlstm.encoder.layers.0.backward_lstm.bias_ih_l0",
    "attnlstm.encoder.layers.0.backward_lstm.weight_hh_l0",
    "attnlstm.encoder.layers.0.backward_lstm.weight_ih_l0",
    "attnlstm.encoder.layers.0.forward_lstm.bias_hh_l0",
    "attnlstm.encoder.layers.0.forward_lstm.bias_ih_l0",
    "attnlstm.encoder.layers.0.forward_lstm.weight_hh_l0",
    "attnlstm.encoder.layers.0.forward_lstm.weight_ih_l0",
}
_POOLER = {
    "attnlstm.pooler.attention.attend.scoring.projection.bias",
    "attnlstm.pooler.attention.attend.scoring.projection.weight",
    "attnlstm.pooler.attention.attend.scoring.vector.weight",
}
_HEAD = {"classifier.out_proj.bias", "classifier.out_proj.weight"}
PLAIN = _BACKBONE | _POOLER | _HEAD
NAMES = {
    "plain": (AttnLSTMForSequenceClassification, {}, PLAIN),
    "two layers": (
        AttnLSTMForSequenceClassification,
        {"num_hidden_layers": 2, "residual": True},
        PLAIN | {name.replace("layers.0", "layers.1") for name in _BACKBONE},
    ),
    "n-grams": (
        AttnLSTMForSequenceClassification,
        {"embedding_ngrams": 5, "classifier_ngrams": 5},
        PLAIN
        | {"attnlstm.embeddings.ngrams.index.numbers", "attnlstm.embeddings.ngrams.table.weight"}
        | {"ngrams.bias", "ngrams.index.numbers", "ngrams.weight"},
    ),
    "weighted directions": (
        AttnLSTMForSequenceClassification,
        {"direction_merge": "weighted"},
        PLAIN | {"attnlstm.encoder.layers.0.merge.weight"},
    ),
    "hidden layer": (
        AttnLSTMForSequenceClassification,
        {"classifier_hidden_size": 8},
        PLAIN | {"classifier.dense.bias", "classifier.dense.weight"},
    ),
    "spelling": (
        AttnLSTMForSequenceClassification,
        {"subword_ngrams": 3, "subword_entries": 7},
        PLAIN
        | {
            "attnlstm.embeddings.subwords.members",
            "attnlstm.embeddings.subwords.starts",
            "attnlstm.embeddings.subwords.table.weight",
        },
    ),
    "language model": (
        AttnLSTMForPreTraining,
        {},
        _BACKBONE
        | {
            "lm_head.bias",
            "lm_head.projections.0.bias",
            "lm_head.projections.0.weight",
            "lm_head.projections.1.bias",
            "lm_head.projections.1.weight",
            "lm_head.sampler.counts",
        },
    ),
}


def test_fields_keep_their_names_and_defaults() -> None:
    config = AttnLSTMConfig().to_dict()
    assert {name: config.get(name, "is gone") for name in FIELDS} == FIELDS


@pytest.mark.parametrize("kind", NAMES)
def test_weights_keep_their_names(kind: str) -> None:
    model_class, fields, names = NAMES[kind]
    model = model_class(AttnLSTMConfig(vocab_size=9, embedding_size=8, hidden_size=8, **fields))
    assert set(model.state_dict()) == names
