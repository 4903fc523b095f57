"""The commands that crash and run out of room: every one that writes, on a small world.

A command runs in a folder `trial` of its own, in which it finds `store` and what earlier commands
left. Twelve scenes, and networks of eight channels, let each take a fraction of a second.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import duckdb
from typer.main import get_command

from benchmarks.reliability import syscalls
from benchmarks.reliability.comparison import content_of
from benchmarks.reliability.syscalls import FLUSHING, PASS, SKIP
from pipeline.cli import app, main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.reliability.syscalls import Call, Ended

_CLIP: Final = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
_RECIPE: Final = """
[[draw]]
kind = "scenes"
folder = "drawn"
count = 3
[[step]]
run = "ingest"
as = "drawn"
sources = ["drawn"]
[[step]]
run = "extract-concepts"
images = "@drawn"
parser = "ngram:1"
min-frequency = 1
"""
_IGNORED: Final = re.compile(r"^tmp/|/\.v\d+-[0-9a-f]{12}\.lock$|/recency\.json$|\.faiss$")
_TRAINING: Final = "--steps 4 --checkpoint-every 2 --log-every 1 --images-per-batch"


@dataclass(frozen=True)
class Command:
    """A command that is attacked.

    Attributes:
        name: In the table.
        words: What is typed after `rc`.
        output: What it writes outside the store, in the trial; whole or absent at any moment.
        kept: Whether the commands after it find what it made.
        attacked: Whether it is; else it only makes something for the others.
        basis: Whether those that are attacked in short need it.
        short: Whether it is also attacked in short.
        without: Files that are removed before it, as a pattern.
    """

    name: str
    words: str
    output: str = ""
    kept: bool = False
    attacked: bool = True
    basis: bool = False
    short: bool = False
    without: str = ""


def _stage(name: str, words: str, *, basis: bool = False, short: bool = False) -> Command:
    return Command(name, f"{name} {words}", kept=True, basis=basis, short=short)


COMMANDS: Final = (
    _stage("ingest", "../world/scenes --part-images 6", basis=True, short=True),
    _stage("duplicates", "--against images"),
    _stage("extract-concepts", "--min-frequency 2 --parser ngram:1", basis=True),
    _stage("pretrain", f"--model ../world/clip.json --warmup 0 {_TRAINING} 4", basis=True),
    _stage("embed-concepts", "--templates plain", basis=True),
    Command(
        "merge-concepts", "merge-concepts groups.toml --min-cosine -1", "groups.toml", kept=True
    ),
    Command(
        "extract-concepts --merge",
        "extract-concepts --min-frequency 2 --parser ngram:1 --merge groups.toml",
    ),
    _stage("train-rpn", f"--width 8 --resize 96x96 {_TRAINING} 2"),
    _stage("propose", "--top-k 12 --resize 96x96"),
    Command("propose --grid", "propose --grid --regions 5", kept=True, basis=True),
    _stage("featurize", "--resize 96x96", basis=True),
    _stage("label", "--min-probability 0", basis=True),
    _stage("suspect", "--neighbours 4"),
    _stage("map-regions", "--method pca"),
    _stage("select", "sure --where region<4"),
    _stage("audit draw", "first --size 6 --strata 2"),
    Command("", "export cvat annotated --images none", kept=True, attacked=False),
    _stage("import-reviews", "mended annotated/annotations.xml --exported annotated"),
    _stage("train", f"--pseudo-labels pseudo_labels --resize 64x64 {_TRAINING} 4"),
    _stage("finetune", f"--resize 96x96 {_TRAINING} 2"),
    _stage("detect", "--names cat,dog --templates plain --resize 96x96"),
    _stage("evaluate", "--model students --resize 96x96"),
    Command(
        "import-weights",
        "import-weights ../world/teacher.safetensors --as student "
        "--architecture ../world/teacher_model.json",
    ),
    Command("ingest, linked parts", "ingest ../world/scenes --part-images 6 --accept-changed"),
    Command("label --force", "label --min-probability 0 --force"),
    Command("label --from-images", "label --from-images --min-probability 0 --resize 96x96"),
    Command("label --absent", "label --absent 3 --absent-up-to 0.1"),
    Command("search", "search cat --templates plain", without="store/features/*/*.faiss"),
    *(
        Command(f"export {form}", f"export {form} out --images {images}", "out", short=short)
        for form, images, short in (
            ("coco", "link", True),
            ("lvis", "none", False),
            ("yolo", "copy", False),
            ("webdataset", "copy", False),
            ("parquet", "none", False),
            ("fiftyone", "link", False),
            ("label-studio", "none", False),
            ("cvat", "none", False),
        )
    ),
    Command("export-features npy", "export-features features out", "out"),
    Command("export-features h5", "export-features features out.h5 --format h5", "out.h5"),
    Command(
        "export-features parquet", "export-features features out --format parquet", "out.parquet"
    ),
    Command("", "export-features features old --where region<0", kept=True, attacked=False),
    Command("export-features --force", "export-features features old --force", "old"),
    Command("export-weights open_clip", "export-weights teachers out", "out"),
    Command("", "export-weights teachers weights --format regionclip", kept=True, attacked=False),
    Command(
        "export-weights regionclip --force",
        "export-weights students weights --format regionclip --force",
        "weights.pth",
    ),
    Command("export-detections", "export-detections detections out --pictures 2", "out.json"),
    Command("push", "push remote features", kept=True, basis=True, short=True),
    Command("pull", "pull remote features --store copy", short=True),
    Command("db", "db views.duckdb", "views.duckdb", short=True),
    Command("db --materialize", "db tables.duckdb --materialize", "tables.duckdb"),
    Command("view --static", "view --static out --limit 3", "out"),
    Command("report", "report labels --out out"),
    Command("draw", "draw web out --count 3"),
    Command("run", "run ../world/recipe.toml"),
    *(
        Command("", f"label --min-probability 0 --top-k {k}", kept=True, attacked=False, basis=True)
        for k in (3, 4)  # the first is superseded
    ),
    Command("gc", "gc --yes", short=True),
)


def make_world(folder: Path) -> None:
    """What the commands read from outside: scenes, the form of a network, weights, a recipe."""
    from pipeline.demo import weights_folder
    from stages.models.preprocessing import CLIPS
    from stages.synthetic.dataset_writers import write_scenes

    write_scenes(folder / "scenes", "scenes", 12, 5, size=(96, 80))
    description = {"model_cfg": _CLIP, "preprocess_cfg": CLIPS.content()}
    (folder / "clip.json").write_text(json.dumps(description))
    (folder / "recipe.toml").write_text(_RECIPE)
    for name in ("teacher.safetensors", "teacher_model.json"):
        shutil.copy(weights_folder() / name, folder)


def run(
    words: Sequence[str], trial: Path, answer: Callable[[Call], int] = lambda call: PASS
) -> tuple[Ended, list[str]]:
    """Run `rc` in the folder of a trial, in a forked process.

    Nothing is really flushed: this machine keeps its power, and most of the time would go there.

    Args:
        words: What is typed after `rc`.
        trial: The folder.
        answer: Decides about its calls; see `syscalls.run`.

    Returns:
        How it ended, and the names of the modules that it had loaded then.
    """
    loaded = trial.with_name("modules")
    loaded.write_text("")
    command = _command(tuple(words))

    def work() -> None:
        os.chdir(trial)
        app.make_app = lambda *_: command
        try:
            main(list(words))
        finally:
            loaded.write_text("\n".join(sys.modules))

    (trial / "tmp").mkdir(exist_ok=True)

    def answer_unflushed(call: Call) -> int:
        decision = answer(call)
        return SKIP if call.name in FLUSHING and decision == PASS else decision

    ended = syscalls.run(work, trial, answer_unflushed)
    return ended, loaded.read_text().split()


@cache
def _command(words: tuple[str, ...]) -> Any:
    """What `rc` makes of a command line before it runs it: half of the time of most commands."""
    return get_command(app.make_app(words))


def load(modules: Sequence[str]) -> None:
    """Load modules here, so that no process that is forked from now on has to."""
    for name in modules:
        if name not in sys.modules and not name.startswith("__"):
            with suppress(Exception):
                importlib.import_module(name)


def put(state: Path, trial: Path) -> None:
    """Make the folder of a trial what a state says."""
    shutil.rmtree(trial, ignore_errors=True)
    shutil.copytree(state, trial, symlinks=True)


def content(folder: Path) -> dict[str, bytes]:
    """All that must not depend on crashes, by path: files and links, hidden ones too.

    Of manifests without the entry "run", of databases the rows, since DuckDB's files differ from
    run to run; without locks, times of use, and search indexes, which are made when needed.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.fsencode(path.readlink())
        elif path.is_dir() and not any(path.iterdir()) and name != "tmp":
            found[name] = b"an empty folder"
        elif path.is_file() and not _IGNORED.search(name):
            found[name] = _rows(path, folder) if path.suffix == ".duckdb" else content_of(path)
    return found


def _rows(database: Path, trial: Path) -> bytes:
    """The tables and views of a database with their rows, or why it has none."""

    def work() -> None:
        with duckdb.connect(database, read_only=True) as connection:
            for (name,) in connection.sql("SELECT name FROM (SHOW TABLES) ORDER BY 1").fetchall():
                rows = sorted(map(repr, connection.sql(f'SELECT * FROM "{name}"').fetchall()))
                sys.stdout.write(f"{name} {rows}\n")

    return syscalls.run(work, trial, lambda call: PASS).output.encode()
