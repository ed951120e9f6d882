"""A checkpoint for the commands that read one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy_helpers import LABELS, random_model, word_tokenizer


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    model = random_model(id2label=LABELS, hidden_size=32, pooler_num_heads=2, classifier_pooling=["attention", "max"])
    model.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder
