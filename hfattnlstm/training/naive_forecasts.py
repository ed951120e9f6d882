"""What the simplest forecasters say, by which all others are measured."""

from __future__ import annotations

import numpy as np


# A season is one where its autocorrelation is so many standard errors above 0: 90 %, as the M4 competition has it.
_SIGNIFICANT = 1.645


def naive2(past: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """The last value after the season is taken out, and the season put back on it (Makridakis et al., 2020).

    A series has a season where its autocorrelation says so with 90 % certainty; it is multiplied, and found by
    classical decomposition. Where values are not above 0, none is taken out.

    Args:
        past: (series, length), without gaps.
        season: Steps of a season.
        horizon: Steps that are forecast.

    Returns:
        (series, horizon).

    Example:

    ```python
    >>> naive2(np.tile([1.0, 3.0], 10)[None], season=2, horizon=3)
    array([[1., 3., 1.]])
    ```
    """
    last = np.repeat(past[:, -1:], horizon, 1)
    if season < 2 or past.shape[1] < 3 * season:
        return last
    seasonal = _has_season(past, season) & (past > 0).all(1)
    if seasonal.any():
        factors = _seasonal_factors(past[seasonal], season)
        length = past.shape[1]
        now = factors[:, (length - 1) % season, None]
        later = factors[:, (length + np.arange(horizon)) % season]
        last[seasonal] = past[seasonal, -1:] / now * later
    return last


def _has_season(past: np.ndarray, season: int) -> np.ndarray:
    centred = past - past.mean(1, keepdims=True)
    power = (centred**2).sum(1)
    power[power == 0] = np.inf
    # Of all lags at once; what is beyond the end does not come round to the beginning.
    spectrum = np.fft.rfft(centred, past.shape[1] + season)
    likeness = np.fft.irfft(np.abs(spectrum) ** 2, past.shape[1] + season)[:, 1 : season + 1] / power[:, None]
    error = np.sqrt((1 + 2 * (likeness[:, :-1] ** 2).sum(1)) / past.shape[1])
    return np.abs(likeness[:, -1]) > _SIGNIFICANT * error


def _seasonal_factors(past: np.ndarray, season: int) -> np.ndarray:
    """(series, season), of the steps whose number leaves 0, 1, … when divided by the season; their mean is 1."""
    sums = np.cumsum(np.pad(past, ((0, 0), (1, 0))), 1)
    trend = (sums[:, season:] - sums[:, :-season]) / season
    if season % 2 == 0:
        # As many steps on either side, of which the outermost count half.
        trend = (trend[:, 1:] + trend[:, :-1]) / 2
    half = season // 2
    ratio = past[:, half : half + trend.shape[1]] / trend
    factors = np.stack([ratio[:, (place - half) % season :: season].mean(1) for place in range(season)], 1)
    return factors / factors.mean(1, keepdims=True)


def seasonal_errors(values: np.ndarray, season: int) -> np.ndarray:
    """The mean absolute error of the seasonal naive forecast one step ahead, the denominator of MASE.

    Args:
        values: (length, channels), the training part; NaN where nothing is known.
        season: Steps of a season.

    Returns:
        (channels,); 0 where nothing can be compared.

    Example:

    ```python
    >>> seasonal_errors(np.array([[1.0], [2.0], [4.0]]), season=1)
    array([1.5])
    ```
    """
    if len(values) <= season:
        return np.zeros(values.shape[1])
    errors = np.abs(values[season:] - values[:-season])
    known = np.isfinite(errors)
    return np.where(known, errors, 0.0).sum(0) / np.maximum(known.sum(0), 1)
