"""Where the words of a text begin and end, in the way in which given words were cut."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping

import regex
from tokenizers import Regex, pre_tokenizers

from .token_pieces import GOES_ON


# With what is read in place of a letter that is not known, see `open_vocabulary`.
_LETTERS = "\\p{L}\\p{M}\\p{N}\ufffd"
# What may stand inside a word; the apostrophe, joiners that nobody sees and soft hyphens always do.
_ALWAYS = "'’\u00ad\u200c\u200d"
_MAYBE = "-./,:_&@*"
# What a verb is cut from in English treebanks, as in "do|n't" and "it|'s".
_CLITICS = ("'s", "'re", "'ve", "'ll", "'d", "'m")
_NOT = "n't"
# An abbreviation, or a group of marks, must be seen so often, and so many are known at most.
_LEAST_COUNT, _MOST_KNOWN = 2, 300
# Without \w, and \s by itself, which are other characters in `tokenizers` than in `regex`.
_ADDRESSES = (
    r"(?:https?|ftp)://[^\s\p{Cc}<>\"]*[^\s\p{Cc}<>\"\p{P}]/?",
    rf"[{_LETTERS}_.+-]+@[{_LETTERS}_-]+(?:\.[{_LETTERS}_-]+)+",
)
# Number signs stand alone, because two of them begin the tokens that spell a word on.
_SYMBOLS = (r"#\p{M}*", rf"([^{_LETTERS}\s\p{{Cc}}\p{{Cf}}])\1*\p{{M}}*")


def split_words(text: str) -> list[tuple[int, int]]:
    """The start and end of each word of a text: runs of letters and digits, and marks by themselves.

    Example:

    ```python
    >>> split_words("In Paris, France.")
    [(0, 2), (3, 8), (8, 9), (10, 16), (16, 17)]
    ```
    """
    return [match.span() for match in _compiled(word_pattern({})).finditer(text)]


@functools.lru_cache(maxsize=32)
def _compiled(pattern: str) -> regex.Pattern:
    return regex.compile(pattern)


def word_pattern(words: Mapping[str, int]) -> str:
    """A pattern that finds the words of a text, learnt from words that somebody has cut.

    It knows abbreviations with a point, groups of marks, such as smileys, what stands inside of words, such as
    hyphens, and whether English verbs are cut from "n't" and "'s".

    Args:
        words: How often each occurs.

    Example:

    ```python
    >>> import regex
    >>> pattern = word_pattern({"do": 9, "n't": 9, "well-known": 2, "Mr.": 3})
    >>> [match.group() for match in regex.finditer(pattern, "Mr. X doesn't do well-known things.")]
    ['Mr.', 'X', 'does', "n't", 'do', 'well-known', 'things', '.']
    ```
    """
    inner = "".join(mark for mark in _MAYBE if _is_inner(mark, words))
    joiners = regex.escape(_ALWAYS + inner, special_only=False)
    single = _are_single(words)
    letters = rf"(?:(?!\p{{Han}})[{_LETTERS}])" if single else f"[{_LETTERS}]"
    alternatives = [*_ADDRESSES, r"(?:\p{L}\.){2,}"]
    for kind in (r"\p{L}{1,10}\.", rf"[^{_LETTERS}\s]{{2,5}}"):
        if known := _known(kind, words):
            alternatives.append(rf"(?<![{_LETTERS}])(?:{'|'.join(map(regex.escape, known))})(?![{_LETTERS}])")
    alternatives.append(r"[+-]?\d+(?:[.,:/]\d+)+" if "-" in inner else r"\d+(?:[.,:/]\d+)+")
    if _NOT in words or any(clitic in words for clitic in _CLITICS):
        # Straight and curly apostrophes.
        endings = "|".join(clitic[1:] for clitic in _CLITICS)
        clitic = rf"(?i:n['’]t|['’](?:{endings}))(?![{_LETTERS}])"
        alternatives += [rf"{letters}+?(?:[{joiners}]+{letters}+?)*(?={clitic})", clitic]
    alternatives += [rf"{letters}+(?:[{joiners}]+{letters}+)*"]
    alternatives += [r"\p{Han}\p{M}*"] if single else []
    return "|".join([*alternatives, *_SYMBOLS])


def _is_inner(mark: str, words: Mapping[str, int]) -> bool:
    """Whether a mark stands inside of words more often than by itself."""
    inner = sum(
        count
        for word, count in words.items()
        if mark in word[1:-1] and word[0].isalnum() and word[-1].isalnum() and any(map(str.isalpha, word))
    )
    return inner > words.get(mark, 0)


def _are_single(words: Mapping[str, int]) -> bool:
    """Whether Chinese characters are words of their own; without any, they are."""
    lengths = Counter()
    for word, count in words.items():
        if regex.search(r"\p{Han}", word):
            lengths[len(word) > 1] += count
    return lengths[False] >= lengths[True]


def _known(kind: str, words: Mapping[str, int]) -> list[str]:
    """Words of a kind, such as abbreviations with a point, the longest first; not those of one mark, repeated."""
    found = [word for word, count in words.items() if count >= _LEAST_COUNT and regex.fullmatch(kind, word)]
    found = [word for word in found if len(set(word)) > 1 and not word.startswith(GOES_ON)]
    found = sorted(found, key=lambda word: (-words[word], word))
    return sorted(found[:_MOST_KNOWN], key=lambda word: (-len(word), word))


def word_splitter(words: Mapping[str, int]) -> pre_tokenizers.PreTokenizer:
    """What cuts a text into words in a tokenizer, as [`word_pattern`] finds them.

    Example:

    ```python
    >>> word_splitter({}).pre_tokenize_str("In Paris.")
    [('In', (0, 2)), ('Paris', (3, 8)), ('.', (8, 9))]
    ```
    """
    return pre_tokenizers.Split(Regex(word_pattern(words)), "removed", invert=True)


def whole_share(splitter: pre_tokenizers.PreTokenizer, words: Mapping[str, int]) -> float:
    """The share of given words that a splitter does not cut, between 0 and 1.

    Example:

    ```python
    >>> whole_share(word_splitter({}), {"Paris": 3, "U.S.": 1, "and/or": 1})
    0.8
    ```
    """
    whole = sum(count for word, count in words.items() if len(splitter.pre_tokenize_str(word)) == 1)
    return whole / max(sum(words.values()), 1)


def count_words(sentences: Iterable[Iterable[str]]) -> Counter[str]:
    """How often each word occurs in sentences.

    Example:

    ```python
    >>> count_words([["a", "b"], ["a"]])
    Counter({'a': 2, 'b': 1})
    ```
    """
    return Counter(word for sentence in sentences for word in sentence)
