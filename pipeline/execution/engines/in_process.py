"""Run tasks one after the other in this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pipeline.execution.engines import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.execution.engines import Outcome
    from pipeline.execution.task import Task

log = logging.getLogger(__name__)


class InProcess:
    """The simplest engine: no processes, no pickling."""

    name = "in-process"

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """See `pipeline.execution.engines.Engine.map`."""
        receipts, failures = [], {}
        for task in tasks:
            try:
                receipts.append(task(advance))
            except Exception as error:
                log.debug("part %d failed", task.number, exc_info=True)
                failures[task.number] = describe(error)
        return receipts, failures
