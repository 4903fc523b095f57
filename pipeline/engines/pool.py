"""Run tasks in several processes of this machine."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from pipeline.engines import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.queues import SimpleQueue

    from pipeline.engines import Outcome
    from pipeline.store.parts import Receipt
    from pipeline.task import Task

log = logging.getLogger(__name__)
_counts: SimpleQueue[int | None] | None = None  # in a worker: where progress goes


@dataclass(frozen=True, slots=True)
class Pool:
    """Run tasks in `workers` processes; each loads its models once."""

    workers: int
    name: str = "pool"

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """See `pipeline.engines.Engine.map`."""
        receipts: list[Receipt] = []
        failures: dict[int, str] = {}
        spawn = get_context("spawn")  # fork is unsafe once CUDA or threads have started
        counts: SimpleQueue[int | None] = spawn.SimpleQueue()
        listener = threading.Thread(target=_listen, args=(counts, advance), daemon=True)
        listener.start()
        with ProcessPoolExecutor(
            min(self.workers, max(len(tasks), 1)), spawn, _start_worker, (counts,)
        ) as pool:
            numbers = {pool.submit(_run, task): task.number for task in tasks}
            for future in as_completed(numbers):
                if error := future.exception():
                    log.debug("part %d failed", numbers[future], exc_info=error)
                    failures[numbers[future]] = describe(error)
                else:
                    receipts.append(future.result())
        counts.put(None)
        listener.join()
        return receipts, failures


def _start_worker(counts: SimpleQueue[int | None]) -> None:
    global _counts
    _counts = counts


def _run(task: Task) -> Receipt:
    assert _counts is not None  # set by `_start_worker`
    return task(_counts.put)


def _listen(counts: SimpleQueue[int | None], advance: Callable[[int], None]) -> None:
    while (count := counts.get()) is not None:
        advance(count)
