"""From given words to token ids and back: which tokens stand for a word, and windows over long sentences."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase


class Window(NamedTuple):
    """A part of a sentence that a model reads at once.

    Attributes:
        input_ids: Its tokens.
        first: Number of its first word in the sentence.
        starts: For each of its words, the place of the first token.
        kept: The words, from their first to behind their last in the sentence, whose tags are taken from here: those
            that stand further inside than in any other window.
    """

    input_ids: list[int]
    first: int
    starts: list[int]
    kept: tuple[int, int]


class WordEncoder:
    """Token ids of given words, a word at a time.

    The words stay as they are given: a tokenizer's rules for cutting texts into words are not asked.

    Args:
        tokenizer: A fast tokenizer.
        max_length: Tokens of a window; those that the tokenizer keeps of a text without.

    Raises:
        TypeError: For a tokenizer without a `tokenizers` backend.
        ValueError: For a `max_length` below 8.

    Example:

    ```python
    >>> encoder = WordEncoder(tokenizer)
    >>> encoder(["not", "so", "good"])
    [[7], [8], [9]]
    ```
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int | None = None):
        if not getattr(tokenizer, "is_fast", False):
            raise TypeError(f"{type(tokenizer).__name__} is not a fast tokenizer: load one with AutoTokenizer.")
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._unknown = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else 0
        self.max_length = min(tokenizer.model_max_length, _NO_LIMIT) if max_length is None else max_length
        if self.max_length < _SHORTEST:
            raise ValueError(f"max_length={self.max_length} leaves no room for words: give {_SHORTEST} or more.")
        self._known: dict[str, list[int]] = {}
        # Its rules mark where a word begins; a mark of what goes on inside of one is a part of the tokens.
        self._inside = getattr(self._backend.model, "continuing_subword_prefix", None)
        self._marks = marks_beginnings(tokenizer)

    def __call__(self, words: Iterable[str]) -> list[list[int]]:
        """The ids of each word, one at least and `max_length` at most."""
        return [self._known.get(word) or self._encoded(word) for word in words]

    def _encoded(self, word: str) -> list[int]:
        normal = word if self._backend.normalizer is None else self._backend.normalizer.normalize_str(word)
        normal = normal.strip()
        is_read = bool(normal) and not self._marks and not (self._inside and normal.startswith(self._inside))
        ids = [token.id for token in self._backend.model.tokenize(normal)] if is_read else []
        if not ids or self._unknown in ids:
            # Pieces that the tokenizer cuts a word into may be known where the whole is not.
            ids = self._backend.encode([word], is_pretokenized=True, add_special_tokens=False).ids or [self._unknown]
        ids = ids[: self.max_length]
        if len(self._known) < _MOST_KNOWN:
            self._known[word] = ids
        return ids

    def windows(self, words: Sequence[str]) -> list[Window]:
        """A sentence as the windows that a model reads; one where it is not longer than `max_length` tokens.

        Example:

        ```python
        >>> WordEncoder(tokenizer).windows(["not", "so", "good"])
        [Window(input_ids=[7, 8, 9], first=0, starts=[0, 1, 2], kept=(0, 3))]
        ```
        """
        return windows_of(self(words), self.max_length)


def marks_beginnings(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokens of a tokenizer have a mark where a word begins, such as `▁`, and none inside of it.

    Example:

    ```python
    >>> marks_beginnings(tokenizer)
    False
    ```
    """
    model = tokenizer.backend_tokenizer.model
    kind = type(model).__name__
    return kind == "Unigram" or (kind == "BPE" and not model.continuing_subword_prefix)


def windows_of(ids: Sequence[list[int]], room: int) -> list[Window]:
    """The windows of a sentence.

    Args:
        ids: Token ids of each word, none longer than `room`.
        room: Tokens of a window.

    Example:

    ```python
    >>> [window.kept for window in windows_of([[7], [8], [9], [5]], room=3)]
    [(0, 3), (3, 4)]
    ```
    """
    spans = _word_windows([len(each) for each in ids], room)
    # Two windows share words; each is tagged by the one in which it stands further inside.
    borders = [0, *((end + start) // 2 for (_, end), (start, _) in pairwise(spans)), len(ids)]
    return [
        _window(ids[start:end], start, (borders[number], borders[number + 1]))
        for number, (start, end) in enumerate(spans)
    ]


def sentences_of(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first word of each sentence of a text, and the one behind its last.

    A sentence ends with its line, or with a mark such as a full stop, and what closes behind it, before white space. A
    point does not end one behind an initial or a title, and before a small letter; that of another abbreviation is no
    word by itself. Chinese and Japanese marks need no white space.

    Args:
        text: The text.
        spans: Start and end of each of its words.

    Example:

    ```python
    >>> text = "It is late. Go!"
    >>> sentences_of(text, [(0, 2), (3, 5), (6, 10), (10, 11), (12, 14), (14, 15)])
    [(0, 4), (4, 6)]
    ```
    """
    found, first, ended, before = [], 0, False, ""
    for place, (start, end) in enumerate(spans):
        gap = text[spans[place - 1][1] : start] if place else ""
        word = text[start:end]
        ends, closes = word[0] in _ENDS, _CLOSES.issuperset(word)
        goes_on = ended == _POINT and word[0].islower()
        is_over = ended and not goes_on and (gap or (ended == _WIDE and not ends and not closes))
        if place > first and ("\n" in gap or is_over):
            found.append((first, place))
            first, ended = place, False
        if ends:
            ended = _WIDE if word[0] in _WIDE_ENDS else _NARROW
            if word == ".":
                ended = False if not gap and _is_shortened(before) else _POINT
        elif not closes:
            ended = False
        before = word
    return [*found, (first, len(spans))] if len(spans) > first else found


_NO_LIMIT = 1_000_000
_SHORTEST = 8
_MOST_KNOWN = 200_000
# Share of a window that the next one reads, too.
_OVERLAP = 0.25
# Marks that end a sentence, those that need no white space behind them, and what may close it.
_WIDE_ENDS = "。！？"
_ENDS = ".!?…" + _WIDE_ENDS
_CLOSES = frozenset("\"'”’»)]}」』）")
_NARROW, _POINT, _WIDE = "narrow", "point", "wide"
# What stands before a name.
_TITLES = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "st", "mt", "gen", "sen", "rep", "gov", "lt", "col", "sgt", "capt", "rev", "hon")
)


def _is_shortened(word: str) -> bool:
    """Whether a point behind a word belongs to it: an initial, or a title."""
    return (len(word) == 1 and word.isupper()) or word.lower() in _TITLES


def _window(ids: list[list[int]], first: int, kept: tuple[int, int]) -> Window:
    starts, joined = [], []
    for word in ids:
        starts.append(len(joined))
        joined += word
    return Window(joined, first, starts, kept)


def _word_windows(lengths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """The first word of each window, and the one behind its last."""
    if sum(lengths) <= room:
        return [(0, len(lengths))]
    windows, start = [], 0
    while True:
        end, tokens = start, 0
        while end < len(lengths) and tokens + lengths[end] <= room:
            tokens += lengths[end]
            end += 1
        windows.append((start, end))
        if end == len(lengths):
            return windows
        back, shared = end, 0
        # The next one must have room for a word that this one has not.
        most = min(_OVERLAP * room, room - lengths[end])
        while shared + lengths[back - 1] <= most:
            back -= 1
            shared += lengths[back]
        start = back
