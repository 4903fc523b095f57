"""What an engine costs: an empty stage by each of them against calling its tasks bare.

Run as `python -m benchmarks.engines`: seconds of 1,000 parts, bare, by a pool and by Ray, started
here and warm; with --parts 10000, of so many. With --plan 100000, seconds and memory of planning
so many parts. With --featurize 64, `rc featurize` of so many synthetic scenes by a pool and by Ray,
in turns. Two workers each.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.api import Store
from pipeline.demo import weights_folder
from pipeline.execution import planning
from pipeline.execution.engines import RayCluster, make
from pipeline.store.atomic import make_folder
from schemas.concepts import CONCEPTS
from stages.base import Part, Reads, Stage, option
from stages.synthetic.dataset_writers import write_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table

WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Nothing(Stage):
    """Parts without rows."""

    parts: int = option(1000, "how many")

    name: ClassVar[str] = "nothing"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = CONCEPTS

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """As many parts as asked for."""
        return range(self.parts)

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield nothing."""
        part.advance(1)
        yield from ()


def seconds_of(engine: str, parts: int) -> float:
    """Seconds for an engine to compute so many empty parts, with its start."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = planning.plan(Nothing(parts=parts), {}, Path(folder)).tasks
        make_folder(tasks[0].folder)
        started = time.monotonic()
        if engine == "bare":
            for task in tasks:
                task(lambda count: None)
            return time.monotonic() - started
        made = make(WORKERS, RayCluster() if engine.startswith("ray") else None)
        receipts, failures = made.map(tasks, lambda count: None)
        assert (len(receipts), failures) == (parts, {})
        return time.monotonic() - started


def compare_engines(parts: int) -> None:
    """Print seconds and ratios to calling the tasks bare."""
    bare = seconds_of("bare", parts)
    print(f"{parts:,} empty parts, {WORKERS} workers\nbare                {bare:8.1f} s")
    for engine in ("pool", "ray, started here", "ray, warm"):
        spent = seconds_of(engine, parts)
        print(f"{engine:<20}{spent:8.1f} s   {spent / bare:.2f} of bare, {parts / spent:.0f}/s")


def plan_many(parts: int) -> None:
    """Print seconds and memory of planning, and of looking for receipts of earlier runs."""
    with tempfile.TemporaryDirectory() as folder:
        before = _peak_mb()
        started = time.monotonic()
        plan = planning.plan(Nothing(parts=parts), {}, Path(folder))
        planned = time.monotonic()
        plan.receipts()
        looked = time.monotonic()
    print(
        f"{parts:,} parts: planned in {planned - started:.2f} s with {_peak_mb() - before:.0f} MB "
        f"more; {looked - planned:.1f} s to see that none of them is there"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare_featurize(scenes: int, rounds: int = 2) -> None:
    """Print seconds of featurize by a pool and by Ray, in turns; their start is part of it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_scenes(root / "scenes", "scenes", scenes, seed=0)
        store = Store(root / "store")
        store.run("ingest", sources=[str(root / "scenes")], part_images=8)
        store.run(
            "import-weights",
            file=str(weights_folder() / "teacher.safetensors"),
            kind="teacher",
            architecture=str(weights_folder() / "teacher_model.json"),
        )
        store.run("propose", grid=True, regions=14)
        for number in range(rounds):
            for engine, cluster in (("pool", None), ("ray", RayCluster())):
                started = time.monotonic()
                # A pixel more or less is another recipe, which takes as long.
                made = store.run(
                    "featurize",
                    workers=WORKERS,
                    cluster=cluster,
                    resize=f"{192 + number}x{400 + (engine == 'ray')}",
                )
                spent = time.monotonic() - started
                print(f"{engine:<5}{spent:7.1f} s  {made.manifest.rows:,} rows", flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=1000)
    parser.add_argument("--plan", type=int)
    parser.add_argument("--featurize", type=int)
    asked = parser.parse_args()
    if asked.plan:
        plan_many(asked.plan)
    elif asked.featurize:
        compare_featurize(asked.featurize)
    else:
        compare_engines(asked.parts)


if __name__ == "__main__":
    main()
