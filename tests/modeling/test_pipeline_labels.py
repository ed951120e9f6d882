"""Which labels the pipeline gives: one, the best, or all above a threshold; and models that have no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from modeling_helpers import tiny_model
from pipeline_helpers import LABELS, TASK, TEXTS, assert_same, attention_pipeline, word_piece
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, pipeline
from transformers.utils import logging

from hfattnlstm import AttnLSTMForSequenceClassification, AttnLSTMTextClassificationPipeline
from hfattnlstm.modeling import text_inputs
from hfattnlstm.modeling.pipeline_text_classification import CalibratedTextClassificationPipeline


MULTI = "multi_label_classification"


def several(**options: Any) -> AttnLSTMForSequenceClassification:
    """With probabilities of about .27, .55 and .82 for any text."""
    model = tiny_model(**{"id2label": LABELS, "problem_type": MULTI, **options})
    with torch.no_grad():
        model.classifier.out_proj.weight.mul_(0.01)
        model.classifier.out_proj.bias.copy_(torch.tensor([-1.0, 0.2, 1.5])[: model.num_labels])
    return model


@pytest.fixture
def classifier() -> AttnLSTMTextClassificationPipeline:
    return attention_pipeline(several())


def labels_of(results: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [[entry["label"] for entry in result] for result in results]


def test_all_labels_above_the_threshold_best_first(classifier: AttnLSTMTextClassificationPipeline) -> None:
    results = classifier(TEXTS)
    assert labels_of(results) == [["positive", "neutral"]] * len(TEXTS)
    for text, result in zip(TEXTS, results):
        with torch.no_grad():
            ids = classifier.tokenizer(text, truncation=True, return_tensors="pt")["input_ids"]
            probabilities = classifier.model(ids).logits[0].sigmoid()
        assert [entry["score"] for entry in result] == pytest.approx(
            [probabilities[2].item(), probabilities[1].item()]
        )
        assert all(entry["attention"] == result[0]["attention"] for entry in result)
    assert results[4][0]["truncated"] and results[0][0]["attention"][0]["text"] == "Not"


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.9, []), (0.6, ["positive"]), (0.5, ["positive", "neutral"]), (0.1, ["positive", "neutral", "negative"])],
)
@pytest.mark.parametrize("where", ["config", "made", "called"])
def test_the_threshold_is_taken_from_the_config_or_a_parameter(where: str, threshold: float, expected: list) -> None:
    model = several(threshold=threshold) if where == "config" else several(threshold=0.2)
    classifier = attention_pipeline(model, **({"threshold": threshold} if where == "made" else {}))
    assert labels_of(classifier(["so", "good"], **({"threshold": threshold} if where == "called" else {}))) == [
        expected,
        expected,
    ]


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ([0.2, 0.6, 0.9], ["negative"]),
        ([0.3, 0.5, 0.9], ["neutral"]),
        ((0.2, 0.5, 0.8), ["positive", "neutral", "negative"]),
    ],
)
@pytest.mark.parametrize("where", ["config", "made", "called"])
def test_each_label_may_have_a_threshold(where: str, threshold: Any, expected: list) -> None:
    model = several(threshold=list(threshold)) if where == "config" else several(threshold=0.2)
    classifier = attention_pipeline(model, **({"threshold": threshold} if where == "made" else {}))
    found = classifier(["so", "good"], **({"threshold": threshold} if where == "called" else {}))
    assert labels_of(found) == [expected, expected]
    assert labels_of(classifier(["so"], threshold=0.7)) == [["positive"]]


def test_a_threshold_that_was_spoilt_later_is_told(classifier: AttnLSTMTextClassificationPipeline) -> None:
    classifier.model.config.threshold = [0.5]
    with pytest.raises(ValueError, match="threshold has 1 numbers for 3 labels: give one a label"):
        classifier("so")


def test_scores_are_calibrated_where_the_function_is_that_of_the_problem() -> None:
    with torch.no_grad():
        ids = word_piece()("so good", return_tensors="pt")["input_ids"]
        logits = several()(ids).logits[0]
    for kind, function, other in (
        (MULTI, "sigmoid", "softmax"),
        ("single_label_classification", "softmax", "sigmoid"),
    ):
        model = several(problem_type=kind, calibration_temperature=4.0)
        ours = attention_pipeline(model, top_k=None)
        plain = pipeline("text-classification", model=model, tokenizer=word_piece())
        own = CalibratedTextClassificationPipeline(model=model, tokenizer=word_piece())
        apply = {"sigmoid": torch.sigmoid, "softmax": lambda values: values.softmax(-1)}
        expected = {
            None: apply[function](logits / 4),
            function: apply[function](logits / 4),
            other: apply[other](logits),
            "none": logits,
        }
        for name, scores in expected.items():
            for classifier in (ours, own):
                found = classifier("so good", top_k=None, function_to_apply=name)
                scored = {entry["label"]: entry["score"] for entry in found}
                assert scored == pytest.approx(dict(zip(LABELS.values(), scores.tolist())), abs=1e-5)
        # The stock pipeline does not know of it.
        assert plain("so good")[0]["score"] == pytest.approx(apply[function](logits).max().item(), abs=1e-5)


def test_a_threshold_is_compared_with_the_calibrated_probability() -> None:
    """They are about .44, .51 and .59."""
    classifier = attention_pipeline(several(calibration_temperature=4.0, threshold=0.55))
    assert labels_of(classifier(["so"])) == [["positive"]]
    assert labels_of(classifier(["so"], threshold=[0.3, 0.55, 0.6])) == [["negative"]]
    assert labels_of(attention_pipeline(several(threshold=0.6))(["so"])) == [["positive"]]
    assert labels_of(attention_pipeline(several(calibration_temperature=4.0, threshold=0.6))(["so"])) == [[]]


def test_the_shape_of_what_a_call_gives(classifier: AttnLSTMTextClassificationPipeline) -> None:
    (result,) = classifier(["so good"])
    assert isinstance(result, list) and len(result) == 2
    # A single string gives a list of one result, as it does for other models.
    assert_same(classifier("so good"), [result])
    assert_same(classifier({"text": "so good"}), result)
    assert_same(list(classifier(iter(["so good"]))), [result])
    assert len(classifier("so good", top_k=None)) == 3
    assert labels_of([classifier("so good", top_k=1)]) == [["positive"]]
    assert labels_of(classifier(["so good"], top_k=2)) == [["positive", "neutral"]]


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_one_label_that_applies_or_not(threshold: float) -> None:
    classifier = attention_pipeline(several(id2label={0: "spam"}))
    found = classifier(["so good"], threshold=threshold)
    assert labels_of(found) == [["spam"] if threshold == 0.2 else []]


@pytest.mark.parametrize("options", [{}, {"num_labels": 1, "id2label": None}, {"problem_type": "regression"}])
def test_other_models_give_one_dictionary_a_text(options: dict[str, Any]) -> None:
    classifier = attention_pipeline(tiny_model(**{"id2label": LABELS, **options}))
    assert all(isinstance(result, dict) for result in [*classifier(["so", "good"]), *classifier("so")])


def test_the_call_wins_over_what_the_pipeline_was_made_with() -> None:
    assert len(attention_pipeline(several(), threshold=0.6)("so", top_k=2)) == 2
    assert labels_of(attention_pipeline(several(), top_k=None)(["so"], threshold=0.6)) == [["positive"]]
    classifier = attention_pipeline(several(), threshold=0.6)
    classifier("so", top_k=2)
    assert labels_of(classifier("so")) == [["positive"]]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"threshold": 0}, "threshold is a probability and must lie between 0 and 1, got 0"),
        ({"threshold": 1}, "threshold is a probability and must lie between 0 and 1, got 1"),
        ({"threshold": -0.5}, "must lie between 0 and 1, got -0.5"),
        ({"threshold": float("nan")}, "must lie between 0 and 1, got nan"),
        ({"threshold": "0.5"}, "must lie between 0 and 1, got '0.5'"),
        ({"threshold": [0.5, 0.5]}, "threshold has 2 numbers for 3 labels: give one a label"),
        ({"threshold": [0.5, 0.5, 1]}, "must lie between 0 and 1, got 1"),
        ({"threshold": 0.5, "top_k": 2}, "threshold and top_k both say how many labels are given: leave one"),
        ({"threshold": 0.5, "top_k": None}, "threshold and top_k both say how many labels are given: leave one"),
    ],
)
def test_a_threshold_that_cannot_be_used(
    parameters: dict[str, Any], sentence: str, classifier: AttnLSTMTextClassificationPipeline
) -> None:
    with pytest.raises(ValueError, match=sentence):
        attention_pipeline(several(), **parameters)
    with pytest.raises(ValueError, match=sentence):
        classifier("so", **parameters)


@pytest.mark.parametrize("function", ["none", "softmax"])
def test_a_threshold_is_for_the_probabilities_of_a_sigmoid(
    function: str, classifier: AttnLSTMTextClassificationPipeline
) -> None:
    for call in (
        lambda: classifier("so", function_to_apply=function),
        lambda: attention_pipeline(several(), function_to_apply=function)("so", threshold=0.2),
    ):
        with pytest.raises(ValueError, match="probabilities of a sigmoid: leave function_to_apply out, or give top_k"):
            call()
    assert len(classifier("so", function_to_apply=function, top_k=None)) == 3
    assert_same(classifier("so", function_to_apply="SIGMOID"), classifier("so"))


def test_numbers_of_numpy_are_whole_numbers(classifier: AttnLSTMTextClassificationPipeline) -> None:
    assert len(classifier("so", top_k=np.int64(2))) == 2
    assert len(classifier(["so"] * 3, batch_size=np.int64(2))) == 3


def test_workers_that_have_no_effect_are_told(
    classifier: AttnLSTMTextClassificationPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    logging.get_logger("transformers").warning_once.cache_clear()
    with caplog.at_level("WARNING", "hfattnlstm"):
        classifier("so", num_workers=2)
    assert "num_workers has no effect here" in caplog.text


def test_all_lengths_share_one_copy_of_the_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    original = text_inputs.TextEncoder.__init__

    def counting(self: Any, *args: Any) -> None:
        copies.append(self)
        original(self, *args)

    monkeypatch.setattr(text_inputs.TextEncoder, "__init__", counting)
    classifier = attention_pipeline()
    for length in range(3, 30):
        for truncation in ("head", "tail"):
            result = classifier("so " * 40, max_length=length, truncation=truncation)[0]
            assert len(result["attention"]) == length - 2
    assert len(copies) == 1


def test_the_longest_text_of_the_tokenizer_can_be_set_later() -> None:
    classifier = attention_pipeline()
    classifier("so")
    classifier.tokenizer.model_max_length = 5
    assert len(classifier("so " * 9)[0]["attention"]) == 3


@pytest.fixture
def incomplete(tmp_path: Path) -> Path:
    """A checkpoint that lacks two weights."""
    tiny_model(id2label=LABELS).save_pretrained(tmp_path)
    word_piece().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lacking = ("classifier.out_proj.weight", "attnlstm.encoder.layers.0.forward_lstm.weight_hh_l0")
    save_file(
        {name: weight for name, weight in weights.items() if name not in lacking},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    return tmp_path


def test_a_model_with_weights_that_its_checkpoint_lacked_is_refused(incomplete: Path) -> None:
    sentence = r"lacks 2 of the weights, such as attnlstm\.encoder\.layers\.0\.forward_lstm\.weight_hh_l0, which have"
    with pytest.raises(ValueError, match=sentence) as caught:
        pipeline(TASK, model=str(incomplete))
    assert "\n" not in str(caught.value) and str(incomplete) in str(caught.value)


def test_a_new_head_is_taken_once_it_was_trained_or_loaded(incomplete: Path, tmp_path: Path) -> None:
    tiny_model(id2label=LABELS).base_model.save_pretrained(tmp_path / "backbone")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "backbone", id2label=LABELS)
    with pytest.raises(ValueError, match=r"lacks 2 of the weights, such as classifier\.out_proj"):
        attention_pipeline(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 3, dtype=torch.long), labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()
    assert attention_pipeline(model)("so good")

    loaded = AutoModelForSequenceClassification.from_pretrained(incomplete)
    loaded.load_state_dict(tiny_model(id2label=LABELS).state_dict())
    assert attention_pipeline(loaded)("so good")
    assert AutoModel.from_pretrained(tmp_path / "backbone").started_anew == {}
