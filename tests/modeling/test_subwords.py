"""Tokens that are spelt alike share embeddings while they are learnt, and have the sums as their own in the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from modeling_helpers import tiny_model

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMModel


# Of seven tokens: 3 has the n-grams 0 and 1, 4 has none, 5 has 1 twice, 6 has 0, 1 and 2.
STARTS, MEMBERS = torch.tensor([0, 0, 0, 0, 2, 2, 4, 7]), torch.tensor([0, 1, 1, 1, 0, 1, 2])
IDS = torch.tensor([[3, 4, 5], [6, 6, 0]])


def model_of_seven() -> AttnLSTMModel:
    model = AttnLSTMModel(AttnLSTMConfig(vocab_size=7, embedding_size=4, hidden_size=4)).eval()
    model.set_subwords(STARTS, MEMBERS)
    return model


def test_sums_are_over_the_root_of_how_many_there_are() -> None:
    model = model_of_seven()
    words, table = model.embeddings.word_embeddings.weight, model.embeddings.subwords.table.weight
    embedded = model.embed(IDS)
    torch.testing.assert_close(embedded[0, 0], words[3] + (table[0] + table[1]) / 2**0.5)
    torch.testing.assert_close(embedded[0, 1], words[4])
    torch.testing.assert_close(embedded[0, 2], words[5] + 2 * table[1] / 2**0.5)
    torch.testing.assert_close(embedded[1, 1], words[6] + table.sum(0) / 3**0.5)
    assert not embedded[1, 2].any()


def test_folded_embeddings_compute_the_same() -> None:
    model = model_of_seven()
    before = model.embed(IDS)
    model.fold_subwords()
    torch.testing.assert_close(model.embed(IDS), before)
    assert model.embeddings.subwords is None
    assert (model.config.subword_ngrams, model.config.subword_entries) == (0, 0)
    model.fold_subwords()
    torch.testing.assert_close(model.embed(IDS), before)


def test_folding_leaves_models_alone_that_share_the_weights() -> None:
    model, other = model_of_seven(), AttnLSTMModel(AttnLSTMConfig(vocab_size=7, embedding_size=4, hidden_size=4))
    other.load_state_dict(model.state_dict(), strict=False, assign=True)
    before = other.embed(IDS)
    model.fold_subwords()
    assert torch.equal(other.embed(IDS), before)


def test_a_checkpoint_of_a_training_has_them(tmp_path: Path) -> None:
    model = model_of_seven()
    model.save_pretrained(tmp_path)
    loaded = AttnLSTMModel.from_pretrained(tmp_path)
    assert torch.equal(loaded.embed(IDS), model.embed(IDS))
    model.fold_subwords()
    model.save_pretrained(tmp_path / "folded")
    assert AttnLSTMModel.from_pretrained(tmp_path / "folded").embeddings.subwords is None


def test_gradients_reach_tokens_that_are_spelt_alike() -> None:
    model = model_of_seven()
    model.embed(torch.tensor([[3]])).sum().backward()
    gradient = model.embeddings.subwords.table.weight.grad
    torch.testing.assert_close(gradient[:2], torch.full((2, 4), 0.5**0.5))
    assert not gradient[2].any()


def test_new_tokens_end_the_sharing() -> None:
    model = tiny_model()
    vocabulary = model.config.vocab_size
    model.attnlstm.set_subwords(torch.arange(vocabulary + 1), torch.arange(vocabulary) % 3)
    ids = torch.tensor([[5, 6, 7]])
    before = model(ids).logits
    model.resize_token_embeddings(vocabulary + 4)
    torch.testing.assert_close(model(ids).logits, before)
    assert model.config.subword_ngrams == 0


def test_parameters_keep_their_order() -> None:
    model = model_of_seven()
    model.set_ngrams(torch.tensor([4 * 2**21 + 4]), longest=3)
    again = AttnLSTMModel(model.config)
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in again.named_parameters()]


def test_no_ngrams_are_none() -> None:
    model = model_of_seven()
    model.set_subwords(torch.zeros(8), torch.empty(0))
    assert model.embeddings.subwords is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"subword_ngrams": -1}, "subword_ngrams must be between 0 and 100,000,000, got -1"),
        ({"subword_ngrams": 5, "subword_entries": 4}, "subword_entries must be between 5 and 100,000,000, got 4"),
        ({"subword_entries": 4}, "subword_entries has no effect without subword_ngrams"),
    ],
)
def test_impossible_sizes_are_refused(fields: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        AttnLSTMForSequenceClassification(AttnLSTMConfig(**fields))
