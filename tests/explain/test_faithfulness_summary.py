"""Figures over many texts."""

from __future__ import annotations

import pytest

from hfattnlstm.explain.faithfulness import Faithfulness, Measure
from hfattnlstm.explain.summary import FaithfulnessSummary


def one(value: float, beaten: float, flip: float | None = 0.5, tokens: int = 50) -> Faithfulness:
    part = Measure(value, 0.1, beaten)
    tau = Measure(None, None, 0.0) if flip is None else Measure(0.3, 0.0, 1.0)
    return Faithfulness(part, part, None if flip is None else Measure(flip, 0.9, 1.0), tau, 50, tokens)


def test_means_medians_and_levels() -> None:
    found = FaithfulnessSummary.of(
        iter([one(0.2, 1.0, 0.1), one(0.6, 1.0, 0.2), one(0.1, 0.2, 0.9), one(0.0, 0, 1, 9)])
    )
    assert found.texts == 4
    assert found.levels == {"better": 2, "partly": 0, "no better": 1, "too short": 1}
    assert found.comprehensiveness.mean == pytest.approx(0.225) and found.comprehensiveness.texts == 4
    assert found.comprehensiveness.random_mean == pytest.approx(0.1)
    assert (found.flip_share.median, found.flip_share.random_median) == (pytest.approx(0.55), 0.9)
    assert found.verdict == (
        "The weights are better than random rankings on 2 of 3 texts, and no better on 1, whose weights are no "
        "reasons."
    )
    assert found.to_dict()["tau"]["mean"] == pytest.approx(0.3)


def test_without_what_is_not_defined() -> None:
    found = FaithfulnessSummary.of([one(0.2, 1.0, None)])
    assert found.flip_share is None and found.tau is None and found.to_dict()["flip_share"] is None
    assert found.verdict == "The weights are better than random rankings on 1 of 1 texts."
    nothing = FaithfulnessSummary.of([])
    assert nothing.comprehensiveness is None and nothing.verdict.startswith("No text is long enough")
