"""From texts to token ids: checked, cut to length, with the span of every token in the original text."""

from __future__ import annotations

import copy
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from tokenizers import Encoding, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase


TRUNCATIONS = ("head", "tail", "head_tail")
# A share of a quarter for the beginning did best in Sun et al. (2019).
HEAD_SHARE = 4
# Tokenizers cut after tokenising, which takes a second for a million characters. So of a long text only its two ends
# are tokenised, more and more of them until they hold all tokens that are kept. Most words take 5 to 6 characters.
CHARACTERS_PER_TOKEN = 12
EXCERPT_GROWTH = 4
# Near the place where an excerpt was cut off there can be other tokens than in the whole text: a part of a word, or of
# a longer thing that the tokenizer replaces, such as "<br />". So much there is read, but not relied on.
GUARD_WORDS = 16
GUARD_CHARACTERS = 256
# What `model_max_length` means in practice when a tokenizer has none.
NO_MAX_LENGTH = 1_000_000

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WHITE_SPACE = re.compile("[ \t\r\n\u3000]")


@dataclass(frozen=True)
class EncodedText:
    """A text as the model reads it.

    Attributes:
        input_ids: Token ids, special tokens included.
        spans: Start and end of each token in the original text; None for special tokens.
        word_ids: Which word each token belongs to, in ascending order, with any numbers; None for special tokens.
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


class _Tokens(NamedTuple):
    """The tokens of a text that are kept, without special ones, and at which of them others are left out, if any."""

    ids: list[int]
    spans: list[tuple[int, int]]
    word_ids: list[int]
    cut: int | None


def longest_input(tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a tokenizer keeps of a text, `NO_MAX_LENGTH` where it has no bound."""
    return min(tokenizer.model_max_length, NO_MAX_LENGTH)


