from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.execution.engines.pool import Pool
from schemas.errors import ArtifactError
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Task:
    """A task that can travel: it counts, fails, or waits until another one has begun."""

    number: int
    folder: Path
    fails: bool = False
    waits_for: int | None = None

    def __call__(self, advance: Callable[[int], None]) -> Any:
        (self.folder / f"begun-{self.number}").write_text(str(os.getpid()))
        if self.waits_for is not None:
            other = self.folder / f"begun-{self.waits_for}"
            until(other.exists, f"{other} never appeared")
        if self.fails:
            raise ArtifactError(f"part {self.number} is gone")
        for _ in range(self.number):
            advance(2)
        return f"receipt {self.number}"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[int], Path]:
    """Four tasks on two workers, of which the first two can only end together."""
    folder = tmp_path_factory.mktemp("pool")
    tasks: Any = [
        Task(0, folder, waits_for=1),
        Task(1, folder, waits_for=0),
        Task(2, folder, fails=True),
        Task(3, folder),
    ]
    counts: list[int] = []
    return Pool(2).map(tasks, counts.append), counts, folder


@pytest.mark.slow
def test_two_workers_run_two_tasks_at_once_in_other_processes(
    outcome: tuple[Any, list[int], Path],
) -> None:
    _, _, folder = outcome
    processes = {(folder / f"begun-{number}").read_text() for number in (0, 1)}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


@pytest.mark.slow
def test_every_task_has_a_receipt_or_a_sentence(outcome: tuple[Any, list[int], Path]) -> None:
    (receipts, failures), _, _ = outcome
    assert sorted(receipts) == ["receipt 0", "receipt 1", "receipt 3"]
    assert failures == {2: "part 2 is gone."}


@pytest.mark.slow
def test_what_the_workers_count_reaches_this_process_in_full(
    outcome: tuple[Any, list[int], Path],
) -> None:
    _, counts, _ = outcome
    assert sum(counts) == 2 * (0 + 1 + 3)
    assert all(count > 0 for count in counts)
