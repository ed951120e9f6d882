"""Parts that are answered by workers of Ray, on this machine or on a cluster."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from .parts import Answered, Part, PartPredictor


class _Worker:
    """An actor of Ray's: it has a predictor of its own, and answers a part at a time."""

    def __init__(self, predictor: PartPredictor, threads: int):
        import torch

        torch.set_num_threads(threads)
        self._predictor = predictor

    def __call__(self, batch: dict[str, Any]) -> dict[str, list]:
        answered = [self._predictor.answer(Part(*pair)) for pair in zip(batch["source"], batch["target"])]
        return {
            "source": [one.part.source for one in answered],
            "target": [one.part.target for one in answered],
            "rows": [one.rows for one in answered],
            "error": [one.error or "" for one in answered],
        }


def answer_with_ray(
    parts: Sequence[Part],
    predictor: PartPredictor,
    *,
    workers: int | None = None,
    cpus: float = 1,
    timeout: float = 3_600.0,
) -> Iterator[Answered]:
    """Answer parts by an actor pool of Ray Data, in any order.

    Each part is a task of its own. A worker that dies is replaced by Ray Data, and its part is begun again: what was
    not finished has no file of an answer. All nodes must see the same files. The cluster is that of `RAY_ADDRESS`;
    without it, one on this machine begins and ends with the process.

    Args:
        parts: See [`find_parts`]; without any, nothing is begun.
        predictor: Answers them; each worker gets a copy.
        workers: How many; as many as there are processors, but not more than parts, without.
        cpus: Processors for each.
        timeout: Seconds after which it is given up when no part has been finished.

    Raises:
        ImportError: Without Ray.
        TimeoutError: No part was finished for so long.

    Example:

    ```python
    >>> list(answer_with_ray([], PartPredictor(list)))
    []
    ```
    """
    if not parts:
        return
    import ray

    if not ray.is_initialized():
        # Not by Ray's own choice: it would wait for minutes for a cluster of earlier that is no more.
        address = os.environ.get("RAY_ADDRESS", "local")
        begins = {"include_dashboard": False} if address == "local" else {}
        ray.init(address, log_to_driver=False, configure_logging=False, **begins)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Its plans and times are of no interest to whoever waits for the answers; it logs to a file, too.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    count = min(workers or max(int(ray.cluster_resources().get("CPU", 1) / cpus), 1), len(parts))
    rows = [{"source": part.source, "target": part.target} for part in parts]
    answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _Worker,
        fn_constructor_kwargs={"predictor": predictor, "threads": max(int(cpus), 1)},
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=count),
        num_cpus=cpus,
    )
    for row in _within(answers.iter_rows(), timeout):
        yield Answered(Part(row["source"], row["target"]), int(row["rows"]), row["error"] or None)


def _within(rows: Iterator[dict[str, Any]], timeout: float) -> Iterator[dict[str, Any]]:
    """The rows, or TimeoutError when the next one does not come in time: Ray itself would wait for ever."""
    found: queue.Queue[Any] = queue.Queue()
    end = object()

    def take() -> None:
        try:
            for row in rows:
                found.put(row)
            found.put(end)
        except BaseException as error:
            found.put(error)

    threading.Thread(target=take, daemon=True).start()
    while True:
        try:
            row = found.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(
                f"No part was finished for {timeout:g} seconds: look at the nodes of the cluster, and start the "
                "command again, which goes on with what is left, or raise --timeout."
            ) from None
        if row is end:
            return
        if isinstance(row, BaseException):
            raise row
        yield row
