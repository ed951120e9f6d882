"""Texts that come slowly, as from `tail -f`: those that are there are answered, and do not wait for more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any


# Lines that are read ahead, so that a fast writer need not wait for the model.
_AHEAD = 8_192
# Seconds without a line after which nobody waits for more: it lets the reading thread catch up with a fast writer.
_PATIENCE = 0.01
_END = object()


class Arrivals:
    """The texts of a pipe, in bursts: each one ends when nothing more is waiting.

    A thread reads, by which it is known whether anything waits. Where the texts never end, it ends with the process.

    Args:
        texts: The texts, or rows of them, for which it may have to be waited.

    Example:

    ```python
    >>> for burst in Arrivals(sys.stdin).bursts():
    ...     print(list(burst))
    ['good', 'bad']
    ['what was written a minute later']
    ```
    """

    def __init__(self, texts: Iterable[Any]):
        self._queue: queue.Queue = queue.Queue(_AHEAD)
        # What came after the last text: an error, or the end.
        self._ended: object = None
        threading.Thread(target=self._read, args=(texts,), name="texts that arrive", daemon=True).start()

    def bursts(self) -> Iterator[Iterator[Any]]:
        """The bursts, each of which must be read to its end before the next; waits for its first text.

        Raises:
            Exception: What was raised by the texts, after all that came before.
        """
        while self._ended is None:
            item = self._queue.get()
            if not _is_last(item):
                yield self._burst(item)
            else:
                self._ended = item
        if isinstance(self._ended, Exception):
            raise self._ended

    def _burst(self, item: Any) -> Iterator[Any]:
        while not _is_last(item):
            yield item
            try:
                item = self._queue.get(timeout=_PATIENCE)
            except queue.Empty:
                return
        self._ended = item

    def _read(self, texts: Iterable[Any]) -> None:
        try:
            for text in texts:
                self._queue.put(text)
        except Exception as error:
            self._queue.put(error)
        else:
            self._queue.put(_END)


def _is_last(item: object) -> bool:
    return item is _END or isinstance(item, Exception)
