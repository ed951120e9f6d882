"""Sentences with tags as the rows that a Trainer reads."""

from __future__ import annotations

import numpy as np
from datasets import Dataset, Features, List, Value

from ..modeling.losses import IGNORED
from ..modeling.word_tokens import WordEncoder


def encode_tags(sentences: Dataset, encoder: WordEncoder) -> Dataset:
    """Token ids and labels; a long sentence gives several rows that overlap, each of its words a label in one.

    Args:
        sentences: With the columns `tokens` and `tags`, as from [`load_tagged_texts`].
        encoder: Gives the token ids.

    Returns:
        The columns `input_ids`, `labels` (-100 on tokens that begin no word), `length` in tokens, and `sentence`, the
        number of the row that it comes from.

    Example:

    ```python
    >>> rows = Dataset.from_dict({"tokens": [["not", "so", "good"]], "tags": [[0, 1, 0]]})
    >>> encode_tags(rows, WordEncoder(tokenizer))[0]
    {'input_ids': [7, 8, 9], 'labels': [0, 1, 0], 'length': 3, 'sentence': 0}
    ```
    """
    columns: dict[str, list] = {"input_ids": [], "labels": [], "length": [], "sentence": []}
    for number, (words, tags) in enumerate(zip(sentences["tokens"], sentences["tags"])):
        for window in encoder.windows(words) if words else ():
            labels = np.full(len(window.input_ids), IGNORED)
            first, last = window.kept
            starts = window.starts[first - window.first : last - window.first]
            labels[starts] = tags[first:last]
            columns["input_ids"].append(window.input_ids)
            columns["labels"].append(labels)
            columns["length"].append(len(window.input_ids))
            columns["sentence"].append(number)
    ids = List(Value("int32"))
    features = {"input_ids": ids, "labels": ids, "length": Value("int32"), "sentence": Value("int64")}
    return Dataset.from_dict(columns, features=Features(features))


def joined_rows(rows: Dataset, values: np.ndarray, count: int) -> list[np.ndarray]:
    """What was found for the words of each sentence, whose rows stand one behind the other.

    Args:
        rows: From [`encode_tags`].
        values: (rows, length), something a token.
        count: Sentences.

    Returns:
        (words,) of each.

    Example:

    ```python
    >>> rows = encode_tags(Dataset.from_dict({"tokens": [["so", "good"]], "tags": [[0, 1]]}), WordEncoder(tokenizer))
    >>> joined_rows(rows, np.array([[5, 6]]), 1)
    [array([5, 6])]
    ```
    """
    found: list[list[np.ndarray]] = [[] for _ in range(count)]
    for sentence, labels, own in zip(rows["sentence"], rows["labels"], values):
        known = np.asarray(labels) != IGNORED
        found[sentence].append(np.asarray(own)[: len(known)][known])
    return [np.concatenate(parts) if parts else values[:0, 0] for parts in found]
