"""What it costs that stages check what they read, as a share of their processor time.

    python -m benchmarks.integrity [--scenes 60] [--rounds 3]

A store of synthetic scenes is made; each stage then runs in a fresh process over a copy, whose
files nobody has hashed yet. The time in the hashes of files is taken while it runs; that in the
checksums of Parquet's pages is what reading the same files takes with them, less what it takes
without, the smallest of ten times each. (Whole runs with and without checks differ by more than the
checks cost.) The round with the smallest share counts. Goal: under 3 per cent.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from benchmarks.reliability.forked import forked, warm
from benchmarks.reliability.small_store import done, make_finished
from pipeline.cli import main as rc_main
from pipeline.store import artifact, integrity, parts

if TYPE_CHECKING:
    from collections.abc import Sequence

STAGES: dict[str, tuple[object, ...]] = {
    "featurize": ("featurize", "--resize", "48x80"),
    "label": ("label", "--min-probability", 0.001),
    "train": ("train", "--steps", 4, "--images-per-batch", 4, "--resize", "64x96"),
    "evaluate": (
        *("evaluate", "--model", "teachers", "--templates", "plain", "--resize", "64x96"),
        "--no-pictures",
    ),
}
_READINGS = 10


def main(words: list[str] | None = None) -> int:
    """Measure every stage; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=STAGES)
    arguments = parser.parse_args(words)
    warm(("stages.train", "stages.evaluate", "stages.featurize"))
    print(f"{'stage':<10} {'stage s':>8} {'hashes s':>9} {'pages s':>8} {'checks':>8}")
    with tempfile.TemporaryDirectory(prefix="rc-integrity-") as name:
        store = make_finished(Path(name), arguments.scenes)
        for stage in arguments.only or STAGES:
            rounds = [measure(store, STAGES[stage]) for _ in range(arguments.rounds)]
            seconds, hashes, pages = min(rounds, key=lambda one: (one[1] + one[2]) / one[0])
            share = f"{100 * (hashes + pages) / seconds:.2f} %"
            print(f"{stage:<10} {seconds:>8.2f} {hashes:>9.4f} {pages:>8.4f} {share:>8}")
    return 0


def measure(store: Path, words: Sequence[object]) -> tuple[float, float, float]:
    """Seconds of processor time of a command, of its hashes, and of its checksums of pages."""
    copy, notes = store.with_name("copy"), store.with_name("notes.json")
    shutil.copytree(store, copy)  # without what was remembered of the originals

    def act() -> None:
        try:
            _take_time()
            rc_main([*map(str, words), "--store", str(copy)])
        finally:
            notes.write_text(json.dumps([_hashing, [str(path) for path in _opened]]))

    seconds = done(forked(act)).seconds
    hashing, opened = json.loads(notes.read_text())
    pages = sum(_cost_of_checksums(Path(path)) for path in opened if Path(path).exists())
    shutil.rmtree(copy)
    return seconds, hashing, pages


_hashing = 0.0  # seconds, in a child
_opened: list[Path] = []  # parts, in a child


def _take_time() -> None:
    """Note the time of each hash and the path of each part that is opened, in this process."""
    is_whole, open_part = integrity.is_whole, parts._open

    def timed(*given: Any) -> bool:
        global _hashing
        start = time.thread_time()
        answer = is_whole(*given)
        _hashing += time.thread_time() - start
        return answer

    def noted(path: Path) -> Any:
        _opened.append(path)
        return open_part(path)

    for module, name, function in ((artifact, "is_whole", timed), (parts, "_open", noted)):
        setattr(module, name, function)


def _cost_of_checksums(path: Path) -> float:
    """Seconds that reading a file takes longer with the checksums of its pages."""
    least = {True: float("inf"), False: float("inf")}
    for number in range(2 * _READINGS):
        verify = number % 2 == 0
        start = time.process_time()
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=verify) as file:
            for _ in file.iter_batches(batch_size=1024, use_threads=False):
                pass
        least[verify] = min(least[verify], time.process_time() - start)
    return max(least[True] - least[False], 0.0)


if __name__ == "__main__":
    sys.exit(main())
