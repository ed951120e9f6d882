"""Which flags of a classification fit together; see [`flag_effects`]."""

from __future__ import annotations

from types import SimpleNamespace

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from ..modeling.configuration_attnlstm import NGRAM_FIELDS
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.configuration_checks import largest_vocabulary
from .arguments import RunArguments
from .classification_arguments import FINISHING_FLAGS, NEW_TOKENIZER_FLAGS, DataArguments, ModelArguments
from .flag_effects import Effect, beside, without
from .shared_flags import LAYER_EFFECTS, POOLER_FLAGS, TRAINING_FLAGS, check_measured, source_effects


# From a configuration: flags of the model, or the checkpoint with what they change.
MODEL_EFFECTS = (
    Effect(
        (*POOLER_FLAGS, "pooler_l2_coef", "pooler_entropy_coef", "pooler_diversity_coef"),
        lambda config: "attention" in config.poolings,
        without("attention in --classifier_pooling"),
    ),
    *LAYER_EFFECTS,
    Effect(
        ("residual",),
        lambda config: config.num_hidden_layers > 1 or config.embedding_size == config.hidden_size,
        "with one layer that is wider or narrower than the embedding: add --num_hidden_layers 2, or leave it out",
    ),
    Effect(
        ("embedding_ngram_length", "ngram_dropout"),
        lambda config: config.embedding_ngrams,
        without("--embedding_ngrams"),
    ),
)
# What a tokenizer of each kind is in the library `tokenizers`.
_MODELS = {
    "word": "WordLevel",
    "open": "BPE",
    "char": "BPE",
    "wordpiece": "WordPiece",
    "bpe": "BPE",
    "unigram": "Unigram",
}
# What only a training reads.
_TRAINING_ONLY = (
    *TRAINING_FLAGS,
    *("rationale_column", "unlabelled_file", "teacher", "teacher_weight", "teacher_file"),
    *FINISHING_FLAGS,
)


def flags_as_config(model: ModelArguments) -> SimpleNamespace:
    """The flags with the names of a configuration, which would refuse some before their sentences are found."""
    poolings = tuple(model.classifier_pooling)
    return SimpleNamespace(**vars(model), poolings=poolings)


def data_effects(data: DataArguments, model: ModelArguments, training: RunArguments) -> tuple[Effect, ...]:
    """When the flags of the data, and those of the model that only a training reads, have an effect."""
    return (
        Effect(_TRAINING_ONLY, lambda _: training.do_train, beside("--do_train false, which only measures")),
        Effect(("classifier_ngram_length",), lambda _: model.classifier_ngrams, beside("--classifier_ngrams 0")),
        *source_effects(data, training),
        Effect(
            ("split_seed",),
            lambda _: data.validation_file is None or data.max_train_samples is not None,
            beside("--validation_file"),
        ),
        Effect(
            ("unlabelled_file",),
            lambda _: training.vat_epsilon or data.teacher is not None,
            without("--vat_epsilon or --teacher"),
        ),
        Effect(("teacher_weight", "teacher_file"), lambda _: data.teacher is not None, without("--teacher")),
        Effect(("rationale_coef",), lambda _: data.rationale_column is not None, without("--rationale_column")),
    )


def check_start(model: ModelArguments, given: frozenset[str], trains: bool, resumes: bool) -> None:
    """Refuse flags of a new tokenizer where one must be loaded, and a measurement without a model.

    Raises:
        ValueError: Names the flags.
    """
    check_measured(trains, starts=model.model_name_or_path is not None)
    # A model that is trained further may get a new tokenizer; its words keep their embeddings.
    loaded = "--tokenizer_name" if model.tokenizer_name is not None else None if trains else "--model_name_or_path"
    for flag in NEW_TOKENIZER_FLAGS if loaded is not None and not resumes else ():
        if flag in given:
            raise ValueError(f"--{flag} is for a tokenizer that is trained, and {loaded} loads one: leave it out.")


def tokenizer_contradiction(
    model: ModelArguments, given: frozenset[str], tokenizer: PreTrainedTokenizerBase
) -> tuple[str, str] | None:
    """The flag that says otherwise than a tokenizer, and what the tokenizer has; None where none does."""
    backend = tokenizer.backend_tokenizer
    own = {
        "max_length": f"{tokenizer.model_max_length:,} tokens",
        "vocab_size": f"{len(tokenizer):,} tokens",
        "lowercase": "lower case" if _lowers(backend) else "both cases",
        "tokenizer_kind": type(backend.model).__name__,
    }
    contradicts = {
        "max_length": model.max_length != tokenizer.model_max_length,
        # A tokenizer may have fewer, where the texts have no more.
        "vocab_size": model.vocab_size < len(tokenizer),
        "lowercase": model.lowercase != _lowers(backend),
        # A tagger has one kind alone.
        "tokenizer_kind": _MODELS.get(getattr(model, "tokenizer_kind", None), type(backend.model).__name__)
        != type(backend.model).__name__,
    }
    return next(((flag, own[flag]) for flag in contradicts if flag in given and contradicts[flag]), None)


def _lowers(backend: Tokenizer) -> bool:
    return backend.normalizer is not None and backend.normalizer.normalize_str("A") == "a"


def check_problem(problem_type: str, given: frozenset[str]) -> None:
    """Refuse what has no meaning for a problem type.

    Raises:
        ValueError: Names the flag.
    """
    shown = problem_type.replace("_", " ")
    if problem_type != MULTI_LABEL and "threshold" in given:
        raise ValueError(
            f"--threshold is for texts with any number of labels, and this is a {shown}: leave --threshold out."
        )
    for flag in ("label_smoothing_factor", "class_weights", "vat_epsilon", "unlabelled_file", *FINISHING_FLAGS):
        # A teacher of numbers answers to them.
        taught = flag == "unlabelled_file" and "teacher" in given
        if problem_type == REGRESSION and flag in given and not taught:
            raise ValueError(f"--{flag} has no meaning in a regression: leave it out.")


def check_ngram_lengths(model: ModelArguments, num_tokens: int) -> None:
    """Refuse n-grams that are too long for a vocabulary, before a training that would end with them.

    Raises:
        ValueError: Names the flag.
    """
    for count, length in NGRAM_FIELDS.items():
        longest = getattr(model, length)
        most = largest_vocabulary(longest)
        if getattr(model, count) and num_tokens > most:
            raise ValueError(
                f"--{length} {longest} is for vocabularies of at most {most:,} tokens, and this one has "
                f"{num_tokens:,}: give a smaller --{length} or --vocab_size, or --{count} 0."
            )
