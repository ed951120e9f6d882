"""Each method against what it is defined as, computed otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explain_helpers import TEXTS, scorer, small_bert, word_pieces
from transformers import GPT2Config, GPT2ForSequenceClassification, pipeline

from hfattnlstm.explain.attribution import METHODS, own_places
from hfattnlstm.explain.scoring import TextScorer


NGRAMS = {"classifier_ngrams": 60, "classifier_ngram_length": 3}
NONE = [None] * len(TEXTS)


def margins(found: TextScorer, **inputs: torch.Tensor) -> torch.Tensor:
    """Of two labels: how much higher the second logit is than the first."""
    with torch.no_grad():
        logits = found.model(**inputs).logits
    return logits[:, 1] - logits[:, 0]


def ids_of(found: TextScorer, text: str) -> torch.Tensor:
    return torch.tensor([found.encode([text])[0].input_ids])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("own", [True, False], ids=["ours", "bert"])
def test_every_method_gives_the_logits_and_weights_of_own_tokens_whatever_else_is_in_the_batch(
    method: str, own: bool
) -> None:
    found = scorer(special=True, **NGRAMS) if own else TextScorer(small_bert(), word_pieces(special=True, types=True))
    texts = found.encode(TEXTS)
    together = METHODS[method](found, texts, NONE)
    for text, one in zip(texts, together):
        (alone,) = METHODS[method](found, [text], [None])
        np.testing.assert_allclose(one.weights, alone.weights, atol=1e-10)
        np.testing.assert_allclose(one.logits, found.logits([found.tokens_of(text)])[0], atol=1e-10)
        assert one.target == one.logits.argmax()
        assert one.weights.shape[1] == len(text.input_ids) - 2
    assert all(parameter.grad is None for parameter in found.model.parameters())


def test_attention_is_what_the_pipeline_shows() -> None:
    found = scorer(special=True, pooler_num_heads=3, num_hidden_layers=2)
    classifier = pipeline("attention-text-classification", model=found.model, tokenizer=word_pieces(special=True))
    for one, shown in zip(
        METHODS["attention"](found, found.encode(TEXTS), NONE), classifier(TEXTS, level="token", per_head=True)
    ):
        expected = np.array([entry["head_weights"] for entry in shown["attention"]]).T
        np.testing.assert_allclose(one.weights, expected, atol=1e-6)
        np.testing.assert_allclose(one.weights.sum(1), 1)


def test_attention_times_gradient_of_a_linear_head_is_what_each_state_adds_to_the_margin() -> None:
    found = scorer(classifier_pooling=["attention"], classifier_hidden_size=None, num_labels=2, pooler_num_heads=2)
    for text, one in zip(TEXTS, METHODS["attention_x_gradient"](found, found.encode(TEXTS), [1] * len(TEXTS))):
        with torch.no_grad():
            outputs = found.model.attnlstm(ids_of(found, text), output_attentions=True)
        head = found.model.classifier.out_proj
        direction = (head.weight[1] - head.weight[0]).unflatten(0, (2, -1))
        added = (outputs.attentions[-1][0, :, 0] * (direction @ outputs.last_hidden_state[0].T)).sum(0)
        np.testing.assert_allclose(one.weights[0], added.detach().numpy(), atol=1e-10)
        whole = margins(found, input_ids=ids_of(found, text)) - (head.bias[1] - head.bias[0]).detach()
        assert one.weights.sum() == pytest.approx(whole.item())


@pytest.mark.parametrize("method", ["attention_x_gradient", "gradient_x_input", "integrated_gradients"])
def test_what_ngrams_add_comes_to_their_tokens(method: str) -> None:
    found = scorer(**NGRAMS)
    texts = found.encode(TEXTS)
    with_ngrams = METHODS[method](found, texts, [1] * len(TEXTS))
    weights = found.model.ngrams.weight.clone()
    found.model.ngrams.weight.zero_()
    without = METHODS[method](found, texts, [1] * len(TEXTS))
    found.model.ngrams.weight.copy_(weights)
    for text, one, other in zip(TEXTS, with_ngrams, without):
        ids = ids_of(found, text)
        added = found.model.ngrams.contributions(ids, torch.ones_like(ids, dtype=torch.bool))[0]
        expected = torch.zeros(ids.shape[1], dtype=torch.float64)
        for last in range(ids.shape[1]):
            for size in range(3):
                share = (added[last, size, 1] - added[last, size, 0]) / (size + 1)
                expected[max(last - size, 0) : last + 1] += share
        np.testing.assert_allclose(one.weights[0] - other.weights[0], expected.numpy(), atol=1e-8)


def test_gradient_times_input_is_the_slope_of_the_margin_as_an_embedding_grows() -> None:
    found = scorer(embedding_ngrams=40)
    (one,) = METHODS["gradient_x_input"](found, found.encode(TEXTS[:1]), [1])
    embedded, step = found.model.embed(ids_of(found, TEXTS[0])).detach(), 1e-5
    for place in range(embedded.shape[1]):
        moved = [embedded.clone(), embedded.clone()]
        moved[0][:, place] *= 1 + step
        moved[1][:, place] *= 1 - step
        slope = (margins(found, inputs_embeds=moved[0]) - margins(found, inputs_embeds=moved[1])) / (2 * step)
        assert one.weights[0, place] == pytest.approx(slope.item(), abs=1e-6)


def test_integrated_gradients_are_complete() -> None:
    found = scorer(**NGRAMS)
    for text, one in zip(TEXTS, METHODS["integrated_gradients"](found, found.encode(TEXTS), [1] * len(TEXTS))):
        nothing = torch.zeros_like(found.model.embed(ids_of(found, text)))
        bias = found.model.ngrams.bias[None]
        gained = margins(found, input_ids=ids_of(found, text)) - margins(
            found, inputs_embeds=nothing, ngram_logits=bias
        )
        # Fifty steps of a curve.
        assert one.weights.sum() == pytest.approx(gained.item(), abs=0.05)


@pytest.mark.parametrize("kind", ["single_label_classification", "multi_label_classification", "regression"])
def test_occlusion_is_how_much_the_score_falls_without_a_word(kind: str) -> None:
    found = scorer(problem_type=kind, num_labels=1 if kind == "regression" else 3, **NGRAMS)
    (text,) = found.encode(["a badly bad film"])
    target = 0 if kind == "regression" else 2
    (one,) = METHODS["occlusion"](found, [text], [target])
    tokens, words = found.tokens_of(text), [[0], [1, 2], [3], [4]]

    def score(places: list[int]) -> float:
        return found.probabilities(found.logits([tokens.only(np.array(places))]))[0, target]

    falls = [score([*range(5)]) - score([place for place in range(5) if place not in word]) for word in words]
    np.testing.assert_allclose(one.weights[0], [falls[0], falls[1] / 2, falls[1] / 2, falls[2], falls[3]], atol=1e-10)


def test_each_text_has_its_own_target() -> None:
    found = scorer()
    texts = found.encode(TEXTS[:2] * 2)
    for method in set(METHODS) - {"attention"}:
        first, second, third, fourth = METHODS[method](found, texts, [0, None, 1, 1])
        assert (first.target, third.target, fourth.target) == (0, 1, 1)
        assert second.target == second.logits.argmax()
        # Of two labels, what speaks for one speaks against the other.
        np.testing.assert_allclose(first.weights, -third.weights, atol=1e-10)


def test_frozen_models_are_explained() -> None:
    found = scorer(**NGRAMS)
    expected = {name: method(found, found.encode(TEXTS), NONE) for name, method in METHODS.items()}
    found.model.requires_grad_(False)
    for name, method in METHODS.items():
        for one, before in zip(method(found, found.encode(TEXTS), NONE), expected[name]):
            np.testing.assert_allclose(one.weights, before.weights, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_text_has_no_weights(method: str) -> None:
    found = scorer(**NGRAMS)
    one, empty = METHODS[method](found, found.encode(["good", ""]), [None, None])
    assert one.weights.shape == (1, 1) and empty.weights.shape == (1, 0)
    assert np.isfinite(empty.logits).all()


def test_attention_of_another_model_is_that_of_its_first_token_in_the_last_layer() -> None:
    model = small_bert()
    assert model.config._attn_implementation == "sdpa"
    found = TextScorer(model, word_pieces(special=True, types=True))
    (one,) = METHODS["attention"](found, found.encode(TEXTS[:1]), [None])
    assert model.config._attn_implementation == "sdpa"
    model.set_attn_implementation("eager")
    ids = ids_of(found, TEXTS[0])
    weights = model(ids, output_attentions=True).attentions[-1][0, :, 0, 1:-1].detach()
    np.testing.assert_allclose(one.weights, weights / weights.sum(1, keepdim=True), atol=1e-10)


def test_attention_of_a_model_that_reads_from_left_to_right_is_that_of_its_last_token() -> None:
    tokenizer = word_pieces()
    model = GPT2ForSequenceClassification(
        GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=2, n_positions=64, pad_token_id=0)
    ).eval()
    found = TextScorer(model, tokenizer)
    ids = ids_of(found, TEXTS[0])
    together = METHODS["attention"](found, found.encode([TEXTS[0], TEXTS[2]]), [None, None])
    model.set_attn_implementation("eager")
    expected = model(ids, output_attentions=True).attentions[-1][0, :, -1].detach().numpy()
    np.testing.assert_allclose(together[0].weights, expected, atol=1e-6)


def test_own_places_are_those_between_special_tokens_also_of_pairs() -> None:
    found = TextScorer(small_bert(), word_pieces(special=True, types=True))
    assert own_places(found.encode([("a film", "good")])[0]).tolist() == [1, 2, 4]
