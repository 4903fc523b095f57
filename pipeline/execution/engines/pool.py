"""Run tasks in several processes of this machine."""

from __future__ import annotations

import logging
import os
import signal
import threading
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, connection, get_context, parent_process
from typing import TYPE_CHECKING

from pipeline.execution.engines import KILLED, describe
from pipeline.store.pandas_import import leave_pandas_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableSequence, Sequence
    from concurrent.futures import Future

    from pipeline.execution.engines import Outcome
    from pipeline.execution.task import Task
    from pipeline.store.parts import Receipt

    Answer = tuple[Receipt | None, str, str]

log = logging.getLogger(__name__)
_EVERY_S = 0.2  # seconds between two looks at the counts
_counts: MutableSequence[int] | None = None  # in a worker: units done, one slot per task


@dataclass(frozen=True, slots=True)
class Pool:
    """Run tasks in `workers` processes; each loads its models once."""

    workers: int
    name: str = "pool"

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """See `pipeline.execution.engines.Engine.map`."""
        receipts: list[Receipt] = []
        failures: dict[int, str] = {}
        spawn = get_context("spawn")  # fork is unsafe once CUDA or threads have started
        # Plain shared memory: a worker killed while it holds a lock would block everyone else.
        counts: MutableSequence[int] = spawn.RawArray("q", max(len(tasks), 1))
        workers = min(self.workers, max(len(tasks), 1))
        pool = ProcessPoolExecutor(workers, spawn, _start_worker, (counts,))
        with reporting(counts, advance), _ending(pool):
            futures = {pool.submit(_run, i, task): task.number for i, task in enumerate(tasks)}
            for future in as_completed(futures):
                receipt, problem, trace = _answer(future)
                if receipt:
                    receipts.append(receipt)
                else:
                    log.debug("part %d failed: %s", futures[future], trace)
                    failures[futures[future]] = problem
        return receipts, failures


@contextmanager
def _ending(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Shut the pool down after the block; if it is interrupted, at once and without mercy."""
    before = set(active_children())
    try:
        yield
    except BaseException:
        for worker in set(active_children()) - before:
            worker.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def reporting(counts: Sequence[int], advance: Callable[[int], None]) -> Iterator[None]:
    """Pass on what other processes count, while the block runs."""
    over = threading.Event()

    def watch() -> None:
        reported = 0
        while True:
            last = over.wait(_EVERY_S)
            total = sum(counts)
            if total > reported:
                advance(total - reported)
                reported = total
            if last:
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _answer(future: Future[Answer]) -> Answer:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return None, KILLED, str(error)
    if error:
        return None, describe(error), str(error)
    return future.result()


def _start_worker(counts: MutableSequence[int]) -> None:
    global _counts
    _counts = counts
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    leave_pandas_out()
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End this process when its parent is gone: a killed run leaves nobody writing behind it."""
    parent = parent_process()
    if parent:
        connection.wait([parent.sentinel])
        os._exit(1)


def _run(slot: int, task: Task) -> Answer:
    """The receipt of a task, or what went wrong; text travels where exceptions may not."""
    counts = _counts
    assert counts is not None  # set by `_start_worker`

    def advance(count: int) -> None:
        counts[slot] += count

    try:
        return task(advance), "", ""
    except Exception as error:
        return None, describe(error), traceback.format_exc()
