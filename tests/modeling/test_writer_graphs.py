"""Compiled models that write compute what the eager ones compute."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import assert_near
from test_graphs import SHAPES, CountingBackend, fresh_dynamo, looks_at_grad
from torch import Tensor, nn
from writer_helpers import WRITERS, tiny_writer


__all__ = ["fresh_dynamo"]


def run(called: nn.Module, model: nn.Module, inputs: dict[str, Tensor], training: bool) -> dict[str, Tensor]:
    """Outputs of a model, perhaps compiled, and in training the gradients."""
    model.zero_grad()
    with torch.set_grad_enabled(training):
        outputs = called(**inputs, output_attentions=True)
    found = {"loss": outputs.loss, "logits": outputs.logits, "attention": outputs.cross_attentions[0]}
    if training:
        outputs.loss.backward()
        found |= {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return found


@looks_at_grad
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("default", False),
        *(pytest.param(name, True, marks=pytest.mark.long) for name in ("default", "no feeding", "coverage")),
    ],
)
def test_compiled_equals_eager_with_no_new_graph_after_the_third_shape(name, training):
    model = tiny_writer(**WRITERS[name], embedding_dropout=0, hidden_dropout_prob=0, readout_dropout=0).train(training)
    backend = CountingBackend(training)
    compiled = torch.compile(model, backend=backend)
    counts = []
    for place, (rows, length) in enumerate(SHAPES):
        inputs = {
            "input_ids": torch.randint(1, 30, (rows, length)),
            "attention_mask": torch.rand(rows, length) < 0.7,
            "labels": torch.randint(4, 17, (rows, 3 + place)),
        }
        expected, results = run(model, model, inputs, training), run(compiled, model, inputs, training)
        for key, tensor in results.items():
            assert_near(tensor, expected[key], 1e-5)
        counts.append(backend.graphs)
    assert counts[0] > 0
    assert counts[2:] == [counts[2]] * len(counts[2:])
