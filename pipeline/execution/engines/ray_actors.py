"""Run tasks in actors of Ray, on the nodes of a cluster; docs/decisions/0006-ray.md says how.

The only file that imports Ray.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections import Counter, deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from pipeline.execution.engines import KILLED, describe
from pipeline.execution.engines.node_probe import probe_left, without_program
from pipeline.execution.engines.ray_worker import RayWorker, own_of
from pipeline.store.warning import warn
from schemas.errors import StageError

# Read when Ray is imported, or starts a cluster: `uv run` would send the working directory to
# every node, and a cluster started here would report its use over the network.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
import ray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from pipeline.execution.engines import Outcome, RayCluster
    from pipeline.execution.engines.node_probe import NodeProbe
    from pipeline.execution.engines.ray_worker import Answer
    from pipeline.execution.task import Task
    from pipeline.store.parts import Receipt

log = logging.getLogger(__name__)
_MOST_DEATHS: Final = 3  # that a part survives, or that may follow each other before any work
_EVERY_S: Final = 0.25  # seconds between two questions for counts, whatever the number of workers
_LOOK_S: Final = 10.0  # seconds between two looks at those who have not started
_KNOCK_S: Final = 10.0  # seconds that a cluster has to answer
_OBJECTS_BYTES: Final = 80 << 20  # of a Ray started here: the least it takes, since no data travel
_connection: tuple[str, int] | None = None  # address and cores of that which this process made


@dataclass(frozen=True, slots=True)
class RayActors:
    """Run tasks in `workers` actors; each loads its models once.

    Ray stays connected until this process ends, for the next stage of a recipe; a connection that
    somebody else made in this process is used as it is.
    """

    workers: int
    cluster: RayCluster
    name: str = "ray"

    def map(self, tasks: Sequence[Task], advance: Callable[[int], None]) -> Outcome:
        """See `pipeline.execution.engines.Engine.map`.

        Raises:
            StageError: If there is no such cluster, no node that a worker fits on, or a node that
                has another program or another store.
        """
        if not tasks:
            return [], {}
        _connect(self.cluster, self.workers)
        with probe_left(tasks[0].folder) as probe:
            crew = Crew(self, tasks, probe, advance)
            try:
                return crew.work()
            finally:
                crew.end()


@dataclass(eq=False, slots=True)
class Member:
    """A worker as the driver knows it: its actor, whether it may work, and at what it is."""

    actor: Any
    ready: bool = False
    task: Task | None = None
    asked_at: float = 0.0


@dataclass
class Crew:
    """The workers of one run, and what is still to be done; lives in the driver."""

    engine: RayActors
    tasks: Sequence[Task]
    probe: NodeProbe
    advance: Callable[[int], None]
    receipts: list[Receipt] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = deque(self.tasks)
        self.members: list[Member] = []
        self.deaths: Counter[int] = Counter()  # of workers, by the part that they were at
        self.stillborn = 0  # workers that died before they could work, since one last could
        self.reported: Counter[int] = Counter()  # units by part: a second attempt counts once
        self.answers: SimpleQueue[tuple[Callable[..., None], Any, Future[Any]]] = SimpleQueue()
        self.asked = False  # for counts, without an answer yet
        self.shared = ray.put(self.tasks[0])
        remote: Any = ray.remote  # whose types know no concurrency groups
        self.kind = remote(
            num_cpus=self.engine.cluster.cpus_per_worker,
            num_gpus=self.engine.cluster.gpus_per_worker,
            scheduling_strategy="SPREAD",
            concurrency_groups={"counts": 1},
        )(RayWorker)

    def work(self) -> Outcome:
        """Have every part computed, and give those that are their names."""
        next_question = next_look = time.monotonic() + _EVERY_S
        self._check_room()
        self._hire()
        while self.queue or any(member.task for member in self.members):
            with suppress(Empty):
                handle, member, future = self.answers.get(timeout=_EVERY_S)
                handle(member, future)
            self._hand_out()
            now = time.monotonic()
            if now >= next_question:
                next_question = now + _EVERY_S
                self._ask()
            if now >= next_look + _LOOK_S:
                next_look = now
                self._look()
        return self.receipts, self.failures

    def end(self) -> None:
        """End all workers, whatever they are at."""
        for member in self.members:
            ray.kill(member.actor)

    def _hire(self) -> None:
        """Ask for as many workers as there is work for."""
        busy = sum(member.task is not None for member in self.members)
        while len(self.members) < min(self.engine.workers, len(self.queue) + busy):
            member = Member(self.kind.remote(self.shared))
            self.members.append(member)
            self._await(member.actor.inspect.remote(self.probe), self._inspected, member)

    def _await(self, call: Any, handle: Callable[..., None], member: Member) -> None:
        call.future().add_done_callback(lambda done: self.answers.put((handle, member, done)))

    def _inspected(self, member: Member, future: Future[str]) -> None:
        if error := future.exception():
            if getattr(error, "actor_init_failed", False):
                raise StageError(without_program(str(error)))
            self._lost(member, error)
        elif objection := future.result():
            raise StageError(objection)
        else:
            member.ready, self.stillborn = True, 0

    def _hand_out(self) -> None:
        """Give a part to each worker that has none."""
        for member in self.members:
            if self.queue and member.ready and member.task is None:
                member.task = self.queue.popleft()
                call = member.actor.compute.remote(own_of(member.task, self.tasks[0]))
                self._await(call, self._computed, member)

    def _computed(self, member: Member, future: Future[Answer]) -> None:
        task = member.task
        if member not in self.members or task is None:
            return  # believed dead, it answers after all: its part is another one's
        error = future.exception()
        kinds = ray.exceptions
        if isinstance(error, kinds.RayError) and not isinstance(error, kinds.RayTaskError):
            self._lost(member, error)
            return
        member.task = None
        if error:
            self.failures[task.number] = describe(error)
            return
        answer = future.result()
        self._count(task, answer.units)
        if answer.prepared is None:
            log.debug("part %d failed: %s", task.number, answer.trace)
            self.failures[task.number] = answer.problem
            return
        try:
            self.receipts.append(task.publish(answer.prepared))
        except Exception as problem:
            log.debug("part %d failed", task.number, exc_info=True)
            self.failures[task.number] = describe(problem)

    def _lost(self, member: Member, error: BaseException) -> None:
        """Do without a worker that died or cannot be reached; its part goes to another one."""
        log.debug("a worker was lost: %s", error)
        at = f"at part {member.task.number}" if member.task else "before it could work"
        warn(f"a worker of Ray died {at}, or cannot be reached; others go on")
        ray.kill(member.actor)  # who cannot be reached may be at work still
        self.members.remove(member)
        if member.task is None:
            self.stillborn += 1
            if self.stillborn > _MOST_DEATHS:
                last = str(error).strip().splitlines()[-1]  # of a traceback: what was raised
                raise StageError(f"workers of Ray die before they work; the last said: {last}")
        elif self.deaths[member.task.number] == _MOST_DEATHS:
            self.failures[member.task.number] = KILLED
        else:
            self.deaths[member.task.number] += 1
            self.queue.append(member.task)
        self._hire()

    def _ask(self) -> None:
        """Ask one worker how far it is: a few messages a second, however many workers there are."""
        busy = [(member, member.task) for member in self.members if member.task]
        if busy and not self.asked:
            member, task = min(busy, key=lambda pair: pair[0].asked_at)
            member.asked_at, self.asked = time.monotonic(), True
            call = member.actor.units.options(concurrency_group="counts").remote()
            self._await(call, partial(self._told, task), member)

    def _told(self, task: Task, member: Member, future: Future[int]) -> None:
        self.asked = False
        if member.task is task and not future.exception():
            self._count(task, future.result())

    def _count(self, task: Task, units: int) -> None:
        if (more := units - self.reported[task.number]) > 0:
            self.reported[task.number] = units
            self.advance(more)

    def _look(self) -> None:
        """Stop if those who have not started never can; else say that they wait."""
        ready = sum(member.ready for member in self.members)
        if ready < len(self.members):
            self._check_room()
            warn(f"{ready} of {len(self.members)} workers of Ray started; the others wait for room")

    def _check_room(self) -> None:
        """Pass if some node is large enough for a worker, whoever is on it now."""
        cluster = self.engine.cluster
        needs = {"CPU": cluster.cpus_per_worker, "GPU": cluster.gpus_per_worker}
        alive: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        nodes = [node["Resources"] for node in alive if node["Alive"]]
        if any(all(node.get(kind, 0) >= n for kind, n in needs.items()) for node in nodes):
            return
        most = (f"{max((n.get(kind, 0) for n in nodes), default=0):g} {kind}" for kind in needs)
        raise StageError(
            f"no node of the Ray cluster has the {needs['CPU']} CPU and {needs['GPU']:g} GPU of a "
            f"worker (--cpus-per-worker, --gpus-per-worker); the most on one is {', '.join(most)}"
        )


def _connect(cluster: RayCluster, workers: int) -> None:
    """Connect this process, unless it is connected already.

    Raises:
        StageError: If no cluster answers, or none that this version of Ray can join.
    """
    global _connection
    cores = 0 if cluster.address else workers * cluster.cpus_per_worker
    if ray.is_initialized():
        if _connection in (None, (cluster.address, cores)):
            return
        ray.shutdown()
    # Ray would print what befalls a worker to standard output, which is for results alone.
    ray._private.worker.listen_error_messages = lambda *_: None
    where: dict[str, Any] = {"address": cluster.address}
    if not cluster.address:
        where = {"address": "local", "num_cpus": cores, "object_store_memory": _OBJECTS_BYTES}
        where["include_dashboard"] = False
    try:
        with _signals_kept():
            host, _, port = cluster.address.partition(":")
            if port:  # Ray itself would try for a quarter of an hour
                socket.create_connection((host, int(port)), _KNOCK_S).close()
            ray.init(**where, configure_logging=False, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:  # of the network; of versions
        place = f"join the Ray cluster at {cluster.address}" if cluster.address else "start Ray"
        raise StageError(f"cannot {place}: {describe(error)}") from error
    _connection = cluster.address, cores


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what Ray does to the handlers of signals: the command line has its own."""
    mine = threading.current_thread() is threading.main_thread()
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)} if mine else {}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
