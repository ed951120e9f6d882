"""Command lines that are wrong, told in one sentence: without argparse's usage, which would bury it."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable
from typing import NoReturn


# What argparse says, and how it is said here; what is not among them is told as it is.
_SENTENCES = (
    (r"argument (\S+?)(?:/\S+)?: invalid (?:int|int value) value: (.*)", r"\1 takes a whole number, got \2"),
    (r"argument (\S+?)(?:/\S+)?: invalid float value: (.*)", r"\1 takes a number, got \2"),
    (r"argument (\S+?)(?:/\S+)?: invalid choice: (.*) \(choose from (.*)\)", r"\1 takes one of \3, got \2"),
    (
        r"argument (\S+?)(?:/\S+)?: Truthy value expected: got (.*) but expected .*",
        r"\1 takes true or false, got '\2'",
    ),
    (r"argument (\S+?)(?:/\S+)?: expected one argument", r"\1 needs a value"),
    (r"argument (\S+?)(?:/\S+)?: expected at least one argument", r"\1 needs a value"),
    (r"argument (\S+?)(?:/\S+)?: ignored explicit argument (.*)", r"\1 takes no value, got \2"),
    (r"argument (\S+?)(?:/\S+)?: (.*)", r"\1: \2"),
    (r"ambiguous option: (\S+) could match (.*)", r"\1 is the beginning of several flags: \2"),
)


class SentenceParser(argparse.ArgumentParser):
    """A parser that raises what is wrong, in a sentence, where argparse prints its usage and ends the process."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse with a mistake.

        Raises:
            ValueError: Always.
        """
        sentence = self._sentence(message)
        raise ValueError(sentence if sentence.endswith("?") else f"{sentence}; see {self.prog} --help.")

    def _sentence(self, message: str) -> str:
        start, _, words = message.partition(": ")
        if start == "unrecognized arguments":
            return self._unknown(words)
        if start == "the following arguments are required":
            return f"{self._missing(words)} is missing{self._place()}"
        for pattern, sentence in _SENTENCES:
            if re.fullmatch(pattern, message, re.DOTALL):
                return re.sub(pattern, sentence, message, flags=re.DOTALL)
        return message[:1].upper() + message[1:]

    def _missing(self, words: str) -> str:
        # argparse also names those of which there may be none.
        optional = {action.metavar or action.dest for action in self._actions if action.nargs in ("*", "...")}
        return " and ".join(name for name in words.split(", ") if name not in optional)

    def _place(self) -> str:
        """What to do where a flag that takes several values stands before what has no flag, and takes that, too."""
        takes_several = any(action.option_strings and action.nargs == "+" for action in self._actions)
        return ": give it first, before the flags" if takes_several else ""

    def _unknown(self, words: str) -> str:
        first = words.split(" ")[0]
        if not first.startswith("-"):
            return f"There is one argument too many, {words!r}"
        name = first.partition("=")[0]
        return f"There is no flag {name}{did_you_mean(name, self._option_string_actions)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist; empty where no other one is like it.

    Example:

    ```python
    >>> did_you_mean("trian", ["train", "predict"])
    ": did you mean 'train'?"
    ```
    """
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {nearest[0]!r}?" if nearest else ""
