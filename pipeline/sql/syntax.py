"""Syntax: what a statement is made of, told by DuckDB's own parser, before anything is run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

# A SELECT may hold statements that write: WITH a AS (COPY ... TO 'file') SELECT 1.
_READING: Final = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_FROM_ROWS_ALONE: Final = {"range", "generate_series", "unnest", "json_each"}
_CLOCKS: Final = {
    *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
    *("current_user", "current_role", "session_user", "user", "current_catalog", "current_schema"),
}
# DuckDB says these are consistent; they are not from one day, or program, to the next.
_CALLED_CLOCKS: Final = {"age", "current_localtime", "current_localtimestamp", "version"}


def tree(connection: duckdb.DuckDBPyConnection, statement: str) -> list[dict[str, Any]]:
    """Every node of a SELECT as DuckDB understands it, each before what is in it.

    Raises:
        QueryError: If it is none.
    """
    asked = "SELECT json_serialize_sql(?, skip_null := true)"
    found = connection.execute(asked, [statement]).fetchall()
    try:
        told = json.loads(found[0][0])
    except RecursionError:
        raise QueryError("this is nested too deep to be understood") from None
    if told["error"]:
        raise QueryError(told.get("error_message", "this is no SELECT"))
    return list(_nodes(told["statements"]))


def only_selects(nodes: list[dict[str, Any]]) -> bool:
    """Whether everything in a SELECT reads: a part of it may write a file or a table."""
    kinds = (node.get("type") for node in nodes)
    return all(kind in _READING for kind in kinds if str(kind).endswith("_NODE"))


def fickle(connection: duckdb.DuckDBPyConnection, nodes: list[dict[str, Any]]) -> str | None:
    """The first thing in a SELECT that may answer otherwise tomorrow; None if nothing does."""
    known = connection.execute(
        "SELECT function_name, stability, macro_definition FROM duckdb_functions() "
        "WHERE regexp_full_match(function_name, '\\w+')"
    ).fetchall()
    names = {name for name, stability, _ in known if stability not in (None, "CONSISTENT")}
    names |= _CALLED_CLOCKS
    macros = re.compile(rf"\b({'|'.join(names)})\s*\(|\b({'|'.join(_CLOCKS)})\b", re.IGNORECASE)
    names |= {name for name, _, macro in known if macro and macros.search(macro)}
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE internal").fetchall()
    listed = {name for (name,) in views}
    return next(filter(None, (_fickle(node, names, listed) for node in nodes)), None)


def _fickle(node: dict[str, Any], names: set[str], listed: set[str]) -> str | None:
    kind = node.get("type")
    if node.get("sample"):
        return "SAMPLE"
    if kind == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"])
        return None if name in _FROM_ROWS_ALONE else name
    if kind == "BASE_TABLE" and node["table_name"].lower() in listed:
        return str(node["table_name"])
    if kind == "COLUMN_REF" and node["column_names"][-1].lower() in _CLOCKS:
        return str(node["column_names"][-1])
    name = str(node.get("function_name", "")).lower()
    return name if name in names else None


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]  # not recursion: a hostile statement may be nested deeper than Python's stack
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield current
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
