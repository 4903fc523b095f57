from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.execution.engines.in_process import InProcess
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Task:
    """A task that says who ran it, or fails."""

    number: int
    error: Exception | None = None
    ran: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, advance: Callable[[int], None]) -> Any:
        self.ran.append((self.number, os.getpid()))
        if self.error:
            raise self.error
        advance(self.number)
        return f"receipt {self.number}"


def test_tasks_run_one_after_the_other_in_this_process() -> None:
    ran: list[tuple[int, int]] = []
    counts: list[int] = []
    tasks: Any = [Task(number, ran=ran) for number in (3, 1, 2)]
    receipts, failures = InProcess().map(tasks, counts.append)
    assert receipts == ["receipt 3", "receipt 1", "receipt 2"]
    assert failures == {}
    assert ran == [(3, os.getpid()), (1, os.getpid()), (2, os.getpid())]
    assert counts == [3, 1, 2]


def test_a_task_that_fails_does_not_stop_those_after_it() -> None:
    broken = ArtifactError("it is gone")
    tasks: Any = [Task(0), Task(1, broken), Task(2, ValueError("bad")), Task(3)]
    receipts, failures = InProcess().map(tasks, lambda count: None)
    assert receipts == ["receipt 0", "receipt 3"]
    assert failures == {1: "it is gone.", 2: "ValueError: bad."}


def test_no_task_is_no_receipt_and_no_failure() -> None:
    assert InProcess().map([], lambda count: None) == ([], {})
