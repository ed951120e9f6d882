"""One model, exported once in float32 and once in int8, for all tests of deployment."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedModel

from deploy_helpers import LABELS, TEXTS, random_model, word_tokenizer
from hfattnlstm.deploy import OnnxExport, export_onnx


@pytest.fixture(scope="session")
def model() -> PreTrainedModel:
    return random_model(id2label=LABELS, hidden_size=32, pooler_num_heads=2, classifier_pooling=["attention", "max"])


@pytest.fixture(scope="session")
def checkpoint(model: PreTrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    model.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def float32(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxExport:
    return export_onnx(checkpoint, tmp_path_factory.mktemp("float32"))


@pytest.fixture(scope="session")
def int8(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxExport:
    return export_onnx(checkpoint, tmp_path_factory.mktemp("int8"), int8=True, check_texts=TEXTS)
