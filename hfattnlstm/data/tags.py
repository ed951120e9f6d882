"""Tags of words that mark spans: which scheme they follow, and from one scheme to another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from transformers.utils import logging

from .._wording import option
from ..modeling.tag_schemes import OUTSIDE, SCHEMES, spans_of, split_tag


logger = logging.get_logger(__name__)

# What a file may follow beside `SCHEMES`: tags that are the kinds of the spans themselves.
INSIDE_ONLY = "io"
READ_SCHEMES = (*SCHEMES, INSIDE_ONLY)
# What spans are called whose tags say where they are, and nothing else.
ONLY_KIND = "SPAN"
# How the five positions are called elsewhere, such as BILOU and BMES.
_PREFIXES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
_TAG = re.compile(r"([BIMELSUW])[-_](.+)", re.DOTALL)
_SUFFIXED = re.compile(r"(.+)[-_]([BIMELSUW])", re.DOTALL)
_OUTSIDE = (OUTSIDE, "o", "_", "OTHER")


@dataclass
class TaggedSentence:
    """Words with their tags, as they were found.

    Attributes:
        words, tags: One tag a word.
        place: Where they are, for sentences: the file, or the row.
        lines: Number of the line of each word, where it has one of its own.
        text: What the words were cut from; None where they came alone.
        offsets: Start and end of each word in it.
    """

    words: list[str]
    tags: list[str]
    place: str
    lines: Sequence[int] = ()
    text: str | None = None
    offsets: list[tuple[int, int]] = field(default_factory=list)

    def where(self, index: int) -> str:
        """Where a word is, for a sentence."""
        which = f" in line {self.lines[index]}" if self.lines else f", word {index + 1}"
        return f"{self.place}{which} ({self.words[index]!r})"


def tags_of_spans(spans: Iterable[tuple[int, int, str]], length: int, scheme: str = "bio") -> list[str]:
    """The tags of a sentence of so many words with these spans, which do not overlap.

    Example:

    ```python
    >>> tags_of_spans([(0, 2, "PER"), (3, 4, "LOC")], 4)
    ['B-PER', 'I-PER', 'O', 'B-LOC']
    >>> tags_of_spans([(0, 2, "PER"), (3, 4, "LOC")], 4, "iobes")
    ['B-PER', 'E-PER', 'O', 'S-LOC']
    ```
    """
    tags = [OUTSIDE] * length
    ends: dict[int, str] = {}
    for start, end, kind in sorted(spans):
        first = "B"
        if scheme == "iob1":
            first = "B" if ends.get(start) == kind else "I"
        tags[start:end] = [f"{first}-{kind}", *([f"I-{kind}"] * (end - start - 1))]
        if scheme == "iobes":
            tags[end - 1] = f"S-{kind}" if end - start == 1 else f"E-{kind}"
        ends[end] = kind
    return tags


def convert_tags(sentences: Sequence[TaggedSentence], scheme: str | None = None, to: str = "bio") -> str | None:
    """Bring the tags of sentences to one scheme, in place; tags that are no spans stay as they are.

    Args:
        sentences: Those of all splits.
        scheme: What they follow, one of `READ_SCHEMES`; seen from the tags without.
        to: One of `SCHEMES`.

    Returns:
        The scheme that they follow now; None for tags that are no spans.

    Raises:
        ValueError: A tag is none of the scheme, or cannot follow the one before it; the file and the line are named.

    Example:

    ```python
    >>> sentence = TaggedSentence(["New", "York"], ["I-LOC", "I-LOC"], "The file a.conll")
    >>> convert_tags([sentence]), sentence.tags
    ('bio', ['B-LOC', 'I-LOC'])
    ```
    """
    if scheme is not None and scheme not in READ_SCHEMES:
        raise ValueError(f"{option('tagging_scheme', scheme)} is none of {', '.join(READ_SCHEMES)}: use one of them.")
    if to not in SCHEMES:
        raise ValueError(f"{option('to_scheme', to)} is none of {', '.join(SCHEMES)}: use one of them.")
    kinds = {tag for sentence in sentences for tag in sentence.tags}
    if not kinds:
        return None if scheme is None else to
    if scheme != INSIDE_ONLY and {"B", OUTSIDE} <= kinds <= {*_PREFIXES, OUTSIDE}:
        # Positions alone, of spans of one kind.
        logger.warning("The tags have no kinds of spans: all spans are called %s.", ONLY_KIND)
        for sentence in sentences:
            sentence.tags = [tag if tag in _OUTSIDE else f"{tag}-{ONLY_KIND}" for tag in sentence.tags]
        kinds = {tag for sentence in sentences for tag in sentence.tags}
    if scheme == INSIDE_ONLY or (scheme is None and _are_kinds(kinds)):
        if scheme is None:
            logger.warning(
                "The tags have no B- and I-, but an O: words with the same tag side by side are taken for one span; "
                "%s says so, and without an O they would be tags of single words.",
                option("tagging_scheme", INSIDE_ONLY),
            )
        for sentence in sentences:
            sentence.tags = [tag if tag == OUTSIDE else f"I-{tag}" for tag in sentence.tags]
        scheme = "iob1"
    elif (normal := _normal_tags(kinds)) is None:
        if scheme is None:
            return None
        wrong = _without_prefix(kinds)
        place = next(s.where(s.tags.index(wrong)) for s in sentences if wrong in s.tags)
        raise ValueError(
            f"{place} has the tag {wrong!r}, which is none of {option('tagging_scheme', scheme)}: mend it, or leave "
            f"{option('tagging_scheme')} out."
        )
    else:
        for sentence in sentences:
            sentence.tags = [normal[tag] for tag in sentence.tags]
    scheme = _scheme_of(sentences) if scheme is None else scheme
    for sentence in sentences:
        _check_order(sentence, scheme)
        sentence.tags = tags_of_spans(spans_of(sentence.tags), len(sentence.tags), to)
    return to


def _are_kinds(tags: set[str]) -> bool:
    """Whether tags are the kinds of spans, with an O for none; universal tags of parts of speech have no O."""
    named = any(_TAG.fullmatch(tag) or _SUFFIXED.fullmatch(tag) for tag in tags)
    return OUTSIDE in tags and not tags.issubset(_OUTSIDE) and not named


def _normal_tags(tags: set[str]) -> dict[str, str] | None:
    """By each tag, how it is written here; None where they are no tags of spans."""
    for pattern, prefix, kind in ((_TAG, 1, 2), (_SUFFIXED, 2, 1)):
        found = {tag: pattern.fullmatch(tag) for tag in tags if tag not in _OUTSIDE}
        if found and all(found.values()):
            normal = {tag: f"{_PREFIXES[match[prefix]]}-{match[kind]}" for tag, match in found.items()}
            return normal | {tag: OUTSIDE for tag in tags if tag in _OUTSIDE}
    return dict.fromkeys(tags, OUTSIDE) if OUTSIDE in tags and tags.issubset(_OUTSIDE) else None


def _without_prefix(tags: set[str]) -> str:
    """One that is no tag of a span, of those of which some are none."""
    named = sorted(tag for tag in tags if tag not in _OUTSIDE)
    bare = [tag for tag in named if not _TAG.fullmatch(tag) and not _SUFFIXED.fullmatch(tag)]
    return (bare or [tag for tag in named if not _TAG.fullmatch(tag)] or sorted(tags))[0]


def _scheme_of(sentences: Sequence[TaggedSentence]) -> str:
    """The scheme of tags: iobes where any tag ends a span, iob1 where I- begins spans and B- never does by itself."""
    begun_inside = begun = 0
    for sentence in sentences:
        for (before, last), (prefix, kind) in zip(
            [("", ""), *map(split_tag, sentence.tags)], map(split_tag, sentence.tags)
        ):
            if prefix in ("E", "S"):
                return "iobes"
            fresh = not before or last != kind
            begun_inside += prefix == "I" and fresh
            begun += prefix == "B" and fresh
    return "iob1" if begun_inside and not begun else "bio"


def _check_order(sentence: TaggedSentence, scheme: str) -> None:
    """ValueError for a tag that cannot follow the one before it."""
    before, last = "", ""
    for index, tag in enumerate(sentence.tags):
        prefix, kind = split_tag(tag)
        if prefix and prefix not in ("B", "I", *(("E", "S") if scheme == "iobes" else ())):
            raise ValueError(
                f"{sentence.where(index)} has the tag {tag!r}, which is none of the scheme {scheme}: mend it, or name "
                f"another {option('tagging_scheme')}."
            )
        goes_on = before in ("B", "I") and last == kind
        if scheme != "iob1" and prefix in ("I", "E") and not goes_on:
            mend = (
                " (where I- may begin a span, say " + option("tagging_scheme", "iob1") + ")" if prefix == "I" else ""
            )
            raise ValueError(
                f"{sentence.where(index)} has the tag {tag!r} without a B-{kind} before it: mend the tag{mend}."
            )
        if scheme == "iobes" and before in ("B", "I") and not (prefix in ("I", "E") and goes_on):
            raise ValueError(
                f"{sentence.where(index)} has the tag {tag!r}, but the span of {last} before it has not ended with "
                f"E-{last}: mend the tag."
            )
        before, last = prefix, kind
    if scheme == "iobes" and before in ("B", "I"):
        raise ValueError(
            f"{sentence.where(len(sentence.tags) - 1)} ends a sentence inside a span of {last}: mend the tag, to "
            f"E-{last}."
        )


def sorted_tags(tags: Iterable[str]) -> list[str]:
    """Tags in the order in which a model numbers them: O first, and B- before I- for each kind of span.

    Example:

    ```python
    >>> sorted_tags({"I-PER", "B-PER", "O", "B-LOC"})
    ['O', 'B-LOC', 'B-PER', 'I-PER']
    ```
    """
    return sorted(tags, key=_place)


def _place(tag: str) -> tuple[bool, str, int, str]:
    prefix, kind = split_tag(tag)
    return tag != OUTSIDE, kind, "BIES".find(prefix) if kind else 0, tag


def tags_of_kinds(kinds: Iterable[str], scheme: str) -> list[str]:
    """All tags of a scheme for kinds of spans, in order.

    Example:

    ```python
    >>> tags_of_kinds(["PER"], "bio")
    ['O', 'B-PER', 'I-PER']
    ```
    """
    prefixes = ("B", "I", "E", "S") if scheme == "iobes" else ("B", "I")
    return [OUTSIDE, *(f"{prefix}-{kind}" for kind in sorted(kinds) for prefix in prefixes)]
