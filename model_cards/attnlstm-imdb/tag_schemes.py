"""How the names of tags mark where spans begin and end, and which tags may therefore follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


# Inside-outside-begin with a B- at the beginning of every span ("bio", also called IOB2), or only where another span
# of the same kind stands right before ("iob1"), and with E- at the end of a span and S- for a single word ("iobes",
# also called BILOU or BIOES).
SCHEMES = ("bio", "iob1", "iobes")
OUTSIDE = "O"


class AllowedTags(NamedTuple):
    """Which tags may follow each other.

    Attributes:
        follow: A row a tag, with whether each tag may come after it.
        begin, end: Whether each tag may be the first or the last.
    """

    follow: list[list[bool]]
    begin: list[bool]
    end: list[bool]

    @classmethod
    def all(cls, count: int) -> AllowedTags:
        """Of so many tags, any may follow any.

        Example:

        ```python
        >>> AllowedTags.all(2).begin
        [True, True]
        ```
        """
        return cls([[True] * count for _ in range(count)], [True] * count, [True] * count)


def split_tag(tag: str) -> tuple[str, str]:
    """The prefix and the kind of span of a tag; both are empty outside.

    Example:

    ```python
    >>> split_tag("B-PER"), split_tag("O")
    (('B', 'PER'), ('', ''))
    ```
    """
    if tag == OUTSIDE:
        return "", ""
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def allowed_tags(tags: Sequence[str], scheme: str | None) -> AllowedTags:
    """Which tags may follow each other in a scheme.

    Args:
        tags: Their names, in order.
        scheme: One of `SCHEMES`; None for tags that are no spans, of which any may follow any.

    Raises:
        ValueError: A tag is none of the scheme.

    Example:

    ```python
    >>> allowed_tags(["O", "B-PER", "I-PER"], "bio").follow
    [[True, True, False], [True, True, True], [True, True, True]]
    >>> allowed_tags(["O", "B-PER", "I-PER"], "bio").begin
    [True, True, False]
    ```
    """
    if scheme is None:
        return AllowedTags.all(len(tags))
    for tag in tags:
        check_tag(tag, scheme)
    parts = [split_tag(tag) for tag in tags]
    follow = [[_may_follow(before, after, scheme) for after in parts] for before in parts]
    begin = [_may_follow(("", ""), after, scheme) for after in parts]
    end = [scheme != "iobes" or prefix not in ("B", "I") for prefix, _ in parts]
    return AllowedTags(follow, begin, end)


def check_tag(tag: str, scheme: str) -> None:
    """ValueError for a tag that is none of a scheme.

    Example:

    ```python
    >>> check_tag("S-PER", "bio")
    Traceback (most recent call last):
    ValueError: The tag 'S-PER' is none of the scheme bio, whose tags are O, B-… and I-…: name another tagging_scheme.
    ```
    """
    prefixes = prefixes_of(scheme)
    prefix, kind = split_tag(tag)
    if tag != OUTSIDE and not (prefix in prefixes and kind):
        shown = ", ".join(f"{each}-…" for each in prefixes[:-1])
        raise ValueError(
            f"The tag {tag!r} is none of the scheme {scheme}, whose tags are O, {shown} and {prefixes[-1]}-…: name "
            "another tagging_scheme."
        )


def prefixes_of(scheme: str) -> tuple[str, ...]:
    """The prefixes of a scheme.

    Example:

    ```python
    >>> prefixes_of("iobes")
    ('B', 'I', 'E', 'S')
    ```
    """
    return ("B", "I", "E", "S") if scheme == "iobes" else ("B", "I")


def _may_follow(before: tuple[str, str], after: tuple[str, str], scheme: str) -> bool:
    (first, kind), (prefix, other) = before, after
    same = kind == other
    if scheme == "iobes":
        goes_on = first in ("B", "I")
        return goes_on and same if prefix in ("I", "E") else not goes_on
    if scheme == "iob1":
        # B- only parts two spans of the same kind.
        return prefix != "B" or (first in ("B", "I") and same)
    return prefix != "I" or (first in ("B", "I") and same)


def spans_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """The spans that tags mark: first word, the word after the last, and kind.

    Tags are read leniently: a span ends where no tag goes on with it, and a tag inside that begins none begins one.

    Example:

    ```python
    >>> spans_of(["B-PER", "I-PER", "O", "B-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    ```
    """
    spans: list[tuple[int, int, str]] = []
    start, open_kind = 0, None
    for place, (prefix, kind) in enumerate([*map(split_tag, tags), ("", "")]):
        if open_kind is not None and (prefix not in ("I", "E") or kind != open_kind):
            spans.append((start, place, open_kind))
            open_kind = None
        if prefix and open_kind is None:
            start, open_kind = place, kind
        if open_kind is not None and prefix in ("E", "S"):
            spans.append((start, place + 1, open_kind))
            open_kind = None
    return spans


def tags_inside(tags: Sequence[str]) -> list[int]:
    """For each tag of a word, the number of that of a token inside the word: what begins a span goes on with it.

    Example:

    ```python
    >>> tags_inside(["O", "B-PER", "I-PER"])
    [0, 2, 2]
    ```
    """
    numbers = {tag: number for number, tag in enumerate(tags)}
    return [_inside(tag, number, numbers) for number, tag in enumerate(tags)]


def _inside(tag: str, number: int, numbers: dict[str, int]) -> int:
    prefix, kind = split_tag(tag)
    return numbers.get(f"I-{kind}", number) if prefix == "B" else number
