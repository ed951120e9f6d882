"""Tiny models that write, and what they must compute, step by step in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from modeling_helpers import array, ids_of, mask_of, sigmoid
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForConditionalGeneration, AttnLSTMSeq2SeqConfig
from hfattnlstm.modeling.decoder import AttentionDecoder


NO_DROPOUT = {"embedding_dropout": 0, "hidden_dropout_prob": 0, "readout_dropout": 0, "label_smoothing": 0}
START, END = 2, 3
# What the decoder is made of, one thing at a time.
WRITERS: dict[str, dict[str, Any]] = {
    "default": {},
    "general, 2 layers": {"cross_attention_score": "general", "num_decoder_layers": 2, "num_hidden_layers": 2},
    "dot, one direction": {"cross_attention_score": "dot", "bidirectional": False},
    "no feeding": {"input_feeding": False, "num_decoder_layers": 2},
    "coverage": {"coverage": True, "coverage_loss_coef": 0.5, "cross_attention_num_heads": 2},
    "two vocabularies": {"decoder_vocab_size": 17, "decoder_hidden_size": 10},
    "untied": {"tie_word_embeddings": False, "cross_attention_normalizer": "entmax15"},
    "context": {"context_layers": ["attention"], "cross_attention_score": "diagonal_dot"},
}


def writer_config(**options: Any) -> AttnLSTMSeq2SeqConfig:
    return AttnLSTMSeq2SeqConfig(**{"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, **options})


def new_writer(**options: Any) -> AttnLSTMForConditionalGeneration:
    """As a training begins, and without dropout."""
    torch.manual_seed(0)
    return AttnLSTMForConditionalGeneration(writer_config(**{**NO_DROPOUT, **options})).train()


def tiny_writer(**options: Any) -> AttnLSTMForConditionalGeneration:
    """In evaluation mode, with parameters that are all random, so that none can be overlooked."""
    model = new_writer(**options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        for embedding in (each for each in model.modules() if isinstance(each, nn.Embedding)):
            if embedding.padding_idx is not None:
                embedding.weight[embedding.padding_idx] = 0
    return model.eval()


def writer_batch(model: nn.Module, kind: str = "right", length: int = 6) -> dict[str, Tensor]:
    """Sources of a kind of padding, and targets of which some tokens do not count."""
    mask = mask_of(kind)
    size = model.config.target_vocab_size
    labels = torch.randint(4, size, (len(mask), length))
    for row in range(len(mask)):
        labels[row, length - row :] = -100
    return {"input_ids": ids_of(mask), "attention_mask": mask, "labels": labels}


def numpy_decoder(
    decoder: AttentionDecoder, embedded: np.ndarray, memory: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Readouts (steps, size) and weights (steps, length) of one text, by additive attention with one head."""
    score, lstms = decoder.attention.scoring, [layer.forward_lstm for layer in decoder.rnn.layers]
    began = array(decoder.bridge.weight) @ memory.mean(0) + array(decoder.bridge.bias)
    hidden, cells = (part.reshape(len(lstms), -1) for part in np.split(began, 2))
    hidden, cells = np.tanh(hidden), cells.copy()
    projected = memory @ array(score.projection.weight).T + array(score.projection.bias)
    readout, readouts, weights = np.zeros(len(array(decoder.readout.bias))), [], []
    for token in embedded:
        states = np.concatenate([token, readout]) if decoder.input_feeding else token
        for number, lstm in enumerate(lstms):
            gates = array(lstm.weight_ih_l0) @ states + array(lstm.weight_hh_l0) @ hidden[number]
            entry, forget, candidate, leave = np.split(gates + array(lstm.bias_ih_l0) + array(lstm.bias_hh_l0), 4)
            cells[number] = sigmoid(forget) * cells[number] + sigmoid(entry) * np.tanh(candidate)
            hidden[number] = states = sigmoid(leave) * np.tanh(cells[number])
        scores = np.tanh(projected + array(score.query.weight) @ states) @ array(score.vector.weight)[0]
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        joined = np.concatenate([states, shares @ memory])
        readout = np.tanh(array(decoder.readout.weight) @ joined + array(decoder.readout.bias))
        readouts.append(readout)
        weights.append(shares)
    return np.stack(readouts), np.stack(weights)
