"""Which flags of a model that writes fit together; see [`flag_effects`]."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

from transformers import PreTrainedTokenizerBase

from ..data.pair_tokenizer import is_lowercased, kind_of_tokenizer
from ..modeling.configuration_pooled import SIZED_SCORES
from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from ..modeling.pair_processor import PairProcessor
from .context_arguments import CONTEXT_EFFECTS
from .faithful_attention import LOSS_TERMS
from .flag_effects import Effect, beside, check_effects, without
from .seq2seq_arguments import PairArguments, Seq2SeqModelArguments, Seq2SeqRunArguments
from .shared_flags import check_measured, check_sources, check_unchanged, source_effects
from .writer_arguments import config_fields


# What is for labels of texts, or for a model that was pretrained.
MEANINGLESS = (
    *(*LOSS_TERMS, "neftune_noise_alpha", "layer_lr_decay", "unfreeze_steps", "embedding_updates"),
    *("sortish_sampler", "generation_config"),
)
# What can be changed of a model that is trained further.
CHANGEABLE = (
    *("hidden_dropout_prob", "embedding_dropout", "locked_dropout", "word_dropout", "readout_dropout"),
    "coverage_loss_coef",
)
_DECIDED = ("tokenizer_kind", "vocab_size", "separate_vocabularies", "lowercase", "max_length")
# What only a training reads, of the data and of the run.
_OF_A_TRAINING = ("max_train_samples", "scheduled_sampling", "label_smoothing_factor", "ema_decay")
DECODER_EFFECTS = (
    Effect(
        ("cross_attention_size",),
        lambda model: model.cross_attention_score in SIZED_SCORES,
        "with a --cross_attention_score that has no inner width: choose additive or diagonal_dot, or leave it out",
    ),
    Effect(("coverage_loss_coef",), lambda model: model.coverage, without("--coverage true")),
    Effect(
        ("locked_dropout",),
        lambda model: model.embedding_dropout or model.hidden_dropout_prob,
        without("--embedding_dropout or --hidden_dropout_prob"),
    ),
)
_MODEL_EFFECTS = (
    *DECODER_EFFECTS,
    Effect(("direction_merge",), lambda model: model.bidirectional, beside("--no_bidirectional")),
    Effect(
        ("residual",),
        lambda model: model.num_hidden_layers > 1 or model.embedding_size == model.hidden_size,
        "with one layer that is wider or narrower than the embedding: add --num_hidden_layers 2, or leave it out",
    ),
    *CONTEXT_EFFECTS,
)


def run_effects(training: Seq2SeqRunArguments) -> tuple[Effect, ...]:
    """When flags of a run have an effect that trains a model which writes."""
    return (
        Effect(MEANINGLESS, lambda _: False, "in this task: leave it out"),
        Effect(
            (*CHANGEABLE, *_OF_A_TRAINING),
            lambda _: training.do_train,
            beside("--do_train false, which only measures"),
        ),
        Effect(
            ("bleu_tokenize", "bleu_lowercase", "copy_unknown"),
            lambda _: training.do_eval or training.do_predict,
            beside("--do_eval false, where nothing is measured"),
        ),
    )


def check_seq2seq(
    data: PairArguments,
    model: Seq2SeqModelArguments,
    training: Seq2SeqRunArguments,
    given: Set[str],
) -> None:
    """Refuse flags that do not fit together, or have no effect.

    Raises:
        ValueError: Names the flags.
    """
    check_sources(data)
    start, resumes = model.model_name_or_path, training.resume_from_checkpoint is not None
    check_measured(training.do_train, starts=start is not None)
    decided = tuple(sorted({*config_fields(model), *_DECIDED} - set(CHANGEABLE)))
    effects = (
        *run_effects(training),
        *source_effects(data, training),
        Effect(("split_seed",), lambda _: data.validation_file is None, beside("--validation_file")),
        Effect(decided, lambda _: start is None or resumes, beside("--model_name_or_path, whose weights decided it")),
        *(_MODEL_EFFECTS if start is None else ()),
    )
    check_effects(effects, given, model)
    check_numbers(model, training)
    check_sizes(config_fields(model))


def check_sizes(overrides: dict[str, Any]) -> None:
    """Refuse impossible sizes before anything is loaded, as the configuration will.

    Raises:
        ValueError: Names the flag.
    """
    try:
        AttnLSTMSeq2SeqConfig(**overrides)
    except ValueError as error:
        # Its fields are called as the flags are.
        names = "|".join(sorted(overrides, key=len, reverse=True))
        raise ValueError(re.sub(rf"\b({names})\b", r"--\1", str(error))) from None


def check_numbers(model: Any, training: Seq2SeqRunArguments) -> None:
    """Refuse numbers out of bounds.

    Args:
        model: The flags of the model, of which `max_length` is one.
        training: Those of the run.

    Raises:
        ValueError: Names the flag.
    """
    if model.max_length < 2:
        raise ValueError(
            f"--max_length must be 2 or more, for a token and the one that ends it, got {model.max_length}."
        )
    for name in ("generation_num_beams", "generation_max_length"):
        value = getattr(training, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name} must be 1 or more, got {value}.")
    if not 0 <= training.scheduled_sampling <= 1:
        raise ValueError(
            f"--scheduled_sampling is a share and must be from 0 to 1, got {training.scheduled_sampling}."
        )


def tokenizer_has(tokenizer: PreTrainedTokenizerBase, model: Any) -> dict[str, Any]:
    """What a tokenizer has in place of the flags of a new one.

    Args:
        tokenizer: Of a checkpoint.
        model: The flags, of which `vocab_size` may be larger than what was found.
    """
    size = len(tokenizer)
    return {
        "lowercase": is_lowercased(tokenizer),
        "tokenizer_kind": kind_of_tokenizer(tokenizer),
        "vocab_size": model.vocab_size if model.vocab_size >= size else size,
    }


def check_resumed(
    name: str,
    model: Seq2SeqModelArguments,
    given: Set[str],
    config: AttnLSTMSeq2SeqConfig,
    processor: PairProcessor,
) -> None:
    """Refuse flags that contradict the checkpoint from which a training goes on.

    Args:
        name: Of the checkpoint.
        model: The flags.
        given: Names of those that somebody chose.
        config, processor: Of the checkpoint.

    Raises:
        ValueError: Names the first such flag, and what the checkpoint has.
    """
    has = {flag: getattr(config, flag) for flag in config_fields(model)}
    has |= {"max_length": processor.tokenizer.model_max_length, "separate_vocabularies": not processor.is_joint}
    has |= tokenizer_has(processor.tokenizer, model)
    check_unchanged(name, given, vars(model), has)
