"""Pairs of texts as the rows that a Trainer reads."""

from __future__ import annotations

from datasets import Dataset, Features, List, Value

from ..modeling.pair_processor import PairProcessor
from .pairs import SOURCE, TARGET


def encode_pairs(pairs: Dataset, processor: PairProcessor) -> Dataset:
    """Token ids of both sides.

    Args:
        pairs: With the columns `source` and `target`, as from [`load_pairs`].
        processor: Gives the ids, cut to length.

    Returns:
        The columns `input_ids`, `labels`, and `length`, the tokens of both together.

    Example:

    ```python
    >>> encode_pairs(Dataset.from_dict({"source": ["Hund"], "target": ["dog"]}), processor)[0]
    {'input_ids': [1, 3], 'labels': [13, 3], 'length': 4}
    ```
    """
    ids, labels = processor.sources(pairs[SOURCE][:]), processor.targets(pairs[TARGET][:])
    lengths = [len(source) + len(target) for source, target in zip(ids, labels)]
    tokens = List(Value("int32"))
    features = Features({"input_ids": tokens, "labels": tokens, "length": Value("int32")})
    return Dataset.from_dict({"input_ids": ids, "labels": labels, "length": lengths}, features=features)