def check_texts(texts: Iterable[object], first: int = 0) -> list[str]:
    """Make sure that all are strings, and replace lone surrogates, which no tokenizer reads, one for one.

    Args:
        texts: What should be texts.
        first: Position of the first of them in the user's input.

    Raises:
        TypeError: Names the position and the type of the first entry that is not a string.

    Example:

    ```python
    >>> check_texts(["good", "bad \\ud83d"])
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

    The tokens are those of the whole text, cut afterwards. Of a text that is far longer than `max_length` only as much
    is tokenised as this takes, which is right for tokenizers whose rules start anew at white space (for the tail) and
    reach over no more than 16 words or 256 characters; a single word, however long, is always read to its end.

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
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._prefix, self._suffix = self._special_tokens()
        self._cut(longest_input(tokenizer) if max_length is None else max_length, truncation)

    def cut_to(self, max_length: int, truncation: str) -> TextEncoder:
        """An encoder that cuts otherwise; the two share one copy of the tokenizer, which is what takes memory."""
        other = copy.copy(self)
        other._cut(max_length, truncation)
        return other

    def _cut(self, max_length: int, truncation: str) -> None:
        if truncation not in TRUNCATIONS:
            raise ValueError(f"truncation must be one of {', '.join(TRUNCATIONS)}, got {truncation!r}.")
        if not isinstance(max_length, int) or isinstance(max_length, bool):
            raise ValueError(f"max_length must be a whole number, got {max_length!r}.")
        self.max_length = max_length
        self.truncation = truncation
        room = self.max_length - len(self._prefix) - len(self._suffix)
        if room < 1:
            raise ValueError(f"max_length={self.max_length} leaves no room for a token of the text: raise it.")
        head = {"head": room, "tail": 0, "head_tail": room // HEAD_SHARE}[truncation]
        self._head, self._tail = head, room - head
        # Characters of the first excerpts.
        self._sizes = [kept and kept * CHARACTERS_PER_TOKEN + 2 * GUARD_CHARACTERS for kept in (head, room - head)]
        self._longest_whole = sum(self._sizes)

    def __call__(self, texts: Sequence[str]) -> list[EncodedText]:
        """Encode texts; see the class. TypeError when one is not a string."""
        texts = check_texts(texts)
        return [self._encoded(text, tokens) for text, tokens in zip(texts, self._tokens(texts))]

    def input_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Only the token ids, faster: for training data."""
        texts = check_texts(texts)
        long = iter(self._tokens([text for text in texts if len(text) > self._longest_whole]))
        short = [text for text in texts if len(text) <= self._longest_whole]
        encodings = iter(self._backend.encode_batch_fast(short, add_special_tokens=False))
        kept = [
            next(long).ids if len(text) > self._longest_whole else self._keep(next(encodings).ids) for text in texts
        ]
        return [self._prefix + ids + self._suffix for ids in kept]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """Ids that the tokenizer sets before and after a single text."""
        # A model that knows the text for certain; the post-processor has its ids from elsewhere.
        probe = copy.deepcopy(self._backend)
        probe.normalizer, probe.pre_tokenizer = normalizers.Sequence([]), pre_tokenizers.Sequence([])
        probe.model = models.WordLevel({"a": 0}, unk_token="a")
        encoding = probe.encode("a", add_special_tokens=True)
        own = encoding.special_tokens_mask.index(0)
        return encoding.ids[:own], encoding.ids[own + 1 :]

    def _tokens(self, texts: list[str]) -> list[_Tokens]:
        """What is kept of each text."""
        found: list[_Tokens | None] = [None] * len(texts)
        waiting, scale = list(range(len(texts))), 1
        while waiting:
            bounds = [self._excerpts(len(texts[index]), scale) for index in waiting]
            excerpts = [texts[index][start:end] for index, parts in zip(waiting, bounds) for start, end in parts]
            encodings = iter(self._backend.encode_batch(excerpts, add_special_tokens=False))
            for index, parts in zip(waiting, bounds):
                found[index] = self._kept(texts[index], parts, [next(encodings) for _ in parts])
            waiting = [index for index in waiting if found[index] is None]
            scale *= EXCERPT_GROWTH
        return found

    def _excerpts(self, length: int, scale: int) -> list[tuple[int, int]]:
        """Where the parts to tokenise begin and end: the whole text, or its head and tail that do not meet."""
        head, tail = (scale * size for size in self._sizes)
        if head + tail >= length:
            return [(0, length)]
        return [(start, end) for start, end in ((0, head), (length - tail, length)) if start < end]

    def _kept(self, text: str, bounds: list[tuple[int, int]], encodings: list[Encoding]) -> _Tokens | None:
        """What the whole text would keep; None when the excerpts are too short to tell."""
        first, last = encodings[0], encodings[-1]
        if bounds == [(0, len(text))]:
            if len(first) <= self._head + self._tail:
                return _Tokens(first.ids, first.offsets, first.word_ids, None)
            return self._joined(first, last, 0, 0)
        # There must be one token more on either side, or perhaps none is left out.
        if self._head and _certain_at_start(first, bounds[0][1]) <= self._head:
            return None
        start, end = bounds[-1]
        if self._tail and _certain_at_end(last, text[start:end]) <= self._tail:
            return None
        words_before = first.word_ids[-1] + 1 if first is not last else 0
        return self._joined(first, last, start, words_before)

    def _joined(self, first: Encoding, last: Encoding, shift: int, words_before: int) -> _Tokens:
        """The first tokens of one encoding and the last ones of another, that begins so many characters later."""
        head, tail = slice(0, self._head), slice(len(last) - self._tail, len(last))
        return _Tokens(
            first.ids[head] + last.ids[tail],
            first.offsets[head] + [(start + shift, end + shift) for start, end in last.offsets[tail]],
            first.word_ids[head] + [word + words_before for word in last.word_ids[tail]],
            cut=self._head,
        )

    def _keep(self, ids: list[int]) -> list[int]:
        if len(ids) <= self._head + self._tail:
            return ids
        return ids[: self._head] + ids[len(ids) - self._tail :]

    def _encoded(self, text: str, tokens: _Tokens) -> EncodedText:
        spans = tokens.spans if text.isascii() else _with_combining_marks(tokens.spans, text)
        before, after = [None] * len(self._prefix), [None] * len(self._suffix)
        return EncodedText(
            input_ids=self._prefix + tokens.ids + self._suffix,
            spans=before + spans + after,
            word_ids=before + tokens.word_ids + after,
            left_out=0 if tokens.cut is None else _gap(spans, tokens.cut, len(text)),
        )


def _certain_at_start(encoding: Encoding, length: int) -> int:
    """How many of the first tokens do not depend on what comes after these `length` characters."""
    words = encoding.word_ids
    if not words:
        return 0
    by_words = bisect_right(words, words[-1] - GUARD_WORDS)
    return min(by_words, bisect_right(encoding.offsets, length - GUARD_CHARACTERS, key=itemgetter(1)))


def _certain_at_end(encoding: Encoding, excerpt: str) -> int:
    """How many of the last tokens do not depend on what comes before the excerpt.

    In a run of digits or flags, tokenizers count from its beginning, so there must be white space before.
    """
    words, space = encoding.word_ids, _WHITE_SPACE.search(excerpt)
    if not words or not space:
        return 0
    by_words = bisect_left(words, words[0] + GUARD_WORDS)
    place = max(GUARD_CHARACTERS, space.end())
    return len(words) - max(by_words, bisect_left(encoding.offsets, place, key=itemgetter(0)))


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
