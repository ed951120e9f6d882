"""Vectors of texts: exact, in order, and the same by each way to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, pipeline

from deploy_helpers import TEXTS, random_model, word_tokenizer
from hfattnlstm import AttnLSTMModel, embed_texts
from hfattnlstm.data.embedding import vector_width
from loopback_hub import run_python


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return random_model(classifier_pooling=["attention", "max"], embedding_dropout=0.5)


@pytest.fixture(scope="module")
def folder(model: PreTrainedModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("embedding") / "model"
    model.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return str(folder)


def alone(model: PreTrainedModel, text: str) -> torch.Tensor:
    ids = word_tokenizer()(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model.base_model(ids).pooler_output[0]


def test_they_are_what_the_last_layer_reads(model: PreTrainedModel) -> None:
    vectors = embed_texts(iter(TEXTS), model, word_tokenizer())
    assert vectors.shape == (len(TEXTS), vector_width(model)) == (len(TEXTS), 24) and vectors.dtype == np.float32
    for text, vector in zip(TEXTS[:6], vectors):
        assert vector == pytest.approx(alone(model, text).numpy(), abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_batches_change_nothing(batch_size: int, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = embed_texts(TEXTS, model, word_tokenizer())
    # So that there are several windows.
    monkeypatch.setattr("hfattnlstm.data.embedding._WINDOW_TEXTS", 7)
    assert embed_texts(TEXTS, model, word_tokenizer(), batch_size=batch_size) == pytest.approx(expected, abs=1e-6)


def test_long_texts_are_cut_as_the_pipeline_cuts_them() -> None:
    model = random_model(truncation="head_tail")
    # The tokenizer reads 16 tokens, 4 of them at the beginning.
    kept = ["good"] * 4 + ["bad"] * 12
    whole = kept[:4] + ["film"] * 9 + kept[4:]
    long, short = embed_texts([" ".join(whole), " ".join(kept)], model, word_tokenizer())
    assert long == pytest.approx(short, abs=1e-6)


def test_normalized_vectors_have_the_length_1_but_for_empty_texts(model: PreTrainedModel) -> None:
    lengths = np.linalg.norm(embed_texts(["good film", ""], model, word_tokenizer(), normalize=True), axis=1)
    assert lengths == pytest.approx([1.0, 0.0], abs=1e-6)


def test_without_pooling_they_are_means_of_the_states() -> None:
    backbone = AttnLSTMModel(random_model().config, add_pooling_layer=False).eval()
    texts = ["a good film", "bad", ""]
    vectors = embed_texts(texts, backbone, word_tokenizer())
    assert vectors.shape == (3, vector_width(backbone)) == (3, 12)
    for text, vector in zip(texts[:2], vectors):
        with torch.no_grad():
            states = backbone(word_tokenizer()(text, return_tensors="pt")["input_ids"]).last_hidden_state[0]
        assert vector == pytest.approx(states.mean(0).numpy(), abs=1e-6)
    assert not vectors[2].any()


def test_the_model_trains_on_afterwards(model: PreTrainedModel) -> None:
    expected = embed_texts(TEXTS[:3], model, word_tokenizer())
    model.train()
    try:
        assert np.array_equal(embed_texts(TEXTS[:3], model, word_tokenizer()), expected)
        assert model.base_model.training
    finally:
        model.eval()


def test_what_cannot_be_embedded_is_refused(model: PreTrainedModel) -> None:
    with pytest.raises(TypeError, match="texts must be several texts, not a single one"):
        embed_texts("good", model, word_tokenizer())
    with pytest.raises(TypeError, match="Text number 1 is of type int"):
        embed_texts(["good", 1], model, word_tokenizer())
    with pytest.raises(TypeError, match="Linear is no model of this package"):
        other = torch.nn.Linear(1, 1)
        other.config = None
        embed_texts(["good"], other, word_tokenizer())
    broken = random_model()
    with torch.no_grad():
        broken.base_model.embeddings.word_embeddings.weight[7] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity for text number 1: "):
        embed_texts(["bad", "good"], broken, word_tokenizer())


def test_the_stock_pipeline_gives_the_states_of_each_token(folder: str, model: PreTrainedModel) -> None:
    extractor = pipeline("feature-extraction", model=folder)
    assert type(extractor.model) is AttnLSTMModel
    texts = ["a good film", "bad", "the film is not bad at all"]
    together = extractor(texts, batch_size=3)
    for text, found in zip(texts, together):
        single, batched = np.array(extractor(text)[0]), np.array(found[0])
        assert batched[: len(single)] == pytest.approx(single, abs=1e-6) and not batched[len(single) :].any()
        with torch.no_grad():
            states = model.base_model(word_tokenizer()(text, return_tensors="pt")["input_ids"]).last_hidden_state
        assert single == pytest.approx(states[0].numpy(), abs=1e-6)


WITHOUT_THE_PACKAGE = """
import json, sys
from transformers import pipeline
extractor = pipeline("feature-extraction", model="model", trust_remote_code=True)
assert "hfattnlstm" not in sys.modules
print(json.dumps(extractor(["a good film", "bad"], batch_size=2)))
"""


@pytest.mark.long
def test_the_stock_pipeline_needs_no_package(folder: str) -> None:
    printed = run_python(WITHOUT_THE_PACKAGE, {"HF_HUB_OFFLINE": "1"}, Path(folder).parent)
    found = json.loads(printed.splitlines()[-1])
    expected = pipeline("feature-extraction", model=folder)(["a good film", "bad"], batch_size=2)
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-6)


def test_the_stock_pipeline_takes_a_backbone(model: PreTrainedModel, tmp_path: Path) -> None:
    model.base_model.save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    assert np.shape(pipeline("feature-extraction", model=str(tmp_path))("good film")) == (1, 2, 12)
