"""The worker of a cluster: what runs in an actor of Ray, on a node that may not be the driver's."""

from __future__ import annotations

import os
import socket
import traceback
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pipeline.execution.engines import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.execution.engines.node_probe import NodeProbe
    from pipeline.execution.task import PreparedPart, Task


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says of a part: what it prepared, or what went wrong; and units done."""

    prepared: PreparedPart | None
    problem: str
    trace: str
    units: int


class RayWorker:
    """Computes parts of one stage, one at a time, and gives none its name.

    Args:
        task: Any of the stage's; of the others, only what is their own travels.
    """

    def __init__(self, task: Task) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in `pipeline.cli`, before torch
        self._task = task
        self._units = 0

    def inspect(self, probe: NodeProbe) -> str:
        """Why its node cannot work, in a sentence; empty if it can."""
        return probe.objection(f"node {socket.gethostname()}")

    def compute(self, own: Mapping[str, Any]) -> Answer:
        """Compute the part of a task by what is its own; text travels where exceptions may not."""
        self._units = 0

        def count(units: int) -> None:
            self._units += units

        try:
            prepared = replace(self._task, **own).prepare(count)
        except Exception as error:
            return Answer(None, describe(error), traceback.format_exc(), self._units)
        return Answer(prepared, "", "", self._units)

    def units(self) -> int:
        """How many of the part under way are done; answered while it is."""
        return self._units


def own_of(task: Task, first: Task) -> dict[str, Any]:
    """What a task has that the first one of its stage has not: its number, above all."""
    pairs = ((f.name, getattr(task, f.name), getattr(first, f.name)) for f in fields(task))
    return {name: mine for name, mine, other in pairs if mine is not other and mine != other}
