"""Parts on three nodes of Ray: the bytes of the pool, whoever dies; and a sentence otherwise."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import ray

from pipeline.execution import engines, runner
from pipeline.execution.engines import RayCluster, ray_actors
from pipeline.execution.engines.ray_actors import Crew
from pipeline.execution.engines.ray_worker import RayWorker
from pipeline.store import catalog, parts
from pipeline.store.artifact import open_artifact
from pipeline.store.atomic import make_folder
from pipeline.verbs import VERBS
from schemas.errors import StageError
from tests.pipeline.execution.engines.ray_nodes import nodes
from tests.pipeline.helpers import ROOT, Listener, command, contents, make, rc
from tests.pipeline.small_steps import STEPS, digest, maker_in
from tests.pipeline.toys import Ingest
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pipeline.execution.engines.ray_nodes import Nodes
    from tests.pipeline.small_steps import Maker

pytestmark = pytest.mark.slow

PART_WISE = {
    step.verb: name
    for name, step in reversed(STEPS.items())
    if not VERBS[step.verb].load().single_task
}


SLOW_TO_START = ("extract-concepts", "propose", "detect")  # one worker of them is enough


@pytest.fixture(scope="module")
def three() -> Iterator[Nodes]:
    with nodes(3) as cluster:
        yield cluster


@pytest.fixture
def cluster(three: Nodes) -> RayCluster:
    return RayCluster(address=three.address)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with maker_in(tmp_path_factory.mktemp("steps")) as made:
        yield made


def test_every_verb_that_has_parts_is_tried() -> None:
    single = {name for name, verb in VERBS.items() if verb.load().single_task}
    assert PART_WISE.keys() == VERBS.keys() - single


@pytest.mark.parametrize("verb", PART_WISE)
def test_every_verb_makes_the_bytes_of_one_worker_and_so_those_of_the_pool(
    verb: str, maker: Maker, cluster: RayCluster, root: Path
) -> None:  # tests/pipeline/test_any_cores.py: the pool makes those of one worker
    name = PART_WISE[verb]
    alone = open_artifact(maker.path(name))
    inputs = {role: open_artifact(maker.path(at)) for role, at in STEPS[name].inputs.items()}
    workers = 1 if verb in SLOW_TO_START else 2
    made = runner.materialize(maker.stage(name, 1), inputs, root, workers=workers, cluster=cluster)
    assert made.manifest.fingerprint == alone.manifest.fingerprint
    assert digest(made.path) == digest(alone.path)
    assert made.manifest.run["engine"] == "ray"


def begun(log: Path) -> list[tuple[int, int]]:
    """Number and process of every attempt at a part."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(number), int(process)) for _, number, process in map(str.split, lines)]


def attempts(log: Path, number: int) -> int:
    return [part for part, _ in begun(log)].count(number)


class Gated:
    """A stage of 8 parts that all workers are at until something has happened to one of them."""

    def __init__(self, folder: Path) -> None:
        self.log, self.gate = folder / "log", folder / "gate"
        self.stage = Ingest(count=40, refuse_every=7, mark=str(self.log), gate=str(self.gate))

    def made(self, root: Path, cluster: RayCluster, harm: Callable[[], object]) -> Any:
        def do() -> None:
            until(lambda: len(begun(self.log)) == 4, "not all workers came to the gate")
            harm()
            self.gate.touch()

        doing = threading.Thread(target=do)
        doing.start()
        made = make(self.stage, root, workers=3, cluster=cluster)
        doing.join()
        return made


def peace(folder: Path) -> Any:
    return contents(make(Ingest(count=40, refuse_every=7), folder / "peace").path)


