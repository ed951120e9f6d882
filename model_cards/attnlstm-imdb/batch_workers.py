"""Many texts at once: batches of like length, each on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch


# What one core reads fastest, with the embedding and the hidden size at their defaults: the gates of a time step stay
# in its cache, and there are enough rows for the matrix product to be efficient.
TOKENS_IN_BATCH = 6_400
TEXTS_IN_BATCH = 256
# Below this, a batch costs more to begin than it gains by running beside another one.
FEWEST_TOKENS = 1_600


def plan_batches(lengths: Sequence[int], batch_size: int | None = None, workers: int = 1) -> list[list[int]]:
    """Group texts of like length into batches.

    Args:
        lengths: Tokens of each text.
        batch_size: Most texts in a batch. Without it, a batch has as many texts as fit into the processor's cache:
            few long ones, or many short ones.
        workers: Batches that run side by side: little work is shared out among them.

    Returns:
        Positions in `lengths`, batch by batch, the longest texts first.

    Example:

    ```python
    >>> plan_batches([3, 900, 5], batch_size=2)
    [[1, 2], [0]]
    ```
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    share = -(-sum(lengths) // workers)
    most_tokens = max(min(TOKENS_IN_BATCH, share), FEWEST_TOKENS)
    batches = []
    start = 0
    while start < len(order):
        fitting = most_tokens // max(lengths[order[start]], 1)
        size = batch_size or min(max(fitting, 1), TEXTS_IN_BATCH)
        batches.append(order[start : start + size])
        start += size
    return batches


class BatchWorkers:
    """Threads that run whole batches, as many as torch may use, with one core each.

    The threads of a single LSTM call wait for each other at every time step, so two batches side by side take much
    less time than one after the other on two threads. A batch that has no other beside it runs in the calling thread,
    with torch's own threads, and so does everything on an accelerator.

    Example:

    ```python
    >>> import functools
    >>> with BatchWorkers(torch.device("cpu")) as workers:
    ...     waits = workers.start([functools.partial(sum, batch) for batch in ([1, 2], [3])])
    ...     [wait() for wait in waits]
    [3, 3]
    ```
    """

    def __init__(self, device: torch.device):
        self._pool: ThreadPoolExecutor | None = None
        # With this question, a thread that is new to torch takes over the number that holds at the moment.
        with _starting:
            self.count = torch.get_num_threads() if device.type == "cpu" else 1

    def __enter__(self) -> BatchWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def start(self, jobs: Sequence[Callable[[], Any]]) -> list[Callable[[], Any]]:
        """Begin with the jobs; each returned function waits for the result of one."""
        if self.count == 1 or (len(jobs) < 2 and self._pool is None):
            return list(jobs)
        if self._pool is None:
            self._pool = _single_threaded_pool(self.count)
        futures: list[Future] = [self._pool.submit(job) for job in jobs]
        return [future.result for future in futures]


# What `torch.set_num_threads` sets holds for the calling thread, and for all threads that use torch for the first time
# later. So nobody else may be given workers while some are being started.
_starting = threading.Lock()


def _single_threaded_pool(workers: int) -> ThreadPoolExecutor:
    """Threads with one thread of torch each; what torch does in all others stays as it is."""
    started = threading.Barrier(workers + 1)
    pool = ThreadPoolExecutor(workers, initializer=_use_one_thread)
    with _starting:
        users_threads = torch.get_num_threads()
        for _ in range(workers):
            pool.submit(started.wait)
        started.wait()
        torch.set_num_threads(users_threads)
    return pool


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    # Else the thread would take over the number for new threads with its first computation.
    torch.get_num_threads()
