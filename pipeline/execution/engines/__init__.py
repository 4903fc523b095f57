"""Who runs the tasks. An engine knows tasks and receipts, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.execution.task import Task
    from pipeline.store.parts import Receipt

    Outcome = tuple[list[Receipt], dict[int, str]]


class Engine(Protocol):
    """Maps tasks to receipts."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        ...

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """Run every task, even after one fails; receipts, and the errors of failed parts."""
        ...


def make(workers: int) -> Engine:
    """The engine for a number of workers: this process for one, a pool for more."""
    if workers == 1:
        from pipeline.execution.engines.in_process import InProcess

        return InProcess()
    from pipeline.execution.engines.pool import Pool

    return Pool(workers)


def describe(error: BaseException) -> str:
    """The error of a failed part, in one line that ends in a full stop."""
    from schemas.errors import RCError

    text = " ".join(str(error).split()) or "no message"
    if not isinstance(error, RCError):
        text = f"{type(error).__name__}: {text}"
    return text if text.endswith((".", "!", "?")) else f"{text}."
