"""From what was read of a series to its future: all steps at once, or segment after segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from .attention import Attention
from .lstm_backends import run_lstm
from .pooled_head import PooledHead


# Inside of what future covariates and the past make together, for every step by itself.
COVARIATE_WIDTH = 64


class Decoded(NamedTuple):
    """Result of a decoder: `outputs` (rows, length, output_size), and its attention to the past or None."""

    outputs: Tensor
    weights: Tensor | None


class LinearForecast(nn.Module):
    """Each future step as a weighted sum of the past ones, with the same weights for all channels; at first 0.

    Args:
        context_length: Steps of the past.
        prediction_length: Steps of the future.

    Example:

    ```python
    >>> LinearForecast(96, 24)(torch.zeros(2, 96, 3)).shape
    torch.Size([2, 24, 3])
    ```
    """

    def __init__(self, context_length: int, prediction_length: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(prediction_length, context_length))
        self.bias = nn.Parameter(torch.zeros(prediction_length))

    def init_parameters(self) -> None:
        """Start from no forecast, to which the recurrent one is added."""
        init.zeros_(self.weight)
        init.zeros_(self.bias)

    def forward(self, values: Tensor) -> Tensor:
        """(batch, context_length, channels) to (batch, prediction_length, channels)."""
        return F.linear(values.transpose(1, 2), self.weight, self.bias).transpose(1, 2)


class FutureFeatures(nn.Module):
    """What the future covariates of a step add to its forecast, given the past: the same for every step.

    Args:
        context_size: Width of what is known of the past.
        num_features: Covariates of a step.
        output_size: Width of what comes out.
    """

    def __init__(self, context_size: int, num_features: int, output_size: int):
        super().__init__()
        self.of_step = nn.Linear(num_features, COVARIATE_WIDTH)
        self.of_past = nn.Linear(context_size, COVARIATE_WIDTH, bias=False)
        self.out_proj = nn.Linear(COVARIATE_WIDTH, output_size)

    def forward(self, context: Tensor, features: Tensor) -> Tensor:
        """(rows, context_size) and (rows, length, num_features) to (rows, length, output_size)."""
        return self.out_proj(F.gelu(self.of_step(features) + self.of_past(context).unsqueeze(1)))


class DirectDecoder(nn.Module):
    """All steps at once, by linear layers from one vector.

    Args:
        context_size: Width of that vector.
        prediction_length: Steps.
        output_size: Numbers that make the forecast of a step.
        num_features: Covariates of a future step.
        hidden_size, dropout: As in [`PooledHead`].

    Example:

    ```python
    >>> DirectDecoder(8, 24, 1)(torch.zeros(3, 8)).outputs.shape
    torch.Size([3, 24, 1])
    ```
    """

    def __init__(
        self,
        context_size: int,
        prediction_length: int,
        output_size: int,
        *,
        num_features: int = 0,
        hidden_size: int | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.shape = (prediction_length, output_size)
        self.head = PooledHead(context_size, prediction_length * output_size, hidden_size=hidden_size, dropout=dropout)
        self.features = FutureFeatures(context_size, num_features, output_size) if num_features else None

    def forward(self, context: Tensor, features: Tensor | None = None) -> Decoded:
        """Forecast.

        Args:
            context: (rows, context_size).
            features: (rows, prediction_length, num_features).
        """
        outputs = self.head(context).unflatten(-1, self.shape)
        if self.features is not None:
            outputs = outputs + self.features(context, features)
        return Decoded(outputs, None)


class AutoregressiveDecoder(nn.Module):
    """Segment after segment: an LSTM reads its last one, and attends to the past for the next (Luong et al., 2015).

    It reads what it has forecast itself, without a linear forecast beside it, in training too, so that both are the
    same.

    Args:
        hidden_size: Width of the states, of the past and of its own.
        prediction_length: Steps.
        segment_length: Steps of a segment.
        num_channels: Channels of a row.
        num_outputs: Numbers that make the forecast of a channel at a step.
        static_size: Width of what is known of a series.
        num_features: Covariates of a future step.
        dropout: On what a segment is made of.
        **attention: Those of [`Attention`].

    Example:

    ```python
    >>> decoder = AutoregressiveDecoder(8, 10, 4, score="general")
    >>> states, mask, last = torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool), torch.zeros(3, 4, 1)
    >>> outputs, weights = decoder(states, mask, states[:, -1], last, lambda raw: raw[..., 0])
    >>> outputs.shape, weights.shape
    (torch.Size([3, 10, 1]), torch.Size([3, 1, 3, 5]))
    ```
    """

    def __init__(
        self,
        hidden_size: int,
        prediction_length: int,
        segment_length: int,
        *,
        num_channels: int = 1,
        num_outputs: int = 1,
        static_size: int = 0,
        num_features: int = 0,
        dropout: float = 0.0,
        num_heads: int = 1,
        **attention: Any,
    ):
        super().__init__()
        self.prediction_length, self.segment_length = prediction_length, segment_length
        self.shape = (segment_length, num_channels, num_outputs)
        self.begin = nn.Linear(hidden_size + static_size, 2 * hidden_size)
        self.lstm = nn.LSTM(segment_length * (num_channels + num_features), hidden_size)
        self.attention = Attention(hidden_size, hidden_size, num_heads=num_heads, **attention)
        self.join = nn.Linear((1 + num_heads) * hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.out_proj = nn.Linear(hidden_size, segment_length * num_channels * num_outputs)

    def forward(
        self,
        states: Tensor,
        mask: Tensor,
        context: Tensor,
        last: Tensor,
        to_values: Callable[[Tensor], Tensor],
        features: Tensor | None = None,
    ) -> Decoded:
        """Forecast.

        Args:
            states: (rows, steps, hidden_size), of the past.
            mask: Boolean (rows, steps), True where there is something to attend to.
            context: (rows, hidden_size + static_size), what it begins with.
            last: (rows, segment_length, channels), the last values of the past.
            to_values: The forecast (rows, segment_length, channels) of outputs with one more dimension.
            features: (rows, prediction_length, num_features).

        Returns:
            Outputs (rows, prediction_length, channels · num_outputs), and weights (rows, heads, segments, steps).
        """
        start, cell = self.begin(context).chunk(2, -1)
        state = torch.tanh(start).unsqueeze(0), cell.unsqueeze(0).contiguous()
        outputs, weights = [], []
        for of_segment in self._features_by_segment(features):
            read = [last.flatten(1), *([] if of_segment is None else [of_segment.flatten(1)])]
            query, cell = run_lstm(self.lstm, torch.cat(read, -1).unsqueeze(0), state, None)
            state = query, cell.unsqueeze(0)
            attended, attention = self.attention(states, query.transpose(0, 1), mask)
            joined = torch.cat([query.squeeze(0), attended.flatten(1)], -1)
            raw = self.out_proj(self.dropout(torch.tanh(self.join(joined)))).unflatten(-1, self.shape)
            last = to_values(raw)
            outputs.append(raw.flatten(2))
            weights.append(attention)
        return Decoded(torch.cat(outputs, 1)[:, : self.prediction_length], torch.cat(weights, 2))

    def _features_by_segment(self, features: Tensor | None) -> list[Tensor | None]:
        segments = -(-self.prediction_length // self.segment_length)
        if features is None:
            return [None] * segments
        padded = F.pad(features, (0, 0, 0, segments * self.segment_length - features.shape[1]))
        return list(padded.unflatten(1, (segments, self.segment_length)).unbind(1))
