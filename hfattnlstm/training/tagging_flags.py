"""Which flags of a tagger fit together; see [`flag_effects`]."""

from __future__ import annotations

from collections.abc import Set

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_words import VECTORS
from ..modeling.modeling_token_classification import AttnLSTMForTokenClassification
from .classification_arguments import NEW_TOKENIZER_FLAGS
from .faithful_attention import LOSS_TERMS
from .flag_effects import Effect, beside, check_effects, without
from .shared_flags import (
    DROPOUT_FLAGS,
    LAYER_EFFECTS,
    POOLER_FLAGS,
    TRAINING_FLAGS,
    check_architecture,
    check_measured,
    check_sources,
    source_effects,
)
from .starting_point import config_to_start_from
from .tagger_start import SHAPE
from .tagging_arguments import NO_VECTORS, TaggedDataArguments, TaggerArguments, TaggingArguments, tagger_fields
from .word_input_arguments import input_fields
from .word_inputs import check_inputs, fields_of_unread, input_effects


# What is for labels of whole texts.
MEANINGLESS = tuple(name for name in LOSS_TERMS if name != "adversarial_epsilon")
# What may be said of a tagger that is trained further.
_OF_A_RUN = ("model_name_or_path", "freeze_word_vectors")


def check_tagger(
    data: TaggedDataArguments, model: TaggerArguments, training: TaggingArguments, given: Set[str]
) -> None:
    """Refuse flags that do not fit together, or have no effect.

    Raises:
        ValueError: Names the flag and the mend.
    """
    check_sources(data)
    check_effects(_effects(data, model, training), given, model)
    starts = model.model_name_or_path is not None or training.resume_from_checkpoint is not None
    check_measured(training.do_train, starts)
    if not starts:
        _check_words(model, given)
        check_architecture(tagger_fields(model) | input_fields(model) | fields_of_unread(model))


def _check_words(model: TaggerArguments, given: Set[str]) -> None:
    """What a new tagger reads of its words, be its LSTM new or a pretrained one."""
    # Whether vectors are read that nobody has named is seen from the words.
    open_yet = {"freeze_word_vectors", "max_word_vectors"} if model.word_vectors is None else set()
    check_effects(input_effects(model.token_inputs), given - open_yet, None)
    check_inputs(model, model.lowercase)


def _effects(data: TaggedDataArguments, model: TaggerArguments, training: TaggingArguments) -> tuple[Effect, ...]:
    attends = model.sentence_context and "attention" in model.classifier_pooling
    # How many layers a loaded model has is not known yet.
    layers = LAYER_EFFECTS if model.model_name_or_path is None else ()
    return (
        Effect(MEANINGLESS, lambda _: False, "in this task: leave it out"),
        Effect(TRAINING_FLAGS, lambda _: training.do_train, beside("--do_train false, which only measures")),
        *source_effects(data, training),
        Effect(("split_seed",), lambda _: data.validation_file is None, beside("--validation_file")),
        Effect(
            NEW_TOKENIZER_FLAGS,
            lambda _: model.tokenizer_name is None,
            beside("--tokenizer_name, which loads a tokenizer"),
        ),
        Effect(("classifier_pooling",), lambda _: model.sentence_context, without("--sentence_context true")),
        Effect(
            POOLER_FLAGS, lambda _: attends, without("--sentence_context true, and attention in --classifier_pooling")
        ),
        *layers,
        Effect(
            ("label_smoothing_factor",),
            lambda _: not model.use_crf,
            beside("--use_crf true, which scores whole sequences"),
        ),
    )


def sources_of(data: TaggedDataArguments, model: TaggerArguments) -> list[str]:
    """Files, data set, vectors and model that a run reads."""
    named = (data.dataset, data.train_file, data.validation_file, data.test_file, model.model_name_or_path)
    named += (model.tokenizer_name,)
    return [name for name in (*named, *(model.word_vectors or ())) if name not in (None, NO_VECTORS)]


def config_of_start(name: str | None, model: TaggerArguments, given: Set[str], resumes: bool) -> AttnLSTMConfig | None:
    """The configuration of the tagger that a run goes on from; None where a new one is made.

    Args:
        name: Of the checkpoint that the run begins with.
        model: The flags of the model.
        given: The flags that somebody chose.
        resumes: Whether the training of this very checkpoint goes on.

    Raises:
        OSError: There is no such checkpoint.
        ValueError: A flag contradicts it.
    """
    if name is None:
        return None
    config = config_to_start_from(name)
    is_tagger = AttnLSTMForTokenClassification.__name__ in (config.architectures or ())
    chosen = {flag for flag in given if flag in vars(model)} - {*_OF_A_RUN}
    of_others = chosen - set(DROPOUT_FLAGS) if is_tagger else chosen & set(SHAPE)
    decided = chosen - _same(config, model) if resumes else of_others
    if decided:
        raise ValueError(
            f"--{min(decided)} cannot be changed beside {name}, whose weights have decided it: leave it out."
        )
    if is_tagger:
        check_effects(input_effects(config.inputs), given, None)
        return config
    _check_words(model, given)
    return None


def _same(config: AttnLSTMConfig, model: TaggerArguments) -> Set[str]:
    """Flags that say what a configuration has, or are no part of one."""
    fields = tagger_fields(model) | input_fields(model)
    others = {name for name in vars(model) if name not in fields} - {"use_crf", "crf_scheme"}
    same = {name for name, value in fields.items() if getattr(config, name) == value}
    same |= {"use_crf"} if model.use_crf in (None, config.use_crf) else set()
    same |= {"crf_scheme"} if config.tagging_scheme in (None, model.crf_scheme) else set()
    # Vectors may have been read that nobody has named.
    own = [name for name in config.inputs if name != VECTORS or VECTORS in model.token_inputs]
    same |= {"token_inputs"} if own == list(model.token_inputs) else set()
    return others | same
