"""Explanations of models that are not ours, and the ways in which these read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from explain_helpers import PIECES, TEXTS, scorer, small_bert, word_pieces
from transformers import (
    BartConfig,
    BartForSequenceClassification,
    FNetConfig,
    FNetForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LongformerConfig,
    LongformerForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from hfattnlstm.explain import explain
from hfattnlstm.explain.attribution import METHODS
from hfattnlstm.explain.scoring import TextScorer
from hfattnlstm.modeling.text_inputs import EncodedText


WORDS = len(PIECES)
TWO = [TEXTS[0], f"{TEXTS[0]} {TEXTS[0]} {TEXTS[0]}"]


def gpt2(**options) -> PreTrainedModel:
    torch.manual_seed(0)
    options = {"pad_token_id": 0, **options}
    config = GPT2Config(vocab_size=WORDS, n_positions=64, n_embd=16, n_layer=2, n_head=2, **options)
    return GPT2ForSequenceClassification(config).eval()


def xlnet() -> PreTrainedModel:
    torch.manual_seed(0)
    config = XLNetConfig(vocab_size=WORDS, d_model=16, n_layer=2, n_head=2, d_inner=32, pad_token_id=0)
    return XLNetForSequenceClassification(config).eval()


def fnet() -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    return FNetForSequenceClassification(FNetConfig(vocab_size=WORDS, pad_token_id=0, **sizes)).eval()


def bart() -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "max_position_embeddings": 64}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_labels": 2}
    tokens = {"pad_token_id": 0, "eos_token_id": 3, "bos_token_id": 2, "decoder_start_token_id": 3}
    return BartForSequenceClassification(BartConfig(vocab_size=WORDS, **sizes, **heads, **tokens)).eval()


def longformer(window: int) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = LongformerConfig(
        vocab_size=WORDS, attention_window=window, max_position_embeddings=66, pad_token_id=0, **sizes
    )
    return LongformerForSequenceClassification(config).eval()


def modern_bert() -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    tokens = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = ModernBertConfig(vocab_size=WORDS, initializer_range=0.3, **sizes, **tokens)
    return ModernBertForSequenceClassification(config).eval()


@pytest.mark.parametrize("make", [gpt2, fnet, small_bert, xlnet])
@pytest.mark.parametrize("method", ["attention", "attention_x_gradient", "gradient_x_input", "occlusion"])
def test_the_other_texts_of_a_list_change_nothing(make: Callable[[], PreTrainedModel], method: str) -> None:
    model, tokenizer = make(), word_pieces()
    options = {"method": method, "faithfulness": False, "max_length": 60}
    if (make is fnet and "attention" in method) or (make is xlnet and method == "attention_x_gradient"):
        with pytest.raises(ValueError, match="take another method, such as"):
            explain(TWO, model, tokenizer, **options)
        return
    together = explain(TWO, model, tokenizer, **options)
    for text, one in zip(TWO, together):
        alone = explain(text, model, tokenizer, **options)
        assert one.score == pytest.approx(alone.score, abs=1e-6) and one.label == alone.label
        np.testing.assert_allclose(one.head_weights, alone.head_weights, atol=1e-6)
    assert np.abs(together[0].head_weights).max() > 1e-8


def test_the_attention_is_that_of_the_token_that_a_model_classifies_by() -> None:
    model, tokenizer = xlnet(), word_pieces(special=True)
    ids = tokenizer(TEXTS[0], return_tensors="pt").input_ids
    # As XLNet's own tokenizer, with that token at the end.
    tokenizer = word_pieces()
    ids = torch.cat([ids[:, 1:-1], ids[:, :1]], 1)
    found = scorer_of(model, tokenizer)
    plain = found.encode([TEXTS[0]])[0]
    encoded = EncodedText(ids[0].tolist(), [*plain.spans, None], [*plain.word_ids, None], 0)
    (one,) = METHODS["attention"](found, [encoded], [None])
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(ids, output_attentions=True).attentions[-1][0, :, -1, :-1].double().numpy()
    np.testing.assert_allclose(one.weights, expected / expected.sum(1, keepdims=True), atol=1e-6)


def scorer_of(model: PreTrainedModel, tokenizer) -> TextScorer:
    return TextScorer(model, tokenizer, max_length=60)


@pytest.mark.parametrize(("window", "times"), [(64, 1), (4, 3)])
def test_attention_in_windows_is_no_attention_over_all_tokens(window: int, times: int) -> None:
    text = " ".join([TEXTS[0]] * times)
    with pytest.raises(ValueError, match="LongformerForSequenceClassification, gives no attention over all tokens"):
        explain(text, longformer(window), word_pieces(special=True), method="attention", faithfulness=False)
    found = explain(text, longformer(window), word_pieces(special=True), method="occlusion", faithfulness=False)
    assert len(found.words) == len(text.split())


@pytest.mark.parametrize("method", ["attention", "attention_x_gradient", "gradient_x_input", "integrated_gradients"])
def test_a_model_that_allows_occlusion_alone_says_so(method: str) -> None:
    with pytest.raises(ValueError, match="take another method, such as occlusion"):
        explain(TEXTS[0], bart(), word_pieces(special=True), method=method, faithfulness=False)


def test_occlusion_of_a_model_with_a_decoder_is_measured() -> None:
    found = explain(TEXTS[0], bart(), word_pieces(special=True), method="occlusion")
    assert found.faithfulness.tokens == len(found.tokens) and found.score > 0


@pytest.mark.parametrize("method", METHODS)
def test_a_model_without_a_padding_token_reads_text_by_text(method: str) -> None:
    model = gpt2(pad_token_id=None)
    found = explain(TWO, model, word_pieces(), method=method)
    usual = explain(TWO, gpt2(), word_pieces(), method=method)
    for one, other in zip(found, usual):
        np.testing.assert_allclose(one.head_weights, other.head_weights, atol=1e-5)
        assert one.faithfulness.comprehensiveness.value == pytest.approx(
            other.faithfulness.comprehensiveness.value, abs=1e-5
        )


def test_integrated_gradients_take_more_steps_where_few_do_not_sum_up_or_say_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(*steps: int) -> np.ndarray:
        monkeypatch.setattr("hfattnlstm.explain.attribution.INTEGRATION_STEPS", steps)
        found = scorer_of(small_bert(), word_pieces())
        return METHODS["integrated_gradients"](found, found.encode([TEXTS[0]]), [1])[0].weights

    few, many = weights(1), weights(1, 400)
    np.testing.assert_array_equal(many, weights(400))
    assert np.abs(few - many).max() > 0.01
    found = scorer_of(modern_bert(), word_pieces())
    texts = found.encode([TEXTS[0]])
    monkeypatch.setattr("hfattnlstm.explain.attribution.INTEGRATION_STEPS", (2,))
    logger = logging.getLogger("hfattnlstm.explain.attribution")
    logger.addHandler(caplog.handler)
    try:
        METHODS["integrated_gradients"](found, texts, [1])
    finally:
        logger.removeHandler(caplog.handler)
    assert "Integrated gradients do not converge for some texts: after 2 steps" in caplog.text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("own", [True, False], ids=["ours", "bert"])
def test_half_precision_is_read(method: str, own: bool) -> None:
    model = (scorer().model if own else small_bert()).to(torch.bfloat16)
    found = explain(TEXTS[0], model, word_pieces(), method=method, faithfulness=False)
    assert model.dtype == torch.bfloat16 and np.isfinite(found.head_weights).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("method", METHODS)
def test_the_mode_of_the_caller_is_no_matter(mode: Callable, method: str) -> None:
    for model in (scorer().model, small_bert()):
        expected = explain(TEXTS, model, word_pieces(), method=method, faithfulness=False)
        with mode():
            found = explain(TEXTS, model, word_pieces(), method=method, faithfulness=False)
            assert not torch.is_grad_enabled()
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one.head_weights, other.head_weights, atol=1e-9)


@pytest.mark.parametrize("own", [True, False], ids=["ours", "bert"])
def test_threads_share_a_model(own: bool) -> None:
    model = scorer().model if own else small_bert()
    model.config._attn_implementation = "sdpa" if not own else model.config._attn_implementation
    model.train()
    expected = explain(TEXTS[0], model, word_pieces(), method="attention", faithfulness=False)
    cudnn = torch.backends.cudnn.enabled

    def ask(number: int) -> np.ndarray:
        method = "attention" if number % 2 else "gradient_x_input"
        return explain(TEXTS[0], model, word_pieces(), method=method, faithfulness=False)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(60)))
    for one in found[1::2]:
        np.testing.assert_array_equal(one.head_weights, expected.head_weights)
    assert [one.score for one in found] == pytest.approx([expected.score] * len(found))
    assert model.training and torch.backends.cudnn.enabled == cudnn
    assert own or model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("good", "my-model", word_pieces()), "model must be one of transformers, .* not of type str"),
        (("good", small_bert(), None), "tokenizer must be one of transformers, not of type NoneType"),
        ((None, small_bert(), word_pieces()), "texts must be a text or a list of texts, got NoneType"),
    ],
)
def test_what_is_no_model_no_tokenizer_and_no_text_is_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        explain(*arguments)


def test_targets_may_be_numbers_of_any_kind() -> None:
    model, tokenizer = small_bert(), word_pieces()
    options = {"method": "occlusion", "faithfulness": False}
    expected = [one.target for one in explain(TEXTS, model, tokenizer, target=[1] * len(TEXTS), **options)]
    for target in (np.int64(1), np.ones(len(TEXTS), dtype=np.int64), torch.ones(len(TEXTS), dtype=torch.long)):
        assert [one.target for one in explain(TEXTS, model, tokenizer, target=target, **options)] == expected
