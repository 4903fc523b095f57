"""Concurrency: many processes write, read, ask again and sweep in one store, and lose nothing."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.reliability.comparison import differences
from benchmarks.reliability.forked import Child
from benchmarks.reliability.section import Count
from pipeline import sql
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.errors import RCError
from stages.select import Select
from tests.pipeline import toys
from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.reliability.forked import End
    from pipeline.store.artifact import Artifact

TITLE = "Concurrency"
ABOUT = (
    "Processes at work in one store at the same time. Every writer ends with the artifact that it "
    "would have made alone, byte for byte; a reader gets all rows; a sweep deletes nothing that is "
    "needed, or says why it deletes nothing; in the end every hash holds."
)
_WRITERS: Final = 48
_SWEEPS: Final = 36


def trials(folder: Path, *, short: bool) -> dict[str, Count]:
    """Try each way to be many; see `section.Section`."""
    share = 4 if short else 1
    writers, sweeps = _WRITERS // share, _SWEEPS // share
    kinds: dict[str, Callable[[], Count]] = {
        "writers of one artifact": lambda: _of_one(folder / "one", writers),
        "writers of different artifacts": lambda: _of_many(folder / "many", writers),
        "selections of one name": lambda: _of_one_name(folder / "name", max(4, writers // 4)),
        "sweeps beside writers and readers": lambda: _sweeps(folder / "swept", sweeps),
    }
    counts = {}
    for name, kind in kinds.items():
        start = time.monotonic()
        counts[name] = kind()
        counts[name].seconds = time.monotonic() - start
    return counts


def _of_one(folder: Path, writers: int) -> Count:
    """All make the same artifact: one computes it, and the others find it."""
    alone = make(toys.Propose(), folder / "alone", _images(folder / "alone"))
    pins = _images(folder / "store")
    count = Count()
    work = partial(make, toys.Propose(sleep=0.01), folder / "store", pins)
    for number, end in enumerate(_together([work] * writers)):
        with count.case(f"writer {number}"):
            _ended_well(end)
            _same(alone, folder / "store")
    return count


def _of_many(folder: Path, writers: int) -> Count:
    """Each makes an artifact of its own, and all of them are the newest in their turn."""
    stages = [toys.Ingest(count=6, per_part=2, seed=seed) for seed in range(writers)]
    alone = [make(stage, folder / "alone") for stage in stages]
    ends = _together([partial(make, stage, folder / "store") for stage in stages])
    count = Count()
    for one, end in zip(alone, ends, strict=True):
        with count.case(one.address):
            _ended_well(end)
            _same(one, folder / "store")
    return count


def _of_one_name(folder: Path, writers: int) -> Count:
    """Each selects labels by another condition under one name: the name means one of them."""
    root = folder / "store"
    _labels(root)
    stages = [Select(called="sure", where=f"probability > {n / 100}") for n in range(writers)]
    ends = _together([partial(make, stage, root) for stage in stages])
    count = Count()
    for number, end in enumerate(ends):
        with count.case(f"selection {number}"):
            _ended_well(end)
            chosen = catalog.find(root, "pseudo_labels@sure")
            assert catalog.selected(chosen) == "sure", f"it is {chosen.address}"
            assert len(catalog.committed(root, "pseudo_labels")) == writers + 1, "one is lost"
            assert not catalog.verify(chosen), catalog.verify(chosen)
    return count


def _sweeps(folder: Path, sweeps: int) -> Count:
    """Sweeps, each while others make a newer artifact, read the newest one and query the store."""
    root = folder / "store"
    labels = _labels(root)
    needed = [artifact.path for artifact in catalog.ancestry(labels)]
    rows = labels.manifest.rows
    count = Count()
    for number in range(sweeps):
        stage = toys.Propose(regions=4 + number % 5, sleep=0.001)
        works: list[Callable[[], object]] = [
            partial(make, stage, root, {"images": _address(needed, "images")}),
            partial(_read, labels, rows),
            partial(_query, root),
            partial(_sweep, root),
        ]
        writer, reader, query, sweep = _together(works)
        with count.case(f"sweep {number}"):
            for end in (writer, reader, query):
                _ended_well(end)
            _ended_well(sweep)
            assert all((path / "manifest.json").exists() for path in needed), "one was needed"
            broken = [name for one in catalog.everything(root) for name in catalog.verify(one)]
            assert not broken, broken
    return count


def _together(works: Sequence[Callable[[], object]]) -> list[End]:
    """Do all works at the same time, each in a child."""
    children = [Child(partial(_unflushed, work)) for work in works]
    return [child.end() for child in children]


def _unflushed(work: Callable[[], object]) -> None:
    os.fsync = lambda _: None  # type: ignore[assignment]
    work()


def _read(artifact: Artifact, rows: int) -> None:
    """Read all rows of an artifact that nobody may sweep."""
    assert sum(batch.num_rows for batch in stream(artifact.files())) == rows


def _query(root: Path) -> None:
    """Ask for the newest tables, whichever they are now."""
    for _ in range(3):
        try:
            with sql.connect(root) as connection:
                connection.execute("SELECT count(*) FROM proposals").fetchall()
        except RCError as error:  # what was the newest may be swept before it is opened
            _only("missing", error)


def _sweep(root: Path) -> None:
    """Sweep; a refusal, because a run is under way, is as good."""
    try:
        catalog.sweep(root, list(catalog.sweepable(root)))
    except RCError as error:
        _only("nothing was deleted", error)


def _only(said: str, error: RCError) -> None:
    """Pass if an error says this."""
    if said not in str(error):
        raise error


def _labels(root: Path) -> Artifact:
    """Pseudo-labels of toys, with all that they are made from."""
    for toy in toys.TOYS[:-1]:
        artifact = make(toy(), root)
    return artifact


def _images(root: Path) -> dict[str, str]:
    return {"images": make(toys.Ingest(count=20, per_part=2), root).address}


def _address(paths: list[Path], table: str) -> str:
    return next(f"{path.parent.name}/{path.name}" for path in paths if path.parent.name == table)


def _ended_well(end: End) -> None:
    assert end.code == 0, f"exit code {end.code}: {end.err[-800:]}"


def _same(alone: Artifact, root: Path) -> None:
    """Pass if the store has this artifact, byte for byte, and nothing half done beside it."""
    other = differences(alone.path, root / alone.address)
    assert not other, other
