"""Statements: pins, subject tables, read-only checks, results and error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.sql.statements import check_encoding, first_line, split
from schemas.errors import QueryError
from tests.pipeline.sql.query_rows import query_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.mark.parametrize(
    ("statement", "pins"),
    [
        ("FROM images@3f9c", ["images@3f9c"]),
        ("FROM images@3f9c JOIN images@3f9c USING (image_id)", ["images@3f9c"]),
        ('FROM "images@3f", objects@00', ["images@3f", "objects@00"]),
        (r"SELECT E'it\'s images@3f' AS a", []),
        ("SELECT $t$ user@example $$ $t$, $$ a@b $$", []),
        ("/* a /* b@00 */ c@11 */ FROM images@3f", ["images@3f"]),
        ("SELECT 'images@3f' FROM a -- b@00\n/* c@11 */", []),
        ("SELECT 'it''s b@00', $$ c@11 $$", []),
        ('FROM "not a pin@00"', []),
        ("SELECT @ -5", []),
    ],
)
def test_a_pin_is_a_name_and_never_a_string_or_a_comment(statement: str, pins: list[str]) -> None:
    assert sql.pins_in(statement) == pins


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("FROM images", ["images"]),
        (
            "WITH a AS (FROM Captions) FROM a, pseudo_labels",
            ["pseudo_labels", "images"],
        ),
        (
            "SELECT (SELECT count(*) FROM evaluated_detections) FROM objects",
            ["metrics", "images"],
        ),
        ("SELECT (SELECT count(*) FROM detections) FROM objects", ["detections", "images"]),
        ("FROM judged_labels, pseudo_labels@3f9c", ["pseudo_labels"]),
        ("FROM mentions UNION FROM artifacts", ["concepts"]),
        ("SELECT 'images'", []),
        ("this is not SQL", []),
        ("DROP TABLE images", []),
        ("", []),
    ],
)
def test_the_subject_tables_are_those_behind_the_views_of_a_statement(
    statement: str, tables: list[str]
) -> None:
    assert sql.subject_tables(statement) == tables


def test_a_script_is_split_into_its_statements() -> None:
    first, second = split("SELECT ';' AS a; -- and\nFROM images@3f LIMIT 1;\n")
    assert first.startswith("SELECT ';' AS a")
    assert second.startswith('FROM "images@3f" LIMIT 1')
    with pytest.raises(QueryError, match="Parser Error"):
        split("SELEC 1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 AS a",
        "FROM images",
        "VALUES (1)",
        "DESCRIBE images",
        "SUMMARIZE images",
        "SHOW TABLES",
        "EXPLAIN SELECT count(*) FROM images",
        "explain analyze SELECT count(*) FROM images",
        "WITH few AS (FROM images LIMIT 3) SELECT count(*) FROM few",
        "SELECT concept, count(*) FROM pseudo_labels GROUP BY ALL ORDER BY 2 DESC",
        "PIVOT pseudo_labels ON region IN (0, 1) USING count(*) GROUP BY concept",
        "SELECT * FROM images USING SAMPLE 2",
        "-- a comment\nSELECT 1; -- and another",
    ],
)
def test_statements_that_only_read_are_answered(store: Path, statement: str) -> None:
    assert query_rows(store, statement)


@pytest.mark.slow
def test_a_statement_that_fails_raises_a_query_error(store: Path) -> None:
    with pytest.raises(QueryError, match="Could not convert string"):
        query_rows(store, "SELECT image_id::INTEGER AS number FROM images")
    with pytest.raises(QueryError, match="Parser Error"):
        query_rows(store, "SELEC 1")


@pytest.mark.slow
def test_an_error_message_is_short_and_without_control_characters(
    store: Path,
) -> None:
    for statement in (
        "SELECT error(chr(27) || ']0;owned' || chr(7) || chr(155) || '31m')",
        "SELECT (chr(27) || '[31m')::INTEGER",
        "SELECT repeat('x', 100000)::INTEGER",
    ):
        with pytest.raises(QueryError) as refused:
            query_rows(store, statement)
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 500


@pytest.mark.slow
def test_rows_are_read_as_arrow_batches(artifacts: dict[str, Artifact]) -> None:
    with sql.connect(artifacts["images"].root) as connection:
        assert isinstance(sql.batches(sql.query(connection, "FROM images")), pa.RecordBatchReader)


def test_a_result_stored_as_a_table_can_be_queried(store: Path) -> None:
    with sql.connect(store) as connection:
        sql.create_table(connection, "wide", "SELECT image_id FROM images WHERE width > 10")
        count = sql.batches(sql.query(connection, "SELECT count(*) AS n FROM wide")).read_all()
        with pytest.raises(QueryError, match="changes nothing"):
            sql.create_table(connection, "stolen", "DROP VIEW images")
        with pytest.raises(QueryError, match="Could not convert"):
            sql.create_table(connection, "wrong", "SELECT image_id::INTEGER FROM images")
    assert count["n"].to_pylist() == [17]


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert check_encoding("SELECT 'ö'") == "SELECT 'ö'"
    with pytest.raises(QueryError, match="not UTF-8"):
        check_encoding("SELECT '\udcff'")


def test_the_message_of_an_error_is_its_first_line() -> None:
    assert first_line(duckdb.Error("wrong\nLINE 1: SELECT")) == "wrong"
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("a\x1b[31mb")) == "a�[31mb"
    assert first_line(MemoryError("full")).startswith("full; ask for less, with LIMIT")


@pytest.mark.parametrize(
    ("statement", "views"),
    [
        ("FROM pseudo_labels LIMIT 1", {"pseudo_labels"}),
        ("SELECT (SELECT count(*) FROM Captions) FROM artifacts", {"captions", "artifacts"}),
        ("FROM pseudo_labels JOIN imges USING (image_id)", None),
        ("WITH a AS (FROM images) FROM a", None),
        ("FROM images@3f9c", None),
        ("FROM _all_labels", None),
        ("FROM images, unnest([1])", {"images"}),
        ("FROM images, (DESCRIBE captions)", {"images", "captions"}),
        ("FROM images, (SHOW TABLES)", None),
        ("FROM images, query_table('captions')", None),
        ("FROM images WHERE 1 IN (FROM query('SELECT 1 FROM captions'))", None),
        ("FROM images, duckdb_views()", None),
        ("SELECT 1", None),
        ("this is not SQL", None),
    ],
)
def test_the_views_that_a_statement_reads_are_known_or_all_are_taken(
    statement: str, views: set[str] | None
) -> None:
    assert sql.views_read(statement) == views
