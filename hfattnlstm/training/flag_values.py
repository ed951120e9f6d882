"""What a flag can be: numbers within their bounds, and values of files in the types that the flags have."""

from __future__ import annotations

import json
import math
import types
from enum import Enum
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from ..modeling.configuration_attnlstm import MAX_NGRAM_LENGTH
from .faithful_attention import LOSS_TERMS


class Bound(NamedTuple):
    """The numbers that a flag takes."""

    holds: Any
    words: str


_COUNT = Bound(lambda value: value >= 1, "at least 1")
_POSITIVE = Bound(lambda value: value > 0, "above 0")
_NOT_NEGATIVE = Bound(lambda value: value >= 0, "at least 0")
_SHARE = Bound(lambda value: 0 <= value < 1, "at least 0 and below 1")
_BETWEEN = Bound(lambda value: 0 < value < 1, "above 0 and below 1")
_SEED = Bound(lambda value: 0 <= value < 2**32, "between 0 and 4,294,967,295")

BOUNDS: dict[str, Bound] = {
    **dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
            *("save_total_limit", "early_stopping_patience", "eval_accumulation_steps", "torch_empty_cache_steps"),
            *("dataloader_prefetch_factor", "max_train_samples", "max_length", "embedding_size"),
            *("hidden_size", "num_hidden_layers", "pooler_size", "pooler_num_heads", "classifier_hidden_size"),
            *("ddp_timeout", "ddp_bucket_cap_mb", "horizon", "lookback", "segment_length", "season_length"),
            *("max_word_length", "char_embedding_size", "char_hidden_size", "char_kernel_size", "case_embedding_size"),
            *(
                "max_word_vectors",
                "validation_windows",
                "conv_kernel_size",
                "conv_pool_size",
                *("num_attention_heads", "intermediate_size", "num_hashes", "num_buckets", "lsh_attn_chunk_length"),
            ),
        ),
        _COUNT,
    ),
    **dict.fromkeys(
        (
            *("num_train_epochs", "learning_rate", "max_grad_value", "eval_steps", "save_steps", "logging_steps"),
            *("adam_epsilon", "neftune_noise_alpha", "pooler_temperature"),
        ),
        _POSITIVE,
    ),
    **dict.fromkeys(
        (
            *("warmup_steps", "weight_decay", "max_grad_norm", "eval_delay", "dataloader_num_workers"),
            *LOSS_TERMS,
            *("initializer_range", "classifier_ngrams"),
            *("embedding_ngrams", "subword_ngrams", "num_sampled_tokens", "unfreeze_steps"),
        ),
        _NOT_NEGATIVE,
    ),
    **dict.fromkeys(
        (
            *("adam_beta1", "adam_beta2", "label_smoothing_factor", "hidden_dropout_prob", "embedding_dropout"),
            *(
                "word_dropout",
                "classifier_dropout",
                "ema_decay",
                "ngram_dropout",
                "char_dropout",
                "word_input_dropout",
            ),
        ),
        _SHARE,
    ),
    **dict.fromkeys(("validation_size", "threshold"), _BETWEEN),
    "teacher_weight": Bound(lambda value: 0 < value <= 1, "above 0 and at most 1"),
    **dict.fromkeys(("seed", "data_seed", "split_seed"), _SEED),
    "classifier_ngram_length": Bound(
        lambda value: 1 <= value <= MAX_NGRAM_LENGTH, f"between 1 and {MAX_NGRAM_LENGTH}"
    ),
    "embedding_ngram_length": Bound(lambda value: 2 <= value <= MAX_NGRAM_LENGTH, f"between 2 and {MAX_NGRAM_LENGTH}"),
    "layer_lr_decay": Bound(lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "block_size": Bound(lambda value: value >= 2, "at least 2: a token, and the one that it predicts"),
    "vocab_size": Bound(lambda value: value >= 6, "at least 6: five special tokens and another one"),
    "max_steps": Bound(lambda value: value == -1 or value >= 1, "at least 1, or -1 for as many as the epochs have"),
}
# Flags of two or three words for which YAML reads one as yes or no.
_NO_FOR_FALSE = ("eval_strategy", "save_strategy", "logging_strategy")
# Mappings that may also be the path of a file with one.
_TAKE_A_PATH = ("fsdp_config", "deepspeed", "accelerator_config")
# Texts that may be true or false, too.
_TEXT_OR_BOOL = ("resume_from_checkpoint", "fsdp")
_YES, _NO = ("true", "yes", "on", "t", "y", "1"), ("false", "no", "off", "f", "n", "0")
_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    str: "a text",
}


