"""Decoders by themselves: all steps at once, segment after segment, and linear forecasts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forecaster_helpers import numpy_head
from modeling_helpers import array, assert_near, sigmoid
from torch import Tensor, nn

from hfattnlstm.modeling.forecast_heads import (
    AutoregressiveDecoder,
    DirectDecoder,
    FutureFeatures,
    LinearForecast,
)
from hfattnlstm.modeling.pooled_head import PooledHead


ROWS, STEPS, HIDDEN = 3, 4, 6


def randomized(module: nn.Module) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.6)
    return module.double().eval()


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


class TestLinearForecast:
    """One matrix for all channels."""

    def test_each_future_step_is_a_weighted_sum_of_the_past_ones(self):
        layer, values = randomized(LinearForecast(5, 3)), random(2, 5, 4)
        found = layer(values)
        for row in range(2):
            for step in range(3):
                for channel in range(4):
                    total = layer.bias[step].item()
                    for past in range(5):
                        total += (layer.weight[step, past] * values[row, past, channel]).item()
                    assert found[row, step, channel].item() == pytest.approx(total, abs=1e-12)

    def test_it_starts_from_no_forecast(self):
        layer = LinearForecast(5, 3)
        assert not layer(torch.randn(2, 5, 4)).any()
        randomized(layer).init_parameters()
        assert not layer(random(2, 5, 4)).any()


class TestDirectDecoder:
    """All steps from one vector."""

    @pytest.mark.parametrize("hidden", [None, 4])
    @pytest.mark.parametrize("outputs", [1, 3])
    def test_it_is_a_head_whose_outputs_are_laid_out_step_by_step(self, outputs, hidden):
        decoder, context = randomized(DirectDecoder(HIDDEN, 5, outputs, hidden_size=hidden)), random(ROWS, HIDDEN)
        found, weights = decoder(context)
        assert weights is None and decoder.features is None
        for row in range(ROWS):
            assert_near(found[row], numpy_head(decoder.head, array(context[row])).reshape(5, outputs), 1e-12)

    def test_the_covariates_of_a_step_move_that_step_alone(self):
        decoder = randomized(DirectDecoder(HIDDEN, 5, 2, num_features=3))
        context, features = random(ROWS, HIDDEN), random(ROWS, 5, 3)
        before = decoder(context, features).outputs
        features[:, 2] += 1
        changed = decoder(context, features).outputs.ne(before).any(-1)
        assert changed.tolist() == [[False, False, True, False, False]] * ROWS
        # By the same layers at every step.
        same = decoder.features(context, features[:, :1].expand(-1, 5, -1))
        assert_near(same, same[:, :1].expand(-1, 5, -1), 1e-12)

    def test_what_covariates_add_depends_on_the_past(self):
        features = randomized(FutureFeatures(HIDDEN, 3, 2))
        given, one, other = random(ROWS, 5, 3), random(ROWS, HIDDEN), random(ROWS, HIDDEN)
        difference = features(one, given) - features(other, given)
        assert difference.std(1).gt(1e-3).all()

    def test_dropout_is_that_of_the_head(self):
        decoder = DirectDecoder(HIDDEN, 5, 1, dropout=0.5)
        context = torch.randn(ROWS, HIDDEN)
        assert decoder.eval()(context).outputs.equal(decoder(context).outputs)
        assert not decoder.train()(context).outputs.equal(decoder(context).outputs)
        assert isinstance(decoder.head, PooledHead)


def read_segments(
    decoder: AutoregressiveDecoder, row: int, inputs: dict[str, Any], to_values: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (length, channels · outputs) and weights (segments, steps) of one row, with one head and a dot score."""
    states, mask = array(inputs["states"][row]), array(inputs["mask"][row])
    named = {name: layer for name, layer in decoder.named_children() if isinstance(layer, nn.Linear)}
    linear = {name: (array(layer.weight), array(layer.bias)) for name, layer in named.items()}
    lstm, size = decoder.lstm, decoder.segment_length

    def apply(name: str, values: np.ndarray) -> np.ndarray:
        return linear[name][0] @ values + linear[name][1]

    state, cell = np.split(apply("begin", array(inputs["context"][row])), 2)
    state, last, outputs, weights = np.tanh(state), array(inputs["last"][row]), [], []
    for segment in range(-(-decoder.prediction_length // size)):
        read = last.reshape(-1)
        if inputs.get("features") is not None:
            own = np.zeros((size, inputs["features"].shape[2]))
            given = array(inputs["features"][row])[segment * size : (segment + 1) * size]
            own[: len(given)] = given
            read = np.concatenate([read, own.reshape(-1)])
        gates = array(lstm.weight_ih_l0) @ read + array(lstm.bias_ih_l0)
        gates += array(lstm.weight_hh_l0) @ state + array(lstm.bias_hh_l0)
        entry, forget, candidate, exit_ = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(entry) * np.tanh(candidate)
        state = sigmoid(exit_) * np.tanh(cell)
        raised = np.where(mask, np.exp(states @ state), 0)
        weights.append(raised / max(raised.sum(), 1e-300))
        hidden = np.tanh(apply("join", np.concatenate([state, weights[-1] @ states])))
        raw = apply("out_proj", hidden).reshape(decoder.shape)
        last = array(to_values(torch.from_numpy(raw)))
        outputs += list(raw.reshape(size, -1))
    return np.stack(outputs[: decoder.prediction_length]), np.stack(weights)


class TestAutoregressiveDecoder:
    """Segment after segment."""

    def make(self, prediction: int = 7, segment: int = 3, **options: Any) -> tuple[Any, dict[str, Any]]:
        options = {"num_channels": 2, "num_outputs": 3, "static_size": 2, "score": "dot", **options}
        decoder = randomized(AutoregressiveDecoder(HIDDEN, prediction, segment, **options))
        mask = torch.tensor([[True] * STEPS, [False, True, False, True], [False] * STEPS])
        inputs = {
            "states": random(ROWS, STEPS, HIDDEN),
            "mask": mask,
            "context": random(ROWS, HIDDEN + options["static_size"]),
            "last": random(ROWS, segment, options["num_channels"]),
        }
        if options.get("num_features"):
            inputs["features"] = random(ROWS, prediction, options["num_features"])
        return decoder, inputs

    @pytest.mark.parametrize("features", [0, 2])
    @pytest.mark.parametrize(("prediction", "segment"), [(7, 3), (6, 3), (2, 3), (4, 1)])
    def test_it_equals_numpy_one_row_at_a_time(self, prediction, segment, features):
        decoder, inputs = self.make(prediction, segment, num_features=features)
        found, weights = decoder(**inputs, to_values=lambda raw: raw.mean(-1))
        segments = -(-prediction // segment)
        assert found.shape == (ROWS, prediction, 6) and weights.shape == (ROWS, 1, segments, STEPS)
        for row in range(ROWS):
            expected, attended = read_segments(decoder, row, inputs, lambda raw: raw.mean(-1))
            assert_near(found[row], expected, 1e-12)
            assert_near(weights[row, 0], attended, 1e-12)

    def test_it_reads_the_last_values_and_its_own_forecast(self):
        decoder, inputs = self.make()
        read = []
        decoder.lstm.register_forward_pre_hook(lambda _, args: read.append(args[0][0]))
        outputs = decoder(**inputs, to_values=lambda raw: raw[..., 1]).outputs.unflatten(-1, (2, 3))[..., 1]
        assert len(read) == 3
        assert read[0].equal(inputs["last"].flatten(1))
        assert read[1].equal(outputs[:, :3].flatten(1))
        assert read[2].equal(outputs[:, 3:6].flatten(1))

    def test_covariates_of_a_segment_move_it_and_what_comes_after_it(self):
        decoder, inputs = self.make(num_features=1)
        before = decoder(**inputs, to_values=lambda raw: raw[..., 0]).outputs
        inputs["features"][:, 4] += 1
        changed = decoder(**inputs, to_values=lambda raw: raw[..., 0]).outputs.ne(before).any(-1)
        assert changed.tolist() == [[False] * 3 + [True] * 4] * ROWS

    def test_the_gradient_goes_back_through_what_it_forecast(self):
        decoder, inputs = self.make()
        inputs["last"].requires_grad_()
        decoder(**inputs, to_values=lambda raw: raw[..., 0]).outputs[:, -1].sum().backward()
        assert inputs["last"].grad.abs().sum((1, 2)).gt(0).all()

    @pytest.mark.parametrize("heads", [1, 2])
    @pytest.mark.parametrize("score", ["additive", "linear", "general", "diagonal_dot"])
    def test_heads_and_scores(self, score, heads):
        decoder, inputs = self.make(score=score, num_heads=heads)
        outputs, weights = decoder(**inputs, to_values=lambda raw: raw[..., 0])
        assert outputs.shape == (ROWS, 7, 6) and weights.shape == (ROWS, heads, 3, STEPS)
        assert not weights.masked_select(~inputs["mask"][:, None, None]).any()
        assert_near(weights.sum(-1), inputs["mask"].any(1).double()[:, None, None].expand(ROWS, heads, 3), 1e-12)

    def test_dropout_in_training_only(self):
        decoder, inputs = self.make(dropout=0.5)
        one, other = (decoder(**inputs, to_values=lambda raw: raw[..., 0]).outputs for _ in range(2))
        assert one.equal(other)
        decoder.train()
        one, other = (decoder(**inputs, to_values=lambda raw: raw[..., 0]).outputs for _ in range(2))
        assert not one.equal(other)

    def test_a_dot_score_has_one_head(self):
        with pytest.raises(ValueError, match="A dot score of 2 head"):
            AutoregressiveDecoder(HIDDEN, 4, 2, score="dot", num_heads=2)
