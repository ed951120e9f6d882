"""From texts to token ids: checked, cut to length, with the span of every token in the original text."""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase


TRUNCATIONS = ("head", "tail", "head_tail")
# A share of a quarter for the beginning did best in Sun et al. (2019).
HEAD_SHARE = 4
# Tokenizers cut after tokenising. Text far beyond what the longest kept tokens can fill is cut before, so that the
# time is bounded; ordinary words take 5 to 6 characters.
CHARACTERS_PER_TOKEN = 50
# What `model_max_length` means in practice when a tokenizer has none.
NO_MAX_LENGTH = 1_000_000

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class EncodedText:
    """A text as the model reads it.

    Attributes:
        input_ids: Token ids, special tokens included.
        spans: Start and end of each token in the original text; None for special tokens.
        word_ids: Which word each token belongs to; None for special tokens.
        left_out: Characters of the text that no kept token can have come from, because it was too long.
    """

    input_ids: list[int]
    spans: list[tuple[int, int] | None]
    word_ids: list[int | None]
    left_out: int

    @property
    def own_tokens(self) -> slice:
        """Where the tokens of the text stand, between the special tokens before and after it."""
        length = len(self.spans)
        start = next((index for index, span in enumerate(self.spans) if span is not None), length)
        after = next((index for index, span in enumerate(reversed(self.spans)) if span is not None), length - start)
        return slice(start, length - after)


def check_texts(texts: Iterable[object], first: int = 0) -> list[str]:
    """Make sure that all are strings, and replace lone surrogates, which no tokenizer reads, one for one.

    Args:
        texts: What should be texts.
        first: Position of the first of them in the user's input.

    Raises:
        TypeError: Names the position and the type of the first entry that is not a string.

    Example:

    ```python
    >>> check_texts(["good", "bad \ud83d"])
    ['good', 'bad �']
    ```
    """
    checked = []
    for position, text in enumerate(texts, first):
        if not isinstance(text, str):
            raise TypeError(
                f"Text number {position} is of type {type(text).__name__}, not str: leave it out or turn it into text."
            )
        checked.append(text if text.isascii() else _LONE_SURROGATE.sub("�", text))
    return checked


