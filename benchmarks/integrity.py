"""What it costs that stages check what they read: processor time with the checks, and without.

    python -m benchmarks.integrity [--scenes 60] [--rounds 3]

A store of synthetic scenes is made; each stage then runs in a fresh process over a copy, whose
files nobody has hashed yet, with all checks and without any (no hash of a file, no checksum of a
page). The smallest of so many rounds is taken of both. Goal: under 3 per cent.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from benchmarks.reliability.forked import forked, warm
from benchmarks.reliability.small_store import done, make_finished
from pipeline.cli import main as rc_main
from pipeline.store import artifact, parts

if TYPE_CHECKING:
    from collections.abc import Sequence

STAGES: dict[str, tuple[object, ...]] = {
    "label": ("label", "--min-probability", 0.001),
    "train": ("train", "--steps", 4, "--images-per-batch", 4, "--resize", "64x96"),
    "evaluate": (
        *("evaluate", "--model", "teachers", "--templates", "plain", "--resize", "64x96"),
        "--no-pictures",
    ),
}


def main(words: list[str] | None = None) -> int:
    """Measure every stage; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=STAGES)
    arguments = parser.parse_args(words)
    warm(("stages.train", "stages.evaluate"))
    print(f"{'stage':<10} {'reads MB':>9} {'with s':>8} {'without s':>10} {'checks':>8}")
    with tempfile.TemporaryDirectory(prefix="rc-integrity-") as name:
        store = make_finished(Path(name), arguments.scenes)
        size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) / 1e6
        for stage in arguments.only or STAGES:
            checked, unchecked = measure(store, STAGES[stage], arguments.rounds)
            share = f"{100 * (checked / unchecked - 1):.1f} %"
            print(f"{stage:<10} {size:>9.1f} {checked:>8.2f} {unchecked:>10.2f} {share:>8}")
    return 0


def measure(store: Path, words: Sequence[object], rounds: int) -> tuple[float, float]:
    """Seconds of processor time of a command, with checks and without; the least of all rounds."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * rounds):
        checked = number % 2 == 0
        copy = store.with_name("copy")
        shutil.copytree(store, copy)  # without what was remembered of the originals
        seconds[checked].append(_seconds(copy, words, checked=checked))
        shutil.rmtree(copy)
    return min(seconds[True]), min(seconds[False])


def _seconds(store: Path, words: Sequence[object], *, checked: bool) -> float:
    def act() -> None:
        if not checked:
            _check_nothing()
        rc_main([*map(str, words), "--store", str(store)])

    return done(forked(act)).seconds


def _check_nothing() -> None:
    """Switch all checks of this process off."""

    def is_whole(*_: Any) -> bool:
        return True

    def open_part(path: Path) -> Any:
        return pq.ParquetFile(path, pre_buffer=False)

    for module, name, function in ((artifact, "is_whole", is_whole), (parts, "_open", open_part)):
        setattr(module, name, function)


if __name__ == "__main__":
    sys.exit(main())
