"""N-grams of words, or of characters where no spaces stand between words."""

from __future__ import annotations

import re
from typing import Any

from ..problem import Problem


# Words, and signs such as ! and :, which say something.
TOKEN = r"\w+|[^\w\s]"
_TOKENS = re.compile(TOKEN)
_CHARACTERS = (1, 3)


def ngram_options(problem: Problem, longest: int) -> dict[str, Any]:
    """Of scikit-learn's vectorizers: n-grams of one to `longest` words, or of one to three characters."""
    if problem.unspaced:
        return {"analyzer": "char", "ngram_range": _CHARACTERS}
    return {"token_pattern": TOKEN, "ngram_range": (1, longest)}


def tokens_of(text: str, problem: Problem) -> list[str]:
    """The words of a text in lower case, or its characters.

    Example:

    ```python
    >>> tokens_of("Not bad!", Problem(("no", "yes")))
    ['not', 'bad', '!']
    ```
    """
    text = text.lower()
    return [character for character in text if not character.isspace()] if problem.unspaced else _TOKENS.findall(text)
