"""Run one task on several processes that train together; the one of rank 0 writes what it makes.

This program starts them on this machine, or has joined those that something else started, see
`pipeline.execution.rank_session`.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from pipeline.execution.engines import describe, joined_ranks
from pipeline.execution.engines.pool import end_with_parent, reporting
from schemas.errors import StageError
from stages.training.rank_environment import rank_place

if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence, Sequence

    from pipeline.execution.engines import Outcome
    from pipeline.execution.task import Task
    from pipeline.store.parts import Receipt

log = logging.getLogger(__name__)
_LINGER_S = 60.0  # that a rank waits for its end, after it lost another one


@dataclass(frozen=True, slots=True)
class Ranks:
    """Run a task on `number` ranks; satisfies `pipeline.execution.engines.Engine`."""

    number: int
    name: str = "ranks"

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """See `pipeline.execution.engines.Engine.map`."""
        receipts: list[Receipt] = []
        failures: dict[int, str] = {}
        for task in tasks:
            try:
                receipts.append(self._computed(task, advance))
            except Exception as error:
                log.debug("part %d failed", task.number, exc_info=True)
                failures[task.number] = describe(error)
        return receipts, failures

    def _computed(self, task: Task, advance: Callable[[int], None]) -> Receipt:
        from stages.training import rank_group, rank_launch

        if group := rank_group.current():
            return joined_ranks.led(group, task, advance)
        rank_group.check_devices(self.number, task.stage.device)
        counts: MutableSequence[int] = get_context("spawn").RawArray("q", 1)
        with reporting(counts, advance):
            receipt = rank_launch.launched(self.number, _take_part, task, counts)
        assert receipt is not None  # that of rank 0
        return receipt


def _take_part(task: Task, counts: MutableSequence[int]) -> Receipt | None:
    """Be one of the ranks that this program started: the receipt on rank 0, None on others.

    Raises:
        StageError: With the sentence of whatever failed: what travels to the launcher is text.
    """
    from stages.training import rank_group

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # at once, also within a step; nothing is to be saved
    threading.Thread(target=end_with_parent, daemon=True).start()

    def advance(count: int) -> None:
        counts[0] += count

    place = rank_place(os.environ)
    assert place is not None  # the launcher sets it
    try:
        with rank_group.joined(place, task.stage.device):
            if place.rank == 0:
                return task(advance)
            task.follow()
            return None
    except Exception as error:
        if rank_group.is_loss_of_rank(error):  # the launcher sees who is gone, and ends this rank
            threading.Event().wait(_LINGER_S)
        raise StageError(describe(error)) from error
