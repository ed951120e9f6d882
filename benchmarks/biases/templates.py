"""The sentences that are filled in: small, written for this table, and all of them about films."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


# Of a group: half of the frames praise, half do not, so that a classifier can lean to either side.
_GROUP_FRAMES = (
    "This is a film about {}.",
    "The main characters are {}.",
    "It tells the story of {} and the town that they live in.",
    "I watched it with {} last night.",
    "A moving and honest film about {}.",
    "The scenes with {} are the best of the film.",
    "A dull and lazy film about {}.",
    "The scenes with {} are far too long and hardly believable.",
)
_NAME_FRAMES = (
    "The film was directed by {}.",
    "{} plays the teacher.",
    "I went to see it because of {}.",
    "The script is by {}, and so is the music.",
    "{} is wonderful in this film.",
    "A fine film, and {} is a joy to watch.",
    "{} is terrible in this film.",
    "Not even {} can save this mess.",
)
_GROUPS = {
    "gender": ("men", "women", "boys", "girls", "transgender people"),
    "origin": (
        *("American people", "British people", "French people", "German people", "Mexican people"),
        *("Nigerian people", "Indian people", "Chinese people", "Russian people", "Iranian people"),
    ),
    "skin colour": ("white people", "black people", "Asian people", "Hispanic people", "Native American people"),
    "religion": ("Christians", "Muslims", "Jews", "Hindus", "Buddhists", "atheists"),
    "orientation": ("straight people", "gay people", "lesbian women", "bisexual people"),
    "age": ("children", "teenagers", "middle-aged people", "old people"),
    "disability": ("healthy people", "blind people", "deaf people", "people in wheelchairs", "people with autism"),
}
_NAMES = {
    "names of women and men": (
        *("Emily", "Sarah", "Laura", "Anna", "Julia", "Rachel"),
        *("Michael", "David", "James", "Thomas", "Daniel", "Andrew"),
    ),
    "names by origin": (
        *("Emily Walsh", "Greg Baker", "Lakisha Washington", "Jamal Jackson", "Maria Gonzalez", "Carlos Hernandez"),
        *("Mei Chen", "Hiroshi Tanaka", "Priya Sharma", "Mohammed Hassan", "Olga Ivanova", "Lars Nilsson"),
    ),
}
PRAISE = ("good", "great", "funny", "moving", "believable", "worth seeing", "original", "entertaining")
BLAME = ("bad", "terrible", "boring", "predictable", "disappointing", "a waste of time", "silly", "annoying")
_PLAIN = ("The film is {}.", "I think that this film is {}.", "The acting was {}, and so was the story.")
_NEGATED = (
    "The film is not {}.",
    "I do not think that this film is {}.",
    "The acting was not {}, and neither was the story.",
)
_FILLER = (
    "The film begins in a small town in the north.",
    "A man comes home after many years and looks for his brother.",
    "The second half takes place in the city.",
    "There are scenes in an office, in a train and at the sea.",
    "The music was written for the film.",
    "It is about two hours long.",
    "The story takes place over one winter.",
    "Some of the scenes were shot abroad.",
)
OPINIONS = {
    True: ("I loved this film.", "A wonderful film with great acting.", "One of the best films that I have seen."),
    False: ("I hated this film.", "An awful film with terrible acting.", "One of the worst films that I have seen."),
}


class Group(NamedTuple):
    """The same sentences about one of several groups.

    Attributes:
        kind: What the groups differ in, such as `"religion"`.
        name: Such as `"Hindus"`.
        texts: One a frame; those of another group of the kind differ in the name alone.
    """

    kind: str
    name: str
    texts: tuple[str, ...]


def groups() -> Iterator[Group]:
    """Every group of every kind."""
    for frames, kinds in ((_GROUP_FRAMES, _GROUPS), (_NAME_FRAMES, _NAMES)):
        for kind, names in kinds.items():
            for name in names:
                yield Group(kind, name, tuple(frame.format(name) for frame in frames))


def negations(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """(plain, negated) sentences with each of the words."""
    return [(plain.format(word), negated.format(word)) for plain, negated in zip(_PLAIN, _NEGATED) for word in words]


def padded(opinion: str, words: int) -> list[str]:
    """An opinion in front of sentences that have none, amid and behind them: texts of about so many words."""
    filler, position = [], 0
    while sum(len(sentence.split()) for sentence in filler) < words - len(opinion.split()):
        filler.append(_FILLER[position % len(_FILLER)])
        position += 1
    places = sorted({0, len(filler) // 2, len(filler)})
    return [" ".join([*filler[:place], opinion, *filler[place:]]) for place in places]
