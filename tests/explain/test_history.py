"""The attention on a few texts in the course of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from explain_helpers import PIECES, TEXTS, word_pieces
from transformers import TrainingArguments, default_data_collator

from deploy_helpers import random_model
from hfattnlstm import AttnLSTMTrainer
from hfattnlstm.explain import explain
from hfattnlstm.explain.history import AttentionHistory


def train(folder: Path, history: AttentionHistory | None):
    torch.manual_seed(0)
    model = random_model(vocab_size=len(PIECES))
    rows = [{"input_ids": [2, 3, 4 + index % 2], "labels": index % 2} for index in range(12)]
    arguments = TrainingArguments(
        str(folder),
        num_train_epochs=3,
        learning_rate=0.05,
        per_device_train_batch_size=4,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
    )
    callbacks = [] if history is None else [history]
    data = Dataset.from_list(rows)
    options = {"data_collator": default_data_collator, "callbacks": callbacks}
    AttnLSTMTrainer(model, arguments, train_dataset=data, **options).train()
    return model


def test_each_epoch_explains_the_texts_and_the_training_is_the_same(tmp_path: Path) -> None:
    history = AttentionHistory(TEXTS, word_pieces())
    model = train(tmp_path, history)
    assert history.epochs == [1.0, 2.0, 3.0]
    last = explain(TEXTS, model, word_pieces(), method="attention", faithfulness=False)
    for one, other in zip(history.explanations[-1], last):
        np.testing.assert_allclose(one.head_weights, other.head_weights, atol=1e-6)
    assert not np.allclose(history.explanations[0][0].head_weights, last[0].head_weights)
    plain = train(tmp_path, None)
    for own, other in zip(model.parameters(), plain.parameters()):
        torch.testing.assert_close(own, other, rtol=0, atol=0)


def test_a_text_is_drawn_with_a_row_an_epoch(tmp_path: Path) -> None:
    history = AttentionHistory(TEXTS, word_pieces(), method="occlusion")
    with pytest.raises(ValueError, match="No epoch has ended yet"):
        history.plot()
    train(tmp_path, history)
    axes = history.plot(1).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["epoch 1", "epoch 2", "epoch 3"]
    assert axes.images[0].get_array().shape == (3, len(history.explanations[0][1].words))
