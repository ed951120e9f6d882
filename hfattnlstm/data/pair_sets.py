"""Pairs of texts that a script makes, of which each has one right answer: to try a model that writes."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Mapping
from os import PathLike

from datasets import Dataset

from .picture_sets import save_splits


Pair = tuple[str, str]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST, _LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
# In which order the parts of a date stand, so that it can be read in one way only.
_FORMS = (
    "{day} {month} {year}",
    "{day}. {month} {year}",
    "{month} {day}, {year}",
    "{month} {ordinal}, {year}",
    "{ordinal} of {month} {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{short} {day} {year}",
    "{day} {short} {year}",
    "{day}-{short}-{year}",
    "{day2}.{number2}.{year}",
    "{day}.{number}.{year}",
    "{year}/{number2}/{day2}",
    "{year} {short} {day2}",
    "the {ordinal} day of {month} in {year}",
)
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SIGNS: Mapping[str, Callable[[int, int], int]] = {
    "plus": lambda one, two: one + two,
    "minus": lambda one, two: one - two,
    "times": lambda one, two: one * two,
}
# Largest numbers of each sign.
_LARGEST = {"plus": 99, "minus": 99, "times": 12}
# Russian letters in Latin ones, as passports had them; a "е" behind a vowel or a sign, or at the beginning, is "ye".
_LATIN = {
    "а": "a",
    "б": "b",
    "в": "v",
    "г": "g",
    "д": "d",
    "е": "e",
    "ж": "zh",
    "з": "z",
    "и": "i",
    "й": "y",
    "к": "k",
    "л": "l",
    "м": "m",
    "н": "n",
    "о": "o",
    "п": "p",
    "р": "r",
    "с": "s",
    "т": "t",
    "у": "u",
    "ф": "f",
    "х": "kh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ъ": "",
    "ы": "y",
    "ь": "",
    "э": "e",
    "ю": "yu",
    "я": "ya",
}
_VOWELS, _SIGNS_OF_SOUND = "аеиоуыэюя", "ъь"
_CONSONANTS = "бвгджзклмнпрстфхцчшщ"
_ENDINGS = ("ов", "ев", "ин", "ова", "ева", "ина", "ский", "енко", "ович", "ич", "ец", "ель")


def reversed_words(chooser: random.Random) -> Pair:
    """A word that nobody knows, and the same from its end.

    Example:

    ```python
    >>> reversed_words(random.Random(0))
    ('ynbiqpmzj', 'jzmpqibny')
    ```
    """
    word = "".join(chooser.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chooser.randint(3, 12)))
    return word, word[::-1]


def dates(chooser: random.Random) -> Pair:
    """A date as people write it, and as ISO 8601 has it.

    Example:

    ```python
    >>> dates(random.Random(0))[1]
    '2038-04-01'
    ```
    """
    day = _FIRST + datetime.timedelta(chooser.randrange((_LAST - _FIRST).days + 1))
    month = _MONTHS[day.month - 1]
    text = chooser.choice(_FORMS).format(
        day=day.day,
        day2=f"{day.day:02d}",
        ordinal=_ordinal(day.day),
        number=day.month,
        number2=f"{day.month:02d}",
        month=month,
        short=month[:3],
        weekday=_DAYS[day.weekday()],
        year=day.year,
    )
    return chooser.choice((text, text, text.lower(), text.upper())), day.isoformat()


def sums(chooser: random.Random) -> Pair:
    """A sum, a difference or a product in words, and what it is, in words.

    Example:

    ```python
    >>> sums(random.Random(0))
    ('ninety-seven minus fifty-three', 'forty-four')
    ```
    """
    sign = chooser.choice(tuple(_SIGNS))
    one, two = chooser.randint(0, _LARGEST[sign]), chooser.randint(0, _LARGEST[sign])
    return f"{in_words(one)} {sign} {in_words(two)}", in_words(_SIGNS[sign](one, two))


def names(chooser: random.Random) -> Pair:
    """A surname in Russian letters, and in Latin ones.

    Example:

    ```python
    >>> one, two = names(random.Random(0))
    >>> in_latin("Чехов"), two == in_latin(one)
    ('Chekhov', True)
    ```
    """
    name = "".join(
        chooser.choice(_CONSONANTS) * (chooser.random() < 0.85)
        + chooser.choice(_VOWELS)
        + chooser.choice(_SIGNS_OF_SOUND) * (chooser.random() < 0.08)
        for _ in range(chooser.randint(1, 3))
    )
    name = (name + chooser.choice(_CONSONANTS) + chooser.choice(_ENDINGS)).capitalize()
    return name, in_latin(name)


# What can be made, by its name.
PAIR_TASKS: Mapping[str, Callable[[random.Random], Pair]] = {
    "reverse": reversed_words,
    "dates": dates,
    "sums": sums,
    "names": names,
}

_ABOUT = {
    "reverse": "Random words, and the same from their end.",
    "dates": "Dates as people write them, in fifteen forms, and in ISO 8601.",
    "sums": "Sums, differences and products of numbers in English words, and what they are, in words.",
    "names": "Invented surnames in Russian letters, and in Latin ones.",
}


def in_words(number: int) -> str:
    """A number from -999 to 999 in English.

    Example:

    ```python
    >>> in_words(-144)
    'minus one hundred and forty-four'
    ```
    """
    if number < 0:
        return f"minus {in_words(-number)}"
    if number < len(_SMALL):
        return _SMALL[number]
    if number < 100:
        ten, one = divmod(number, 10)
        return _TENS[ten] + (f"-{_SMALL[one]}" if one else "")
    hundred, rest = divmod(number, 100)
    return f"{_SMALL[hundred]} hundred" + (f" and {in_words(rest)}" if rest else "")


def in_latin(name: str) -> str:
    """A name in Russian letters in Latin ones.

    Example:

    ```python
    >>> in_latin("Елисеев"), in_latin("Щукин")
    ('Yeliseyev', 'Shchukin')
    ```
    """
    found, before = "", ""
    for letter in name.lower():
        begins = not before or before in _VOWELS + _SIGNS_OF_SOUND
        found += "ye" if letter == "е" and begins else _LATIN[letter]
        before = letter
    return found.capitalize()


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def make_pairs(task: str, sizes: Mapping[str, int], seed: int = 0) -> dict[str, list[Pair]]:
    """Pairs for each split, all different, none in two splits.

    Args:
        task: One of `PAIR_TASKS`.
        sizes: How many pairs each split has.
        seed: Of the choice.

    Raises:
        ValueError: For another task, or more pairs than there are.

    Example:

    ```python
    >>> {name: len(pairs) for name, pairs in make_pairs("dates", {"train": 5, "test": 2}).items()}
    {'train': 5, 'test': 2}
    ```
    """
    if task not in PAIR_TASKS:
        raise ValueError(f"There is no task {task!r}: it is one of {', '.join(PAIR_TASKS)}.")
    chooser, wanted = random.Random(seed), sum(sizes.values())
    found: dict[str, str] = {}
    for _ in range(20 * wanted + 10_000):
        found.update([PAIR_TASKS[task](chooser)])
        if len(found) == wanted:
            break
    else:
        raise ValueError(f"Of {task} there are no {wanted:,} different pairs: make fewer.")
    pairs = list(found.items())
    splits, first = {}, 0
    for name, size in sizes.items():
        splits[name] = pairs[first : first + size]
        first += size
    return splits


def save_pairs(splits: Mapping[str, list[Pair]], folder: str | PathLike, task: str) -> dict[str, int]:
    """Write pairs as a folder that `load_dataset` reads.

    Args:
        splits: Pairs by the name of the split.
        folder: Where to; it is made.
        task: What they are, for the README.md.

    Returns:
        How many pairs each split has.

    Raises:
        FileExistsError: A file of the set is there already.

    Example:

    ```python
    >>> save_pairs(make_pairs("sums", {"train": 3}), "sums", "sums")
    {'train': 3}
    ```
    """
    columns = {
        name: {"source": [one for one, _ in pairs], "target": [two for _, two in pairs]}
        for name, pairs in splits.items()
    }
    sets = {name: Dataset.from_dict(own) for name, own in columns.items()}
    return save_splits(sets, str(folder), f"{_ABOUT[task]}\n", "text2text-generation")
