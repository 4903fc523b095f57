"""Limits on the time and the memory of statements."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest

from pipeline import sql
from pipeline.sql import limits
from schemas.errors import QueryError
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range < 0"


@pytest.mark.slow
def test_a_statement_that_takes_too_long_is_interrupted(artifacts: dict[str, Artifact]) -> None:
    with (
        sql.connect(artifacts["images"].root) as connection,
        pytest.raises(QueryError, match=r"no answer within 0.2 s"),
        sql.time_limit(connection, 0.2),
    ):
        list(sql.batches(sql.query(connection, ENDLESS)))


@pytest.mark.slow
def test_a_statement_that_begins_when_its_time_is_up_is_interrupted_too(
    artifacts: dict[str, Artifact],
) -> None:
    def late() -> str:
        time.sleep(0.1)
        return ENDLESS

    with (
        sql.connect(artifacts["images"].root) as connection,
        pytest.raises(QueryError, match=r"no answer within 0.01 s"),
        sql.time_limit(connection, 0.01),
    ):
        list(sql.batches(sql.query(connection, late())))


def test_an_error_within_the_time_limit_is_unchanged(artifacts: dict[str, Artifact]) -> None:
    with (
        sql.connect(artifacts["images"].root) as connection,
        pytest.raises(QueryError, match="nowhere"),
        sql.time_limit(connection, HANG_S),
    ):
        sql.query(connection, "FROM nowhere")


def test_without_a_time_limit_nothing_is_interrupted(store: Path) -> None:
    with sql.connect(store) as connection, sql.time_limit(connection, None):
        assert sql.query(connection, "SELECT 1").fetchall() == [(1,)]


def test_memory_beyond_the_limit_is_refused_and_the_old_limit_is_restored() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with sql.memory_limit(64), pytest.raises(MemoryError):
        bytearray(1 << 30)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert len(bytearray(1 << 27)) == 1 << 27


def test_a_system_that_reports_no_memory_has_no_memory_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_STATUS", tmp_path / "absent")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with sql.memory_limit(1):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_blocks_that_overlap_leave_the_memory_of_the_process_as_it_was() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    first, second = limits.memory_limit(3000), limits.memory_limit(100)
    first.__enter__()
    within = resource.getrlimit(resource.RLIMIT_DATA)
    second.__enter__()
    assert resource.getrlimit(resource.RLIMIT_DATA) == within  # the first decides
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "condition",
    [
        "(WITH RECURSIVE t AS (SELECT 1 UNION ALL FROM t) SELECT count(*) FROM t) > 0",
        "len(range(1000000000)) > 0",
    ],
)
def test_a_condition_has_the_limits_of_a_statement(
    artifacts: dict[str, Artifact], condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONDITION_S", 1.0)
    monkeypatch.setattr(limits, "CONDITION_MB", 200)
    with pytest.raises(QueryError, match=r"within 1 s: write a simpler|memory|allocate"):
        list(sql.matching(artifacts["pseudo_labels"], 0, condition))
