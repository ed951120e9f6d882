from __future__ import annotations

import itertools

import pytest

from hfattnlstm.modeling.tag_schemes import (
    SCHEMES,
    AllowedTags,
    allowed_tags,
    check_tag,
    prefixes_of,
    spans_of,
    split_tag,
    tags_inside,
)


IOBES = ["O", *(f"{prefix}-{kind}" for kind in ("A", "B") for prefix in "BIES")]
BIO = ["O", "B-A", "I-A", "B-B", "I-B"]
TAGS = {"bio": BIO, "iob1": BIO, "iobes": IOBES}


def is_sequence(tags: tuple[str, ...], scheme: str) -> bool:
    """By the definition of a scheme, and not by pairs: the tags are those in which their spans are written."""
    written = ["O"] * len(tags)
    before = (0, "")
    for start, end, kind in spans_of(tags):
        first = "I" if scheme == "iob1" and before != (start, kind) else "B"
        written[start:end] = [f"{first}-{kind}", *([f"I-{kind}"] * (end - start - 1))]
        if scheme == "iobes":
            written[end - 1] = f"{'E' if end - start > 1 else 'S'}-{kind}"
        before = (end, kind)
    return written == list(tags)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_exactly_the_sequences_of_a_scheme_are_allowed(scheme):
    tags = TAGS[scheme]
    allowed = allowed_tags(tags, scheme)
    for numbers in itertools.product(range(len(tags)), repeat=3):
        may = allowed.begin[numbers[0]] and allowed.end[numbers[-1]]
        may = may and all(allowed.follow[a][b] for a, b in itertools.pairwise(numbers))
        assert may == is_sequence(tuple(tags[number] for number in numbers), scheme), numbers


def test_tags_that_are_no_spans_may_follow_each_other():
    assert allowed_tags(["NOUN", "I-X"], None) == AllowedTags.all(2)
    assert AllowedTags.all(1) == AllowedTags([[True]], [True], [True])


@pytest.mark.parametrize(
    ("tag", "scheme", "shown"),
    [
        ("S-PER", "bio", "O, B-… and I-…"),
        ("E-PER", "iob1", "O, B-… and I-…"),
        ("X-PER", "iobes", "O, B-…, I-…, E-… and S-…"),
        ("NOUN", "bio", "O, B-… and I-…"),
        ("B-", "bio", "O, B-… and I-…"),
        ("B", "bio", "O, B-… and I-…"),
        ("", "bio", "O, B-… and I-…"),
    ],
)
def test_a_tag_of_another_scheme(tag, scheme, shown):
    sentence = (
        f"^The tag '{tag}' is none of the scheme {scheme}, whose tags are {shown}: name another tagging_scheme.$"
    )
    with pytest.raises(ValueError, match=sentence):
        allowed_tags(["O", tag], scheme)
    with pytest.raises(ValueError, match=sentence):
        check_tag(tag, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_tags_of_a_scheme_pass(scheme):
    for tag in ("O", *(f"{prefix}-PER" for prefix in prefixes_of(scheme))):
        check_tag(tag, scheme)


def test_prefix_and_kind():
    assert split_tag("B-GPE-LOC") == ("B", "GPE-LOC")
    assert split_tag("O") == ("", "")
    assert split_tag("NOUN") == ("NOUN", "")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("", []),
        ("O O", []),
        ("B-A I-A B-A", [(0, 2, "A"), (2, 3, "A")]),
        ("I-A I-A O I-A", [(0, 2, "A"), (3, 4, "A")]),
        ("I-A I-B", [(0, 1, "A"), (1, 2, "B")]),
        ("B-A E-A S-A", [(0, 2, "A"), (2, 3, "A")]),
        ("B-A O", [(0, 1, "A")]),
        ("E-A E-A", [(0, 1, "A"), (1, 2, "A")]),
        ("S-A I-A E-A", [(0, 1, "A"), (1, 3, "A")]),
        ("B-A E-B", [(0, 1, "A"), (1, 2, "B")]),
        ("S-A S-A", [(0, 1, "A"), (1, 2, "A")]),
    ],
)
def test_spans_are_read_leniently(tags, spans):
    assert spans_of(tags.split()) == spans


def test_what_begins_a_span_goes_on_inside_a_word():
    assert tags_inside(BIO) == [0, 2, 2, 4, 4]
    assert tags_inside(IOBES) == [0, 2, 2, 3, 4, 6, 6, 7, 8]
    assert tags_inside(["O", "B-A"]) == [0, 1]
    assert tags_inside(["NOUN", "B-X", "VERB"]) == [0, 1, 2]
