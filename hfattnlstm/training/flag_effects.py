"""When a flag has an effect: what was given and has none is refused, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any, NamedTuple

from transformers.utils import logging

from .arguments import RunArguments
from .faithful_attention import LOSS_TERMS


logger = logging.get_logger(__name__)


class Effect(NamedTuple):
    """When flags have an effect.

    Attributes:
        flags: Their names.
        holds: From the values of the flags, or of a configuration, to whether they have one.
        why_not: How "--flag has no effect" goes on where they have none.
    """

    flags: tuple[str, ...]
    holds: Callable[[Any], bool]
    why_not: str


class GivenFlags(frozenset):
    """Names of the flags that somebody chose.

    Args:
        names: All of them.
        of_recipe: Those that a recipe has chosen, and nobody else.
        recipe: Its name.

    Example:

    ```python
    >>> given = GivenFlags({"warmup_steps", "seed"}, {"warmup_steps"}, "accurate")
    >>> "seed" in given, sorted(given.of_recipe)
    (True, ['warmup_steps'])
    ```
    """

    of_recipe: frozenset[str]
    recipe: str | None

    def __new__(cls, names: Iterable[str], of_recipe: Iterable[str] = (), recipe: str | None = None) -> GivenFlags:
        """As the class says; a frozenset has no other place for it."""
        given = super().__new__(cls, names)
        given.of_recipe, given.recipe = frozenset(of_recipe), recipe
        return given


def without(mend: str) -> str:
    """How a sentence goes on about what is missing."""
    return f"without {mend}: add that, or leave it out"


def beside(other: str) -> str:
    """How a sentence goes on about what is in the way."""
    return f"beside {other}: leave one of the two out"


def check_effects(effects: Iterable[Effect], given: Set[str], values: Any) -> None:
    """Refuse flags that were given and have no effect.

    Whoever names a recipe has not chosen each of its flags: of those without an effect a warning tells.

    Args:
        effects: When each has one.
        given: Names of the flags that somebody chose, perhaps [`GivenFlags`]; defaults are never refused.
        values: What `Effect.holds` takes.

    Raises:
        ValueError: Names the first such flag, why it has none, and what to do.

    Example:

    ```python
    >>> check_effects(RUN_EFFECTS, {"eval_steps"}, RunArguments("out", eval_steps=50))
    Traceback (most recent call last):
    ValueError: --eval_steps has no effect without --eval_strategy steps: add that, or leave it out.
    ```
    """
    of_recipe = getattr(given, "of_recipe", frozenset())
    for effect in effects:
        wanted = [flag for flag in effect.flags if flag in given and flag not in of_recipe]
        if wanted and not effect.holds(values):
            raise ValueError(f"--{wanted[0]} has no effect {effect.why_not}.")
    if of_recipe:
        tell_without_effect(effects, of_recipe, given.recipe, values)


def tell_without_effect(effects: Iterable[Effect], flags: Set[str], recipe: str, values: Any) -> set[str]:
    """Tell by a warning which flags of a recipe have no effect beside the others.

    Args:
        effects: When each has one.
        flags: Those of the recipe.
        recipe: Its name.
        values: What `Effect.holds` takes.

    Returns:
        Their names.
    """
    found = {}
    for effect in effects:
        if not effect.holds(values):
            found |= {flag: effect.why_not for flag in effect.flags if flag in flags and flag not in found}
    for flag, why_not in found.items():
        logger.warning("--%s of the recipe %s has no effect %s.", flag, recipe, why_not.partition(":")[0])
    return set(found)


def check_run(training: RunArguments, given: Set[str]) -> None:
    """Refuse flags of the run that contradict each other, or have no effect.

    Raises:
        ValueError: Names a flag and what to do.
    """
    if not training.do_train and not training.do_eval and not training.do_predict:
        raise ValueError(
            "There is nothing to do without --do_train, --do_eval and --do_predict: leave one of them on."
        )
    if "eval_strategy" in given and training.asked.eval_strategy != training.eval_strategy:
        off = "--do_train false" if not training.do_train else "--do_eval false"
        raise ValueError(f"--eval_strategy {_shown(training.asked.eval_strategy)} contradicts {off}: leave one out.")
    check_effects(RUN_EFFECTS, given, training)
    if training.unfreeze_steps and training.activation_checkpointing and training.world_size > 1:
        raise ValueError(
            "--unfreeze_steps cannot work beside --activation_checkpointing in several processes: leave one of the "
            "two out."
        )
    if training.embedding_updates == "lazy" and (obstacle := _obstacle_to_lazy_updates(training)):
        raise ValueError(f"--embedding_updates lazy cannot work beside {obstacle}: leave one of the two out.")


def _shown(value: Any) -> str:
    return str(getattr(value, "value", value))


def _obstacle_to_lazy_updates(training: RunArguments) -> str | None:
    """The flag that is in the way of updating only the rows of the embedding in use."""
    if training.optim not in _ADAMW:
        return f"--optim {_shown(training.optim)}"
    if training.torch_compile:
        return "--torch_compile"
    if training.neftune_noise_alpha is not None:
        return "--neftune_noise_alpha"
    if training.adam_beta1 >= training.adam_beta2**0.5:
        return f"--adam_beta1 {training.adam_beta1}, which is not below the root of --adam_beta2"
    return "several processes or accelerators" if training.world_size > 1 or training.n_gpu > 1 else None


def _evaluates(training: RunArguments) -> bool:
    return training.eval_strategy != "no"


def _saves(training: RunArguments) -> bool:
    return training.save_strategy != "no"


def _follows_a_metric(training: RunArguments) -> bool:
    return training.lr_scheduler_type in _PLATEAU


_ADAMW = ("adamw_torch", "adamw_torch_fused")
_PLATEAU = ("reduce_lr_on_plateau", "greedy")
_NO_WARMUP = ("constant", *_PLATEAU)
_NO_BETAS = ("sgd", "adagrad", "rmsprop", "adafactor", "lomo", "adalomo")
# Optimisers that read none of `optim_args`.
_NO_OPTIONS = ("adafactor", *_ADAMW, "adamw_torch_xla", "adamw_torch_npu_fused", "adamw_apex_fused")
_IN_THIS_TASK = "in this task: leave it out"

RUN_EFFECTS = (
    Effect(
        (
            *("num_train_epochs", "max_steps", "learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs"),
            *("warmup_steps", "optim", "optim_args", "optim_target_modules", "weight_decay", "adam_beta1"),
            *("adam_beta2", "adam_epsilon", "per_device_train_batch_size", "gradient_accumulation_steps"),
            *("max_grad_norm", "max_grad_value", "embedding_updates", "early_stopping_patience"),
            *("ema_decay", "layer_lr_decay", "unfreeze_steps"),
            *LOSS_TERMS,
            *("neftune_noise_alpha", "activation_checkpointing", "gradient_checkpointing", "save_steps"),
            *("save_total_limit", "save_only_model", "eval_steps", "eval_delay", "eval_on_start"),
            *("load_best_model_at_end", "metric_for_best_model", "greater_is_better", "logging_steps"),
            *("logging_first_step", "auto_find_batch_size", "train_sampling_strategy", "data_seed"),
            *("dataloader_drop_last", "torch_empty_cache_steps", "resume_from_checkpoint", "push_to_hub"),
            *("plots", "language", "license"),
        ),
        lambda training: training.do_train,
        "beside --do_train false, which only measures: leave one of the two out",
    ),
    Effect(("num_train_epochs",), lambda training: training.max_steps <= 0, beside("--max_steps")),
    Effect(
        ("warmup_steps",),
        lambda training: training.lr_scheduler_type not in _NO_WARMUP,
        without("an --lr_scheduler_type that has a warmup, such as linear"),
    ),
    Effect(
        ("adam_beta1", "adam_beta2", "adam_epsilon"),
        lambda training: training.optim not in _NO_BETAS,
        without("an --optim of Adam's kind, such as adamw_torch"),
    ),
    Effect(
        ("optim_args",),
        lambda training: training.optim not in _NO_OPTIONS,
        without("an --optim that takes further options, such as sgd"),
    ),
    Effect(
        ("optim_target_modules",),
        lambda training: any(name in _shown(training.optim) for name in ("galore", "apollo")),
        without("an --optim that takes it, such as galore_adamw"),
    ),
    Effect(("eval_steps",), lambda training: training.eval_strategy == "steps", without("--eval_strategy steps")),
    Effect(("save_steps",), lambda training: training.save_strategy == "steps", without("--save_strategy steps")),
    Effect(
        ("logging_steps",), lambda training: training.logging_strategy == "steps", without("--logging_strategy steps")
    ),
    Effect(
        ("logging_first_step",),
        lambda training: training.logging_strategy != "no",
        without("--logging_strategy steps or epoch"),
    ),
    Effect(("eval_delay", "eval_on_start"), _evaluates, without("--eval_strategy steps or epoch")),
    Effect(
        ("per_device_eval_batch_size", "eval_accumulation_steps", "bf16_full_eval", "fp16_full_eval"),
        lambda training: training.do_eval or training.do_predict,
        without("--do_eval or --do_predict"),
    ),
    Effect(
        ("save_total_limit", "save_only_model", "save_on_each_node"), _saves, without("--save_strategy steps or epoch")
    ),
    Effect(
        ("load_best_model_at_end",),
        lambda training: not training.asked.load_best_model_at_end or training.load_best_model_at_end,
        without("the same of steps and epoch as --eval_strategy and --save_strategy"),
    ),
    Effect(
        ("early_stopping_patience",),
        lambda training: training.load_best_model_at_end,
        without("--load_best_model_at_end, and the same of steps and epoch as --eval_strategy and --save_strategy"),
    ),
    Effect(
        ("metric_for_best_model", "greater_is_better"),
        lambda training: _evaluates(training) and (_saves(training) or _follows_a_metric(training)),
        without("evaluations that choose by it (--eval_strategy and --save_strategy steps or epoch)"),
    ),
    Effect(
        ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"),
        lambda training: bool(training.activation_checkpointing),
        without("--activation_checkpointing true"),
    ),
    Effect(("fsdp_config",), lambda training: bool(training.fsdp), without("--fsdp")),
    Effect(
        ("hub_model_id", "hub_strategy", "hub_token", "hub_private_repo", "hub_always_push", "hub_revision"),
        lambda training: training.push_to_hub,
        without("--push_to_hub"),
    ),
    Effect(("run_name",), lambda training: bool(training.report_to), without("--report_to")),
    Effect(
        ("project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
        lambda training: "trackio" in training.report_to,
        without("--report_to trackio"),
    ),
    Effect(
        ("dataloader_prefetch_factor", "dataloader_persistent_workers", "dataloader_multiprocessing_context"),
        lambda training: training.dataloader_num_workers > 0,
        without("--dataloader_num_workers 1 or more"),
    ),
    Effect(
        ("data_seed",),
        lambda training: training.train_sampling_strategy != "sequential",
        beside("--train_sampling_strategy sequential"),
    ),
    Effect(
        ("ignore_data_skip", "restore_callback_states_from_checkpoint"),
        lambda training: training.resume_from_checkpoint is not None,
        without("--resume_from_checkpoint"),
    ),
    Effect(
        (
            *("average_tokens_across_devices", "batch_eval_metrics", "eval_do_concat_batches", "include_for_metrics"),
            *("label_names", "length_column_name", "liger_kernel_config", "prediction_loss_only"),
            *("remove_unused_columns", "use_cache", "use_liger_kernel"),
        ),
        lambda training: False,
        _IN_THIS_TASK,
    ),
)
