"""Folders for what does not fit in memory: they are gone with the process that needed them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from pipeline.sql.spill import new_spill, sweep
from tests.pipeline.helpers import ROOT, command, make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

LARGE = (
    "SELECT a.x AS x FROM range(4000000) AS a(x) JOIN range(4000000) AS b(x) ON a.x = b.x "
    "ORDER BY hash(a.x)"
)


def test_every_connection_has_a_path_of_its_own() -> None:
    assert new_spill() != new_spill()


def test_what_the_dead_left_is_swept_and_what_the_living_use_stays(tmp_path: Path) -> None:
    for name in ("dead", "living"):
        (tmp_path / f"rc-sql-{name}.lock").touch()
        (tmp_path / f"rc-sql-{name}-1").mkdir()
        (tmp_path / f"rc-sql-{name}-1" / "duckdb_temp").write_bytes(b"x")
    (tmp_path / "rc-sql-of-somebody-else").mkdir()
    with (tmp_path / "rc-sql-living.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sweep(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"rc-sql-living.lock", "rc-sql-living-1", "rc-sql-of-somebody-else"}


@pytest.fixture
def spill(tmp_path: Path) -> Path:
    folder = tmp_path / "spill"
    folder.mkdir()
    return folder


def ask(root: Path, spill: Path, statement: str) -> subprocess.Popen[bytes]:
    words = command("sql", statement, "--store", root, "--memory-mb", "64", "--format", "csv")
    places = {**os.environ, "TMPDIR": str(spill)}
    return subprocess.Popen(words, cwd=ROOT, env=places, stdout=subprocess.PIPE)


def test_nothing_is_left_when_the_reader_of_an_answer_goes_away(root: Path, spill: Path) -> None:
    make(Ingest(count=2), root)
    with ask(root, spill, LARGE) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()  # as head -1 does
        process.wait(60)
    assert list(spill.iterdir()) == []


@pytest.mark.parametrize("asked", [signal.SIGKILL, signal.SIGHUP])
def test_what_a_killed_process_left_is_gone_with_the_next(
    root: Path, spill: Path, asked: signal.Signals
) -> None:
    make(Ingest(count=2), root)
    with ask(root, spill, LARGE) as process:
        deadline = time.monotonic() + 60
        while not list(spill.glob("rc-sql-*-*/*")) and process.poll() is None:
            assert time.monotonic() < deadline, "nothing was ever spilled"
            time.sleep(0.02)
        process.send_signal(asked)
        process.wait(20)
    assert list(spill.iterdir())
    with ask(root, spill, "SELECT 1 AS one") as process:
        process.communicate(timeout=60)
    assert list(spill.iterdir()) == []
