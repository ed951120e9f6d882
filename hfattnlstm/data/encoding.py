"""Labelled texts as the rows that a Trainer reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, Features, List, Value
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .._wording import option
from ..modeling.configuration_base import MULTI_LABEL, SINGLE_LABEL
from ..modeling.text_inputs import TextEncoder
from .columns import column_values
from .loading import describe_labels
from .marks import RATIONALE, marks_of_spans


logger = logging.get_logger(__name__)

# Of words, a tenth to a fifth is usual where the texts are few.
MUCH_UNKNOWN = 0.25
# Tokens that are read of a text, where nobody says otherwise.
MAX_LENGTH = 400


def encode_texts(texts: DatasetDict, encoder: TextEncoder) -> DatasetDict:
    """Tokenise every split.

    Args:
        texts: Splits with the columns `text`, of texts or of lists that are read together, and `label`, as from
            [`load_texts`]; perhaps with `rationale`.
        encoder: Gives the token ids, cut to length.

    Returns:
        The same splits with the columns `input_ids`, `length` (in tokens) and `labels`: class ids, vectors of 0.0 and
        1.0 for several labels a text, or numbers. Of rationales also `rationale`, 1 for each marked token, else 0.

    Example:

    ```python
    >>> encode_texts(load_texts("reviews.csv"), TextEncoder(tokenizer))["train"][0]
    {'input_ids': [8, 15], 'length': 2, 'labels': 1}
    ```
    """
    return DatasetDict({name: encode_split(split, encoder) for name, split in texts.items()})


def encode_split(split: Dataset, encoder: TextEncoder) -> Dataset:
    """One split of [`encode_texts`]."""
    problem_type, names = describe_labels(split.features)
    single = problem_type == SINGLE_LABEL
    multi = problem_type == MULTI_LABEL
    marked = RATIONALE in split.column_names

    def encode(batch: dict[str, list]) -> dict[str, list]:
        labels = batch["label"]
        if multi:
            labels = [[float(index in present) for index in range(len(names))] for present in map(set, labels)]
        return {"labels": labels, **(_marked(batch, encoder) if marked else {})}

    kind = Value("int64") if single else List(Value("float32")) if multi else Value("float32")
    return tokenised(split, encoder, encode, {"labels": kind, **({RATIONALE: List(Value("int8"))} if marked else {})})


def _marked(batch: dict[str, list], encoder: TextEncoder) -> dict[str, list]:
    """Token ids, and which of them are marked."""
    encoded = encoder(batch["text"])
    marks = []
    for text, spans in zip(encoded, batch[RATIONALE]):
        # Special tokens stand nowhere.
        marks.append(marks_of_spans([span or (0, 0) for span in text.spans], spans).tolist())
    return {"input_ids": [text.input_ids for text in encoded], RATIONALE: marks}


def _nothing(_: dict[str, list]) -> dict[str, list]:
    return {}


def tokenised(
    texts: Dataset,
    encoder: TextEncoder,
    further: Callable[[dict[str, list]], dict[str, list]] = _nothing,
    features: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """Token ids and lengths in place of the columns that there are.

    Args:
        texts: With the column `text`.
        encoder: Gives the token ids, cut to length.
        further: Makes more columns of a batch of rows, or `input_ids`, where it has them.
        features: The types of these.

    Returns:
        The columns `input_ids`, `length`, in tokens, and the further ones.

    Example:

    ```python
    >>> tokenised(Dataset.from_dict({"text": ["Great food"]}), TextEncoder(tokenizer)).column_names
    ['input_ids', 'length']
    ```
    """

    def encode(batch: dict[str, list]) -> dict[str, list]:
        found = further(batch)
        if "input_ids" not in found:
            found["input_ids"] = encoder.input_ids(batch["text"])
        return found | {"length": [len(ids) for ids in found["input_ids"]]}

    return texts.map(
        encode,
        batched=True,
        remove_columns=texts.column_names,
        features=Features({"input_ids": List(Value("int32")), "length": Value("int32"), **features}),
        # An encoder is not hashed in a way that says what it does, so a cached result could be another one's.
        load_from_cache_file=False,
        desc="Tokenising",
    )


def unknown_shares(encoded: DatasetDict, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """Of each split, the share of the tokens that are unknown to the tokenizer, between 0 and 1.

    Args:
        encoded: Splits with a column `input_ids`, as from [`encode_texts`].
        tokenizer: What has encoded them.

    Example:

    ```python
    >>> unknown_shares(encode_texts(splits, TextEncoder(tokenizer)), tokenizer)
    {'train': 0.0, 'validation': 0.0}
    ```
    """
    shares = {}
    for name, split in encoded.items():
        ids = column_values(split, "input_ids").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        shares[name] = float(np.mean(ids == tokenizer.unk_token_id)) if len(ids) else 0.0
    return shares


def tell_unknown_tokens(
    encoded: DatasetDict, tokenizer: PreTrainedTokenizerBase, is_new: bool = True
) -> dict[str, float]:
    """Warn where a quarter or more of the tokens of a split is unknown to the tokenizer.

    Args:
        encoded: Splits with a column `input_ids`, as from [`encode_texts`].
        tokenizer: What has encoded them.
        is_new: Whether it was trained on these texts, and could be trained otherwise.

    Returns:
        The share of each split, between 0 and 1.

    Example:

    ```python
    >>> tell_unknown_tokens(encode_texts(splits, TextEncoder(tokenizer)), tokenizer)
    {'train': 0.013, 'validation': 0.041}
    ```
    """
    shares = unknown_shares(encoded, tokenizer)
    tell_unknown_shares(shares, is_new)
    return shares


def tell_unknown_shares(shares: Mapping[str, float], is_new: bool = True) -> None:
    """Warn where a share of unknown tokens is a quarter or more.

    Args:
        shares: By the name of the split, between 0 and 1.
        is_new: Whether the tokenizer was trained on these texts, and could be trained otherwise.

    Example:

    ```python
    >>> tell_unknown_shares({"train": 0.013})
    ```
    """
    if max(shares.values(), default=0.0) < MUCH_UNKNOWN:
        return
    mend = "they are others than it was trained on: where they are many, begin anew, with a tokenizer of their own"
    if is_new:
        pieces, characters = option("kind", "bpe"), option("kind", "char")
        mend = f"give more texts, or make pieces of words with {pieces} or single characters with {characters}"
    logger.warning(
        "Unknown to the tokenizer, so that nothing is learnt from them: %s; %s.",
        ", ".join(f"{share:.0%} of the tokens for {name}" for name, share in shares.items()),
        mend,
    )
