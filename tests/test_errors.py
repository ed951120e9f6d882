"""What led to an error."""

from __future__ import annotations

import pytest

from hfattnlstm._errors import causes_of


def test_causes_come_before_contexts() -> None:
    with pytest.raises(OSError) as raised:
        try:
            try:
                raise KeyError("a")
            except KeyError as error:
                raise ValueError("b") from error
        except ValueError:
            raise OSError("c")  # noqa: B904
    assert [type(cause) for cause in causes_of(raised.value)] == [OSError, ValueError, KeyError]


def test_errors_that_lead_to_each_other_end() -> None:
    inner = ValueError("inner")
    outer = OSError("outer")
    outer.__cause__, inner.__context__ = inner, outer
    assert list(causes_of(outer)) == [outer, inner]
