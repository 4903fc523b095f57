"""Who runs the tasks. An engine knows tasks and receipts, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.store.parts import Receipt
    from pipeline.task import Task

    Outcome = tuple[list[Receipt], dict[int, str]]


class Engine(Protocol):
    """Maps tasks to receipts."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        ...

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """Run every task, even after one fails; receipts, and what failed parts said."""
        ...


def make(workers: int) -> Engine:
    """The engine for a number of workers: this process for one, a pool for more."""
    if workers == 1:
        from pipeline.engines.in_process import InProcess

        return InProcess()
    from pipeline.engines.pool import Pool

    return Pool(workers)


def describe(error: BaseException) -> str:
    """What a failed part said, in one line."""
    from schemas.errors import RCError

    text = " ".join(str(error).split())
    return text if isinstance(error, RCError) else f"{type(error).__name__}: {text}"
