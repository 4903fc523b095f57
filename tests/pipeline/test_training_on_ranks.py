"""`rc train` on two ranks of real networks: what one process learns, but for rounding."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file

import pipeline
from pipeline.demo import weights_folder
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.helpers import ROOT
from tests.waiting import HANG_S, until

if TYPE_CHECKING:
    from pipeline.store.artifact import Artifact

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]
RC = "from pipeline.cli import main; main()"
# A process in which Python changes nothing in the store, and no library writes a file of the size
# of a model or a checkpoint anywhere.
GUARD = """
import os, resource, sys
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"}
def watch(event, arguments):
    flags = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
    if event in CHANGES or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if sys.argv[-1] in str(arguments[0]):
            raise PermissionError(f"{event} of {arguments[0]}")
sys.addaudithook(watch)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
"""
CONCEPTS = "cat\ndog\ncar\nball\ntree\nbird\nboat\ncup\n"
WORDS = ["train", "--steps", "8", "--images-per-batch", "4", "--resize", "96x200", "--log-every"]
WORDS += ["1", "--checkpoint-every", "2", "--negatives", "gathered", "--device", "cpu"]
OPTIONS: dict[str, Any] = {
    "steps": 8,
    "images_per_batch": 4,
    "resize": ["96x200"],
    "log_every": 1,
    "checkpoint_every": 2,
    "negatives": "gathered",
    "device": "cpu",
}  # the same
CLOSE = 1e-5  # the most that weights may differ by


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all that is learned from."""
    folder, weights = tmp_path_factory.mktemp("labelled"), weights_folder()
    write_scenes(folder / "scenes", "scenes", 8, seed=3)
    (folder / "names.txt").write_text(CONCEPTS)
    store = pipeline.open(folder / "store")
    teacher = {"kind": "teacher", "architecture": str(weights / "teacher_model.json")}
    steps: dict[str, dict[str, Any]] = {
        "ingest": {"sources": [str(folder / "scenes")], "part_images": 3},
        "extract-concepts": {"from_file": folder / "names.txt", "parser": "lexicon"},
        "import-weights": {"file": str(weights / "teacher.safetensors"), **teacher},
        "embed-concepts": {"templates": "plain"},
        "propose": {"grid": True, "regions": 5},
        "featurize": {"resize": "96x200"},
        "label": {},
    }
    for verb, options in steps.items():
        store.run(verb, threads=1, **options)
    return store.root


@pytest.fixture(scope="module")
def alone(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The student that one process trains."""
    return train(copied(labelled, tmp_path_factory.mktemp("alone")))


def train(store: Path) -> Artifact:
    """The student that one process trains: this one."""
    return pipeline.open(store).run("train", **OPTIONS)


def copied(store: Path, folder: Path) -> Path:
    return Path(shutil.copytree(store, folder / "store"))


def start(store: Path, *words: str, code: str = RC, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *WORDS, *words, "--store", str(store)],
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 0, err
    return out


def student(store: Path) -> Artifact:
    return pipeline.open(store).artifact("students")


def difference(a: Artifact, b: Artifact) -> float:
    """The most that a weight of two models differs by."""
    ours, theirs = (load_file(model.path / "weights.safetensors") for model in (a, b))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def files(artifact: Artifact) -> set[str]:
    return {path.name for path in artifact.path.iterdir()}


CHANGES = ["open(path, 'w')", "os.mkdir(path)", "open('large', 'wb').write(bytes(70000))"]


@pytest.mark.parametrize("change", CHANGES)
def test_the_guard_of_the_next_test_sees_who_writes(tmp_path: Path, change: str) -> None:
    (tmp_path / "store").mkdir()
    code = f"{GUARD}path = sys.argv[-1] + '/new'\n{change}"
    words = [sys.executable, "-c", code, tmp_path / "store"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert b"PermissionError" in ended.stderr or b"File too large" in ended.stderr


def test_a_second_rank_writes_no_file_and_the_weights_are_those_of_one_process(
    labelled: Path, alone: Artifact, tmp_path: Path
) -> None:
    store = copied(labelled, tmp_path)
    before = {path for path in store.rglob("*") if "students" not in path.parts}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    first = start(store, RANK="0", LOCAL_RANK="0", **place)
    second = start(store, RANK="1", LOCAL_RANK="1", code=GUARD + RC, **place)
    assert run(second) == ""
    assert run(first).count("\n") == 1
    together = student(store)
    assert together.manifest.fingerprint == alone.manifest.fingerprint
    assert files(together) == files(alone)
    assert {path for path in store.rglob("*") if "students" not in path.parts} == before
    assert 0 < difference(together, alone) <= CLOSE
    assert together.manifest.run["ranks"] == [2]


def test_after_a_rank_is_killed_one_process_goes_on(
    labelled: Path, alone: Artifact, tmp_path: Path
) -> None:
    store = copied(labelled, tmp_path)
    process = start(store, "--ranks", "2")
    pattern = "students/*/.scratch/*/checkpoint.pt"
    until(lambda: list(store.glob(pattern)) or process.poll() is not None, "no checkpoint")
    os.kill(ranks_of(process.pid)[1], signal.SIGKILL)
    _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 1
    said = (
        "error: rc train: rank 1 was ended by SIGKILL, perhaps because memory ran out, and the "
        "other ranks were ended. Run the same command again: it goes on from the last checkpoint."
    )
    assert err.splitlines()[-1] == said
    resumed = train(store)
    assert resumed.manifest.run["ranks"] == [2, 1]
    assert resumed.manifest.notes["loss"]["steps"] == 8
    assert difference(resumed, alone) <= CLOSE


def ranks_of(pid: int) -> list[int]:
    """Processes that a command started as ranks, in their order."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ranks = [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    assert len(ranks) == 2, children
    return sorted(ranks)