def test_a_worker_that_is_killed_changes_no_byte_and_says_nothing_to_a_program(
    cluster: RayCluster, root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gated = Gated(tmp_path)
    made = gated.made(root, cluster, lambda: os.kill(begun(gated.log)[-1][1], signal.SIGKILL))
    assert contents(made.path) == peace(tmp_path)
    assert len(begun(gated.log)) == 9
    assert capfd.readouterr().out == ""


def test_a_part_that_fails_anywhere_has_its_sentence_and_the_others_are_kept(
    cluster: RayCluster, root: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    tasks = runner.plan(Ingest(break_part=1, kill_part=2, mark=str(log)), {}, root).tasks
    make_folder(tasks[0].folder)
    receipts, failures = engines.make(3, cluster).map(tasks, lambda count: None)
    assert failures == {1: "ZeroDivisionError: a part was told to fail.", 2: engines.KILLED}
    assert sorted(receipt.part.number for receipt in receipts) == [0, 3]
    assert attempts(log, 1) == 1  # it would fail elsewhere too
    assert attempts(log, 2) == 4  # its workers die: it is sent again three times
    make(Ingest(mark=str(log)), root)
    assert attempts(log, 0) == attempts(log, 3) == 1


@pytest.fixture
def all_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """No work goes out before every worker is ready: else some may do all of it."""
    hand_out = Crew._hand_out

    def hand_out_to_all(crew: Crew) -> None:
        if all(member.ready for member in crew.members):
            hand_out(crew)

    monkeypatch.setattr(Crew, "_hand_out", hand_out_to_all)


@pytest.mark.usefixtures("all_ready")
def test_a_node_without_the_store_is_a_sentence(
    three: Nodes, cluster: RayCluster, root: Path, tmp_path: Path
) -> None:
    blind = three.add_without(root, tmp_path)
    with pytest.raises(StageError) as raised:
        make(Ingest(), root, workers=4, cluster=cluster)
    three.remove(blind)
    (folder,) = root.glob("images/v*")
    assert str(raised.value) == (
        f"node {socket.gethostname()} does not see the same store: its {folder} is not there; "
        "mount the store at the same path on every node, or leave the node out"
    )
    assert not list(folder.glob(".probe*"))


class Personal(Ingest):
    """Rows that tell who made them. The first attempt at part 0 is late, part 2 comes last."""

    def run(self, part: Any) -> Any:
        folder = Path(self.gate).parent
        first = part.number == 0 and not (folder / "begun").exists()
        (folder / "begun").touch()
        if first or part.number == 2:
            gate = folder / ("late" if first else "end")
            until(gate.exists, "nobody opened the gate")
        yield from Ingest(count=self.count, per_part=5, seed=os.getpid()).run(part)


class Doubting(Crew):
    """A driver that believes the worker at part 0 dead, while it works."""

    doubted: Any = None
    late: Any = None

    def _hand_out(self) -> None:
        super()._hand_out()
        folder = Path(self.tasks[0].stage.gate).parent  # type: ignore[attr-defined]
        if self.doubted is None and (folder / "begun").exists():
            self.doubted = next(m for m in self.members if m.task and m.task.number == 0)
            self._lost(self.doubted, ray.exceptions.RayActorError())
        if any(receipt.part.number == 0 for receipt in self.receipts):
            (folder / "late").touch()

    def _computed(self, member: Any, future: Any) -> None:
        super()._computed(member, future)
        if member is self.doubted:
            Doubting.late = future.result().prepared
            (Path(self.tasks[0].stage.gate).parent / "end").touch()  # type: ignore[attr-defined]


def test_a_worker_believed_dead_that_goes_on_changes_nothing(
    cluster: RayCluster, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable: list[Any] = []
    kill = ray.kill
    monkeypatch.setattr(ray, "kill", unreachable.append)
    monkeypatch.setattr(ray_actors, "Crew", Doubting)
    stage = Personal(count=15, gate=str(tmp_path / "gate"))
    made = make(stage, root, workers=3, cluster=cluster)
    for actor in unreachable:
        kill(actor)
    accepted = made.parts[0]
    late = Doubting.late.receipt.part
    assert late.number == accepted.number == 0
    assert late.sha256 != accepted.sha256  # it did compute, and something else
    assert parts.damaged(made.path, accepted) == []
    assert catalog.verify(made) == []
    assert not list(made.path.glob(".*"))


@pytest.mark.usefixtures("all_ready")
def test_work_goes_out_as_workers_are_free_and_counts_come_back_in_full(
    cluster: RayCluster, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[int] = []
    hand_out = Crew._hand_out

    def watched(crew: Crew) -> None:
        hand_out(crew)
        under_way.append(sum(member.task is not None for member in crew.members))

    monkeypatch.setattr(Crew, "_hand_out", watched)
    listener = Listener()
    make(Ingest(count=80, per_part=2), root, workers=2, cluster=cluster, reporter=listener)
    assert listener.count == 80
    assert max(under_way) == 2


class Stillborn(RayWorker):
    """A worker that dies before it can work."""

    def inspect(self, probe: object) -> str:
        os._exit(1)


class Unloadable(RayWorker):
    """A worker as on a node that lacks a library."""

    def __init__(self, task: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'")


def test_a_node_that_cannot_load_the_program_is_a_sentence(
    cluster: RayCluster, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_actors, "RayWorker", Unloadable)
    said = r"node [\d.]+ cannot load this program \(ModuleNotFoundError: No module named 'torch'\)"
    with pytest.raises(StageError, match=said):
        make(Ingest(), root, workers=1, cluster=cluster)


def test_workers_that_all_die_before_they_work_end_the_run(
    cluster: RayCluster, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_actors, "RayWorker", Stillborn)
    with pytest.raises(StageError, match=r"workers of Ray die before they work; the last said: "):
        make(Ingest(), root, workers=2, cluster=cluster)


def test_a_worker_that_fits_on_no_node_is_a_sentence(three: Nodes, root: Path) -> None:
    large = RayCluster(address=three.address, cpus_per_worker=2, gpus_per_worker=0.5)
    with pytest.raises(StageError, match=r"no node .* 2 CPU and 0.5 GPU .* most on one is 1 CPU"):
        make(Ingest(), root, workers=2, cluster=large)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_a_driver_that_is_stopped_ends_its_workers_and_its_command_goes_on(
    number: signal.Signals, cluster: RayCluster, tmp_path: Path
) -> None:
    log, gate, root = tmp_path / "log", tmp_path / "gate", tmp_path / "store"
    words = ["ingest", "--store", str(root), "--engine", "ray", "--workers", "2"]
    words += ["--ray-address", cluster.address, "--mark", str(log), "--gate", str(gate)]
    running = subprocess.Popen(command(*words), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    until(lambda: len(begun(log)) == 3, "no parts began")
    until(lambda: list(root.glob("images/v*/.receipts/*.json")), "no part was named")
    running.send_signal(number)
    _, said = running.communicate()
    if number == signal.SIGINT:
        assert running.returncode == 130
        resume = shlex.join(["rc", *words])
        assert said.endswith(f"interrupted; finished parts are kept. To resume: {resume}\n")
    workers = {process for _, process in begun(log)}
    until(lambda: not any(map(_runs, workers)), "a worker goes on")
    gate.touch()
    made = make(Ingest(mark=str(log)), root)
    assert attempts(log, 0) == 1  # named before, so it was kept
    assert contents(made.path) == contents(make(Ingest(), tmp_path / "peace").path)


def _runs(process: int) -> bool:
    try:
        return "ray::" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


def test_a_recipe_hands_ray_to_every_step_that_has_parts(tmp_path: Path) -> None:
    steps = "".join(f'[[step]]\nrun = "{verb}"\n' for verb in ("ingest", "pretrain"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[running]\nengine = "ray"\nworkers = 2\n' + steps)  # Ray starts here
    answer = rc("run", recipe, "--store", tmp_path / "store", "--quiet")
    assert (answer.returncode, answer.stdout.count("\n")) == (0, 2), answer.stderr
    made = {a.manifest.stage.name: a for a in catalog.everything(tmp_path / "store")}
    by = {name: artifact.manifest.run["engine"] for name, artifact in made.items()}
    assert by == {"ingest": "ray", "pretrain": "in-process"}


def test_a_cluster_that_does_not_answer_is_a_sentence(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            StageError, match=rf"cannot join the Ray cluster at {place}: Connection"
        ):
            make(Ingest(), root, cluster=RayCluster(address=place))


def test_a_node_that_is_taken_away_changes_no_byte(
    three: Nodes, cluster: RayCluster, root: Path, tmp_path: Path
) -> None:
    gated = Gated(tmp_path)

    def remove() -> None:
        three.remove(three.others[0])
        workers = {process for _, process in begun(gated.log)}
        until(lambda: not all(map(_runs, workers)), "its worker goes on without it")

    made = gated.made(root, cluster, remove)
    assert contents(made.path) == peace(tmp_path)
    assert len(begun(gated.log)) == 9  # the part of the node, by another one
