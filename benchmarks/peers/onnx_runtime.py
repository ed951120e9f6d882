"""Our model, exported to ONNX, in ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime  # noqa: F401  # so that it is named where it is not installed
from transformers import PreTrainedModel

from hfattnlstm.deploy import export_onnx, onnx_pipeline, open_session

from ..batches import sorted_batches
from ..timing import Call, Prepare
from ..workload import Sample, Workload


def inference(make_model: Callable[[], PreTrainedModel], int8: bool) -> Prepare:
    """From token ids to logits, batches of like length."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(export_onnx(make_model(), folder, int8=int8).path)

    def prepare(sample: Sample) -> Call:
        def call() -> int:
            for batch in sorted_batches(sample):
                session.run(["logits"], {"input_ids": batch.ids.numpy(), "attention_mask": batch.mask.long().numpy()})
            return len(sample)

        return call

    return prepare


def texts_to_results(make_model: Callable[[], PreTrainedModel], int8: bool, workload: Workload) -> Prepare:
    """The package's pipeline over the exported file."""
    folder = tempfile.TemporaryDirectory()
    export_onnx(make_model(), Path(folder.name), int8=int8, tokenizer=workload.tokenizer())
    classifier = onnx_pipeline(folder.name)

    # The folder lives as long as what is prepared here.
    def prepare(sample: Sample, folder: tempfile.TemporaryDirectory = folder) -> Call:
        texts = sample.texts

        def call() -> int:
            return len(classifier(texts))

        return call

    return prepare
