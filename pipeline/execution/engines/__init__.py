"""Who runs the tasks. An engine knows tasks and receipts, nothing else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from schemas.errors import OptionError, RCError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.execution.task import Task
    from pipeline.store.parts import Receipt
    from stages.base import Stage

    Outcome = tuple[list[Receipt], dict[int, str]]

KILLED: Final = (  # what is said of a part whose worker died
    "a worker process was killed, perhaps because memory ran out: "
    "try again, with fewer --workers if it recurs."
)
_MOST_THREADS: Final = 8  # of one worker: each holds an image's feature maps, up to 1 GB
_PLACE: Final = re.compile(r"auto|[^\s/:]+:\d+")


class Engine(Protocol):
    """Maps tasks to receipts."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        ...

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """Run every task, even after one fails; receipts, and the errors of failed parts."""
        ...


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """Where Ray runs workers, and how much of a node each takes.

    Attributes:
        address: `auto`, or HOST:PORT of its head; empty to start Ray on this machine.
        cpus_per_worker: Cores.
        gpus_per_worker: Devices; a fraction shares one, more than one is a whole number.

    Raises:
        OptionError: If there are no such workers, or it is no such address.
    """

    address: str = ""
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0

    def __post_init__(self) -> None:
        if self.address and not _PLACE.fullmatch(self.address):
            raise OptionError(f"--ray-address must be auto or HOST:PORT, got '{self.address}'")
        if self.cpus_per_worker < 1:
            raise OptionError(f"--cpus-per-worker must be at least 1, got {self.cpus_per_worker}")
        gpus = self.gpus_per_worker
        if not 0 <= gpus < float("inf") or (gpus > 1 and gpus != int(gpus)):
            raise OptionError(
                "--gpus-per-worker must be a fraction of one device, or a whole number of devices, "
                f"got {gpus:g}"
            )


def make_for(stage: Stage, workers: int, cluster: RayCluster | None = None) -> Engine:
    """The engine for a stage: a single task runs in this process, or on the ranks of a training.

    Raises:
        OptionError: If Ray is asked for and not installed.
    """
    if not stage.single_task:
        return make(workers, cluster)
    if stage.num_processes() == 1:
        return make(1)
    from pipeline.execution.engines.ranks import Ranks

    return Ranks(stage.num_processes())


def make(workers: int, cluster: RayCluster | None = None) -> Engine:
    """The engine for a number of workers: of Ray in a cluster, else this process, or a pool.

    Raises:
        OptionError: If Ray is asked for and not installed.
    """
    if cluster is not None:
        try:
            from pipeline.execution.engines.ray_actors import RayActors
        except ModuleNotFoundError as error:
            if error.name != "ray":
                raise
            raise OptionError(
                "--engine ray needs Ray, which is not installed: "
                "pip install 'regionclip-toolkit[ray]'"
            ) from None
        return RayActors(workers, cluster)
    if workers == 1:
        from pipeline.execution.engines.in_process import InProcess

        return InProcess()
    from pipeline.execution.engines.pool import Pool

    return Pool(workers)


def threads_of_worker(workers: int, cluster: RayCluster | None = None) -> int:
    """Threads of each worker unless they are given: its share of the cores, but not many."""
    cores = cluster.cpus_per_worker if cluster else (os.cpu_count() or 1) // workers
    return max(1, min(cores, _MOST_THREADS))


def describe(error: BaseException) -> str:
    """The error of a failed part, in one line that ends in a full stop."""
    text = " ".join(str(error).split()) or "no message"
    if not isinstance(error, RCError):
        text = f"{type(error).__name__}: {text}"
    return text if text.endswith((".", "!", "?")) else f"{text}."
