"""The tokens of a text that are kept where it is too long, found without tokenising all of it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from tokenizers import Encoding, Tokenizer


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

_WHITE_SPACE = re.compile("[ \t\r\n\u3000]")


def head_of(room: int, truncation: str) -> int:
    """How many of the tokens that are kept of a long text come from its beginning; the others are from its end."""
    return {"head": room, "tail": 0, "head_tail": room // HEAD_SHARE}[truncation]


def shortened(values: list[Any], room: int, truncation: str) -> list[Any]:
    """What is kept of one thing a token, where there is room for so many tokens."""
    if len(values) <= room:
        return values
    head = head_of(room, truncation)
    return values[:head] + values[len(values) - (room - head) :]


def equal_shares(lengths: list[int], room: int) -> list[int]:
    """Tokens kept of each of several texts: the longest are cut first, until all that are cut are equally long.

    Where the room cannot be shared out evenly, a longer text gets more, and of equally long ones the later. Of a text
    that is longer than the room, the room is enough to be known.

    Example:

    ```python
    >>> equal_shares([3, 9, 8], room=12)
    [3, 5, 4]
    ```
    """
    shares, left = list(lengths), room
    for done, index in enumerate(sorted(range(len(lengths)), key=lengths.__getitem__)):
        shares[index] = min(lengths[index], left // (len(lengths) - done))
        left -= shares[index]
    return shares


class KeptTokens(NamedTuple):
    """The tokens of a text that are kept, without special ones, and at which of them others are left out, if any."""

    ids: list[int]
    spans: list[tuple[int, int]]
    word_ids: list[int]
    cut: int | None

    def shortened(self, room: int, truncation: str) -> KeptTokens:
        """What a cut to fewer tokens keeps, of tokens that were cut in the same way."""
        if len(self.ids) <= room:
            return self
        ids, spans, word_ids = (shortened(values, room, truncation) for values in self[:3])
        return KeptTokens(ids, spans, word_ids, cut=head_of(room, truncation))


class TextCutter:
    """Tokenises texts and keeps the head, the tail, or head and tail of each; see [`TextEncoder`].

    Args:
        backend: A tokenizer that neither cuts nor pads, and that nobody changes.
        room: Tokens kept of a text, without special ones.
        truncation: One of `TRUNCATIONS`.
    """

    def __init__(self, backend: Tokenizer, room: int, truncation: str):
        self._backend = backend
        self.room = room
        self._head = head_of(room, truncation)
        self._tail = room - self._head
        # Characters of the first excerpts.
        self._sizes = [
            kept and kept * CHARACTERS_PER_TOKEN + 2 * GUARD_CHARACTERS for kept in (self._head, self._tail)
        ]
        self._longest_whole = sum(self._sizes)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Only the ids of what is kept of each text, faster."""
        long = iter(self.tokens([text for text in texts if len(text) > self._longest_whole]))
        short = [text for text in texts if len(text) <= self._longest_whole]
        encodings = iter(self._backend.encode_batch_fast(short, add_special_tokens=False))
        return [
            next(long).ids if len(text) > self._longest_whole else self._keep(next(encodings).ids) for text in texts
        ]

    def _keep(self, ids: list[int]) -> list[int]:
        # As `shortened`, which takes longer: most texts of a training come this way.
        return ids if len(ids) <= self.room else ids[: self._head] + ids[len(ids) - self._tail :]

    def tokens(self, texts: Sequence[str]) -> list[KeptTokens]:
        """What is kept of each text, with spans and words."""
        found: list[KeptTokens | None] = [None] * len(texts)
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

    def _kept(self, text: str, bounds: list[tuple[int, int]], encodings: list[Encoding]) -> KeptTokens | None:
        """What the whole text would keep; None when the excerpts are too short to tell."""
        first, last = encodings[0], encodings[-1]
        if bounds == [(0, len(text))]:
            if len(first) <= self.room:
                return KeptTokens(first.ids, first.offsets, first.word_ids, None)
            return self._joined(first, last, 0, 0)
        # There must be one token more on either side, or perhaps none is left out.
        if self._head and _certain_at_start(first, bounds[0][1]) <= self._head:
            return None
        start, end = bounds[-1]
        if self._tail and _certain_at_end(last, text[start:end]) <= self._tail:
            return None
        words_before = first.word_ids[-1] + 1 if first is not last else 0
        return self._joined(first, last, start, words_before)

    def _joined(self, first: Encoding, last: Encoding, shift: int, words_before: int) -> KeptTokens:
        """The first tokens of one encoding and the last ones of another, that begins so many characters later."""
        head, tail = slice(0, self._head), slice(len(last) - self._tail, len(last))
        return KeptTokens(
            first.ids[head] + last.ids[tail],
            first.offsets[head] + [(start + shift, end + shift) for start, end in last.offsets[tail]],
            first.word_ids[head] + [word + words_before for word in last.word_ids[tail]],
            cut=self._head,
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
