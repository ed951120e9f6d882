"""Embeddings: the padding row and the three dropouts, each seen in what the first layer reads."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import NO_DROPOUT, assert_near, tiny_config, tiny_model

from hfattnlstm import AttnLSTMForSequenceClassification, AttnLSTMModel


IDS = torch.randint(1, 30, (300, 9), generator=torch.Generator().manual_seed(0))


def first_input(model: AttnLSTMModel, **inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(**(inputs or {"input_ids": IDS}), output_hidden_states=True).hidden_states[0]


def backbone(**options) -> AttnLSTMModel:
    return tiny_model(AttnLSTMModel, **{**NO_DROPOUT, **options})


def test_ids_are_looked_up():
    model = backbone()
    assert first_input(model).equal(model.get_input_embeddings().weight[IDS])


def test_embedding_dropout_drops_units_of_single_tokens():
    model = backbone(embedding_dropout=0.3)
    whole = first_input(model)
    dropped = first_input(model.train())
    kept = dropped.ne(0)
    assert_near(dropped[kept], whole[kept] / 0.7)
    assert abs((~kept).float().mean().item() - 0.3) < 0.02
    assert kept.eq(kept[:, :1]).all(dim=(1, 2)).float().mean() < 0.01


def test_locked_dropout_drops_the_same_units_of_a_whole_text():
    model = backbone(embedding_dropout=0.3, locked_dropout=True).train()
    dropped = first_input(model)
    kept = dropped.ne(0)
    assert kept.eq(kept[:, :1]).all()
    assert_near(dropped[kept], model.get_input_embeddings().weight[IDS][kept] / 0.7)
    assert abs((~kept).float().mean().item() - 0.3) < 0.04
    assert len({tuple(units) for units in kept[:, 0].tolist()}) > 20


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_word_dropout_zeroes_whole_tokens(share):
    model = backbone(word_dropout=share)
    whole = first_input(model)
    dropped = first_input(model.train())
    gone = dropped.eq(0).all(-1)
    assert abs(gone.float().mean().item() - share) < 0.03
    assert dropped[~gone].equal(whole[~gone])
    assert gone.any(0).all()
    assert not gone.all(1).all()


def test_word_dropout_and_embedding_dropout_work_on_embeddings_given():
    given = torch.ones(300, 9, 8)
    dropped = first_input(backbone(word_dropout=0.2).train(), inputs_embeds=given)
    assert abs(dropped.eq(0).all(-1).float().mean().item() - 0.2) < 0.03
    dropped = first_input(backbone(embedding_dropout=0.2).train(), inputs_embeds=given)
    assert abs(dropped.eq(0).float().mean().item() - 0.2) < 0.03


def test_nothing_is_dropped_in_evaluation():
    model = backbone(embedding_dropout=0.5, word_dropout=0.5, locked_dropout=True)
    assert first_input(model).equal(model.get_input_embeddings().weight[IDS])


def test_dropout_does_not_use_up_random_numbers_where_it_is_off():
    model = backbone().train()
    before = torch.get_rng_state()
    first_input(model)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("pad_token_id", [0, 5])
def test_the_padding_row_is_zero_and_stays_zero(pad_token_id):
    model = AttnLSTMForSequenceClassification(tiny_config(pad_token_id=pad_token_id, **NO_DROPOUT)).train()
    weight = model.get_input_embeddings().weight
    assert weight.eq(0).all(-1).nonzero().flatten().tolist() == [pad_token_id]
    before = weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    ids = torch.tensor([[1, pad_token_id, 2], [3, 4, pad_token_id]])
    model(ids, labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()
    assert not weight[pad_token_id].any()
    assert not weight[1].equal(before[1])


def test_without_a_padding_token_every_row_is_trained():
    model = AttnLSTMForSequenceClassification(tiny_config(pad_token_id=None)).eval()
    weight = model.get_input_embeddings().weight
    assert weight.ne(0).any(-1).all()
    model(torch.tensor([[0, 1]]), labels=torch.tensor([0])).loss.backward()
    assert weight.grad[0].any()


def test_initializer_range_is_the_deviation_of_the_embeddings():
    weight = AttnLSTMModel(tiny_config(vocab_size=2000, initializer_range=0.3)).get_input_embeddings().weight
    assert abs(weight.std().item() - 0.3) < 0.01


@pytest.mark.parametrize("wrong", [30, 99])
def test_an_id_beyond_the_vocabulary_is_named(wrong):
    with pytest.raises(IndexError, match=f"input_ids holds {wrong}, but the embedding has 30 rows: .*resize_token"):
        backbone()(torch.tensor([[1, wrong]]))


def test_a_negative_id_is_named():
    with pytest.raises(IndexError, match="input_ids holds -3"):
        backbone()(torch.tensor([[1, -3]]))


def test_a_sparse_gradient_has_each_row_once_and_equals_the_dense_one():
    gradients = []
    ids = torch.tensor([[5, 5, 0], [7, 5, 0]])
    for sparse in (False, True):
        model = tiny_model(AttnLSTMModel)
        embedding = model.get_input_embeddings()
        embedding.sparse = sparse
        model(ids, ids != 0).pooler_output.square().sum().backward()
        gradients.append(embedding.weight.grad)
    assert gradients[1].is_sparse and gradients[1]._nnz() == 2
    assert torch.allclose(gradients[1].to_dense(), gradients[0])
    assert gradients[0].abs().sum() > 0
