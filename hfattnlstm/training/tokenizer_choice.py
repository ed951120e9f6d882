"""Which kind of tokenizer suits labelled texts: the one by whose tokens their n-grams tell held-out texts best."""

from __future__ import annotations

from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from transformers.utils import logging

from ..data.encoding import MAX_LENGTH, encode_texts
from ..data.loading import describe_labels
from ..data.tokenization import TEXTS_TO_CHOOSE_BY, single_texts, suitable_kind, train_tokenizer
from ..modeling.configuration_base import REGRESSION
from ..modeling.text_inputs import TextEncoder
from .ngram_choice import count_ngrams
from .ngram_fit import calibrated_loss
from .ngram_part import NgramOptions, labelled_rows
from .spelling import spelling_of


logger = logging.get_logger(__name__)

# Texts that are compared: enough to see a difference, few enough to take seconds.
MOST_TEXTS = {"train": 5_000, "validation": 1_000}
# A tokenizer of pieces must be better by this share: words are shorter to read, and are what is explained.
_MARGIN = 0.01
_COST = 1.0


def choose_tokenizer_kind(
    examples: DatasetDict,
    lowercase: bool = True,
    vocab_size: int = 30_000,
    max_length: int = MAX_LENGTH,
    *,
    whole_words: bool = False,
) -> str:
    """The kind for `train_tokenizer`.

    Scripts without spaces get what [`suitable_kind`] says. Elsewhere, words are compared with pieces of words: a
    linear classifier of n-grams is fitted to either, and pieces are taken where its log loss on the held-out texts is
    lower, which is so where many words are rare, and rare words tell something.

    Args:
        examples: "train" and "validation", with columns `text` and `label`, as from [`load_texts`].
        lowercase, vocab_size: As for `train_tokenizer`.
        max_length: Tokens of a text that are read.
        whole_words: Whether words between spaces stay whole in any case, as word vectors need it.

    Example:

    ```python
    >>> choose_tokenizer_kind(load_texts("reviews.csv"))
    'word'
    ```
    """
    texts = list(single_texts(examples["train"]["text"][:TEXTS_TO_CHOOSE_BY]))
    kind = suitable_kind(texts)
    problem_type, names = describe_labels(examples["train"].features)
    if kind != "word" or whole_words or problem_type == REGRESSION or not len(examples.get("validation", ())):
        return kind
    sample = DatasetDict({name: _some(examples[name], most) for name, most in MOST_TEXTS.items()})
    flags = {"lowercase": lowercase, "vocab_size": vocab_size, "model_max_length": max_length}
    losses = {kind: _loss(sample, len(names), problem_type, kind=kind, **flags) for kind in ("word", "wordpiece")}
    logger.info("Log loss of n-grams by kind of tokenizer: %s.", losses)
    return "wordpiece" if losses["wordpiece"] < (1 - _MARGIN) * losses["word"] else "word"


def _some(split: Dataset, most: int) -> Dataset:
    """At most so many texts, from all parts of a split."""
    if len(split) <= most:
        return split
    return split.select(np.linspace(0, len(split) - 1, most).astype(np.int64).tolist())


def _loss(sample: DatasetDict, num_labels: int, problem_type: str, **flags: Any) -> float:
    tokenizer = train_tokenizer(sample["train"]["text"][:], **flags)
    encoded = encode_texts(sample, TextEncoder(tokenizer, None, "head_tail"))
    train, held_out = (labelled_rows(encoded[split], num_labels, problem_type) for split in MOST_TEXTS)
    options = NgramOptions(problem_type, spelling_of(tokenizer))
    index = options.index_of(train)
    part = options.fitter(index, train).fit(True, [_COST])[0]
    logits = part.logits(count_ngrams(index, held_out.ids), held_out.num_tokens)
    return calibrated_loss(logits, held_out.applies, problem_type)
