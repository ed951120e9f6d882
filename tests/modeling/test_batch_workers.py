"""Batches by length, and threads that run them without changing what the user set."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from hfattnlstm.modeling import batch_workers
from hfattnlstm.modeling.batch_workers import (
    FEWEST_TOKENS,
    TEXTS_IN_BATCH,
    TOKENS_IN_BATCH,
    BatchWorkers,
    plan_batches,
)


CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_every_text_is_in_one_batch_and_the_longest_come_first():
    lengths = torch.randint(0, 600, (2000,)).tolist()
    batches = plan_batches(lengths)
    assert sorted(index for batch in batches for index in batch) == list(range(2000))
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(lengths, reverse=True)


def test_a_batch_holds_few_long_or_many_short_texts():
    assert {len(batch) for batch in plan_batches([200] * 640)} == {TOKENS_IN_BATCH // 200}
    assert {len(batch) for batch in plan_batches([10] * TEXTS_IN_BATCH * 2)} == {TEXTS_IN_BATCH}
    assert [len(batch) for batch in plan_batches([10**6] * 3)] == [1, 1, 1]
    assert [len(batch) for batch in plan_batches([0, 0])] == [2]
    assert plan_batches([]) == []


def test_a_given_size_wins():
    assert [len(batch) for batch in plan_batches([10**6] * 7, batch_size=3)] == [3, 3, 1]


def test_little_work_is_shared_out_but_not_to_crumbs():
    assert len(plan_batches([200] * 30)) == 1
    assert len(plan_batches([200] * 30, workers=2)) == 2
    assert len(plan_batches([10] * (FEWEST_TOKENS // 10), workers=8)) == 1


def test_jobs_run_side_by_side_each_with_one_thread():
    together = threading.Barrier(2, timeout=10)

    def job() -> tuple[int, int]:
        together.wait()
        return threading.get_ident(), torch.get_num_threads()

    with BatchWorkers(CPU) as workers:
        found = [wait() for wait in workers.start([job, job])]
    assert len({thread for thread, _ in found}) == 2
    assert [threads for _, threads in found] == [1, 1]


def test_results_come_in_the_order_of_the_jobs():
    with BatchWorkers(CPU) as workers:
        waits = workers.start([lambda value=value: value * value for value in range(50)])
        assert [wait() for wait in waits] == [value * value for value in range(50)]


@pytest.mark.parametrize("leave", ["normally", "with an error", "with an error of a job"])
def test_torch_has_its_threads_back(leave):
    def wrong() -> None:
        raise ValueError("of a job")

    try:
        with BatchWorkers(CPU) as workers:
            waits = workers.start([wrong if "job" in leave else dict, dict])
            if "error" in leave:
                waits[0]()
                raise ValueError("of the caller")
    except ValueError:
        pass
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2


def test_jobs_that_have_not_begun_are_left_when_nobody_waits_for_them():
    done, begun, may_end = [], threading.Semaphore(0), threading.Event()

    def job(number: int) -> None:
        begun.release()
        may_end.wait(10)
        done.append(number)

    workers = BatchWorkers(CPU)
    workers.start([functools.partial(job, number) for number in range(50)])
    # Both are at work; else one of the two would be left as well.
    assert begun.acquire(timeout=10) and begun.acquire(timeout=10)
    threading.Timer(0.5, may_end.set).start()
    workers.__exit__()
    assert len(done) == 2


def threads_of_a_new_thread() -> int:
    """What torch uses in a thread that begins now: `torch.set_num_threads` in another one can change it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


def test_nobody_else_notices_the_workers():
    def compute() -> int:
        torch.randn(300, 300) @ torch.randn(300, 300)
        return torch.get_num_threads()

    with BatchWorkers(CPU) as first:
        assert [wait() for wait in first.start([compute] * 4)] == [1] * 4
        assert torch.get_num_threads() == threads_of_a_new_thread() == 2
        with BatchWorkers(CPU) as second:
            assert second.count == 2
            assert [wait() for wait in second.start([compute] * 2)] == [1, 1]
        assert [wait() for wait in first.start([compute] * 4)] == [1] * 4


def test_threads_that_start_workers_at_the_same_time_keep_their_number(monkeypatch: pytest.MonkeyPatch):
    starting = threading.Event()

    def slowly_use_one_thread() -> None:
        torch.set_num_threads(1)
        starting.set()
        time.sleep(0.2)
        torch.get_num_threads()

    def compute() -> tuple[int, list[int], int]:
        with BatchWorkers(CPU) as workers:
            found = [wait() for wait in workers.start([torch.get_num_threads] * 4)]
            return workers.count, found, torch.get_num_threads()

    monkeypatch.setattr(batch_workers, "_use_one_thread", slowly_use_one_thread)
    # Threads that are new to torch: each takes over the number that holds at the moment.
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(compute)
        assert starting.wait(10)
        others = [pool.submit(compute) for _ in range(2)]
        assert [future.result() for future in (first, *others)] == [(2, [1] * 4, 2)] * 3
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2


def test_one_job_runs_in_the_calling_thread_with_torchs_own_threads():
    with BatchWorkers(CPU) as workers:
        (wait,) = workers.start([lambda: (threading.get_ident(), torch.get_num_threads())])
        assert wait() == (threading.get_ident(), 2)


def test_one_thread_or_an_accelerator_has_no_workers():
    assert BatchWorkers(torch.device("cuda")).count == 1
    torch.set_num_threads(1)
    with BatchWorkers(CPU) as workers:
        waits = workers.start([threading.get_ident] * 3)
        assert {wait() for wait in waits} == {threading.get_ident()}
