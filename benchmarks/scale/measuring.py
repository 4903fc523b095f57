"""Whole commands as processes of their own: processor time, wall time, peak memory."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.scale.many_parts import RESIZE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "rc status": ("status",),
    "rc lineage": ("lineage", "pseudo_labels"),
    "rc gc, listing": ("gc",),
    "rc sql, first row": ("sql", "FROM pseudo_labels LIMIT 1", "--format", "json"),
    "rc verify images": ("verify", "images"),
    "rc label --dry-run": (
        *("label", "--from-images", "--resize", RESIZE, "--min-probability", "0.5", "--dry-run"),
    ),
}
_FLAT: Final = 0.5  # seconds above start-up at the most parts, below which nothing is said to grow
_NOISE: Final = 0.1  # seconds above start-up by which runs differ anyway
# The kernel also counts the memory of the parent at the start: the parent must be small.
_SMALL_PARENT: Final = """
import json, resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
wall, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024]))
sys.exit(code)
"""
_RC: Final = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of all cores, seconds by the clock, peak resident megabytes."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def cost(words: Sequence[str], store: Path, rounds: int) -> Cost:
    """The smallest times and the largest memory of several runs of a command.

    Raises:
        SystemExit: If the command fails.
    """
    command = [sys.executable, "-c", _RC, *words, "--store", str(store)]
    runs = []
    for _ in range(rounds):
        small = [sys.executable, "-S", "-c", _SMALL_PARENT, *command]
        done = subprocess.run(small, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise SystemExit(f"rc {' '.join(words)} ended with code {done.returncode}")
        runs.append(json.loads(done.stdout))
    cpu_s, wall_s, peak_mb = zip(*runs, strict=True)
    return Cost(min(cpu_s), min(wall_s), max(peak_mb))


def slope(costs: Mapping[int, Cost]) -> float | None:
    """Slope of log processor time above start-up over log parts, by least squares.

    Start-up is the time at one part; what is too little above it is noise, and is left out. None
    if nothing is left.

    >>> round(slope({1: Cost(1, 1, 0), 100: Cost(2, 2, 0), 1000: Cost(11, 11, 0)}), 3)
    1.0
    """
    above = {n: one.cpu_s - costs[1].cpu_s for n, one in costs.items() if n > 1}
    points = [(math.log(n), math.log(s)) for n, s in above.items() if s >= _NOISE]
    if max(above.values()) < _FLAT or len(points) < 2:
        return None
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return float(sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)
