"""Texts of a pipe: in order, none lost, and none that waits for the next one."""

from __future__ import annotations

import io
import queue
import sys
import threading
from collections.abc import Iterator

import pytest

from hfattnlstm.commands import predict as predict_module
from hfattnlstm.commands.arriving import Arrivals
from hfattnlstm.commands.main import main


def test_all_texts_in_order() -> None:
    texts = [str(number) for number in range(20_000)]
    assert [text for burst in Arrivals(iter(texts)).bursts() for text in burst] == texts
    assert list(Arrivals(iter([])).bursts()) == []


def test_a_burst_ends_when_nothing_waits() -> None:
    source: queue.Queue = queue.Queue()
    bursts = Arrivals(iter(source.get, None)).bursts()
    source.put("good")
    # The next text is written only after this one was answered.
    assert list(next(bursts)) == ["good"]
    source.put("bad")
    assert list(next(bursts)) == ["bad"]
    source.put(None)
    assert list(bursts) == []


def test_an_error_comes_after_the_texts_before_it() -> None:
    def texts() -> Iterator[str]:
        yield "good"
        yield "bad"
        raise ValueError("no text")

    found = []
    with pytest.raises(ValueError, match="no text"):
        for burst in Arrivals(texts()).bursts():
            found.extend(burst)
    assert found == ["good", "bad"]


class Dialogue(io.RawIOBase):
    """Standard input that gives its second line only once the first one was answered."""

    def __init__(self, answered: threading.Event):
        self._lines, self._answered = [b"good\n", b"bad\n"], answered

    def __iter__(self) -> Iterator[bytes]:
        yield self._lines[0]
        assert self._answered.wait(60)
        yield self._lines[1]


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_line_is_answered_before_the_next_one_is_written(
    form: str, checkpoint: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = threading.Event()
    told = predict_module._result

    def tell(*args: object) -> object:
        answered.set()
        return told(*args)

    monkeypatch.setattr(predict_module, "_result", tell)
    stdin = io.StringIO()
    stdin.buffer = Dialogue(answered)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["predict", str(checkpoint), "--format", form]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "good" in lines[0] and "bad" in lines[1]
