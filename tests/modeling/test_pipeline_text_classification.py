"""The attention pipeline against the stock pipeline, against the model, and against itself called text by text."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from modeling_helpers import tiny_model
from pipeline_helpers import (
    LABELS,
    TASK,
    TEXTS,
    WORDS,
    assert_same,
    attention_pipeline,
    without_special_tokens,
    word_piece,
)
from transformers import BertConfig, BertForSequenceClassification, pipeline
from transformers.pipelines.pt_utils import KeyDataset

from hfattnlstm import AttnLSTMTextClassificationPipeline
from hfattnlstm.modeling import pipeline_text_classification
from hfattnlstm.modeling.batch_workers import TEXTS_IN_BATCH


@pytest.fixture
def classifier() -> AttnLSTMTextClassificationPipeline:
    return attention_pipeline()


def stock_twin(classifier: AttnLSTMTextClassificationPipeline, **options: Any) -> Any:
    return pipeline("text-classification", model=classifier.model, tokenizer=classifier.tokenizer, **options)


def without_attention(result: Any) -> Any:
    if isinstance(result, dict):
        extra = {"attention", "truncated", "characters_left_out"}
        return {key: value for key, value in result.items() if key not in extra}
    return [without_attention(entry) for entry in result]


def random_texts(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(0, 60))) for _ in range(count)]


@pytest.mark.parametrize("inputs", ["Not so good!", TEXTS, ["so"], {"text": "so good"}, [{"text": "so good"}]])
@pytest.mark.parametrize("options", [{}, {"top_k": 1}, {"top_k": 2}, {"top_k": None}, {"top_k": 99}])
@pytest.mark.parametrize("when", ["made", "called"])
def test_results_have_the_shape_and_the_numbers_of_the_stock_pipeline(
    classifier: AttnLSTMTextClassificationPipeline, inputs: Any, options: dict[str, Any], when: str
) -> None:
    made, called = (options, {}) if when == "made" else ({}, options)
    stock = stock_twin(classifier, **made)(inputs, truncation=True, **called)
    actual = attention_pipeline(classifier.model, classifier.tokenizer, **made)(inputs, **called)
    assert_same(without_attention(actual), stock)


@pytest.mark.parametrize("when", ["made", "called"])
@pytest.mark.parametrize("function", ["sigmoid", "softmax", "none"])
def test_function_to_apply(function: str, when: str) -> None:
    made, called = ({"function_to_apply": function}, {}) if when == "made" else ({}, {"function_to_apply": function})
    classifier = attention_pipeline(**made)
    scores = {entry["label"]: entry["score"] for entry in classifier("so good", top_k=None, **called)}
    with torch.no_grad():
        logits = classifier.model(**classifier.tokenizer("so good", return_tensors="pt")).logits[0]
    expected = {"sigmoid": logits.sigmoid(), "softmax": logits.softmax(0), "none": logits}[function]
    assert [scores[label] for label in LABELS.values()] == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("problem", "labels", "function"),
    [
        ("regression", {0: "stars"}, torch.nn.Identity()),
        ("regression", {0: "stars", 1: "helpful"}, torch.nn.Identity()),
        ("multi_label_classification", LABELS, torch.sigmoid),
        ("single_label_classification", LABELS, torch.nn.Softmax(0)),
        # Where the type is not set, that of the loss.
        (None, {0: "stars"}, torch.nn.Identity()),
        (None, LABELS, torch.nn.Softmax(0)),
    ],
)
def test_every_problem_type_has_its_function(problem: str | None, labels: dict[int, str], function: Any) -> None:
    classifier = attention_pipeline(tiny_model(id2label=labels, problem_type=problem))
    with torch.no_grad():
        logits = classifier.model(**classifier.tokenizer("so good", return_tensors="pt")).logits[0]
    expected = dict(zip(labels.values(), function(logits).tolist()))
    found = classifier("so good", top_k=None)
    assert {entry["label"]: entry["score"] for entry in found} == pytest.approx(expected, abs=1e-6)
    if problem is not None:
        assert_same(without_attention(found), stock_twin(classifier)("so good", top_k=None))


@pytest.mark.parametrize("heads", [1, 3])
def test_the_weights_are_those_of_the_model_without_its_special_tokens(heads: int) -> None:
    classifier = attention_pipeline(tiny_model(pooler_num_heads=heads))
    text = "Understandable, NOT badly!"
    with torch.no_grad():
        outputs = classifier.model(**classifier.tokenizer(text, return_tensors="pt"), output_attentions=True)
    weights = outputs.attentions[-1][0, :, 0, 1:-1]
    weights = weights / weights.sum(1, keepdim=True)
    pieces = ["Under", "stand", "able", ",", "NOT", "bad", "ly", "!"]

    tokens = classifier(text, level="token", per_head=True)[0]["attention"]
    assert [entry["text"] for entry in tokens] == pieces
    assert [entry["weight"] for entry in tokens] == pytest.approx(weights.mean(0).tolist(), abs=1e-6)
    by_head = np.array([entry["head_weights"] for entry in tokens])
    np.testing.assert_allclose(by_head, weights.T.numpy(), atol=1e-6)

    words = classifier(text)[0]["attention"]
    assert [entry["text"] for entry in words] == ["Understandable", ",", "NOT", "badly", "!"]
    mean = weights.mean(0).tolist()
    sums = [sum(mean[:3]), mean[3], mean[4], mean[5] + mean[6], mean[7]]
    assert [entry["weight"] for entry in words] == pytest.approx(sums, abs=1e-6)
    assert "head_weights" not in words[0]


@pytest.mark.parametrize("tokenizer", [word_piece, without_special_tokens])
@pytest.mark.parametrize("level", ["word", "token"])
def test_weights_sum_to_one_and_spans_are_in_the_original_text(tokenizer: Any, level: str) -> None:
    classifier = attention_pipeline(tiny_model(pooler_num_heads=2), tokenizer())
    texts = [*TEXTS, "שלום \u202eso", "a\x00b 👩‍👩‍👧 \ud83d good", *random_texts(1, 20)]
    for text, result in zip(texts, classifier(texts, level=level, per_head=True)):
        entries = result["attention"]
        assert (entries == []) == (text.strip() == "")
        if entries:
            assert sum(entry["weight"] for entry in entries) == pytest.approx(1, abs=1e-5)
            assert np.sum([entry["head_weights"] for entry in entries], axis=0) == pytest.approx([1, 1], abs=1e-5)
        for entry in entries:
            assert entry["text"] == text[entry["start"] : entry["end"]] != ""
            assert entry["weight"] == pytest.approx(np.mean(entry["head_weights"]), abs=1e-6)
        starts = [entry["start"] for entry in entries]
        assert starts == sorted(starts)


def test_a_text_with_all_attention_on_special_tokens_still_sums_to_one() -> None:
    classifier = attention_pipeline()
    attention = classifier.model.attnlstm.pooler.attention.forward

    def only_on_the_first(*args: Any) -> Any:
        output = attention(*args)
        output.weights.zero_()[..., 0] = 1
        return output

    classifier.model.attnlstm.pooler.attention.forward = only_on_the_first
    weights = [entry["weight"] for entry in classifier("not so good", level="token")[0]["attention"]]
    assert weights == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("parameters", [{}, {"truncation": "head", "max_length": 40}])
def test_a_short_text_is_not_called_truncated(
    classifier: AttnLSTMTextClassificationPipeline, parameters: dict[str, Any]
) -> None:
    assert classifier("not so good", **parameters)[0].keys() == {"label", "score", "attention"}


@pytest.mark.parametrize("truncation", ["head", "tail", "head_tail"])
def test_white_space_does_not_make_a_text_too_long(truncation: str) -> None:
    classifier = attention_pipeline(tokenizer=without_special_tokens(), truncation=truncation, max_length=40)
    result = classifier((" " * 60).join(["so", "good"] * 20))[0]
    assert result.keys() == {"label", "score", "attention"}
    assert len(result["attention"]) == 40


@pytest.mark.parametrize("where", ["config", "made", "called"])
@pytest.mark.parametrize(
    ("truncation", "words", "left_out"),
    [
        ("head", ["not", "so", "good", "!"], len(" badly understandable so")),
        ("tail", ["understandable", "so"], len("not so good ! badly ")),
        ("head_tail", ["not", "standable", "so"], len(" so good ! badly under")),
    ],
)
def test_truncation_is_taken_from_the_config_or_a_parameter(
    where: str, truncation: str, words: list[str], left_out: int
) -> None:
    settings = {"truncation": truncation, "max_length": 6}
    if where == "config":
        classifier, called = attention_pipeline(tiny_model(truncation=truncation), word_piece(6)), {}
    elif where == "made":
        classifier, called = attention_pipeline(**settings), {}
    else:
        classifier, called = attention_pipeline(), settings
    text = "not so good ! badly understandable so"
    result = classifier(text, **called)[0]
    assert [entry["text"] for entry in result["attention"]] == words
    assert (result["truncated"], result["characters_left_out"]) == (True, left_out)
    for entry in classifier(text, top_k=None, **called):
        assert (entry["truncated"], entry["characters_left_out"]) == (True, left_out)


def test_one_forward_pass_a_batch_and_batches_of_like_length(classifier: AttnLSTMTextClassificationPipeline) -> None:
    shapes = []
    handle = classifier.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    classifier("not so good")
    assert shapes == [(1, 5)]
    shapes.clear()
    texts = ["so " * 30, "so", "so " * 29, "so", "so " * 28, "so", "so"]
    results = classifier(texts, batch_size=4, top_k=None, per_head=True, level="token")
    handle.remove()
    assert shapes == [(4, 32), (3, 3)]
    assert [len(result[0]["attention"]) for result in results] == [30, 1, 29, 1, 28, 1, 1]


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5, 100])
def test_the_order_and_the_numbers_do_not_depend_on_the_batch_size(batch_size: int | None) -> None:
    made = {} if batch_size is None else {"batch_size": batch_size}
    classifier, texts = attention_pipeline(**made), random_texts(2, 80)
    expected = [classifier(text)[0] for text in texts]
    assert_same(classifier(texts), expected, 1e-5)
    assert_same(classifier(texts, batch_size=batch_size), expected, 1e-5)


def test_a_generator_is_read_in_windows_and_answered_in_order(
    classifier: AttnLSTMTextClassificationPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = 8
    monkeypatch.setattr(pipeline_text_classification, "WINDOW_TEXTS", window)
    texts, read = random_texts(3, 4 * window + 5), []

    def reading() -> Iterator[str]:
        for text in texts:
            read.append(text)
            yield text

    results = classifier(reading(), batch_size=2)
    assert isinstance(results, Iterator) and read == []
    found = [next(results)]
    # One window is computed while the next one is tokenised.
    assert len(read) == 2 * window
    found += [next(results) for _ in range(window - 1)]
    assert len(read) == 2 * window
    found.append(next(results))
    assert len(read) == 3 * window
    found += results
    assert_same(found, classifier(texts, batch_size=2), 1e-5)


def test_columns_and_data_sets(classifier: AttnLSTMTextClassificationPipeline) -> None:
    rows = Dataset.from_dict({"text": TEXTS, "label": list(range(len(TEXTS)))})
    expected = classifier(TEXTS)
    assert_same(list(classifier(rows["text"])), expected)
    assert_same(list(classifier(rows.select_columns("text"))), expected)
    assert_same(list(classifier(text for text in TEXTS)), expected)
    assert_same(list(classifier(tuple(TEXTS))), expected)
    assert_same(list(classifier(np.array(TEXTS))), expected)
    assert_same(list(classifier(KeyDataset(rows, "text"))), expected)


@pytest.mark.parametrize("tokenizer", [word_piece, without_special_tokens])
def test_nothing_to_read(tokenizer: Any) -> None:
    classifier = attention_pipeline(tokenizer=tokenizer())
    assert classifier([]) == []
    assert list(classifier(iter([]))) == []
    for text in ("", " ", "\n"):
        assert classifier(text)[0]["attention"] == []
        assert classifier([text, text])[1]["label"] in LABELS.values()
    assert_same(classifier(["", "so good"])[1], classifier("so good")[0], 1e-5)


def test_threads_do_not_disturb_each_other() -> None:
    chance = random.Random(4)
    jobs = [
        (
            random_texts(seed, 6),
            {
                "truncation": chance.choice(["head", "tail", "head_tail"]),
                "max_length": chance.choice([None, 5, 9, 30]),
                "level": chance.choice(["word", "token"]),
                "per_head": chance.random() < 0.5,
                "top_k": chance.choice([1, None]),
                "batch_size": chance.choice([1, 3]),
            },
        )
        for seed in range(64)
    ]
    model = tiny_model(pooler_num_heads=2)
    serial, shared = attention_pipeline(model), attention_pipeline(model)
    expected = [serial(texts, **parameters) for texts, parameters in jobs]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda job: shared(job[0], **job[1]), jobs))
    assert_same(found, expected, 1e-6)


def test_the_users_tokenizer_keeps_its_settings() -> None:
    tokenizer = word_piece()
    tokenizer.backend_tokenizer.enable_truncation(3)
    before = tokenizer.backend_tokenizer.to_str()
    classifier = attention_pipeline(tokenizer=tokenizer)
    assert len(classifier("not so good !", max_length=8, truncation="tail")[0]["attention"]) == 4
    assert tokenizer.backend_tokenizer.to_str() == before


@pytest.mark.parametrize("inputs", [None, 5, 0.5, b"good", True])
def test_what_is_no_text_is_refused(classifier: AttnLSTMTextClassificationPipeline, inputs: Any) -> None:
    with pytest.raises(TypeError, match=f"takes a text or texts, got {type(inputs).__name__}"):
        classifier(inputs)


@pytest.mark.parametrize("bad", [None, 5, float("nan"), b"good", {"text": None}])
def test_an_entry_that_is_no_text_is_named_with_its_position(
    classifier: AttnLSTMTextClassificationPipeline, bad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(bad["text"] if isinstance(bad, dict) else bad).__name__
    with pytest.raises(TypeError, match=f"Text number 2 is of type {kind}"):
        classifier(["good", "so", bad, "so"])
    monkeypatch.setattr(pipeline_text_classification, "WINDOW_TEXTS", 8)
    results = classifier(bad if position == 19 else "so" for position in range(100))
    # The results of the texts before come first.
    assert len([next(results) for _ in range(19)]) == 19
    with pytest.raises(TypeError, match=f"Text number 19 is of type {kind}"):
        next(results)


@pytest.mark.parametrize(
    "inputs", [{"text": "a", "text_pair": "b"}, [{"text": "a", "text_pair": "b"}], {"body": "a"}, [["so", "good"]]]
)
def test_pairs_are_refused(classifier: AttnLSTMTextClassificationPipeline, inputs: Any) -> None:
    with pytest.raises(ValueError, match=r"Text number 0 is a .*, and the model reads single texts: give a string"):
        classifier(inputs)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"levle": "word"}, "no parameter 'levle'"),
        ({"padding": True}, "no parameter 'padding'"),
        ({"level": "sentence"}, "level must be one of word, token, got 'sentence'"),
        ({"truncation": "middle"}, "truncation must be one of head, tail, head_tail, got 'middle'"),
        ({"truncation": False}, "truncation must be one of head, tail, head_tail, got False"),
        ({"max_length": 0}, "max_length=0 leaves no room"),
        ({"max_length": 2}, "max_length=2 leaves no room"),
        ({"max_length": -3}, "max_length=-3 leaves no room"),
        ({"max_length": 2.5}, "max_length must be a whole number, got 2.5"),
        ({"max_length": True}, "max_length must be a whole number, got True"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1, or None for all labels, got 0"),
        ({"top_k": -1}, "top_k must be a whole number of at least 1, or None for all labels, got -1"),
        ({"top_k": 1.5}, "top_k must be a whole number .* got 1.5"),
        ({"top_k": "2"}, "top_k must be a whole number .* got '2'"),
        ({"top_k": True}, "top_k must be a whole number .* got True"),
        ({"function_to_apply": "tanh"}, "function_to_apply must be one of sigmoid, softmax, none, got 'tanh'"),
        ({"function_to_apply": 1}, "function_to_apply must be one of sigmoid, softmax, none, got 1"),
        ({"per_head": "no"}, "per_head must be True or False, got 'no'"),
        ({"progress_bar": 1}, "progress_bar must be True or False, got 1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, or None, got 0"),
        ({"batch_size": 2.0}, "batch_size must be a whole number of at least 1, or None, got 2.0"),
        ({"batch_size": "8"}, "batch_size must be a whole number of at least 1, or None, got '8'"),
        ({"threshold": 0.3}, "threshold is for multi-label models, and this one's problem_type is 'single_label"),
    ],
)
def test_wrong_parameters_are_refused_when_made_and_when_called(
    classifier: AttnLSTMTextClassificationPipeline, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        attention_pipeline(**parameters)
    with pytest.raises(ValueError, match=message):
        classifier("so good", **parameters)
    # For an iterator too, before it is read.
    with pytest.raises(ValueError, match=message):
        classifier(iter(["so good"]), **parameters)


def test_a_model_without_attention_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="pools by max, mean and has no attention weights"):
        attention_pipeline(tiny_model(classifier_pooling=["max", "mean"]))


def test_a_tokenizer_larger_than_the_embedding_is_refused() -> None:
    with pytest.raises(ValueError, match="tokenizer has 13 tokens, but the model's embedding has 12 rows"):
        attention_pipeline(tiny_model(vocab_size=12))


def test_a_model_of_another_kind_is_refused() -> None:
    other = BertForSequenceClassification(
        BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )
    with pytest.raises((TypeError, ValueError), match="attention"):
        attention_pipeline(other)


def test_attention_beside_other_poolings() -> None:
    classifier = attention_pipeline(tiny_model(classifier_pooling=["max", "attention"]))
    assert sum(entry["weight"] for entry in classifier("so good")[0]["attention"]) == pytest.approx(1, abs=1e-6)


def test_half_precision(classifier: AttnLSTMTextClassificationPipeline) -> None:
    expected = classifier("not so good !", top_k=None)
    classifier.model.bfloat16()
    found = classifier("not so good !", top_k=None)
    assert [entry["text"] for entry in found[0]["attention"]] == ["not", "so", "good", "!"]
    scores = [{entry["label"]: entry["score"] for entry in result} for result in (found, expected)]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_stock_pipeline_works(batch_size: int) -> None:
    classifier = attention_pipeline(tokenizer=without_special_tokens())
    stock = stock_twin(classifier)
    texts = ["not so good", "", "so", "good " * 30, " "]
    assert_same(stock(texts, batch_size=batch_size), without_attention(classifier(texts)), 1e-5)
    assert_same(stock(""), without_attention(classifier("")), 1e-6)


def test_save_pretrained_and_load(classifier: AttnLSTMTextClassificationPipeline, tmp_path: Any) -> None:
    classifier.save_pretrained(tmp_path)
    assert_same(pipeline(TASK, model=str(tmp_path))(TEXTS), classifier(TEXTS), 1e-6)


def test_the_size_of_a_batch_when_called_when_made_and_by_default() -> None:
    sizes, model = [], tiny_model()
    model.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    texts = ["so"] * (TEXTS_IN_BATCH + 1)
    attention_pipeline(model)(texts)
    attention_pipeline(model, batch_size=20)(texts)
    attention_pipeline(model, batch_size=20)(texts, batch_size=30)
    by_20 = [20] * (len(texts) // 20) + [len(texts) % 20]
    by_30 = [30] * (len(texts) // 30) + [len(texts) % 30]
    assert sorted(sizes) == sorted([TEXTS_IN_BATCH, 1, *by_20, *by_30])
