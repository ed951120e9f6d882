"""Another vocabulary: the tokens that a model knows keep their embeddings."""

from __future__ import annotations

import pytest
import torch

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, train_tokenizer
from hfattnlstm.training.vocabulary import carry_over, same_tokens


OLD = train_tokenizer(["good soup", "bad lift", "a good lift"], kind="word", min_frequency=1)
NEW = train_tokenizer(["a bad room", "good view", "Good", "LIFT"], kind="word", min_frequency=1, lowercase=False)


def model_of(tokenizer: object = OLD, **fields: object) -> AttnLSTMForSequenceClassification:
    torch.manual_seed(0)
    return AttnLSTMForSequenceClassification(
        AttnLSTMConfig(**{"vocab_size": len(tokenizer), "embedding_size": 4, "hidden_size": 6, **fields})
    ).eval()


def test_known_tokens_compute_the_same() -> None:
    """As the old tokenizer spells them, too: it lower-cases, the new one does not."""
    model = model_of()
    texts = ["a good lift", "bad good", "bad [UNK]"]
    before = [model(**OLD(text, return_tensors="pt")).logits for text in texts]
    known, total = carry_over(model, OLD, NEW)
    # Five special tokens, a, bad, good, Good and LIFT.
    assert (known, total) == (10, len(NEW)) and model.config.vocab_size == len(NEW)
    texts[0] = "a Good LIFT"
    for text, logits in zip(texts, before):
        torch.testing.assert_close(model(**NEW(text, return_tensors="pt")).logits, logits)
    embedding = model.get_input_embeddings()
    assert embedding.padding_idx == NEW.pad_token_id and not embedding.weight[NEW.pad_token_id].any()
    assert embedding.weight.requires_grad


def test_new_tokens_start_where_the_known_ones_lie() -> None:
    model = model_of()
    with torch.no_grad():
        model.get_input_embeddings().weight += 100
    carry_over(model, OLD, NEW)
    new = model.get_input_embeddings().weight[[NEW.get_vocab()[word] for word in ("room", "view")]]
    assert (new > 90).all() and not torch.equal(new[0], new[1])


def test_same_tokens() -> None:
    assert same_tokens(OLD, OLD) and not same_tokens(OLD, NEW)


def test_nothing_in_common_is_refused() -> None:
    other = train_tokenizer(["один два", "один"], kind="word", min_frequency=1)
    with pytest.raises(ValueError, match="have no word in common: keep the model's own tokenizer"):
        carry_over(model_of(), OLD, other)


def test_ngrams_are_refused() -> None:
    model = model_of()
    model.set_ngrams(torch.tensor([6]), longest=1)
    with pytest.raises(ValueError, match="The model has n-grams of its own tokens"):
        carry_over(model, OLD, NEW)
