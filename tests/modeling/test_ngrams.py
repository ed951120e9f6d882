"""N-grams run over the real tokens, each has a row of its own, and what they add is exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from modeling_helpers import ROWS, ids_of, mask_of, tiny_model
from torch import Tensor

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMModel
from hfattnlstm.modeling.configuration_checks import largest_vocabulary
from hfattnlstm.modeling.ngrams import NgramIndex, NgramLogits, ngram_numbers


def all_numbers(ids: Tensor, longest: int) -> Tensor:
    """Those of every n-gram of texts without padding, in rising order."""
    numbers = ngram_numbers(ids, torch.ones_like(ids, dtype=torch.bool), longest)
    return numbers[numbers > 0].unique()


def with_ngrams(ids: Tensor, **options: object) -> AttnLSTMForSequenceClassification:
    """A model with random weights for a half of the n-grams of texts, in both of the places that it can have them."""
    model = tiny_model(num_labels=3, problem_type="single_label_classification", **options)
    numbers = all_numbers(ids, 3)
    model.set_ngrams(numbers[::2].clone(), longest=3)
    model.ngrams.weight[1:].normal_()
    model.ngrams.bias.normal_()
    model.attnlstm.set_ngrams(numbers[numbers > 2**21][1::2].clone(), longest=3)
    return model.eval()


def test_every_ngram_has_a_number_of_its_own() -> None:
    ids = torch.tensor([[0, 1, 0, 0, 1, 1, 2]])
    found = [tuple(ids[0, end + 1 - size : end + 1].tolist()) for size in (1, 2, 3) for end in range(size - 1, 7)]
    numbers = ngram_numbers(ids, torch.ones(1, 7, dtype=torch.bool), 3)[0]
    listed = [int(numbers[end, size - 1]) for size in (1, 2, 3) for end in range(size - 1, 7)]
    assert len(set(listed)) == len(set(found))
    assert len(set(zip(listed, found))) == len(set(found))
    assert (numbers[0, 1:] == 0).all()


@pytest.mark.parametrize("longest", [1, 2, 3, 4, 5])
def test_the_largest_vocabulary_still_has_numbers_for_all(longest: int) -> None:
    last = largest_vocabulary(longest) - 1
    ids = torch.tensor([[last] * longest, [last] * (longest - 1) + [last - 1]])
    numbers = ngram_numbers(ids, torch.ones_like(ids, dtype=torch.bool), longest)[:, -1, -1]
    assert numbers[0] == 2 ** (63 // longest * longest) - 1
    assert numbers[1] == numbers[0] - 1


def test_a_vocabulary_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="classifier_ngram_length=5 is for vocabularies of at most 4,095 tokens"):
        AttnLSTMConfig(classifier_ngrams=10, classifier_ngram_length=5)


def test_only_chosen_ngrams_have_rows() -> None:
    ids = torch.tensor([[5, 6, 5, 6]])
    numbers = all_numbers(ids, 2)
    index = NgramIndex(len(numbers) - 1, 2)
    index.numbers.copy_(numbers[1:])
    rows = index(ids, torch.ones(1, 4, dtype=torch.bool))[0]
    assert rows.tolist() == [[0, 0], [1, 2], [0, 3], [1, 2]]


def test_an_index_that_was_not_filled_finds_nothing() -> None:
    assert not NgramIndex(4, 3)(torch.tensor([[5, 6]]), torch.ones(1, 2, dtype=torch.bool)).any()


@pytest.mark.parametrize("kind", ROWS)
def test_holes_are_cut_out(kind: str) -> None:
    torch.manual_seed(1)
    mask = mask_of(kind)
    ids = ids_of(mask)
    model = with_ngrams(ids)
    batch = model(ids, mask)
    for row, positions in enumerate(ROWS[kind]):
        if len(positions):
            alone = model(ids[row : row + 1, list(positions)])
            torch.testing.assert_close(batch.logits[row : row + 1], alone.logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["full", "holes"])
def test_what_is_embedded_stands_for_the_ids(kind: str) -> None:
    mask = mask_of(kind)
    ids = ids_of(mask)
    model = with_ngrams(ids)
    given = model(inputs_embeds=model.embed(ids, mask), attention_mask=mask, ngram_logits=model.ngrams(ids, mask))
    torch.testing.assert_close(given.logits, model(ids, mask).logits)


def test_embeddings_without_the_logits_of_ngrams_are_refused() -> None:
    ids = torch.tensor([[5, 6]])
    model = with_ngrams(ids)
    with pytest.raises(ValueError, match="give ngram_logits too"):
        model(inputs_embeds=model.embed(ids))


def test_an_embedding_is_that_of_the_word_and_its_ngrams() -> None:
    ids = torch.tensor([[5, 6, 7]])
    model = with_ngrams(torch.tensor([[5, 6, 7], [6, 7, 8]]))
    embeddings = model.attnlstm.embeddings
    rows = embeddings.ngrams.index(ids, torch.ones(1, 3, dtype=torch.bool))[0]
    assert rows[:, 1:].any() and not rows[0, 1:].any()
    words = embeddings.word_embeddings.weight[ids[0]]
    expected = words + sum(embeddings.ngrams.table.weight[rows[:, size]] for size in (1, 2))
    torch.testing.assert_close(model.embed(ids)[0], expected)


def test_contributions_and_bias_add_up_to_the_logits() -> None:
    mask = mask_of("holes")
    ids = ids_of(mask)
    ngrams = with_ngrams(ids).ngrams
    parts = ngrams.contributions(ids, mask)
    assert not parts[~mask].any()
    torch.testing.assert_close(ngrams.bias + parts.sum((1, 2)), ngrams(ids, mask))


def test_the_logits_are_sums_over_the_root_of_the_length() -> None:
    ngrams = NgramLogits(size=2, longest=2, num_labels=2)
    ngrams.index.numbers.copy_(torch.tensor([6, 6 * 2**31 + 7]))
    ngrams.weight[1:] = torch.tensor([[1.0, -1.0], [10.0, 0.0]])
    ngrams.bias[:] = torch.tensor([0.5, 0.0])
    ids, mask = torch.tensor([[5, 6, 5, 5]]), torch.ones(1, 4, dtype=torch.bool)
    # Three times token 5, once token 6 after it.
    np.testing.assert_allclose(ngrams(ids, mask).numpy(), [[0.5 + 13 / 2, -3 / 2]])


def test_training_and_evaluation_have_the_same_ngrams() -> None:
    ids = torch.tensor([[5, 6]])
    model = with_ngrams(ids, embedding_dropout=0, hidden_dropout_prob=0, classifier_dropout=0)
    whole = model(ids).logits
    torch.testing.assert_close(model.train()(ids).logits, whole)
    parts = {"inputs_embeds": model.embed(ids), "ngram_logits": torch.zeros(1, 3)}
    torch.testing.assert_close(model(**parts).logits, whole - model.ngrams(ids, torch.ones(1, 2).bool()))


def test_ngram_logits_without_ngrams_are_refused() -> None:
    ids = torch.tensor([[5, 6]])
    model = with_ngrams(ids)
    model.set_ngrams(torch.empty(0, dtype=torch.long), longest=3)
    with pytest.raises(ValueError, match="has no n-grams, whose part ngram_logits would be"):
        model(ids, ngram_logits=torch.zeros(1, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_sum_over_a_text_needs_no_row_for_each_token(dtype: torch.dtype) -> None:
    mask = mask_of("holes")
    ids = ids_of(mask)
    ngrams = with_ngrams(ids).ngrams.to(dtype)
    rows = ngrams.index(ids, mask).flatten(1)
    roots = mask.sum(1, keepdim=True).clamp(min=1).to(dtype).sqrt()
    torch.testing.assert_close(ngrams(ids, mask), ngrams.bias + ngrams.weight[rows].sum(1) / roots)
    assert ngrams(ids[:, :0], mask[:, :0]).shape == (len(ids), 3)


@pytest.mark.parametrize("model_class", [AttnLSTMModel, AttnLSTMForSequenceClassification])
def test_ngrams_are_saved_and_loaded(model_class: type, tmp_path) -> None:
    ids = torch.tensor([[5, 6, 7, 5]])
    model = with_ngrams(ids)
    model.save_pretrained(tmp_path)
    loaded = model_class.from_pretrained(tmp_path)
    whole, again = (
        (model(ids).logits, loaded(ids).logits)
        if loaded is not loaded.base_model
        else (
            model.attnlstm(ids).last_hidden_state,
            loaded(ids).last_hidden_state,
        )
    )
    assert torch.equal(whole, again)


def test_no_ngrams_are_as_before() -> None:
    ids = torch.tensor([[5, 6]])
    model = with_ngrams(ids)
    model.set_ngrams(torch.empty(0, dtype=torch.long), longest=3)
    assert model.ngrams is None
    assert (model.config.classifier_ngrams, model.config.classifier_ngram_length) == (0, 3)
    model.attnlstm.set_ngrams(torch.empty(0, dtype=torch.long), longest=2, dropout=0.5)
    assert model.attnlstm.embeddings.ngrams is None
    assert (model.config.embedding_ngrams, model.config.ngram_dropout) == (0, 0.0)
    assert model(ids).logits.shape == (1, 3)


def test_a_text_without_a_token_has_the_bias_alone() -> None:
    ngrams = with_ngrams(torch.tensor([[5, 6]])).ngrams
    torch.testing.assert_close(ngrams(torch.tensor([[5, 6]]), torch.zeros(1, 2).bool()), ngrams.bias[None])


def test_gradients_reach_the_embeddings_of_ngrams_but_not_fitted_weights() -> None:
    ids = torch.tensor([[5, 6, 7]])
    model = with_ngrams(torch.tensor([[5, 6, 7], [6, 7, 8]])).train()
    model(ids, labels=torch.tensor([1])).loss.backward()
    assert model.attnlstm.embeddings.ngrams.table.weight.grad.any()
    assert "ngrams.weight" not in dict(model.named_parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_ngrams": -1}, "embedding_ngrams must be between 0"),
        ({"embedding_ngrams": 5, "embedding_ngram_length": 1}, "embedding_ngram_length must be between 2 and 5"),
        ({"classifier_ngrams": 5, "classifier_ngram_length": 6}, "classifier_ngram_length must be between 1 and 5"),
        ({"ngram_dropout": 0.5}, "ngram_dropout has no effect without embedding_ngrams"),
        ({"classifier_ngram_length": 2}, "classifier_ngram_length has no effect without classifier_ngrams"),
    ],
)
def test_impossible_ngrams_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AttnLSTMConfig(**options)


def test_the_tokens_of_single_tokens_are_told() -> None:
    index = NgramIndex(2, longest=1)
    index.numbers.copy_(torch.tensor([3, 6]))
    assert index.tokens().tolist() == [[2], [5]]


def test_the_tokens_of_each_ngram_are_told() -> None:
    ids = torch.tensor([[0, 5, 7]])
    index = NgramIndex(6, 3)
    index.numbers.copy_(all_numbers(ids, 3))
    found = {tuple(row) for row in index.tokens().tolist()}
    assert found == {(-1, -1, 0), (-1, -1, 5), (-1, -1, 7), (-1, 0, 5), (-1, 5, 7), (0, 5, 7)}


def test_a_model_in_half_precision_finds_the_same_ngrams(tmp_path) -> None:
    ids = torch.tensor([[5, 6, 7, 5]])
    model = with_ngrams(ids)
    model.save_pretrained(tmp_path)
    half = AttnLSTMForSequenceClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.ngrams.weight.dtype == torch.bfloat16
    assert torch.equal(half.ngrams.index.numbers, model.ngrams.index.numbers)
    torch.testing.assert_close(half(ids).logits.float(), model(ids).logits, atol=0.05, rtol=0.05)
    # A model that was random in another precision takes n-grams in that precision.
    half.set_ngrams(model.ngrams.index.numbers, longest=3)
    assert half.ngrams.weight.dtype == torch.bfloat16
