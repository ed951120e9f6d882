"""Compiled and exported models compute what the eager ones compute, at shapes they were not made with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from modeling_helpers import assert_near, tiny_model
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

from hfattnlstm import AttnLSTMForSequenceClassification
from loopback_hub import run_python


# Together these have every score, normaliser, pooling and way to merge, bar those of `default`.
# An export takes seconds; further variants are run by `make test-long`.
LONG = pytest.mark.long
MODELS: dict[str, dict[str, Any]] = {
    "default": {"num_hidden_layers": 2},
    "linear, sparsemax": {
        "pooler_score": "linear",
        "pooler_normalizer": "sparsemax",
        "classifier_pooling": ["max", "attention"],
        "direction_merge": "weighted",
        "pooler_num_heads": 2,
    },
    "general, entmax15": {
        "pooler_score": "general",
        "pooler_normalizer": "entmax15",
        "pooler_temperature": 0.5,
        "classifier_pooling": ["attention", "mean", "max", "last", "sum"],
        "residual": True,
        "num_hidden_layers": 2,
        "pooler_num_heads": 3,
        "classifier_hidden_size": 5,
    },
    "self-attention": {
        "context_layers": ["attention", "transformer"],
        "context_merge": "concat",
        "classifier_pooling": ["last", "attention"],
    },
}
# No graph for ONNX sorts by hashes.
HASHED = {"hashed": {"context_layers": ["lsh_transformer"], "lsh_attn_chunk_length": 2}}
SHAPES = [(3, 7), (4, 5), (2, 9), (5, 8), (6, 3), (3, 7), (7, 4)]


def random_batch(batch: int, length: int) -> dict[str, Tensor]:
    """Ids, labels and a mask with every kind of padding, an empty row among them."""
    mask = torch.rand(batch, length) < 0.7
    mask[:, 0] |= ~mask.any(1)
    if batch > 1:
        mask[-1] = False
    if batch > 3:
        mask[0] = torch.arange(length) < 2
        mask[1] = torch.arange(length) >= length - 2
    return {
        "input_ids": torch.randint(1, 30, (batch, length)),
        "attention_mask": mask.long(),
        "labels": torch.randint(0, 2, (batch,)),
    }


class CountingBackend:
    """Runs graphs as they are, in training those of the backward pass too, and counts them."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.graphs = 0

    def __call__(self, graph: torch.fx.GraphModule, example_inputs: list) -> Any:
        self.graphs += 1
        return aot_eager(graph, example_inputs) if self.training else graph.forward


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def run(model: nn.Module, batch: dict[str, Tensor], training: bool) -> dict[str, Tensor]:
    """Logits, attentions and loss, and in training every gradient, from the same dropout each time."""
    torch.manual_seed(1)
    with torch.set_grad_enabled(training):
        outputs = model(**batch, output_attentions=True)
    results = {"logits": outputs.logits, "attentions": outputs.attentions[-1], "loss": outputs.loss}
    if training:
        model.zero_grad()
        outputs.loss.backward()
        results |= {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return {name.removeprefix("_orig_mod."): tensor.detach() for name, tensor in results.items()}


# Dynamo looks at the .grad of every tensor that it meets between two graphs, whether a leaf or not.
looks_at_grad = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")


@looks_at_grad
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("general, entmax15", False),
        ("linear, sparsemax", True),
        # Compiling takes seconds; further variants are run by `make test-long`.
        *(pytest.param(name, True, marks=LONG) for name in ("self-attention", "hashed")),
    ],
)
def test_compiled_equals_eager_with_no_new_graph_after_the_third_shape(name, training):
    dropouts = {"word_dropout": 0.2, "locked_dropout": True, "pooler_entropy_coef": 0.1} if training else {}
    model = tiny_model(**{**MODELS, **HASHED}[name], **dropouts).train(training)
    backend = CountingBackend(training)
    compiled = torch.compile(model, backend=backend)
    counts = []
    for batch, length in SHAPES:
        inputs = random_batch(batch, length)
        expected, results = run(model, inputs, training), run(compiled, inputs, training)
        assert results.keys() == expected.keys()
        for key, tensor in results.items():
            assert_near(tensor, expected[key], 1e-5)
        counts.append(backend.graphs)
    assert counts[0] > 0
    assert counts[2:] == [counts[2]] * len(counts[2:])


