"""What is trained: flags of `hfattnlstm train`, by what a table calls them."""

from __future__ import annotations

from collections.abc import Sequence


PLAIN = "plain"
# Nothing goes past the attention: no maximum beside it, and no n-grams with weights of their own.
ALONE = ("--classifier_pooling", "attention", "--classifier_ngrams", "0")
_PENALTIES = {
    "conicity": ("--conicity_coef", "0.5"),
    "tying": ("--tying_coef", "0.1"),
    "entropy": ("--pooler_entropy_coef", "0.05"),
    "alignment": ("--alignment_coef", "1"),
    "erasure": ("--erasure_coef", "1"),
}
REMEDIES: dict[str, Sequence[str]] = {
    PLAIN: (),
    **_PENALTIES,
    "attention alone": ALONE,
    **{f"attention alone, {name}": (*ALONE, *flags) for name, flags in _PENALTIES.items()},
}
