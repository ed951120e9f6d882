"""`explain` as a user calls it: texts, targets, mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from explain_helpers import PIECES, TEXTS, assert_same, small_bert, word_pieces
from transformers import PreTrainedModel, pipeline

from deploy_helpers import random_model
from hfattnlstm.explain import Explainer, Explanation, Explanations, explain
from hfattnlstm.explain.attribution import METHODS


LABELS = {0: "schlecht", 1: "gut", 2: "größer"}


def own_model(**options: Any) -> PreTrainedModel:
    return random_model(vocab_size=len(PIECES), id2label=LABELS, **options).double()


def test_a_text_has_an_explanation_and_texts_have_a_list_of_them() -> None:
    model, tokenizer = own_model(), word_pieces(special=True)
    one, several = explain(TEXTS[2], model, tokenizer), explain(TEXTS, model, tokenizer)
    assert isinstance(one, Explanation) and isinstance(several, Explanations)
    assert_same(one.to_dict(), several[2].to_dict())
    assert [found.text for found in several] == TEXTS
    assert explain([], model, tokenizer) == []
    assert several.faithfulness.texts == len(TEXTS)


@pytest.mark.parametrize("method", METHODS)
def test_label_and_score_are_those_of_the_pipeline(method: str) -> None:
    model, tokenizer = own_model(calibration_temperature=2.0), word_pieces(special=True)
    labels = pipeline("attention-text-classification", model=model, tokenizer=tokenizer)(TEXTS)
    for found, shown in zip(explain(TEXTS, model, tokenizer, method=method, faithfulness=False), labels):
        assert (found.label, found.target, found.method) == (shown["label"], shown["label"], method)
        assert found.score == found.target_score == pytest.approx(shown["score"], abs=1e-6)
        assert found.faithfulness is None


def test_words_and_tokens_have_spans_of_the_text_and_words_the_sum_of_their_tokens() -> None:
    text = "  A badly  bad film!"
    found = explain(text, own_model(), word_pieces(special=True), method="gradient_x_input", faithfulness=False)
    assert [word.text for word in found.words] == ["A", "badly", "bad", "film", "!"]
    assert [token.text for token in found.tokens] == ["A", "bad", "ly", "bad", "film", "!"]
    for span in (*found.words, *found.tokens):
        assert text[span.start : span.end] == span.text
    weights = [token.weight for token in found.tokens]
    assert found.words[1].weight == pytest.approx(weights[1] + weights[2])
    options = {"faithfulness": False}
    assert found.is_signed and explain(text, own_model(), word_pieces(), **options).method == "attention_x_gradient"
    assert not explain(text, own_model(), word_pieces(), method="attention", **options).is_signed


def test_a_target_by_name_by_place_or_for_each_text() -> None:
    model, tokenizer = own_model(), word_pieces()
    options = {"method": "occlusion", "faithfulness": False}
    by_name, by_place = (explain(TEXTS[0], model, tokenizer, target=target, **options) for target in ("größer", 2))
    assert by_name.to_dict() == by_place.to_dict() and by_name.target == "größer"
    assert by_name.label == explain(TEXTS[0], model, tokenizer, **options).label
    (scores,) = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)([TEXTS[0]])
    by_label = {entry["label"]: entry["score"] for entry in scores}
    assert by_name.target_score == pytest.approx(by_label["größer"], abs=1e-6)
    each = explain(TEXTS[:3], model, tokenizer, target=["gut", None, 0], **options)
    assert [found.target for found in each] == ["gut", each[1].label, "schlecht"]
    for wrong in ("gutt", 3, -1, True):
        with pytest.raises(
            ValueError, match="is no label of the model: give the name or place of one of schlecht, gut"
        ):
            explain(TEXTS[0], model, tokenizer, target=wrong)
    with pytest.raises(ValueError, match="target has 2 labels for 3 texts"):
        explain(TEXTS[:3], model, tokenizer, target=["gut", "gut"])


@pytest.mark.parametrize("kind", ["multi_label_classification", "regression"])
def test_other_problem_types(kind: str) -> None:
    count = 1 if kind == "regression" else 3
    model = (
        own_model(problem_type=kind)
        if count == 3
        else random_model(vocab_size=len(PIECES), problem_type=kind, num_labels=1).double()
    )
    for method in METHODS:
        found = explain(TEXTS[2], model, word_pieces(), method=method)
        assert json.dumps(found.to_dict(), allow_nan=False)
        assert (found.faithfulness.flip_share is None) == (kind == "regression")


def test_pairs_of_our_models_and_of_others() -> None:
    pair = {"text": "the film is badly", "text_pair": "not good at all"}
    own = own_model(text_columns=["first", "second"])
    for model, tokenizer in ((own, word_pieces(special=True)), (small_bert(), word_pieces(special=True, types=True))):
        found = explain(pair, model, tokenizer)
        assert found.text == ("the film is badly", "not good at all")
        assert [(word.text, word.text_index) for word in found.words[3:5]] == [("badly", 0), ("not", 1)]
        assert found.to_dict()["words"][-1]["text_index"] == 1
        assert_same(explain([pair, tuple(pair.values())], model, tokenizer)[1].to_dict(), found.to_dict())
    assert "text_index" not in explain("a film", own_model(), word_pieces()).to_dict()["words"][0]
    with pytest.raises(ValueError, match="Text number 1 "):
        explain([pair, "alone"], own, word_pieces(special=True))


def test_what_was_cut_is_told() -> None:
    found = explain("good film bad film", own_model(), word_pieces(), max_length=2, faithfulness=False)
    assert found.characters_left_out == 9 and len(found.words) == 2
    assert found.to_dict()["truncated"] is True and found.to_dict(level="token")["tokens"][1]["text"] == "film"


def test_mistakes() -> None:
    model, tokenizer = own_model(), word_pieces()
    with pytest.raises(ValueError, match=r"method must be one of attention, .*, got 'lime'"):
        explain("good", model, tokenizer, method="lime")
    with pytest.raises(TypeError, match="Text number 1 is of type int"):
        explain(["good", 5], model, tokenizer)
    mean = own_model(classifier_pooling=["mean"])
    with pytest.raises(
        ValueError, match="no attention pooling, which attention_x_gradient is about: take one of grad"
    ):
        explain("good", mean, tokenizer, method="attention_x_gradient")
    assert explain("good", mean, tokenizer, method="occlusion").words
    model.classifier.out_proj.bias.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN or infinity for text number 0"):
        explain("good", model, tokenizer)


@pytest.mark.parametrize(
    ("method", "window"), [("attention", "_WINDOW_TEXTS"), ("occlusion", "_WINDOW_OF_SLOW_METHODS")]
)
def test_a_stream_is_read_window_by_window(method: str, window: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"hfattnlstm.explain.explaining.{window}", 2)
    read = []

    def texts() -> Iterator[str]:
        for text in [*TEXTS, 7]:
            read.append(text)
            yield text

    found = Explainer(own_model(), word_pieces(), method)(texts(), measured=iter([True, False] * 3))
    first = next(found)
    assert len(read) == 2 and first.text == TEXTS[0] and first.faithfulness is not None
    assert next(found).faithfulness is None
    with pytest.raises(TypeError, match="Text number 4 is of type int"):
        list(found)


def test_another_model_is_explained_alike() -> None:
    model, tokenizer = small_bert(), word_pieces(special=True, types=True)
    for method in METHODS:
        found = explain(TEXTS[2], model, tokenizer, method=method)
        assert found.label in ("LABEL_0", "LABEL_1") and len(found.words) == 19
        assert found.faithfulness.level in ("better", "partly", "no better")
