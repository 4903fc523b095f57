from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.execution.engines.node_probe import NodeProbe
from pipeline.execution.engines.ray_worker import RayWorker, own_of
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Prepares:
    """A task that counts to its number; 3 fails."""

    number: int = 0
    recipe: str = "of part 0"
    inputs: tuple[str, ...] = ("shared",)

    def prepare(self, advance: Callable[[int], None]) -> Any:
        for _ in range(self.number):
            advance(2)
        if self.number == 3:
            raise ArtifactError("part 3 is gone")
        return f"prepared {self.number}, {self.recipe}"


def worker() -> RayWorker:
    task: Any = Prepares()
    return RayWorker(task)


def test_a_number_is_enough_to_compute_a_part() -> None:
    one = worker()
    assert one.compute({"number": 2}).prepared == "prepared 2, of part 0"
    assert (one.compute({"number": 4}).units, one.units()) == (8, 8)
    assert (one.compute({"number": 1}).units, one.units()) == (2, 2)  # of the part alone


def test_a_part_that_fails_is_a_sentence_and_the_worker_goes_on() -> None:
    one = worker()
    answer = one.compute({"number": 3})
    assert (answer.prepared, answer.problem, answer.units) == (None, "part 3 is gone.", 6)
    assert "ArtifactError" in answer.trace
    assert one.compute({"number": 4}).problem == ""


def test_a_node_is_named_by_its_host(tmp_path: Path) -> None:
    said = worker().inspect(NodeProbe(tmp_path / "none", "", "another"))
    assert said.startswith(f"node {socket.gethostname()} has version ")


def test_what_is_a_task_s_own_travels_and_makes_it_again() -> None:
    first: Any = Prepares()
    task: Any = Prepares(2, "of part 2")
    assert own_of(first, first) == {}
    assert own_of(task, first) == {"number": 2, "recipe": "of part 2"}
    answer = RayWorker(first).compute(own_of(task, first))
    assert answer.prepared == "prepared 2, of part 2"
