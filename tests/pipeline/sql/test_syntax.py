"""The syntax tree of statements: what reads, and what gives the same result in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from pipeline.sql.syntax import first_nondeterministic, only_selects, syntax_nodes
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def test_nodes_come_before_the_nodes_within_them(connection: duckdb.DuckDBPyConnection) -> None:
    nodes = syntax_nodes(connection, "SELECT a FROM (SELECT b AS a FROM t WHERE b > 1)")
    kinds = [node["type"] for node in nodes if "type" in node]
    assert kinds.count("SELECT_NODE") == 2
    assert kinds.index("SUBQUERY") < kinds.index("BASE_TABLE")
    assert [n["table_name"] for n in nodes if n.get("type") == "BASE_TABLE"] == ["t"]


@pytest.mark.parametrize("statement", ["DROP TABLE t", "COPY t TO 'file'", "not SQL"])
def test_only_a_select_has_a_tree(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(QueryError):
        syntax_nodes(connection, statement)


@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        ("SELECT 1", True),
        ("FROM a UNION ALL FROM b", True),
        ("WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) FROM t", True),
        ("WITH x AS (FROM a) SELECT (SELECT max(b) FROM x)", True),
        ("WITH x AS (COPY (SELECT 1) TO 'file') FROM x", False),
        ("SELECT 1 UNION ALL (WITH x AS (DELETE FROM t RETURNING *) FROM x)", False),
    ],
)
def test_a_select_that_writes_in_a_part_is_recognised(
    connection: duckdb.DuckDBPyConnection, statement: str, *, reads: bool
) -> None:
    try:
        nodes = syntax_nodes(connection, statement)
    except (QueryError, duckdb.Error):
        assert not reads
        return
    assert only_selects(nodes) == reads


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("a > 1 AND b LIKE 'random()'", None),
        ("list_contains([1, 2], a)", None),
        ("a IN (FROM range(3))", None),
        ("a IN (SELECT unnest([1, 2]))", None),
        ("random() > a", "random"),
        ("RANDOM() > a", "random"),
        ("a > CURRENT_DATE", "current_date"),
        ("a > today()", "today"),
        ("age(a) > b", "age"),
        ("a IN (FROM glob('*'))", "glob"),
        ("a IN (SELECT a FROM t USING SAMPLE 1)", "SAMPLE"),
        ("a IN (SELECT table_name FROM duckdb_tables)", "duckdb_tables"),
    ],
)
def test_the_first_nondeterministic_name_is_found(
    connection: duckdb.DuckDBPyConnection, expression: str, name: str | None
) -> None:
    found = first_nondeterministic(connection, syntax_nodes(connection, f"SELECT {expression}"))
    assert found is None if name is None else (found or "").lower() == name.lower()
