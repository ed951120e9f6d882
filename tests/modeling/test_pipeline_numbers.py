"""What the pipeline sends to the model, and what it does with numbers that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from modeling_helpers import tiny_model
from pipeline_helpers import LABELS, PIECES, assert_same, attention_pipeline, without_special_tokens, word_piece
from torch import nn

from hfattnlstm.modeling import pipeline_text_classification
from hfattnlstm.modeling.attention_entries import attention_entries
from hfattnlstm.modeling.text_inputs import EncodedText


@pytest.mark.parametrize(
    ("tokenizer", "texts", "masked"),
    [
        (word_piece, ["so good", "not so"], False),
        (word_piece, [""], False),
        (word_piece, ["so good", "not"], True),
        (without_special_tokens, [""], True),
        (without_special_tokens, ["so", ""], True),
    ],
)
def test_the_mask_is_sent_only_where_there_is_padding(tokenizer: Any, texts: list[str], masked: bool) -> None:
    classifier, sent = attention_pipeline(tokenizer=tokenizer()), []
    classifier.model.register_forward_pre_hook(lambda module, args, kwargs: sent.append(kwargs), with_kwargs=True)
    classifier(texts)
    (inputs,) = sent
    assert inputs["input_ids"].dtype == torch.int64
    if masked:
        expected = inputs["input_ids"] != classifier.tokenizer.pad_token_id
        assert not expected.all()
        assert torch.equal(inputs["attention_mask"], expected)
    else:
        assert "attention_mask" not in inputs


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("inputs", ["so good", {"text": "so good"}, ["so good", "not"]])
def test_a_damaged_model_gives_no_label(number: float, inputs: Any) -> None:
    classifier = attention_pipeline()
    classifier.model.classifier.out_proj.bias.data[1] = number
    with pytest.raises(ValueError, match=r"NaN or infinity for text number 0: load its weights again .*float32"):
        classifier(inputs)


@pytest.mark.parametrize("where", ["logits", "attentions"])
@pytest.mark.parametrize("streamed", [False, True])
def test_one_text_without_numbers_is_named_and_those_before_are_answered(
    where: str, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_text_classification, "WINDOW_TEXTS", 8)
    classifier = attention_pipeline()
    texts = ["so good " * (position % 5 + 1) for position in range(30)]
    expected = classifier(texts)
    if where == "logits":
        # Only what reads this word overflows.
        classifier.model.get_input_embeddings().weight.data[PIECES.index("bad")] = float("inf")
    else:
        without_weights(classifier.model, PIECES.index("bad"))
    texts[19] = texts[22] = "not bad so"
    if not streamed:
        with pytest.raises(ValueError, match="text number 19:"):
            classifier(texts)
    results, found = classifier(iter(texts), batch_size=3), []
    with pytest.raises(ValueError, match="text number 19:"):
        found.extend(results)
    assert_same(found, expected[:19], 1e-5)


def without_weights(model: nn.Module, word: int) -> None:
    """Make a model give NaN for the attention on a word, with a label as before."""
    forward = model.forward

    def damaged(input_ids: torch.Tensor, **options: Any) -> Any:
        outputs = forward(input_ids, **options)
        return {
            **outputs,
            "attentions": (outputs["attentions"][-1].where(input_ids[:, None, None] != word, torch.nan),),
        }

    model.forward = damaged


def test_attention_that_is_no_number_is_not_shown_as_even() -> None:
    encoded = EncodedText([4, 5], [(0, 3), (4, 6)], [0, 1], 0)
    entries = attention_entries("not so", encoded, np.array([[np.nan, 0.5]]), "token", False)
    assert np.isnan([entry["weight"] for entry in entries]).all()
    entries = attention_entries("not so", encoded, np.zeros((1, 2)), "token", False)
    assert [entry["weight"] for entry in entries] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("problem", "dtype", "seen"),
    [
        # The numbers of a regression are never taken for the same.
        ("regression", None, {torch.float32}),
        ("single_label_classification", None, {torch.bfloat16}),
        ("single_label_classification", torch.float16, {torch.float16}),
        ("single_label_classification", torch.bfloat16, {torch.bfloat16}),
    ],
)
def test_what_auto_takes_for_other_problems_and_dtypes(
    problem: str, dtype: torch.dtype | None, seen: set, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, dtypes = [], []
    monkeypatch.setattr(pipeline_text_classification, "has_fast_bfloat16", lambda device: asked.append(device) or True)
    model = tiny_model(id2label={0: "a"} if problem == "regression" else LABELS, problem_type=problem)
    # Small weights, so that the answers are near each other.
    for parameter in model.parameters():
        parameter.data *= 0.01
    classifier = attention_pipeline(model.to(dtype))
    classifier("so good", dtype="auto")
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, args: dtypes.append(args[0].dtype) if isinstance(module, nn.LSTM) else None
    )
    classifier("so good", dtype="auto")
    hook.remove()
    assert set(dtypes) == seen
    assert asked == ([classifier.device] if dtype is None else [])


def test_save_pretrained_hands_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, given = attention_pipeline(), []
    for part in (classifier.model, classifier.tokenizer):
        monkeypatch.setattr(part, "save_pretrained", lambda *options, **named: given.append((options, named)))
    classifier.save_pretrained(str(tmp_path), push_to_hub=False, token="t")
    assert given == [((str(tmp_path),), {"push_to_hub": False, "token": "t"})] * 2


def test_the_space_before_a_word_is_no_part_of_it() -> None:
    encoded = EncodedText([4, 5, 6], [(0, 3), (3, 6), (6, 11)], [0, 1, 2], 0)
    entries = attention_entries("not so  bad", encoded, np.array([[0.25, 0.25, 0.5]]), "word", False)
    assert entries == [
        {"text": "not", "start": 0, "end": 3, "weight": 0.25},
        {"text": "so", "start": 4, "end": 6, "weight": 0.25},
        {"text": "bad", "start": 8, "end": 11, "weight": 0.5},
    ]


def test_white_space_that_is_a_token_of_its_own_is_shown_as_it_is() -> None:
    encoded = EncodedText(input_ids=[4, 5, 6], spans=[(0, 3), (3, 5), (5, 9)], word_ids=[0, 1, 2], left_out=0)
    entries = attention_entries("not\n\n bad", encoded, np.array([[0.25, 0.25, 0.5]]), "word", False)
    assert [(entry["text"], entry["start"], entry["end"]) for entry in entries] == [
        ("not", 0, 3),
        ("\n\n", 3, 5),
        ("bad", 6, 9),
    ]
