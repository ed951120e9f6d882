"""What the flags of a forecaster's training mean beside each other: which fit, and what follows from the series."""

from __future__ import annotations

import math
from collections.abc import Set
from typing import Any

from ..data.series import Panel
from ..data.series_cells import first_value
from ..data.series_processor import SeriesProcessor
from ..modeling.configuration_forecaster import AUTOREGRESSIVE, AttnLSTMForecasterConfig
from .faithful_attention import LOSS_TERMS
from .flag_effects import Effect, beside, check_effects
from .forecasting_arguments import FITTED, ForecasterArguments, SeriesArguments, forecaster_fields
from .series_model_arguments import layer_effects
from .shared_flags import check_unchanged


# Steps of the past that are read at most, where nobody says how many: as far as most published forecasters look.
LONGEST_LOOKBACK = 720
# Share of a series that a window of the past has at most, so that there are enough windows; and its segments.
PAST_SHARE, SEGMENTS = 0.55, 30
COUNTS = "negative_binomial"
# What is for texts or labels.
MEANINGLESS = (
    *LOSS_TERMS,
    *("label_smoothing_factor", "neftune_noise_alpha", "embedding_updates", "layer_lr_decay", "unfreeze_steps"),
    *("language",),
)
# Flags that are called otherwise than the fields of the configuration.
_FIELDS = {"horizon": "prediction_length", "lookback": "context_length"}


def choose_segment(lookback: int, season: int) -> int:
    """Steps of a segment: a season or a whole part of it, or several, so that there are about thirty segments.

    Example:

    ```python
    >>> choose_segment(720, 24), choose_segment(720, 96), choose_segment(365, 7), choose_segment(60, 1)
    (24, 24, 14, 2)
    ```
    """
    parts = [season // part for part in range(1, season + 1) if season % part == 0]
    wholes = [season * times for times in range(2, 13)]
    wanted = max(lookback / SEGMENTS, 1)
    return min((size for size in (*parts, *wholes) if size <= lookback), key=lambda size: abs(math.log(size / wanted)))


def choose_lengths(panel: Panel, model: ForecasterArguments, season: int) -> tuple[int, int]:
    """Steps of the past, and of a segment: those of the flags, or what suits the series.

    Args:
        panel: The series.
        model: The flags.
        season: Steps of a season.
    """
    lengths = sorted(map(len, panel))
    usual = int(PAST_SHARE * lengths[len(lengths) // 4])
    lookback = model.lookback or max(min(LONGEST_LOOKBACK, usual), 1)
    segment = model.segment_length or choose_segment(lookback, season)
    if model.lookback is None:
        lookback = max(lookback // segment, 1) * segment
    return lookback, segment


def reads_segments(model: ForecasterArguments) -> bool:
    """Whether the length of a segment has an effect."""
    return model.front == "segments" or model.decoding == AUTOREGRESSIVE


def check_forecasting_flags(
    data: SeriesArguments, model: ForecasterArguments, given: Set[str], loaded: bool, resumes: bool
) -> None:
    """Refuse flags that do not fit together, or have no effect.

    Args:
        data, model: The flags.
        given: Those that somebody chose.
        loaded: Whether the run begins with a model.
        resumes: Whether that is a checkpoint of the same training.

    Raises:
        ValueError: Names a flag and the mend.
    """
    check_effects(_effects(data, model, loaded and not resumes), given, model)
    if model.loss == "nll" and model.distribution_output == COUNTS and not loaded:
        lacking = [f"--{name} none" for name in ("instance_center", "scaler") if getattr(model, name) != "none"]
        if lacking:
            raise ValueError(
                f"A negative binomial is for counts, of which nothing is taken off: add {' and '.join(lacking)}."
            )
    if model.horizon is None and not loaded:
        raise ValueError("--horizon says how many steps are forecast: add it, such as --horizon 24.")
    # What the length of the series decides is not known yet.
    sizes = {"context_length": LONGEST_LOOKBACK, "prediction_length": model.horizon or 1}
    AttnLSTMForecasterConfig(**forecaster_fields(model, given), **sizes)


def check_counts(panel: Panel, config: AttnLSTMForecasterConfig) -> None:
    """Refuse values that are no counts where a distribution of counts is forecast.

    Raises:
        ValueError: Names the first of them.
    """
    if config.loss != "nll" or config.distribution_output != COUNTS:
        return
    wrong = first_value(panel, lambda values: (values < 0) | (values % 1 != 0))
    if wrong is not None:
        raise ValueError(
            f"{wrong}, and a negative binomial is for counts, whole numbers from 0 on: choose another "
            "--distribution_output."
        )


def check_resumed(
    name: str,
    model: Any,
    data: Any,
    given: Set[str],
    config: AttnLSTMForecasterConfig,
    processor: SeriesProcessor,
) -> None:
    """Refuse flags of a forecaster, or of a classifier of series, that contradict the training that goes on.

    Raises:
        ValueError: Names the first such flag, and what the checkpoint has.
    """
    values: dict[str, Any] = {**vars(model), **vars(data)}
    of_config = {_FIELDS.get(flag, flag): flag for flag in vars(model)}
    has = {flag: getattr(config, field) for field, flag in of_config.items() if hasattr(config, field)}
    # What is fitted in the end is no part of a checkpoint.
    has.pop("linear_forecast", None)
    has |= {name: getattr(processor, name) for name in ("lower_bound", "upper_bound")}
    has |= {"scaler": processor.scaler, "calendar": processor.calendar, "season_length": processor.season_length}
    check_unchanged(name, given, values, has)


def _effects(data: SeriesArguments, model: ForecasterArguments, loaded: bool) -> tuple[Effect, ...]:
    architecture = sorted({*forecaster_fields(model), "classifier_dropout"} - {"loss"})
    counts = model.loss == "nll" and model.distribution_output == COUNTS
    bounds = ("lower_bound", "upper_bound")
    named = ("horizon", "lookback", "segment_length", "scaler", "linear_forecast", *bounds)
    return (
        Effect(("validation_size",), lambda _: data.borders is None, beside("--borders")),
        Effect(MEANINGLESS, lambda _: False, "in this task: leave it out"),
        Effect(
            (*architecture, *named, "loss", "calendar", "known_columns", "static_columns", "season_length"),
            lambda _: not loaded,
            beside("--model_name_or_path, whose weights have decided it"),
        ),
        Effect(("lower_bound",), lambda _: not counts, "on counts, which are not below 0: leave it out"),
        *layer_effects(model, reads_segments(model)),
        Effect(
            ("linear_forecast",),
            lambda _: not (counts and model.linear_forecast == FITTED),
            "in a negative binomial: leave it out",
        ),
    )
