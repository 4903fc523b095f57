"""Soak: thousands of parts in one process, whose memory and open files stay what they were."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.reliability.forked import forked
from benchmarks.reliability.section import Count
from benchmarks.reliability.small_store import done
from pipeline import sql
from pipeline.progress import Silent
from pipeline.store.artifact import stream
from tests.pipeline import toys
from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.store.artifact import Artifact

TITLE = "Soak"
ABOUT = (
    "Each process computes or reads this many parts, one after the other. The most memory that it "
    "holds in the last quarter of them is at most 4 % and 4 MB above that of the second quarter, "
    "and it has no more files open. Files are not flushed here."
)
_PARTS: Final = 2000
_SHORT: Final = 160
_SLACK: Final = (1.04, 4.0)  # times, and MB more


class _Meter(Silent):
    """Memory in MB and open files, each time that a part or batch is done."""

    def __init__(self) -> None:
        self.readings: list[tuple[float, int]] = []

    def advance(self, count: int) -> None:
        """Read both."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - their names alone
        self.readings.append((pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files))

    def all_of(self, things: Iterable[object]) -> None:
        """Read both after each of some things."""
        for _ in things:
            self.advance(1)


def trials(folder: Path, *, short: bool) -> dict[str, Count]:
    """Try each way to go through parts; see `section.Section`."""
    root, parts = folder / "store", _SHORT if short else _PARTS
    works: dict[str, Callable[[_Meter], object]] = {
        "ingest": lambda meter: make(
            toys.Ingest(count=parts, per_part=1, refuse_every=7), root, reporter=meter
        ),
        "propose": lambda meter: make(toys.Propose(regions=4), root, reporter=meter),
        "featurize": lambda meter: make(
            toys.Featurize(), root, {"teacher": _teacher(root).address}, reporter=meter
        ),
        "read": lambda meter: meter.all_of(stream(_newest(root).files())),
        "sql": lambda meter: meter.all_of(_queries(root, max(8, parts // 50))),
    }
    counts = {name: Count() for name in works}
    for name, work in works.items():
        with counts[name].case(name):
            _check(_readings(work))
        counts[name].tried = parts if name != "sql" else max(8, parts // 50)
    return counts


def _readings(work: Callable[[_Meter], object]) -> list[tuple[float, int]]:
    """What a child's meter read."""

    def act() -> None:
        os.fsync = lambda _: None  # type: ignore[assignment]
        meter = _Meter()
        work(meter)
        print(json.dumps(meter.readings))

    return [tuple(pair) for pair in json.loads(done(forked(act)).out)]


def _check(readings: list[tuple[float, int]]) -> None:
    """Pass if the last quarter of the readings is like the second."""
    quarter = len(readings) // 4
    early, late = readings[quarter : 2 * quarter], readings[-quarter:]
    (early_mb, late_mb), (early_files, late_files) = (
        tuple(max(reading[i] for reading in part) for part in (early, late)) for i in (0, 1)
    )
    print(f"{len(readings)} readings: {early_mb:.1f} MB, {late_mb:.1f} MB")
    assert late_mb <= early_mb * _SLACK[0] + _SLACK[1], f"{early_mb:.1f} MB, then {late_mb:.1f} MB"
    assert late_files <= early_files, f"{early_files} open files, then {late_files}"


def _teacher(root: Path) -> Artifact:
    return make(toys.Pretrain(steps=1), root)


def _newest(root: Path) -> Artifact:
    from pipeline.store import catalog

    return catalog.find(root, "proposals")


def _queries(root: Path, times: int) -> Iterator[object]:
    for _ in range(times):
        with sql.connect(root) as connection:
            yield connection.execute("SELECT count(*) FROM proposals").fetchall()