def check_number(name: str, value: Any) -> None:
    """Refuse numbers that are not finite or out of bounds.

    Args:
        name: Of the flag.
        value: Its value; what is no number is let pass.

    Raises:
        ValueError: Names the flag, its value and what it must be.

    Example:

    ```python
    >>> check_number("learning_rate", 0.0)
    Traceback (most recent call last):
    ValueError: --learning_rate must be above 0, got 0.0.
    ```
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not math.isfinite(value):
        raise ValueError(f"--{name} must be a finite number, got {value}.")
    bound = BOUNDS.get(name)
    if bound is not None and not bound.holds(value):
        raise ValueError(f"--{name} must be {bound.words}, got {value}.")


def check_mapping(name: str, value: Any, hint: Any) -> None:
    """Refuse a text that is to be a mapping and is none.

    Args:
        name: Of the flag.
        value: Its value.
        hint: The annotation of the flag; others than those of mappings are let pass.

    Raises:
        ValueError: Names the flag and its value.
    """
    takes_mapping = dict in [get_origin(kind) or kind for kind in _alternatives(hint)]
    if not takes_mapping or not isinstance(value, str) or (name in _TAKE_A_PATH and not value.startswith("{")):
        return
    try:
        is_mapping = isinstance(json.loads(value), dict)
    except ValueError:
        is_mapping = False
    if not is_mapping:
        raise ValueError(f"--{name} must be a mapping in JSON, such as '{{\"name\": 1}}', got {value}.")


def convert(name: str, value: Any, hint: Any, path: str) -> Any:
    """A value of a file in the type of its flag: what is clear is converted, the rest is refused.

    Args:
        name: Of the flag.
        value: As YAML or JSON gives it.
        hint: The annotation of the flag.
        path: Of the file.

    Raises:
        ValueError: Names file, flag and value, and says what is wanted.

    Example:

    ```python
    >>> convert("max_length", "2e2", int | None, "flags.yaml")
    200
    >>> convert("class_weights", "balanced", list[str] | None, "flags.yaml")
    ['balanced']
    ```
    """
    choices = _choices(hint)
    kinds = [get_origin(kind) or kind for kind in _alternatives(hint) if not _has_choices(kind)]
    if value is None and type(None) in kinds:
        return None
    if choices:
        value = "no" if value is False and name in _NO_FOR_FALSE and "no" in choices else value
        if value in choices:
            return value
        raise _refused(name, value, f"one of {', '.join(map(str, choices))}", path)
    if name in _TEXT_OR_BOOL and isinstance(value, bool):
        return str(value).lower() if value or name == "resume_from_checkpoint" else None
    for kind in _NAMES:
        if kind in kinds and (converted := _as_kind(kind, value, hint, kinds)) is not None:
            return converted
    wanted = [words for kind, words in _NAMES.items() if kind in kinds]
    if not wanted:
        raise _refused(name, value, "nothing: it is for Python alone", path)
    raise _refused(name, value, " or ".join(wanted), path)


def _refused(name: str, value: Any, wanted: str, path: str) -> ValueError:
    shown = {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return ValueError(f"The file of flags {path} has {name}: {shown}, but it must be {wanted}.")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _has_choices(kind: Any) -> bool:
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


def _choices(hint: Any) -> list[Any]:
    """The values of a Literal or an Enum in an annotation; none where it takes others, too."""
    for kind in _alternatives(hint):
        if get_origin(kind) is Literal and bool not in map(type, get_args(kind)):
            return list(get_args(kind))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return [choice.value for choice in kind]
    return []


def _as_kind(kind: type, value: Any, hint: Any, kinds: list[Any]) -> Any:
    """The value as that kind, or None where that is not clear."""
    if kind is bool:
        return _as_bool(value)
    if kind is int:
        number = _as_number(value)
        return int(number) if number is not None and math.isfinite(number) and number == int(number) else None
    if kind is float:
        return _as_number(value)
    if kind is dict:
        return value if isinstance(value, dict) else None
    if kind is list:
        # A text is one where the flag takes texts, too.
        if not isinstance(value, list):
            value = None if str in kinds or isinstance(value, dict) or value is None else [value]
        numbers = any(get_origin(part) is list and get_args(part) == (float,) for part in _alternatives(hint))
        return _as_numbers(value) if numbers else _as_list(value)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _as_bool(value: Any) -> bool | None:
    if isinstance(value, str) and value.lower() in (*_YES, *_NO):
        return value.lower() in _YES
    return bool(value) if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)) else None


def _as_number(value: Any) -> float | None:
    """YAML reads 1e-3 as a text, unlike everybody else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _as_numbers(values: list[Any] | None) -> list[float] | None:
    numbers = [_as_number(value) for value in values or ()]
    return numbers if numbers and None not in numbers else None


def _as_list(values: list[Any] | None) -> list[str] | None:
    if not values or any(item is None or isinstance(item, bool | list | dict) for item in values):
        return None
    return [str(item) for item in values]