def pad_ids(ids: Sequence[Sequence[int]], pad_token_id: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Token ids as one array, padded on the right.

    Args:
        ids: Token ids of each text.
        pad_token_id: What fills the rows up; 0 when it is None.

    Returns:
        Ids, int64 (texts, length), and a mask, boolean (texts, length), that is True on the tokens; at least one
        column.

    Example:

    ```python
    >>> pad_ids([[7, 8], [9]], 0)
    (array([[7, 8], [9, 0]]), array([[ True,  True], [ True, False]]))
    ```
    """
    lengths = np.array([len(row) for row in ids])
    mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
    padded = np.full(mask.shape, pad_token_id or 0, dtype=np.int64)
    padded[mask] = np.concatenate(ids) if len(ids) else []
    return padded, mask


class TextEncoder:
    """Encodes texts with a fast tokenizer, cut to the head, the tail, or head and tail.

    It works on a copy of the tokenizer's backend that nobody else changes, so one encoder serves many threads.

    Args:
        tokenizer: A fast tokenizer.
        max_length: Tokens kept of a text; the tokenizer's `model_max_length` when it is None.
        truncation: `"head"`, `"tail"` or `"head_tail"`: a quarter of the tokens from the beginning, the others from
            the end (Sun et al., 2019).

    Raises:
        TypeError: For a tokenizer without a `tokenizers` backend.
        ValueError: For an unknown truncation, or a `max_length` with no room for a token.

    Example:

    ```python
    >>> encoder = TextEncoder(tokenizer, max_length=2, truncation="tail")
    >>> encoder(["not so good"])[0].spans
    [(4, 6), (7, 11)]
    ```
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int | None = None, truncation: str = "head"):
        if not getattr(tokenizer, "is_fast", False):
            raise TypeError(
                f"{type(tokenizer).__name__} is not a fast tokenizer: load one with AutoTokenizer, or train one with "
                "hfattnlstm.train_tokenizer."
            )
        if truncation not in TRUNCATIONS:
            raise ValueError(f"truncation must be one of {', '.join(TRUNCATIONS)}, got {truncation!r}.")
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._prefix, self._suffix = self._special_tokens()
        if max_length is None:
            max_length = min(tokenizer.model_max_length, NO_MAX_LENGTH)
        elif not isinstance(max_length, int):
            raise ValueError(f"max_length must be a whole number, got {max_length!r}.")
        self.max_length = max_length
        self.truncation = truncation
        room = self.max_length - len(self._prefix) - len(self._suffix)
        if room < 1:
            raise ValueError(f"max_length={self.max_length} leaves no room for a token of the text: raise it.")
        head = {"head": room, "tail": 0, "head_tail": room // HEAD_SHARE}[truncation]
        self._head, self._tail = head, room - head

    def __call__(self, texts: Sequence[str]) -> list[EncodedText]:
        """Encode texts; see the class. TypeError when one is not a string."""
        texts = check_texts(texts)
        excerpts = [self._excerpt(text) for text in texts]
        encodings = self._backend.encode_batch([excerpt for excerpt, _, _ in excerpts], add_special_tokens=False)
        return [
            self._cut(encoding, text, split, shift)
            for text, encoding, (_, split, shift) in zip(texts, encodings, excerpts)
        ]

    def input_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Only the token ids, faster: for training data."""
        texts = [self._excerpt(text)[0] for text in check_texts(texts)]
        encodings = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        return [self._prefix + self._keep(encoding.ids) + self._suffix for encoding in encodings]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """Ids that the tokenizer sets before and after a single text."""
        # A model that knows the text for certain; the post-processor has its ids from elsewhere.
        probe = copy.deepcopy(self._backend)
        probe.normalizer, probe.pre_tokenizer = normalizers.Sequence([]), pre_tokenizers.Sequence([])
        probe.model = models.WordLevel({"a": 0}, unk_token="a")
        encoding = probe.encode("a", add_special_tokens=True)
        own = encoding.special_tokens_mask.index(0)
        return encoding.ids[:own], encoding.ids[own + 1 :]

    def _excerpt(self, text: str) -> tuple[str, int, int]:
        """The part worth tokenising, and from which of its characters on spans are shifted, by how much."""
        head, tail = self._head * CHARACTERS_PER_TOKEN, self._tail * CHARACTERS_PER_TOKEN
        if len(text) <= head + tail + 1:
            return text, 0, 0
        gap = " " if head and tail else ""
        excerpt = text[:head] + gap + text[len(text) - tail :]
        return excerpt, head + len(gap) if tail else len(excerpt), len(text) - len(excerpt)

    def _keep(self, values: list) -> list:
        if len(values) <= self._head + self._tail:
            return values
        return values[: self._head] + values[len(values) - self._tail :]

    def _cut(self, encoding: Encoding, text: str, split: int, shift: int) -> EncodedText:
        spans = offsets = self._keep(encoding.offsets)
        # With both a head and a tail, a space before `split` was put in between them; it stands for nothing.
        tail = split - 1 if self._head and self._tail else split
        if shift:
            spans = [
                (max(start, split) + shift, max(end, split) + shift) if start >= tail else (start, end)
                for start, end in offsets
            ]
        if not text.isascii():
            spans = _with_combining_marks(spans, text)
        cuts = set()
        if len(encoding) > len(spans):
            cuts.add(self._head)
        if shift:
            cuts.add(sum(start < tail for start, _ in offsets))
        before, after = [None] * len(self._prefix), [None] * len(self._suffix)
        return EncodedText(
            input_ids=self._prefix + self._keep(encoding.ids) + self._suffix,
            spans=before + spans + after,
            word_ids=before + self._keep(encoding.word_ids) + after,
            left_out=sum(_gap(spans, cut, len(text)) for cut in cuts),
        )


def _with_combining_marks(spans: list[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """Spans that end with their letter's marks, which normalisers such as NFC leave out of them."""
    starts = [start for start, _ in spans[1:]] + [len(text)]
    extended = []
    for (start, end), limit in zip(spans, starts):
        while end < limit and unicodedata.combining(text[end]):
            end += 1
        extended.append((start, end))
    return extended


def _gap(spans: list[tuple[int, int]], cut: int, length: int) -> int:
    """Characters between the tokens before and after the cut, of a text with `length` characters."""
    start = spans[cut - 1][1] if cut else 0
    end = spans[cut][0] if cut < len(spans) else length
    return end - start
