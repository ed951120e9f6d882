"""Adapters by `peft` on the embedding and the weights of the LSTMs; those on linear layers are a step of training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from modeling_helpers import NO_DROPOUT, assert_near, tiny_model
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForSequenceClassification


peft = pytest.importorskip("peft")

# peft 0.21 asks transformers 5.23 by the name of before.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
IDS = torch.tensor([[5, 6, 7, 8], [5, 9, 0, 0], [3, 4, 5, 0]])
BATCH = {"input_ids": IDS, "attention_mask": IDS.ne(0), "labels": torch.tensor([0, 1, 2])}
LSTMS = [f"{direction}_lstm.weight_{kind}_l0" for direction in ("forward", "backward") for kind in ("ih", "hh")]


def model_for(**options: Any) -> AttnLSTMForSequenceClassification:
    return tiny_model(**{"num_labels": 3, "num_hidden_layers": 2, **NO_DROPOUT, **options})


def adapted(model: nn.Module | None = None, **options: Any) -> nn.Module:
    config = peft.LoraConfig(**{"task_type": "SEQ_CLS", "r": 2, **options})
    return peft.get_peft_model(model_for() if model is None else model, config)


def changes(model: nn.Module) -> dict[str, Tensor]:
    """How far each parameter moves in a few steps that lower the loss."""
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.5)
    losses = []
    for _ in range(8):
        loss = model.train()(**BATCH).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    return {name: (weight - before[name]).abs().max() for name, weight in model.named_parameters()}


TARGETS: dict[str, dict[str, Any]] = {
    "all linear layers": {"target_modules": "all-linear"},
    "embedding": {"target_modules": ["word_embeddings"]},
    "embedding, decomposed": {"target_modules": ["word_embeddings"], "use_dora": True},
    "everything": {"target_modules": ["word_embeddings", "projection", "vector"], "target_parameters": LSTMS},
    "some tokens": {"target_modules": "all-linear", "trainable_token_indices": [5, 6]},
    "the whole embedding": {"target_modules": "all-linear", "modules_to_save": ["word_embeddings"]},
    "the whole encoder": {"target_modules": ["word_embeddings"], "modules_to_save": ["encoder"]},
    "the LSTMs": {"target_modules": ["word_embeddings"], "modules_to_save": ["forward_lstm", "backward_lstm"]},
    "the pooler": {"target_modules": ["word_embeddings"], "modules_to_save": ["pooler"]},
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_adapted_is_trained_and_nothing_else(name: str, tmp_path: Any) -> None:
    model = adapted(**TARGETS[name])
    moved = changes(model)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained and {name for name, change in moved.items() if change > 0} == trained
    assert any("classifier" in name for name in trained)

    expected = model.eval()(**BATCH).logits
    assert (expected - model_for()(**BATCH).logits).abs().max() > 1e-3
    with pytest.raises(IndexError, match="input_ids holds 30, but the embedding has 30 rows"):
        model(torch.tensor([[30]]))
    model.save_pretrained(tmp_path)
    loaded = peft.PeftModel.from_pretrained(model_for(), tmp_path).eval()
    assert_near(loaded(**BATCH).logits, expected)
    merged = model.merge_and_unload()
    assert type(merged) is AttnLSTMForSequenceClassification
    assert_near(merged(**BATCH).logits, expected, 1e-5)


@pytest.mark.parametrize("score", ["additive", "linear", "dot", "general", "diagonal_dot"])
@pytest.mark.parametrize("use_dora", [False, True])
def test_every_score_and_head_is_adapted(score: str, use_dora: bool) -> None:
    model = model_for(pooler_score=score, pooler_num_heads=2, classifier_hidden_size=5)
    moved = changes(adapted(model, target_modules="all-linear", use_dora=use_dora))
    changed = [name for name, change in moved.items() if change > 0]
    assert any("scoring" in name for name in changed) and any("classifier" in name for name in changed)


def test_an_lstm_itself_is_no_target() -> None:
    with pytest.raises(ValueError, match="LSTM"):
        adapted(target_modules=["forward_lstm"])
