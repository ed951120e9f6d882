"""From texts to token ids: checked, cut to length, with the span of every token in the original text."""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from tokenizers import models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase

from .text_cuts import TRUNCATIONS, KeptTokens, TextCutter, equal_shares, shortened


# What `model_max_length` means in practice when a tokenizer has none.
NO_MAX_LENGTH = 1_000_000

# Vowels and final consonants of decomposed Korean.
_PARTS_OF_SYLLABLES = re.compile("[\u1160-\u11ff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class EncodedText:
    """A text, or several that are read together, as the model reads them.

    Attributes:
        input_ids: Token ids, special tokens included.
        spans: Start and end of each token in the original text that it comes from; None for special tokens.
        word_ids: Which word each token belongs to, in ascending order, with any numbers; None for special tokens.
        left_out: Characters of the texts that no kept token can have come from, because they were too long.
        parts: Where the tokens of each of several texts stand; empty for a single one.
    """

    input_ids: list[int]
    spans: list[tuple[int, int] | None]
    word_ids: list[int | None]
    left_out: int
    parts: tuple[slice, ...] = ()

    @property
    def own_tokens(self) -> slice:
        """Where the tokens of a single text stand, between the special tokens before and after it."""
        length = len(self.spans)
        start = next((index for index, span in enumerate(self.spans) if span is not None), length)
        after = next((index for index, span in enumerate(reversed(self.spans)) if span is not None), length - start)
        return slice(start, length - after)


class _Frame(NamedTuple):
    """Ids of the special tokens before, between and after texts."""

    before: list[int]
    between: list[int]
    after: list[int]


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

    Several texts that are read together, such as a pair, stand in a row in the place of a text. They are joined as the
    tokenizer joins pairs, and where they are too long, the longest is cut first, until all that are cut are equally
    long; each is cut as a single text is.

    Args:
        tokenizer: A fast tokenizer.
        max_length: Tokens kept of a text, or of all in a row; the tokenizer's `model_max_length` when it is None.
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
        # By the number of texts that they stand around.
        self._frames = {1: self._frame(1)}
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
        self._cutter = self._cutter_for(1)

    def _cutter_for(self, count: int) -> TextCutter:
        """What cuts to the tokens that the special ones leave of the length to so many texts."""
        frame = self._frames[count]
        room = self.max_length - len(frame.before) - (count - 1) * len(frame.between) - len(frame.after)
        if room < count:
            whose = "a token of the text" if count == 1 else f"a token of each of {count} texts"
            raise ValueError(f"max_length={self.max_length} leaves no room for {whose}: raise it.")
        return TextCutter(self._backend, room, self.truncation)

    def __call__(self, texts: Sequence[str] | Sequence[Sequence[str]]) -> list[EncodedText]:
        """Encode texts, or rows of texts; see the class.

        Raises:
            TypeError: When one is not a string.
            ValueError: When rows have different numbers of texts, or the tokenizer sets no token between two.
        """
        if _are_rows(texts):
            rows = _check_rows(texts)
            return [self._joined(row, tokens) for row, tokens in zip(rows, self._tokens_of(rows))]
        texts = check_texts(texts)
        return [self._encoded(text, tokens) for text, tokens in zip(texts, self._cutter.tokens(texts))]

    def input_ids(self, texts: Sequence[str] | Sequence[Sequence[str]]) -> list[list[int]]:
        """Only the token ids, faster: for training data."""
        if _are_rows(texts):
            return self._ids_of_rows(_check_rows(texts))
        frame = self._frames[1]
        return [frame.before + ids + frame.after for ids in self._cutter.ids(check_texts(texts))]

    def _frame(self, count: int) -> _Frame:
        """The special tokens of a single text, or those of several, which are joined as two are."""
        # A model that knows the text for certain; the post-processor has its ids from elsewhere.
        probe = copy.deepcopy(self._backend)
        probe.normalizer, probe.pre_tokenizer = normalizers.Sequence([]), pre_tokenizers.Sequence([])
        probe.model = models.WordLevel({"a": 0}, unk_token="a")
        encoding = probe.encode("a", "a" if count > 1 else None, add_special_tokens=True)
        own = [place for place, special in enumerate(encoding.special_tokens_mask) if not special]
        first, last = own[0], own[-1]
        return _Frame(encoding.ids[:first], encoding.ids[first + 1 : last], encoding.ids[last + 1 :])

    def _frame_and_cutter(self, count: int) -> tuple[_Frame, TextCutter]:
        """For rows of so many texts."""
        if count not in self._frames:
            frame = self._frame(count)
            if not frame.between:
                raise ValueError(
                    "The tokenizer sets no token between two texts, and where one ends could not be seen: take one "
                    "that does, such as hfattnlstm.train_tokenizer makes."
                )
            self._frames[count] = frame
        return self._frames[count], self._cutter_for(count)

    def _tokens_of(self, rows: list[list[str]]) -> Iterator[list[KeptTokens]]:
        """What is kept of each text of each row."""
        _, cutter = self._frame_and_cutter(len(rows[0]))
        tokens = iter(cutter.tokens([text for row in rows for text in row]))
        for row in rows:
            own = [next(tokens) for _ in row]
            shares = equal_shares([len(text.ids) for text in own], cutter.room)
            yield [text.shortened(share, self.truncation) for text, share in zip(own, shares)]

    def _ids_of_rows(self, rows: list[list[str]]) -> list[list[int]]:
        frame, cutter = self._frame_and_cutter(len(rows[0]))
        ids = iter(cutter.ids([text for row in rows for text in row]))
        found = []
        for row in rows:
            own = [next(ids) for _ in row]
            shares = equal_shares(list(map(len, own)), cutter.room)
            first, *others = [shortened(text, share, self.truncation) for text, share in zip(own, shares)]
            joined = frame.before + first
            for text in others:
                joined += frame.between + text
            found.append(joined + frame.after)
        return found

    def _encoded(self, text: str, tokens: KeptTokens) -> EncodedText:
        spans = _spans(text, tokens)
        frame = self._frames[1]
        before, after = [None] * len(frame.before), [None] * len(frame.after)
        return EncodedText(
            input_ids=frame.before + tokens.ids + frame.after,
            spans=before + spans + after,
            word_ids=before + tokens.word_ids + after,
            left_out=_left_out(text, tokens, spans),
        )

    def _joined(self, row: list[str], kept: list[KeptTokens]) -> EncodedText:
        """A row of texts; the words of all are numbered on."""
        frame = self._frames[len(row)]
        ids, left_out, words = list(frame.before), 0, 0
        spans: list[tuple[int, int] | None] = [None] * len(ids)
        word_ids: list[int | None] = [None] * len(ids)
        parts = []
        for number, (text, tokens) in enumerate(zip(row, kept)):
            between = frame.between if number else []
            own = _spans(text, tokens)
            ids += between + tokens.ids
            spans += [None] * len(between) + own
            word_ids += [None] * len(between) + [word + words for word in tokens.word_ids]
            words += tokens.word_ids[-1] + 1 if tokens.word_ids else 0
            left_out += _left_out(text, tokens, own)
            parts.append(slice(len(ids) - len(own), len(ids)))
        after = [None] * len(frame.after)
        return EncodedText(ids + frame.after, spans + after, word_ids + after, left_out, tuple(parts))


def _are_rows(texts: Sequence[Any]) -> bool:
    return isinstance(next(iter(texts), None), (list, tuple))


def _check_rows(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Rows of as many texts as the first has, all strings, without lone surrogates."""
    count = len(rows[0])
    checked = []
    for position, row in enumerate(rows):
        if not isinstance(row, (list, tuple)) or len(row) != count:
            raise ValueError(
                f"Text number {position} is no row of {count} texts, as the first one is: give equally many in each."
            )
        checked.append([check_texts([text], position)[0] for text in row])
    return checked


def _spans(text: str, tokens: KeptTokens) -> list[tuple[int, int]]:
    return tokens.spans if text.isascii() else _with_combining_marks(tokens.spans, text)


def _left_out(text: str, tokens: KeptTokens, spans: list[tuple[int, int]]) -> int:
    return 0 if tokens.cut is None else _gap(spans, tokens.cut, len(text))


def _with_combining_marks(spans: list[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """Spans that end with their letter's marks, which normalisers such as NFC leave out of them."""
    starts = [start for start, _ in spans[1:]] + [len(text)]
    extended = []
    for (start, end), limit in zip(spans, starts):
        while end < limit and (unicodedata.combining(text[end]) or _PARTS_OF_SYLLABLES.match(text[end])):
            end += 1
        extended.append((start, end))
    return extended


def _gap(spans: list[tuple[int, int]], cut: int, length: int) -> int:
    """Characters between the tokens before and after the cut, of a text with `length` characters."""
    start = spans[cut - 1][1] if cut else 0
    end = spans[cut][0] if cut < len(spans) else length
    return end - start
