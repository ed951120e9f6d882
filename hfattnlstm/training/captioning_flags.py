"""Which flags of a model that describes pictures fit together; see [`flag_effects`]."""

from __future__ import annotations

from collections.abc import Set

from ..data.image_text_processor import ImageTextProcessor
from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from .captioning_arguments import CaptionArguments, CaptionModelArguments, CaptionRunArguments
from .flag_effects import Effect, beside, check_effects, without
from .seq2seq_flags import CHANGEABLE, DECODER_EFFECTS, check_numbers, check_sizes, run_effects, tokenizer_has
from .shared_flags import check_measured, check_sources, check_unchanged, source_effects
from .writer_arguments import config_fields


# What reads pixels.
OF_PICTURES = ("image_side", "image_conv_sizes")
_DECIDED = ("tokenizer_kind", "vocab_size", "lowercase", "max_length", *OF_PICTURES)


def check_captioning(
    data: CaptionArguments, model: CaptionModelArguments, training: CaptionRunArguments, given: Set[str]
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
        Effect(("copy_unknown",), lambda _: False, "in this task, where nothing can be copied: leave it out"),
        Effect(("split_seed",), lambda _: data.validation_file is None, beside("--validation_file")),
        Effect(("further_splits",), lambda _: data.dataset is not None, without("--dataset")),
        Effect(decided, lambda _: start is None or resumes, beside("--model_name_or_path, whose weights decided it")),
        *(DECODER_EFFECTS if start is None else ()),
    )
    check_effects(effects, given, model)
    check_numbers(model, training)
    if not 1 <= model.image_side <= 4_096:
        raise ValueError(f"--image_side must be between 1 and 4,096 pixels, got {model.image_side}.")
    if "eval" in (data.further_splits or ()):
        raise ValueError("--further_splits eval would be taken for the validation split: rename that split.")
    check_sizes(config_fields(model) | {"image_conv_sizes": list(model.image_conv_sizes)})


def check_resumed_captions(
    name: str,
    model: CaptionModelArguments,
    given: Set[str],
    config: AttnLSTMSeq2SeqConfig,
    processor: ImageTextProcessor,
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
    has |= {"max_length": processor.tokenizer.model_max_length, "image_conv_sizes": config.image_conv_sizes}
    has |= tokenizer_has(processor.tokenizer, model)
    if processor.image_processor is not None:
        has["image_side"] = processor.image_processor.size["height"]
    check_unchanged(name, given, vars(model), has)
