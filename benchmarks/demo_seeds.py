"""The demo with several seeds: does the student learn each time, and how much in the mean?

    python -m benchmarks.demo_seeds --out demo-seeds

Prints top-1 in per cent on held-out scenes, one line per model and one column per
seed. Exits with 1 unless, for every seed, the paper's student is better than the teacher and ours
better than the paper's. Scenes of these seeds are never used for tuning.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.recipes import recipe_path, run_recipe
from pipeline.cli.run_options import RunOptions
from pipeline.demo import render_demo_scenes, scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEACHER, PAPER, OURS = "teacher", "student, the paper's recipe", "student, our recipe"


_GAINS = ((PAPER, TEACHER), (OURS, PAPER))


def main() -> int:
    """Run every seed, print the table; 0 if the students learned enough."""
    arguments = _parse_arguments()
    columns = [_run_seed(arguments.out / str(seed), seed, arguments) for seed in arguments.seeds]
    print(table(arguments.seeds, columns))
    least = [min(c[better] - c[worse] for c in columns) for better, worse in _GAINS]
    for (better, worse), gain in zip(_GAINS, least, strict=True):
        print(f"least gain of '{better}' over '{worse}': {gain:.1f}")
    return 0 if min(least) > 0 else 1


def table(seeds: Sequence[int], columns: Sequence[Mapping[str, float]]) -> str:
    """A table with one line per model, one column per seed, and the mean as last column."""
    head = "".join(f"{f'seed {seed}':>9}" for seed in seeds)
    lines = [f"{'top-1, per cent':<40}{head}{'mean':>9}"]
    for name in columns[0]:
        values = [column[name] for column in columns]
        cells = "".join(f"{value:9.1f}" for value in [*values, sum(values) / len(values)])
        lines.append(f"{name:<40}{cells}")
    return "\n".join(lines)


def _run_seed(out: Path, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    started = time.monotonic()
    settings = render_demo_scenes(out, arguments.scenes, arguments.holdout, seed)
    options = RunOptions(store=out / "store", quiet=True)
    addresses = run_recipe(recipe_path("demo"), settings, options)
    evaluations = {name: a for name, a in addresses.items() if a.startswith("metrics/")}
    top1 = {score.name: 100 * score.top1 for score in scores(out / "store", evaluations)}
    print(f"seed {seed}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return top1


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-seeds"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--scenes", type=int, default=800, help="training scenes")
    parser.add_argument("--holdout", type=int, default=200, help="test scenes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
