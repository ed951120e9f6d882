"""The language model: no token sees what it is to predict, and the loss is that of the tokens read next."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForPreTraining, AutoModelForSequenceClassification

from hfattnlstm import AttnLSTMConfig, AttnLSTMForPreTraining, AttnLSTMForSequenceClassification, AttnLSTMModel


VOCABULARY = 40
IDS = torch.randint(1, VOCABULARY, (5, 9), generator=torch.Generator().manual_seed(0))
# Whole, padded on the right, on the left, with holes, and empty.
MASK = torch.tensor(
    [[1] * 9, [1] * 6 + [0] * 3, [0] * 2 + [1] * 7, [1, 0, 1, 1, 0, 1, 1, 1, 0], [0] * 9],
)


def language_model(**fields: object) -> AttnLSTMForPreTraining:
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "embedding_size": 6, "hidden_size": 10}
    dropouts = {"embedding_dropout": 0.0, "classifier_dropout": 0.0}
    model = AttnLSTMForPreTraining(AttnLSTMConfig(**{**sizes, **dropouts, **fields}))
    model.set_token_counts(torch.arange(VOCABULARY))
    return model.eval()


SHAPES = [
    {},
    {"bidirectional": False},
    {"direction_merge": "sum", "hidden_size": 5},
    {"residual": True, "embedding_size": 10},
    {"direction_merge": "weighted", "residual": True, "embedding_size": 5, "hidden_size": 5},
]


@pytest.mark.parametrize("fields", SHAPES, ids=str)
@pytest.mark.parametrize("mask", [None, *MASK[:4]], ids=["none", "whole", "right", "left", "holes"])
def test_no_direction_sees_what_it_predicts(fields: dict, mask: torch.Tensor | None) -> None:
    """Another token changes what is expected behind it, by the forward direction, and before it, by the other one."""
    model, ids = language_model(**fields), IDS[:1]
    mask = None if mask is None else mask[None]
    before = model(ids, mask).logits
    real = range(9) if mask is None else mask[0].nonzero()[:, 0].tolist()
    for place in real:
        changed = ids.clone()
        changed[0, place] = changed[0, place] % (VOCABULARY - 1) + 1
        differs = (model(changed, mask).logits != before).any(-1)[0]
        for other in real:
            assert bool(differs[other, 0]) == (other >= place)
            if before.shape[2] > 1:
                assert bool(differs[other, 1]) == (other <= place)


@pytest.mark.parametrize("fields", SHAPES, ids=str)
def test_the_loss_has_no_gradient_from_a_target_to_its_own_embedding_as_an_input(fields: dict) -> None:
    """Also in training mode: the cross entropy of one target alone, through whatever the loss is computed with."""
    model = language_model(num_sampled_tokens=7, **fields).train()
    embedded = model.embed(IDS[:1]).detach().requires_grad_()
    # Nothing stands before the first token, from which one direction alone would predict it.
    for place in range(1, 9):
        labels = torch.full((1, 9), -100)
        labels[0, place] = IDS[0, place]
        gradient = torch.autograd.grad(model(inputs_embeds=embedded, labels=labels).loss, embedded)[0]
        assert not gradient[0, place].any()
        assert gradient.any()


def expected_loss(model: AttnLSTMForPreTraining) -> torch.Tensor:
    """Token by token, from the logits."""
    logits, sides = model(IDS, MASK).logits, []
    for side in range(logits.shape[2]):
        losses = []
        for row, mask in enumerate(MASK):
            real = mask.nonzero()[:, 0].tolist()
            real = real[::-1] if side else real
            losses += [F.cross_entropy(logits[row, one, side], IDS[row, other]) for one, other in pairwise(real)]
        sides.append(torch.stack(losses).mean())
    return torch.stack(sides).mean()


@pytest.mark.parametrize("fields", SHAPES, ids=str)
def test_the_loss_is_that_of_the_tokens_read_next(fields: dict) -> None:
    model = language_model(num_sampled_tokens=0, **fields)
    expected = expected_loss(model)
    outputs = model(IDS, MASK, labels=IDS)
    torch.testing.assert_close(outputs.loss, expected)
    torch.testing.assert_close(model.train()(IDS, MASK, labels=IDS).loss, expected)
    steps = (MASK.sum(1) - 1).clamp(min=0).sum()
    torch.testing.assert_close((outputs.cross_entropies.sum(0) / steps).mean(), expected)
    assert not outputs.cross_entropies[4].any()


def test_sampled_losses_are_near_the_full_one() -> None:
    model = language_model(num_sampled_tokens=20)
    exact = model(IDS, MASK, labels=IDS).loss
    torch.manual_seed(0)
    losses = torch.stack([model.train()(IDS, MASK, labels=IDS).loss for _ in range(200)])
    assert losses.std() > 0
    assert losses.mean().item() == pytest.approx(exact.item(), abs=0.05)


def test_labels_that_do_not_count() -> None:
    model = language_model()
    some = torch.where(IDS % 3 == 0, -100, IDS)
    outputs, everything = model(IDS, MASK, labels=some), model(IDS, MASK, labels=IDS)
    assert (outputs.cross_entropies[:4] < everything.cross_entropies[:4]).all()
    nothing = model(IDS, MASK, labels=torch.full_like(IDS, -100))
    assert nothing.loss == 0 and not nothing.cross_entropies.any()


@pytest.mark.parametrize("labels", [IDS[:, :3], IDS[0]])
def test_labels_of_another_shape_are_refused(labels: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"labels has the shape .* give the token ids themselves"):
        language_model()(IDS, labels=labels)


@pytest.mark.parametrize("wrong", [VOCABULARY, -1])
def test_labels_out_of_range_are_refused(wrong: int) -> None:
    labels = IDS.clone()
    labels[0, 2] = wrong
    with pytest.raises(ValueError, match=rf"labels holds {wrong}, and the model has {VOCABULARY} tokens"):
        language_model()(IDS, labels=labels)


def test_texts_without_tokens() -> None:
    model, empty = language_model(), torch.zeros(2, 0, dtype=torch.long)
    assert model(empty).logits.shape == (2, 0, 2, VOCABULARY)
    assert model.train()(empty, labels=empty).loss == 0
    assert not model.eval()(IDS, MASK).logits[MASK == 0].any()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"num_hidden_layers": 2}, "num_hidden_layers=2: above the first"),
        ({"embedding_ngrams": 3}, "embedding_ngrams"),
    ],
)
def test_what_would_leak_is_refused(fields: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        language_model(**fields)


def test_spelling_is_shared_on_both_sides() -> None:
    """What is folded at the end is what was read and predicted."""
    model = language_model()
    starts = torch.cat([torch.arange(VOCABULARY), torch.tensor([VOCABULARY])])
    model.base_model.set_subwords(starts, torch.arange(VOCABULARY) % 5)
    shared = model(IDS, labels=IDS).loss
    model.base_model.fold_subwords()
    torch.testing.assert_close(model(IDS, labels=IDS).loss, shared)


def test_heads_load_each_other(tmp_path: Path) -> None:
    model = language_model()
    model.save_pretrained(tmp_path / "base")
    again = AutoModelForPreTraining.from_pretrained(tmp_path / "base").eval()
    torch.testing.assert_close(again(IDS, labels=IDS).loss, model(IDS, labels=IDS).loss, rtol=0, atol=0)
    assert torch.equal(again.lm_head.sampler.counts, model.lm_head.sampler.counts)
    classifier = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base")
    assert isinstance(classifier, AttnLSTMForSequenceClassification)
    torch.testing.assert_close(classifier.attnlstm.embed(IDS), model.embed(IDS), rtol=0, atol=0)
    assert not any(name.startswith("attnlstm.e") for name in classifier.started_anew)
    backbone = AttnLSTMModel.from_pretrained(tmp_path / "base").eval()
    torch.testing.assert_close(
        backbone(IDS, MASK).last_hidden_state, model.attnlstm(IDS, MASK).last_hidden_state, rtol=0, atol=0
    )


@pytest.mark.parametrize("size", [VOCABULARY + 7, VOCABULARY - 7])
def test_another_number_of_tokens(size: int) -> None:
    model = language_model(num_sampled_tokens=10)
    bias = model.lm_head.bias.clone()
    model.resize_token_embeddings(size)
    kept = min(size, VOCABULARY)
    assert torch.equal(model.lm_head.bias[:kept], bias[:kept])
    assert model.lm_head.sampler.inclusion().sum() == pytest.approx(10, abs=1e-4)
    assert model(IDS[:, :2] % kept).logits.shape[-1] == size
    model.train()(IDS % kept, labels=IDS % kept).loss.backward()


def test_it_learns_a_sequence_from_both_sides() -> None:
    model = language_model(num_sampled_tokens=10, hidden_size=32, embedding_size=16).train()
    ids = torch.arange(1, 31).repeat(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        model(ids, labels=ids).loss.backward()
        optimizer.step()
    assert model.eval()(ids, labels=ids).loss < 0.6


@pytest.mark.parametrize("size", [3, 30, 0])
def test_another_number_of_sampled_tokens_is_corrected_for(tmp_path: Path, size: int) -> None:
    """The corrections were once kept with the weights, and belonged to the number that the model was trained with."""
    model = language_model(num_sampled_tokens=12)
    model.save_pretrained(tmp_path)
    exact = model(IDS, MASK, labels=IDS).loss.item()
    again = AttnLSTMForPreTraining.from_pretrained(tmp_path, num_sampled_tokens=size).train()
    torch.manual_seed(0)
    losses = torch.stack([again(IDS, MASK, labels=IDS).loss for _ in range(300)])
    assert losses.mean().item() == pytest.approx(exact, abs=0.25 if size == 3 else 0.05)


def test_counts_are_whole_in_half_precision() -> None:
    model = language_model()
    model.set_token_counts(torch.full((VOCABULARY,), 123_457))
    assert model.half().lm_head.sampler.counts.tolist() == [123_457] * VOCABULARY
