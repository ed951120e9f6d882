"""The attention pipeline on many texts: several cores, dtypes, errors on the way, and the bar."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from modeling_helpers import tiny_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, pipeline

from hfattnlstm import AttnLSTMTextClassificationPipeline
from hfattnlstm.modeling import compute_dtype, pipeline_text_classification
from hfattnlstm.modeling.batch_workers import TEXTS_IN_BATCH


WORDS = ["[PAD]", "[UNK]", "not", "so", "good", "bad"]


@pytest.fixture
def classifier() -> AttnLSTMTextClassificationPipeline:
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=40
    )
    return pipeline("attention-text-classification", model=tiny_model(), tokenizer=tokenizer)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def texts(count: int) -> list[str]:
    chance = random.Random(count)
    return [" ".join(chance.choices(WORDS[2:], k=chance.randint(0, 60))) for _ in range(count)]


def assert_same(actual: list[dict], expected: list[dict], tolerance: float = 1e-5) -> None:
    assert [result["label"] for result in actual] == [result["label"] for result in expected]
    for one, other in zip(actual, expected):
        assert one["score"] == pytest.approx(other["score"], abs=tolerance)
        assert [entry["text"] for entry in one["attention"]] == [entry["text"] for entry in other["attention"]]
        weights = [entry["weight"] for entry in other["attention"]]
        assert [entry["weight"] for entry in one["attention"]] == pytest.approx(weights, abs=tolerance)


def test_on_several_cores_the_results_are_those_of_one_text_at_a_time(classifier, two_threads):
    many = texts(3 * TEXTS_IN_BATCH)
    assert_same(classifier(many), [classifier(text)[0] for text in many])
    assert_same(list(classifier(iter(many))), [classifier(text)[0] for text in many])


def test_several_callers_on_several_cores(classifier, two_threads):
    many = texts(2 * TEXTS_IN_BATCH)
    expected = [classifier(text)[0] for text in many]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(classifier, [many] * 8):
            assert_same(found, expected)
    assert torch.get_num_threads() == 2


def test_torch_has_its_threads_back_when_a_stream_is_left(classifier, two_threads, monkeypatch):
    monkeypatch.setattr(pipeline_text_classification, "WINDOW_TEXTS", 16)
    stream = classifier(iter(texts(200)), batch_size=4)
    next(stream)
    stream.close()
    assert torch.get_num_threads() == 2


def test_an_error_of_the_model_comes_out_and_nothing_hangs(classifier, two_threads):
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    classifier.model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        classifier(texts(100), batch_size=4)
    assert torch.get_num_threads() == 2


def test_the_results_before_an_error_of_the_source_are_given(classifier):
    def source() -> Iterator[str]:
        yield from ["so good", "not bad"]
        raise OSError("the disk is gone")

    stream = classifier(source())
    assert_same([next(stream), next(stream)], classifier(["so good", "not bad"]))
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_windows_are_bounded_in_characters(classifier, monkeypatch):
    monkeypatch.setattr(pipeline_text_classification, "WINDOW_CHARACTERS", 50)
    read = []
    stream = classifier(read.append(text) or text for text in ["so " * 20] * 10)
    next(stream)
    assert len(read) == 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", torch.bfloat16])
def test_a_dtype_is_used_and_the_model_stays_as_it_is(classifier, dtype):
    seen = []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, args: seen.append(args[0].dtype) if isinstance(module, torch.nn.LSTM) else None
    )
    many = texts(20)
    rough = classifier(many, dtype=dtype)
    hook.remove()
    assert {str(dtype).removeprefix("torch.")} == {str(found).removeprefix("torch.") for found in seen}
    exact = classifier(many)
    assert classifier.model.dtype == torch.float32
    assert [result["score"] for result in rough] == pytest.approx([result["score"] for result in exact], abs=0.02)
    assert [result["score"] for result in rough] != [result["score"] for result in exact]


@pytest.mark.parametrize(
    ("fast", "agree", "expected"), [(True, True, "bfloat16"), (True, False, "float32"), (False, True, "float32")]
)
def test_auto_takes_bfloat16_where_it_is_fast_and_agrees(classifier, monkeypatch, fast, agree, expected):
    monkeypatch.setattr(pipeline_text_classification, "has_fast_bfloat16", lambda device: fast)
    monkeypatch.setattr(compute_dtype, "TOLERANCE", 1.0 if agree else 0.0)
    many = ["so good good", "not", "bad bad so"]
    assert_same(classifier(many, dtype="auto"), classifier(many, dtype=expected), 0.0)


def test_a_wrong_dtype_is_told(classifier):
    with pytest.raises(ValueError, match="dtype must be one of auto"):
        classifier("so", dtype="int8")


def test_a_bar_is_shown_on_request_and_not_into_files(classifier, capsys):
    classifier(texts(5))
    list(classifier(iter(texts(5))))
    assert capsys.readouterr().err == ""
    classifier(texts(5), progress_bar=True)
    assert "5/5" in capsys.readouterr().err
    list(classifier(iter(texts(5)), progress_bar=True))
    assert "5text" in capsys.readouterr().err.replace(" ", "")


def test_the_first_results_of_a_stream_come_soon(classifier, monkeypatch):
    monkeypatch.setattr(pipeline_text_classification, "FIRST_WINDOW_TEXTS", 2)
    read = []
    stream = classifier(read.append(text) or text for text in ["so good"] * 40)
    next(stream)
    assert len(read) == 2 + 4
    assert len(list(stream)) == 39


def test_a_model_in_float64_takes_a_dtype(classifier):
    many, exact = ["so good", "bad"], classifier(["so good", "bad"])
    classifier.model.double()
    for dtype in ("auto", "float32"):
        assert_same(classifier(many, dtype=dtype), exact)
