"""Vectors of words that are no tokens are updated by the rows that a batch reads, as the dense optimiser does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import PrinterCallback

from hfattnlstm import AttnLSTMConfig, AttnLSTMForTokenClassification, AttnLSTMTrainer
from hfattnlstm.data.batching import SequenceCollator
from hfattnlstm.modeling.word_inputs import word_numbers
from hfattnlstm.training.arguments import RunArguments


WORDS = 12
OPTIONS = {
    "vocab_size": WORDS,
    "embedding_size": 4,
    "hidden_size": 8,
    "token_inputs": ["word", "vectors"],
    "num_characters": WORDS,
    "max_word_length": 1,
    "vector_sizes": [3],
    "vector_rows": [WORDS - 2],
    "embedding_dropout": 0.0,
    "classifier_dropout": 0.0,
}


def trainer_of(updates: str, folder: Path) -> AttnLSTMTrainer:
    torch.manual_seed(0)
    model = AttnLSTMForTokenClassification(AttnLSTMConfig(**OPTIONS))
    # Each token is a character of its own, and all but two have a vector.
    numbers = torch.arange(WORDS)
    model.attnlstm.set_spelling(
        numbers[:, None].int(),
        torch.zeros(WORDS, dtype=torch.int8),
        torch.ones(WORDS, dtype=torch.int8),
        numbers.int(),
    )
    vectors = model.attnlstm.embeddings.further.vectors[0]
    vectors.index.numbers.copy_(word_numbers(numbers[2:, None]).sort()[0])
    rows = [{"input_ids": [1 + row % 11, 5], "labels": [row % 2, 1], "length": 2} for row in range(24)]
    args = RunArguments(
        str(folder / updates),
        max_steps=6,
        per_device_train_batch_size=4,
        embedding_updates=updates,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        disable_tqdm=True,
        report_to="none",
    )
    trainer = AttnLSTMTrainer(model, args, train_dataset=Dataset.from_list(rows), data_collator=SequenceCollator(0))
    trainer.remove_callback(PrinterCallback)
    return trainer


def test_lazy_updates_are_those_of_the_dense_optimiser(tmp_path: Path) -> None:
    lazy, dense = (trainer_of(updates, tmp_path) for updates in ("lazy", "dense"))
    tables = [trainer.model.attnlstm.embeddings.further.vectors[0].table for trainer in (lazy, dense)]
    before = tables[0].weight.detach().clone()
    assert any(table is tables[0] for table in lazy._lazy_embeddings()) and not dense._lazy_embeddings()
    for trainer in (lazy, dense):
        trainer.train()
    assert not torch.allclose(before, tables[0].weight)
    for (name, one), (_, other) in zip(lazy.model.named_parameters(), dense.model.named_parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_vectors_have_no_gradient(frozen: bool, tmp_path: Path) -> None:
    trainer = trainer_of("lazy", tmp_path)
    table = trainer.model.attnlstm.embeddings.further.vectors[0].table
    table.requires_grad_(not frozen)
    before = table.weight.detach().clone()
    trainer.train()
    assert torch.equal(before, table.weight) is frozen
