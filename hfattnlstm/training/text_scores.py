"""How near texts that were written are to those that should have been."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from .._wording import option


BLEU_TOKENIZERS = ("13a", "intl", "zh", "char", "none")
# By which scripts without spaces are cut: Chinese by rules of its own, others into characters.
_UNSPACED = ("HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
_LOOKED_AT = 1_000
# Of BLEU and chrF, the largest value.
FULL = 100.0
_DRAWS = 1_000
_SEED = 12345


@dataclass(frozen=True)
class TextScores:
    """Scores of texts against one reference each.

    Attributes:
        bleu: 0 to 100 (Papineni et al., 2002), of the corpus.
        chrf: 0 to 100, of characters (Popović, 2015).
        exact_match: Share of the texts that are equal to their reference, but for white space.
        signatures: How sacreBLEU (Post, 2018) has computed them; only scores of equal signatures can be compared.
        bleu_bounds: Of the interval of 95 % of BLEU, by a bootstrap; None where it was not asked for.
    """

    bleu: float
    chrf: float
    exact_match: float
    signatures: dict[str, str]
    bleu_bounds: tuple[float, float] | None = None

    def metrics(self) -> dict[str, float]:
        """The numbers, by name."""
        found = {"bleu": self.bleu, "chrf": self.chrf, "exact_match": self.exact_match}
        if self.bleu_bounds is not None:
            found |= dict(zip(("bleu_low", "bleu_high"), self.bleu_bounds))
        return found


def score_texts(
    written: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    tokenize: str | None = None,
    lowercase: bool = False,
    bounds: bool = False,
) -> TextScores:
    """Compare texts with what they should be, both in NFC.

    Args:
        written: The texts.
        references: One for each, or a list of them for each.
        tokenize: How BLEU cuts them, one of `BLEU_TOKENIZERS`; by their script without.
        lowercase: Whether upper and lower case are taken for the same.
        bounds: Whether the interval of BLEU is found.

    Raises:
        ValueError: There are none, or not as many references, or BLEU cannot cut texts so.

    Example:

    ```python
    >>> scores = score_texts(["a dog barks at the cat"], ["a dog barks at the cat"])
    >>> scores.bleu, scores.exact_match, scores.signatures["bleu"].split("|")[3]
    (100.0, 1.0, 'tok:13a')
    ```
    """
    if tokenize not in (None, *BLEU_TOKENIZERS):
        raise ValueError(f"{option('bleu_tokenize')} must be one of {', '.join(BLEU_TOKENIZERS)}, got {tokenize!r}.")
    if not references or len(written) != len(references) or not all(references):
        raise ValueError(f"There are {len(written)} texts and {len(references)} references: give one for each.")
    # Composed and decomposed letters are the same.
    written = [unicodedata.normalize("NFC", text) for text in written]
    several = [
        [unicodedata.normalize("NFC", one) for one in ([own] if isinstance(own, str) else own)] for own in references
    ]
    first = [own[0] for own in several]
    bleu = BLEU(tokenize=tokenize or suitable_tokenizer(first), lowercase=lowercase, trg_lang="")
    chrf = CHRF(lowercase=lowercase)
    # By their place, a text for each, or None where there are no more.
    corpus = [list(column) for column in zip_longest(*several)]
    score = bleu.corpus_score(list(written), corpus)
    shown = [_compared(text, lowercase) for text in written]
    same = [text in [_compared(other, lowercase) for other in own] for text, own in zip(shown, several)]
    return TextScores(
        # Rounding makes a little more of it.
        min(score.score, FULL),
        min(chrf.corpus_score(list(written), corpus).score, FULL),
        float(np.mean(same)),
        {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())},
        _bleu_bounds(bleu, written, corpus) if bounds else None,
    )


def _compared(text: str, lowercase: bool) -> str:
    """A text without needless spaces, and perhaps in lower case."""
    text = " ".join(text.split())
    return text.lower() if lowercase else text


def _bleu_bounds(bleu: BLEU, written: Sequence[str], corpus: list[list[str]]) -> tuple[float, float]:
    """The 2.5 and 97.5 % percentiles of the scores of corpora that are drawn anew from this one."""
    # Counts of n-grams of each text, which add up to those of a corpus.
    statistics = np.array(bleu._extract_corpus_statistics(list(written), corpus))
    generator, scores = np.random.default_rng(_SEED), []
    for _ in range(_DRAWS):
        drawn = statistics[generator.integers(len(statistics), size=len(statistics))].sum(0)
        scores.append(bleu._compute_score_from_stats(drawn.tolist()).score)
    low, high = np.percentile(scores, [2.5, 97.5])
    return min(float(low), FULL), min(float(high), FULL)


def suitable_tokenizer(texts: Sequence[str]) -> str:
    """How BLEU cuts texts of their script: `"zh"` for Chinese, `"char"` for others without spaces, else `"13a"`.

    Example:

    ```python
    >>> suitable_tokenizer(["A dog barks."]), suitable_tokenizer(["狗在叫。"])
    ('13a', 'zh')
    ```
    """
    letters = [character for text in texts[:_LOOKED_AT] for character in text if character.isalpha()]
    names = [unicodedata.name(character, "") for character in letters if not character.isascii()]
    unspaced = sum(name.startswith(_UNSPACED) for name in names)
    chinese = sum(name.startswith("CJK") for name in names)
    if 10 * unspaced > len(letters) > 0:
        return "char"
    return "zh" if 2 * chinese > len(letters) > 0 else "13a"
