"""A step of training of the models of time series: accumulation, checkpointing, half precision, compiled graphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forecaster_helpers import (
    CHANNELS,
    CONTEXT,
    COVARIATES,
    FUTURE,
    NO_DROPOUT,
    covariates_for,
    forecast_of,
    future_of,
    series_config,
    series_model,
    training_batch,
)
from forecaster_options import AUTO, MODELS, TRANSFORMER
from modeling_helpers import assert_near
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager
from transformers import Trainer, TrainingArguments

from hfattnlstm import AttnLSTMForTimeSeriesPrediction


PENALTIES = {"pooler_l2_coef": 0.1, "pooler_entropy_coef": -0.1, "pooler_diversity_coef": 0.2}
EVERYTHING = {
    **COVARIATES,
    **TRANSFORMER,
    "bidirectional": True,
    "direction_merge": "weighted",
    "num_hidden_layers": 3,
    "residual": True,
    "pooler_num_heads": 2,
    "pooling": ["attention", "max", "last"],
    "linear_forecast": True,
}
# With something of each kind.
SOME = (
    "covariates, mixed channels",
    "convolution",
    "all poolings",
    "two context layers",
    "autoregressive, covariates",
)
DECODER = {**AUTO, **COVARIATES, "num_hidden_layers": 2, "pooler_num_heads": 2, "segment_length": 2}


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


class Series(torch.utils.data.Dataset):
    """Eight random series, with what came."""

    def __init__(self, model: nn.Module):
        torch.manual_seed(5)
        self.columns = {
            "past_values": torch.randn(8, CONTEXT, CHANNELS),
            "past_observed_mask": torch.rand(8, CONTEXT, CHANNELS) < 0.8,
            "future_values": torch.randn(8, FUTURE, CHANNELS),
            **covariates_for(model.config, 8, CONTEXT, future=True),
        }

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.columns.items()}


class TestTrainer:
    """That of transformers, as it is."""

    def train(self, folder: Path, options: dict[str, Any], **arguments: Any) -> Trainer:
        model = series_model(**NO_DROPOUT, **options)
        settings = TrainingArguments(
            str(folder),
            max_steps=2,
            learning_rate=0.1,
            optim="sgd",
            max_grad_norm=0.5,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            label_names=["future_values"],
            **arguments,
        )
        trainer = Trainer(model, settings, train_dataset=Series(model), eval_dataset=Series(model))
        trainer.train()
        return trainer

    @pytest.mark.parametrize("options", [{**COVARIATES, **PENALTIES}, {**DECODER, "loss": "quantile"}], ids=str)
    def test_accumulated_small_batches_equal_the_large_one(self, options, tmp_path):
        start = series_model(**options).state_dict()
        large = self.train(tmp_path, options, per_device_train_batch_size=4).model.state_dict()
        small = self.train(
            tmp_path, options, per_device_train_batch_size=2, gradient_accumulation_steps=2
        ).model.state_dict()
        for name, tensor in large.items():
            assert_near(small[name], tensor, 1e-5)
        assert any(not tensor.equal(start[name]) for name, tensor in large.items())

    @pytest.mark.parametrize("loss", ["mae", "quantile", "nll"])
    def test_it_evaluates_and_predicts(self, loss, tmp_path):
        trainer = self.train(tmp_path, {"loss": loss}, per_device_eval_batch_size=3)
        model = trainer.model.eval()
        batch = Series(model).columns
        expected = model(**batch)
        scores = trainer.evaluate()
        # A mean over batches of three, three and two.
        parts = [model(**{name: each[rows] for name, each in batch.items()}).loss for rows in ROWS]
        assert scores["eval_loss"] == pytest.approx((3 * parts[0] + 3 * parts[1] + 2 * parts[2]).item() / 8, rel=1e-5)
        predicted = trainer.predict(Series(model))
        assert_near(predicted.label_ids, batch["future_values"])
        found = predicted.predictions
        if loss == "nll":
            assert len(found) == 3
            for one, other in zip(found, expected.prediction_outputs):
                assert_near(one, other, 1e-5)
        elif loss == "quantile":
            assert_near(found[0], expected.prediction_outputs, 1e-5)
            assert_near(found[1], expected.quantile_outputs, 1e-5)
        else:
            assert_near(found, expected.prediction_outputs, 1e-5)

    def test_it_is_told_to_divide_by_the_number_of_steps_itself(self):
        assert AttnLSTMForTimeSeriesPrediction.accepts_loss_kwargs is False


ROWS = [slice(0, 3), slice(3, 6), slice(6, 8)]


@pytest.mark.parametrize("options", [{**EVERYTHING, **PENALTIES}, DECODER, {"loss": "nll"}], ids=str)
def test_halves_of_a_batch_add_up_to_it(options):
    model = series_model(**NO_DROPOUT, **options).train()
    batch = Series(model).columns
    model(**batch).loss.backward()
    expected = gradients(model)
    model.zero_grad()
    for rows in (slice(0, 4), slice(4, 8)):
        (model(**{name: each[rows] for name, each in batch.items()}).loss / 2).backward()
    for name, gradient in gradients(model).items():
        assert_near(gradient, expected[name], 1e-5)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("asked", [{}, {"output_hidden_states": True, "output_attentions": True}], ids=str)
@pytest.mark.parametrize("options", [{**EVERYTHING, **PENALTIES}, DECODER], ids=["direct", "autoregressive"])
def test_checkpointed_activations_give_the_plain_gradients(reentrant, asked, options):
    model = series_model(**options).train()
    batch = training_batch(model)
    reads = []
    model.attnlstm_forecaster.encoder.layers[1].forward_lstm.register_forward_hook(lambda *_: reads.append(1))

    def step() -> tuple[Any, dict[str, Tensor]]:
        torch.manual_seed(1)
        reads.clear()
        model.zero_grad()
        outputs = model(**batch, **asked)
        outputs.loss.backward()
        return outputs, gradients(model)

    plain, expected = step()
    assert len(reads) == 1
    model.activation_checkpointing_enable({"use_reentrant": reentrant})
    outputs, results = step()
    assert len(reads) == 2
    assert_near(outputs.loss, plain.loss)
    assert expected.keys() == results.keys()
    for name, gradient in results.items():
        assert_near(gradient, expected[name], 1e-5)
    for what in asked:
        one, other = outputs[what.removeprefix("output_")], plain[what.removeprefix("output_")]
        assert len(one) == len(other)
        for mine, theirs in zip(one, other):
            assert_near(mine, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "quantile", "instance_scale": "std"},
        {"loss": "mse", "front": "convolution", "mix_channels": True},
        {**TRANSFORMER, "loss": "huber", "pooling": ["attention", "last"]},
        {**AUTO, "pooler_score": "general"},
    ],
    ids=str,
)
def test_a_batch_can_be_overfitted(options):
    torch.manual_seed(0)
    model = AttnLSTMForTimeSeriesPrediction(series_config(**{"hidden_size": 16, **NO_DROPOUT, **options})).train()
    batch = {"past_values": torch.randn(3, CONTEXT, CHANNELS), "future_values": torch.randn(3, FUTURE, CHANNELS)}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    start = model(**batch).loss.item()
    for _ in range(120):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    assert model(**batch).loss.item() < 0.2 * start


def test_the_likelihood_of_a_batch_rises():
    torch.manual_seed(0)
    options = {"loss": "nll", "instance_scale": "std"}
    model = AttnLSTMForTimeSeriesPrediction(series_config(**NO_DROPOUT, **options)).train()
    batch = {"past_values": torch.randn(3, CONTEXT, CHANNELS), "future_values": torch.randn(3, FUTURE, CHANNELS)}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    start = model(**batch).loss.item()
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    assert model(**batch).loss.item() < start - 1


MODES = [(name, mode) for name in MODELS for mode in ("bfloat16", "autocast bfloat16")]
MODES += [(name, mode) for name in SOME for mode in ("float16", "autocast float16")]


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_half_precision(name, mode):
    dtype = getattr(torch, mode.split()[-1])
    model = series_model(**NO_DROPOUT, **MODELS[name]).train()
    batch = training_batch(model)
    with torch.no_grad():
        expected = model(**batch, output_attentions=True)
    model = model if mode.startswith("autocast") else model.to(dtype)
    with torch.autocast("cpu", dtype=dtype, enabled=mode.startswith("autocast")):
        outputs = model(**batch, output_attentions=True)
    assert outputs.loss.dtype == torch.float32
    exact = forecast_of(expected)
    if name != "centre none, scale std":
        near = (forecast_of(outputs).float() - exact).abs() / exact.abs().clamp(min=1)
        assert near.max() < 0.3 and near.mean() < 0.05
    for rough, weights in zip(outputs.attentions, expected.attentions, strict=True):
        assert_near(rough.float().sum(-1), weights.sum(-1), 0.02)
        assert not rough[weights == 0].any()
    outputs.loss.backward()
    assert all(gradient.isfinite().all() for gradient in gradients(model).values())
    assert len(gradients(model)) == len(list(model.parameters()))


COMPILED: dict[str, dict[str, Any]] = {
    "direct": {**COVARIATES, **TRANSFORMER, "instance_center": "mean", "instance_scale": "std", "loss": "quantile"},
    "mixed": {"mix_channels": True, "front": "convolution", "instance_scale": "std"},
    "autoregressive": {**AUTO, "loss": "nll", "num_time_features": 1, "bidirectional": True},
}
# Series and steps of a batch: as long as the context, or shorter.
WHOLE = [(3, 12), (4, 12), (2, 12), (5, 12), (6, 12), (3, 12), (7, 12)]
SHORT = [(3, 9), (4, 7), (2, 11), (5, 8), (6, 5), (3, 9), (7, 4)]


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


def random_batch(model: nn.Module, batch: int, length: int) -> dict[str, Tensor]:
    """With gaps of every kind, and a series of nothing."""
    mask = torch.rand(batch, length, CHANNELS) < 0.7
    mask[-1] = False
    mask[0, : length // 2] = False
    values = torch.where(mask, torch.randn(mask.shape), torch.nan)
    known = {"past_values": values, "past_observed_mask": mask, "future_values": future_of(model, batch)}
    return known | covariates_for(model.config, batch, length, future=True)


def run(model: nn.Module, batch: dict[str, Tensor], training: bool) -> dict[str, Tensor]:
    """Forecast and loss, with the attention or, in training, every gradient, from the same dropout each time."""
    torch.manual_seed(1)
    with torch.set_grad_enabled(training):
        outputs = model(**batch, output_attentions=not training)
    results = {"forecast": forecast_of(outputs), "loss": outputs.loss}
    if not training:
        results["attentions"] = outputs.attentions[-1]
    else:
        model.zero_grad()
        outputs.loss.backward()
        results |= {name.removeprefix("_orig_mod."): gradient for name, gradient in gradients(model).items()}
    return {name: tensor.detach() for name, tensor in results.items()}


# Dynamo looks at the .grad of every tensor that it meets between two graphs, whether a leaf or not.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("name", "training", "shapes"),
    [
        ("direct", False, SHORT),
        # Compiling takes seconds; further variants are run by `make test-long`.
        pytest.param("mixed", True, SHORT, marks=pytest.mark.long),
        pytest.param("autoregressive", False, WHOLE, marks=pytest.mark.long),
        pytest.param("autoregressive", True, SHORT, marks=pytest.mark.long),
    ],
    ids=["direct", "mixed", "autoregressive", "autoregressive in training"],
)
def test_compiled_equals_eager_with_no_new_graph_after_the_third_shape(name, training, shapes):
    model = series_model(**COMPILED[name]).train(training)
    backend = CountingBackend(training)
    compiled = torch.compile(model, backend=backend)
    counts = []
    for batch, length in shapes:
        inputs = random_batch(model, batch, length)
        expected, results = run(model, inputs, training), run(compiled, inputs, training)
        assert results.keys() == expected.keys()
        for key, tensor in results.items():
            assert_near(tensor, expected[key], 1e-5 * max(1.0, expected[key].abs().max().item()))
        counts.append(backend.graphs)
    assert counts[0] > 0
    assert counts[2:] == [counts[2]] * len(counts[2:])
