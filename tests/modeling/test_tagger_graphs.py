"""Compiled taggers compute what the eager ones compute, at shapes they were not made with."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import assert_near
from tagger_helpers import BIO, IGNORED, INPUTS, TAGGERS, tiny_tagger
from test_graphs import SHAPES, CountingBackend
from torch import Tensor, nn


def compiled_batch(batch: int, length: int) -> dict[str, Tensor]:
    """Ids of every role, labels, and a mask with every kind of padding, an empty row among them."""
    mask = torch.rand(batch, length) < 0.7
    mask[:, 0] |= ~mask.any(1)
    mask[-1] = False
    ids, labels = torch.randint(0, 30, (batch, length)), torch.randint(0, 2, (batch, length))
    return {"input_ids": ids, "attention_mask": mask.long(), "labels": labels.where(mask, IGNORED)}


def run(model: nn.Module, batch: dict[str, Tensor], training: bool) -> dict[str, Tensor]:
    torch.manual_seed(1)
    with torch.set_grad_enabled(training):
        outputs = model(**batch)
    results = {"logits": outputs.logits, "loss": outputs.loss}
    if training:
        model.zero_grad()
        outputs.loss.backward()
        results |= {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return {name.removeprefix("_orig_mod."): tensor.detach() for name, tensor in results.items()}


# Compiling takes seconds; further variants are run by `make test-long`.
LONG = pytest.mark.long
COMPILED = {"spelling, crf": {**BIO, **INPUTS["char_cnn"], "use_crf": True}, **TAGGERS}


# Dynamo looks at the .grad of every tensor that it meets between two graphs, whether a leaf or not.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("spelling, crf", False),
        pytest.param("spelling, crf", True, marks=LONG),
        *(
            pytest.param(name, training, marks=LONG)
            for name in ("plain", "crf", "spelt, crf", "spelt, context")
            for training in (False, True)
        ),
    ],
)
def test_compiled_equals_eager_with_no_new_graph_after_the_third_shape(name, training):
    torch._dynamo.reset()
    model = tiny_tagger(**COMPILED[name], word_dropout=0.2, locked_dropout=True).train(training)
    backend = CountingBackend(training)
    compiled, counts = torch.compile(model, backend=backend), []
    for batch, length in SHAPES:
        inputs = compiled_batch(batch, length)
        expected, results = run(model, inputs, training), run(compiled, inputs, training)
        assert results.keys() == expected.keys()
        for key, tensor in results.items():
            assert_near(tensor, expected[key], 2e-5)
        counts.append(backend.graphs)
    torch._dynamo.reset()
    assert counts[0] > 0
    assert counts[2:] == [counts[2]] * len(counts[2:])
