"""Which flags of a classification of texts with pictures fit together; see [`flag_effects`]."""

from __future__ import annotations

from collections.abc import Set

from ..data.image_text_processor import ImageTextProcessor
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .classification_flags import tokenizer_contradiction
from .context_arguments import CONTEXT_EFFECTS
from .faithful_attention import LOSS_TERMS
from .flag_effects import Effect, beside, check_effects, without
from .image_text_arguments import ImageTextArguments, ImageTextModelArguments, ImageTextRunArguments, config_fields
from .shared_flags import (
    POOLER_FLAGS,
    check_architecture,
    check_measured,
    check_sources,
    check_unchanged,
    source_effects,
)


# What is for texts alone, or for a model that was pretrained on them.
MEANINGLESS = (*LOSS_TERMS, "neftune_noise_alpha", "layer_lr_decay", "unfreeze_steps")
# What reads pixels.
OF_PICTURES = ("image_side", "image_conv_sizes")
# What nobody needs to say of a model that is loaded: its weights or its tokenizer have decided it.
_DECIDED = ("lowercase", "vocab_size", "max_length", *OF_PICTURES)
_POOLER = tuple(name for name in POOLER_FLAGS if name != "pooler_size")
_MODEL_EFFECTS = (
    Effect(
        _POOLER, lambda model: "attention" in model.classifier_pooling, without("attention in --classifier_pooling")
    ),
    Effect(("direction_merge",), lambda model: model.bidirectional, beside("--no_bidirectional")),
    Effect(
        ("residual",),
        lambda model: model.num_hidden_layers > 1 or model.embedding_size == model.hidden_size,
        "with one layer that is wider or narrower than the embedding: add --num_hidden_layers 2, or leave it out",
    ),
    # The heads of the cross-modal layers are theirs, too.
    *(effect for effect in CONTEXT_EFFECTS if "num_attention_heads" not in effect.flags),
)


def check_image_text(
    data: ImageTextArguments,
    model: ImageTextModelArguments,
    training: ImageTextRunArguments,
    given: Set[str],
    start: str | None,
) -> None:
    """Refuse flags that do not fit together, or have no effect.

    Args:
        data, model, training: The flags.
        given: Names of those that somebody chose.
        start: The model that the run begins with.

    Raises:
        ValueError: Names the flags.
    """
    check_sources(data)
    resumes = training.resume_from_checkpoint is not None
    check_measured(training.do_train, starts=start is not None)
    decided = tuple(sorted({*config_fields(model), *_DECIDED}))
    effects = (
        Effect(MEANINGLESS, lambda _: False, "in this task: leave it out"),
        *source_effects(data, training),
        Effect(("split_seed",), lambda _: data.validation_file is None, beside("--validation_file")),
        Effect(("further_splits",), lambda _: data.dataset is not None, without("--dataset")),
        Effect(("baselines",), lambda _: training.do_train, beside("--do_train false, which only measures")),
        Effect(
            ("baselines",),
            lambda _: training.do_eval or training.do_predict or data.further_splits,
            beside("--do_eval false, where nothing is measured"),
        ),
        Effect(
            decided,
            lambda _: start is None or resumes,
            beside("--model_name_or_path, whose weights have decided it"),
        ),
        *_MODEL_EFFECTS,
    )
    check_effects(effects, given, model)
    if model.hidden_size % model.num_attention_heads:
        raise ValueError(
            f"--hidden_size {model.hidden_size} must be a multiple of --num_attention_heads "
            f"{model.num_attention_heads}: change one of them."
        )
    if model.image_side < 1 or model.image_side > 4_096:
        raise ValueError(f"--image_side must be between 1 and 4,096 pixels, got {model.image_side}.")
    if "eval" in (data.further_splits or ()):
        raise ValueError("--further_splits eval would be taken for the validation split: rename that split.")
    check_architecture(config_fields(model) | {"image_conv_sizes": list(model.image_conv_sizes)})


def check_resumed(
    name: str,
    model: ImageTextModelArguments,
    given: Set[str],
    config: AttnLSTMConfig,
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
    if processor.image_processor is not None:
        has["image_side"] = processor.image_processor.size["height"]
    check_unchanged(name, given, vars(model) | config_fields(model), has)
    contradiction = tokenizer_contradiction(model, frozenset(given), processor.tokenizer)
    if contradiction is not None:
        raise ValueError(
            f"--{contradiction[0]} contradicts the checkpoint {name}, whose tokenizer has {contradiction[1]}: leave "
            "it out, or begin anew without --resume_from_checkpoint."
        )
