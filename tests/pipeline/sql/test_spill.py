"""Spill folders are removed with the process that made them, or by the next process."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.sql import spill as spill_module
from pipeline.sql.spill import new_spill_folder, remove_stale
from tests.pipeline.helpers import ROOT, make
from tests.pipeline.toys import Ingest
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LARGE = "SELECT i, repeat('x', 100) AS text FROM range(2000000) AS r(i) ORDER BY hash(i)"

# With a thread for each of many cores DuckDB needs more memory than it may use here.
ON_ONE_THREAD = """
from functools import partial
from pipeline.cli import main
from pipeline.sql import connection
connection.open_locked = partial(connection.open_locked, threads=1)
main()
"""


def test_every_connection_gets_another_path() -> None:
    assert new_spill_folder() != new_spill_folder()


def test_folders_of_dead_processes_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    for name in ("dead", "living"):
        (tmp_path / f"rc-sql-{name}.lock").touch()
        (tmp_path / f"rc-sql-{name}-1").mkdir()
        (tmp_path / f"rc-sql-{name}-1" / "duckdb_temp").write_bytes(b"x")
    (tmp_path / "rc-sql-of-another-program").mkdir()
    with (tmp_path / "rc-sql-living.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_stale(tmp_path)
    remaining = {path.name for path in tmp_path.iterdir()}
    assert remaining == {"rc-sql-living.lock", "rc-sql-living-1", "rc-sql-of-another-program"}


@pytest.fixture
def spill(tmp_path: Path) -> Path:
    folder = tmp_path / "spill"
    folder.mkdir()
    return folder


def start_query(root: Path, spill: Path, statement: str) -> subprocess.Popen[bytes]:
    words = ("sql", statement, "--store", str(root), "--memory-mb", "128", "--format", "csv")
    return subprocess.Popen(
        [sys.executable, "-c", ON_ONE_THREAD, *words],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(spill)}, stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # under nohup too
    )  # fmt: skip


def wait_until_sorted(process: subprocess.Popen[bytes]) -> None:
    """Return when the output begins: all rows are sorted, and most are too many for the pipe."""
    assert process.stdout
    assert process.stdout.readline() == b"i,text\n"
    assert process.stdout.readline()


def test_nothing_is_left_when_the_reader_of_the_output_ends(root: Path, spill: Path) -> None:
    make(Ingest(count=2), root)
    with start_query(root, spill, LARGE) as process:
        wait_until_sorted(process)
        assert list(spill.glob("rc-sql-*-*/*")), "nothing was spilled"
        process.stdout.close()  # as head -2 does
        process.wait(HANG_S)
    assert list(spill.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_next_process_removes_the_folders_of_a_killed_one(
    root: Path, spill: Path, number: signal.Signals
) -> None:
    make(Ingest(count=2), root)
    with start_query(root, spill, LARGE) as process:
        wait_until_sorted(process)
        process.send_signal(number)
        assert process.wait(HANG_S) == -number
    assert list(spill.glob("rc-sql-*-*/*")), "nothing was spilled"
    with start_query(root, spill, "SELECT 1 AS one") as process:
        process.communicate(timeout=HANG_S)
    assert list(spill.iterdir()) == []


def test_a_process_removes_its_own_folders_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "rc-sql-own.lock"
    for name in ("rc-sql-own-1", "rc-sql-own-2", "rc-sql-other-1"):
        (tmp_path / name).mkdir()
    lock.touch()
    monkeypatch.setattr(spill_module, "_process_lock", lambda: lock)
    spill_module.remove_spill_folders()
    assert [path.name for path in tmp_path.iterdir()] == ["rc-sql-other-1"]
