"""Which tokenizer a classification uses: a loaded one, or one that is trained."""

from __future__ import annotations

from pathlib import Path

from datasets import DatasetDict
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from .._places import loading_from
from ..data.encoding import MAX_LENGTH
from ..data.tokenization import AUTO
from ..modeling.text_inputs import NO_MAX_LENGTH
from .classification_arguments import NEW_TOKENIZER_FLAGS, ModelArguments
from .classification_flags import tokenizer_contradiction
from .tokenizer_choice import choose_tokenizer_kind


logger = logging.get_logger(__name__)


def tokenizer_to_load(flags: ModelArguments, given: frozenset[str]) -> str | None:
    """The name of the tokenizer that is loaded: that of `--tokenizer_name`, or of the model; None to train one.

    A model that is trained further takes a new one where a flag asks for that.
    """
    if flags.tokenizer_name is not None:
        return flags.tokenizer_name
    return None if given & set(NEW_TOKENIZER_FLAGS) else flags.model_name_or_path


def load_tokenizer(name: str, max_length: int | None) -> PreTrainedTokenizerBase:
    """A tokenizer by its name, which reads as many tokens as is said, or as it says itself.

    Raises:
        OSError: There is none.
        ValueError: It is damaged.
    """
    with loading_from(name, "tokenizer") as place:
        tokenizer = AutoTokenizer.from_pretrained(place)
    if max_length is not None:
        tokenizer.model_max_length = max_length
    elif tokenizer.model_max_length > NO_MAX_LENGTH:
        tokenizer.model_max_length = MAX_LENGTH
        logger.warning("The tokenizer %s says no length: %s tokens of a text are read.", name, MAX_LENGTH)
    return tokenizer


def tokenizer_of_checkpoint(checkpoint: Path, flags: ModelArguments, given: frozenset[str]) -> PreTrainedTokenizerBase:
    """That of the training that goes on; the texts may have changed since it was trained on them.

    Raises:
        ValueError: A flag contradicts it.
    """
    with loading_from(checkpoint, "tokenizer") as place:
        tokenizer = AutoTokenizer.from_pretrained(place)
    wrong = tokenizer_contradiction(flags, given, tokenizer)
    if wrong is not None:
        flag, has = wrong
        raise ValueError(
            f"--{flag} contradicts the tokenizer of the checkpoint {checkpoint}, which has {has}: leave it out, or "
            "begin anew without --resume_from_checkpoint."
        )
    return tokenizer


def kind_to_train(flags: ModelArguments, examples: DatasetDict, whole_words: bool) -> str:
    """The kind of a tokenizer that is trained: the one that is asked for, or the better one by held-out texts.

    Where more is read of a word than its embedding, words stay whole, and those that are not known are spelt.
    """
    if flags.tokenizer_kind != AUTO:
        return flags.tokenizer_kind
    by_words = len(flags.token_inputs) > 1
    kind = choose_tokenizer_kind(
        examples,
        flags.lowercase,
        flags.vocab_size,
        flags.max_length or MAX_LENGTH,
        whole_words=whole_words or by_words,
    )
    return "open" if by_words and kind == "word" else kind
