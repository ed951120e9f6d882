"""What is lost where texts become tokens, and no model can learn to write it: it is told before a training."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from ..data.columns import column_values
from ..data.pair_tokenizer import is_lowercased


logger = logging.get_logger(__name__)

# Texts whose tokens are turned back, and the share of changed ones that is told.
_TURNED_BACK, _MANY = 1_000, 0.01
# Characters of them that a sentence shows.
_SHOWN = 60

# Columns of token ids, with what they hold and their tokenizers.
Sides = Mapping[str, tuple[str, PreTrainedTokenizerBase]]


def tell_cut(encoded: DatasetDict, sides: Sides, unit: str) -> None:
    """Warn where one row in a hundred is cut to the length that the tokenizers keep.

    Args:
        encoded: Splits with columns of token ids.
        sides: These columns.
        unit: What a row is, such as "pairs".
    """
    most = next(iter(sides.values()))[1].model_max_length
    for name, split in encoded.items():
        cut = sum(max(map(len, row)) >= most for row in zip(*(split[column][:] for column in sides)))
        if cut > len(split) // 100:
            logger.warning(
                "%s of the %s %s for %s have a text of %s tokens or more, which is cut to that: --max_length raises "
                "it.",
                cut,
                len(split),
                unit,
                name,
                most,
            )


def unknown_shares(encoded: DatasetDict, sides: Sides) -> dict[str, float]:
    """By side and split, the share of the tokens that are unknown."""
    shares = {}
    for name, split in encoded.items():
        for column, (held, tokenizer) in sides.items():
            ids = column_values(split, column).combine_chunks().flatten().to_numpy(zero_copy_only=False)
            shares[f"{held} of {name}"] = float(np.mean(ids == tokenizer.unk_token_id))
    return shares


def tell_changed(
    ids: Sequence[Sequence[int]], texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, what: str
) -> None:
    """Warn where texts are others once their tokens are turned back: a line break becomes a space, a character that is
    unknown is missing.

    Spaces are left aside, and upper case where the tokenizer has none; and texts that are cut.

    Args:
        ids: Tokens of the texts.
        texts: The texts.
        tokenizer: Of both.
        what: What the texts are, such as "targets".

    Example:

    ```python
    >>> tell_changed(processor.targets(["A dog barks."]), ["A dog barks."], processor.target_tokenizer, "targets")
    ```
    """
    places = np.unique(np.linspace(0, len(texts) - 1, _TURNED_BACK).round().astype(int)).tolist()
    places = [place for place in places if len(ids[place]) < tokenizer.model_max_length]
    back = tokenizer.batch_decode([ids[place] for place in places], skip_special_tokens=True)
    lowercase = is_lowercased(tokenizer)
    changed = [
        (texts[place], text)
        for place, text in zip(places, back)
        if _comparable(texts[place], lowercase) != _comparable(text, lowercase)
    ]
    if len(changed) > _MANY * len(places):
        logger.warning(
            "%s of the %s cannot be written as they are, because no token stands for a line break, a tab, a rare "
            "character, or the name of a special token: %s, for one, becomes %s.",
            f"{len(changed) / len(places):.0%}",
            what,
            *(repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…") for text in changed[0]),
        )


def _comparable(text: str, lowercase: bool) -> str:
    text = re.sub(" +", " ", unicodedata.normalize("NFC", text)).strip(" ")
    return text.lower() if lowercase else text