class LogitsAndAttentions(nn.Module):
    """The two outputs that a server wants, as a plain tuple."""

    def __init__(self, model: AttnLSTMForSequenceClassification):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.model(input_ids, attention_mask, output_attentions=True)
        return outputs.logits, outputs.attentions[-1]


def export(model: nn.Module, path: Path) -> Any:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    inputs = random_batch(3, 7)
    program = torch.onnx.export(
        LogitsAndAttentions(model).eval(),
        (inputs["input_ids"], inputs["attention_mask"]),
        dynamo=True,
        dynamic_shapes=(free, free),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits", "attentions"],
        verbose=False,
    )
    kinds = {node.op_type for node in program.model.graph}
    assert "LSTM" in kinds
    assert not kinds & {"Loop", "Scan", "If"}
    program.save(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


# torch.export of torch 2.13 uses a function that torch itself has deprecated.
@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "gradients", [pytest.param("with gradients", marks=LONG), pytest.param("frozen", marks=LONG), "without gradients"]
)
@pytest.mark.parametrize("name", MODELS)
def test_onnx_equals_eager_at_shapes_the_export_did_not_see(name, gradients, tmp_path):
    model = tiny_model(**MODELS[name]).requires_grad_(gradients != "frozen")
    with torch.set_grad_enabled(gradients != "without gradients"):
        session = export(model, tmp_path / "model.onnx")
    assert [entry.shape for entry in session.get_inputs()] == [[*session.get_inputs()[0].shape]] * 2
    assert all(isinstance(size, str) for size in session.get_inputs()[0].shape)
    for batch, length in [(3, 7), (1, 1), (1, 9), (4, 1), (2, 4), (5, 9), (8, 3)]:
        inputs = random_batch(batch, length)
        del inputs["labels"]
        with torch.no_grad():
            expected = LogitsAndAttentions(model)(**inputs)
        results = session.run(None, {key: tensor.numpy() for key, tensor in inputs.items()})
        for tensor, result in zip(expected, results):
            assert np.isfinite(result).all()
            assert_near(result, tensor, 1e-5)


@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "default" else LONG) for name in MODELS])
def test_the_exporter_of_transformers_leaves_batch_and_length_free(name):
    pytest.importorskip("onnxscript")
    exporters = pytest.importorskip("transformers.exporters")
    model = tiny_model(**MODELS[name])
    seen = random_batch(3, 7)
    del seen["labels"]
    program = exporters.OnnxExporter().export(model, seen, config=exporters.OnnxConfig(dynamic=True))
    for batch, length in [(3, 7), (1, 1), (2, 9), (5, 4)]:
        inputs = random_batch(batch, length)
        del inputs["labels"]
        with torch.no_grad():
            expected = model(**inputs).logits
        assert_near(program(**inputs)[0], expected, 1e-5)


# Code that came with a checkpoint, without the package.
EXPORT = """
import sys
import warnings
import torch

warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated", FutureWarning)

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hfattnlstm":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Without())
from transformers import AutoModelForSequenceClassification, exporters

model = AutoModelForSequenceClassification.from_pretrained("model", trust_remote_code=True)
assert type(model).__module__.startswith("transformers_modules.")

def batch(rows, length):
    ids = torch.randint(1, 30, (rows, length))
    return {"input_ids": ids, "attention_mask": (torch.arange(length) <= length // 2).long().expand(rows, length)}

program = exporters.OnnxExporter().export(model, batch(3, 7), config=exporters.OnnxConfig(dynamic=True))
for sizes in [(3, 7), (1, 1), (2, 9), (5, 4)]:
    inputs = batch(*sizes)
    with torch.no_grad():
        expected = model(**inputs).logits
    assert torch.allclose(program(**inputs)[0], expected, atol=1e-5)
"""


@LONG
def test_the_exporter_of_transformers_knows_the_code_of_a_checkpoint(tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("transformers.exporters")
    tiny_model(num_hidden_layers=2).save_pretrained(tmp_path / "model")
    run_python(EXPORT, {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}, tmp_path)
