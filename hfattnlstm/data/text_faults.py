"""What can be wrong with single texts, and texts that are there more than once."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple


# UTF-8 that was read as Latin-1 or Windows-1252, and what stands for a byte that could not be read.
_MOJIBAKE = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u0080-\u00bf\u0152\u0153\u02dc\u2122]|\u00ef\u00bf\u00bd|\ufffd"
)
_HTML = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(\s[^<>]{0,200})?/?>|&(?:amp|lt|gt|quot|nbsp|apos|#\d{1,6});")
_SHORTEST_NAME, _LEAST_TEXTS, _NEARLY_ALL = 3, 10, 0.98
_URL = re.compile(r"\s*(https?://|www\.)\S+\s*")
# Beyond it, no script in use has any sign of punctuation.
_LAST_PUNCTUATION = 0x20000

FAULTS: dict[str, Callable[[str], object]] = {
    "empty": lambda text: not text.strip(),
    "mojibake": _MOJIBAKE.search,
    "html": _HTML.search,
    "url_only": _URL.fullmatch,
}


class Faulty(NamedTuple):
    """How many texts have a fault, and the first of them, from 1."""

    count: int
    first_row: int


def find_faults(texts: Sequence[str]) -> dict[str, Faulty]:
    """The faults of `FAULTS` that some texts have.

    Example:

    ```python
    >>> find_faults(["Good", "CafÃ©", " "])
    {'empty': Faulty(count=1, first_row=3), 'mojibake': Faulty(count=1, first_row=2)}
    ```
    """
    found = {}
    for name, is_faulty in FAULTS.items():
        rows = [row for row, text in enumerate(texts, 1) if is_faulty(text)]
        if rows:
            found[name] = Faulty(len(rows), rows[0])
    return found


def normalised(text: str) -> str:
    """A text without case, punctuation between words, and runs of white space; the text itself where nothing is left.

    Marks of vowels (Hindi, Thai), emojis, and points and hyphens within a word or number stay: with others, the text
    is another one.

    Example:

    ```python
    >>> normalised("Great,  food!"), normalised("It is 1.5"), normalised("?!")
    ('great food', 'it is 1.5', '?!')
    ```
    """
    words = (word.strip(".,").rstrip("-") for word in text.lower().translate(_spaces_for_punctuation()).split())
    return " ".join(word for word in words if word) or text.strip()


@cache
def _spaces_for_punctuation() -> dict[int, str]:
    """A space for each of Unicode's signs of punctuation but those that stand in numbers."""
    codes = (code for code in range(_LAST_PUNCTUATION) if unicodedata.category(chr(code)).startswith("P"))
    return {code: " " for code in codes if chr(code) not in ".,-"}


class Duplicates(NamedTuple):
    """Texts that are there more than once, up to case, space and punctuation.

    Attributes:
        count: Rows that repeat an earlier one.
        contradicting: Rows that do so with another label.
        example: An earlier row and one that contradicts it, from 1; None where none does.
    """

    count: int
    contradicting: int
    example: tuple[int, int] | None


def find_duplicates(keys: Sequence[str], labels: Sequence[object]) -> Duplicates:
    """Looks for rows that are there more than once.

    Args:
        keys: The texts, as [`normalised`] makes them.
        labels: Their labels.

    Example:

    ```python
    >>> find_duplicates(["good", "bad", "good", "good"], [1, 0, 1, 0])
    Duplicates(count=2, contradicting=1, example=(1, 4))
    ```
    """
    first: dict[str, int] = {}
    count = contradicting = 0
    example = None
    for row, key in enumerate(keys):
        earlier = first.setdefault(key, row)
        if earlier == row:
            continue
        count += 1
        if labels[earlier] != labels[row]:
            contradicting += 1
            example = example or (earlier + 1, row + 1)
    return Duplicates(count, contradicting, example)


def words_that_tell(texts: Sequence[str], labels: Sequence[int], names: Sequence[str]) -> list[str]:
    """The classes whose name stands in nearly all of their texts, and in next to none of the others.

    A model then reads the label, which new texts will hardly have in them.

    Example:

    ```python
    >>> words_that_tell(["a sport story", "sport again", "art here"] * 10, [0, 0, 1] * 10, ["sport", "art"])
    ['sport', 'art']
    ```
    """
    members: dict[int, list[str]] = defaultdict(list)
    for text, label in zip(texts, labels):
        members[label].append(text.lower())
    telling = []
    for label, name in enumerate(names):
        own = members[label]
        if len(name) < _SHORTEST_NAME or len(own) < _LEAST_TEXTS or name.isdigit():
            continue
        written = name.lower()
        word = re.compile(rf"(?<!\w){re.escape(written)}(?!\w)")
        others = len(texts) - len(own)
        # Most texts do not have these characters at all, which is seen faster.
        has = {
            place: sum(written in text and bool(word.search(text)) for text in found)
            for place, found in members.items()
        }
        elsewhere = sum(has.values()) - has[label]
        if has[label] >= _NEARLY_ALL * len(own) and elsewhere <= (1 - _NEARLY_ALL) * others:
            telling.append(name)
    return telling
