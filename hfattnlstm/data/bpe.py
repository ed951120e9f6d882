"""Pieces of words by byte-pair encoding, the same in every run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer, models, pre_tokenizers, trainers


# Times that a word is handed to the trainer in one go.
_BATCH = 1_000


def train_bpe(
    counts: Counter[str],
    alphabet: Sequence[str],
    vocab_size: int,
    min_frequency: int,
    *,
    special_tokens: Sequence[str],
    inner: str = "",
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Merge frequent pairs (Sennrich et al., 2016).

    The trainer numbers characters inside a word, and cuts its own alphabet, in the order of a hash table that differs
    from run to run, and breaks ties by these numbers. So it gets the alphabet as if it were special tokens.

    Args:
        counts: How often each word occurs; without spaces, and of characters of the alphabet alone.
        alphabet: The characters, with `inner` before those that go on in a word, in an order that never changes.
        vocab_size: Tokens at most, with alphabet and special tokens.
        min_frequency: How often a piece must occur.
        special_tokens: Those before all others.
        inner: Prefix of the pieces inside a word.

    Returns:
        The numbers of the tokens, and the merges.

    Example:

    ```python
    >>> train_bpe(Counter({"abab": 3}), ["a", "b"], 9, 2, special_tokens=["[PAD]"])
    ({'[PAD]': 0, 'a': 1, 'b': 2, 'ab': 3, 'abab': 4}, [('a', 'b'), ('ab', 'ab')])
    ```
    """
    most = len(special_tokens) + len(alphabet) + sum(map(len, counts))
    trainer = trainers.BpeTrainer(
        vocab_size=min(vocab_size, most),  # it reserves the memory for that many
        min_frequency=min_frequency,
        special_tokens=[*special_tokens, *alphabet],
        continuing_subword_prefix=inner,
        show_progress=False,
    )
    scratch = Tokenizer(models.BPE())
    scratch.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")
    scratch.train_from_iterator(_repeat(counts), trainer)
    model = json.loads(scratch.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def _repeat(counts: Counter[str]) -> Iterator[str]:
    """Each word as often as it was counted, because the trainer takes no counts."""
    for word, count in counts.items():
        for done in range(0, count, _BATCH):
            yield " ".join([word] * min(count - done, _BATCH))
