"""Sessions: limits of time and memory, interruptions, and when a connection is reused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.sql_session import SqlSession
from schemas.errors import QueryError
from tests.pipeline.helpers import ROOT, command, make
from tests.pipeline.toys import Ingest
from tests.waiting import HANG_S, until_asleep, until_busy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


ENDLESS = "SELECT count(*) FROM range(1000000000000)"


ONE_ENDLESS_ROW = "SELECT levenshtein(repeat('a', 400000), repeat('b', 400000))"


@pytest.mark.parametrize("statement", [ENDLESS, ONE_ENDLESS_ROW])
def test_a_statement_ends_after_its_timeout(root: Path, statement: str) -> None:
    make(Ingest(count=2), root)
    words = command("sql", statement, "--store", root, "--timeout", "0.5")
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: no answer within 0.5 s")


@pytest.mark.parametrize("statement", [ENDLESS, ONE_ENDLESS_ROW])
def test_ctrl_c_ends_a_statement(root: Path, tmp_path: Path, statement: str) -> None:
    make(Ingest(count=2), root)
    file = tmp_path / "statements.sql"
    file.write_text(f"SELECT 1 AS one;\n{statement};\n")
    words = command("sql", "--file", file, "--store", root, "--format", "json")
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            assert process.stdout.readline() == '{"one": 1}\n'
            until_busy(process.pid)  # with the second statement
            until_asleep(process.pid)  # while one of its threads computes
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=HANG_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors.startswith("interrupted")


GREEDY = [
    "SELECT len(range(1000000000))",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT repeat('x', 1000000000) FROM range(20)",
    "SELECT list(range) FROM range(10000000000)",
    "WITH RECURSIVE t(i, s) AS (SELECT 1, 'x' UNION ALL SELECT i + 1, s || s FROM t) FROM t",
]


# The peak of a process includes the memory of its parent at the start, so a small one starts it.
WATCH = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stderr=subprocess.PIPE, text=True)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, sep="\\n")
print(done.stderr, end="")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not report memory")
@pytest.mark.parametrize("statement", GREEDY)
def test_a_statement_uses_no_more_memory_than_its_limit(root: Path, statement: str) -> None:
    make(Ingest(count=2), root)
    words = command("sql", statement, "--store", root, "--memory-mb", "200", "--timeout", "20")
    watched = [sys.executable, "-c", WATCH, *words]
    output = subprocess.run(watched, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    code, kilobytes, message = output.split("\n", 2)
    assert code == "1"
    assert re.match(r"error: (Out of Memory|the answer needs more|no answer within).*\n$", message)
    assert int(kilobytes) < 1_100_000  # 200 MB, 512 MB beside, and the program


def test_a_connection_is_reused_until_a_statement_needs_other_artifacts(root: Path) -> None:
    older = make(Ingest(count=5), root)
    make(Ingest(count=3), root)
    pin = f"images@{older.manifest.fingerprint[:6]}"
    session = SqlSession(root, [])
    first = session.connection("FROM images")
    assert session.connection("SELECT count(*) FROM captions") is first
    assert session.connection("FROM images, quarantine") is not first
    second = session.connection(f"FROM images, {pin}")
    assert session.connection("FROM images") is second  # shows all
    assert second is not first
    assert session.connection(f"FROM {pin}") is not first
    assert second.execute(f'SELECT count(*) FROM "{pin}"').fetchone() == (5,)


def test_columns_are_listed_by_view_with_their_types(root: Path) -> None:
    make(Ingest(count=3), root)
    columns = SqlSession(root, []).columns()
    names = ["artifacts", "captions", "images", "lineage", "objects", "quarantine"]
    assert list(columns) == names
    assert columns["captions"] == [
        "image_id VARCHAR",
        "split VARCHAR",
        "caption INTEGER",
        "text VARCHAR",
    ]


def test_the_format_can_be_changed_between_statements(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Ingest(count=3), root)
    session = SqlSession(root, [], "csv")
    session.answer("SELECT 1 AS a")
    session.set_format("json")
    session.answer("SELECT 1 AS a")
    assert capsys.readouterr().out == 'a\n1\n{"a": 1}\n'
    with pytest.raises(QueryError, match="changes nothing"):
        session.answer("DROP VIEW images")
