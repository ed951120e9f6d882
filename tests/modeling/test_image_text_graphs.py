"""Compiled and exported classifiers of texts with pictures compute what the eager ones compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from image_text_helpers import MODELS, WIDTH, image_model
from modeling_helpers import assert_near
from test_graphs import SHAPES, CountingBackend, fresh_dynamo, looks_at_grad, random_batch, run
from torch import Tensor


__all__ = ["fresh_dynamo"]


def batch_of(model: Any, rows: int, length: int, regions: int) -> dict[str, Tensor]:
    batch = random_batch(rows, length)
    if model.config.image_conv_sizes:
        return batch | {"pixel_values": torch.randn(rows, 3, 8, 4 * regions)}
    mask = torch.rand(rows, regions) < 0.7
    return batch | {"image_features": torch.randn(rows, regions, WIDTH), "image_mask": mask}


@looks_at_grad
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("name", "training"), [("pixels", False), pytest.param("features", True, marks=pytest.mark.long)]
)
def test_compiled_equals_eager_with_no_new_graph_after_the_third_shape(name, training):
    model = image_model(**MODELS[name]).train(training)
    backend = CountingBackend(training)
    compiled = torch.compile(model, backend=backend)
    counts = []
    for place, (rows, length) in enumerate(SHAPES):
        inputs = batch_of(model, rows, length, 2 + place % 3)
        expected, results = run(model, inputs, training), run(compiled, inputs, training)
        for key, tensor in results.items():
            assert_near(tensor, expected[key], 1e-5)
        counts.append(backend.graphs)
    assert counts[0] > 0
    assert counts[2:] == [counts[2]] * len(counts[2:])


@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")
@pytest.mark.long
@pytest.mark.parametrize("name", ["features", "pixels"])
def test_the_exporter_of_transformers_leaves_the_shapes_free(name):
    pytest.importorskip("onnxscript")
    exporters = pytest.importorskip("transformers.exporters")
    model = image_model(**MODELS[name])
    seen = batch_of(model, 3, 7, 4)
    del seen["labels"]
    program = exporters.OnnxExporter().export(model, seen, config=exporters.OnnxConfig(dynamic=True))
    for rows, length in [(3, 7), (1, 9), (5, 4)]:
        inputs = batch_of(model, rows, length, 4 if name == "pixels" else 3)
        del inputs["labels"]
        with torch.no_grad():
            expected = model(**inputs).logits
        assert_near(program(**inputs)[0], expected, 1e-5)
