"""The syntax tree of a statement, from DuckDB's own parser, before anything runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

# A SELECT may hold statements that write: WITH a AS (COPY ... TO 'file') SELECT 1.
_READ_ONLY_NODES: Final = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_PURE_TABLE_FUNCTIONS: Final = {"range", "generate_series", "unnest", "json_each"}
_VOLATILE_KEYWORDS: Final = {
    *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
    *("current_user", "current_role", "session_user", "user", "current_catalog", "current_schema"),
}
# DuckDB calls these consistent, but their result changes with the day or the version.
_VOLATILE_FUNCTIONS: Final = {"age", "current_localtime", "current_localtimestamp", "version"}


def syntax_nodes(connection: duckdb.DuckDBPyConnection, statement: str) -> list[dict[str, Any]]:
    """Every node of the syntax tree of a SELECT, parents before their children.

    Raises:
        QueryError: If the statement is not a SELECT.
    """
    serialize = "SELECT json_serialize_sql(?, skip_null := true)"
    rows = connection.execute(serialize, [statement]).fetchall()
    try:
        tree = json.loads(rows[0][0])
    except RecursionError:
        raise QueryError("the statement is nested too deeply") from None
    if tree["error"]:
        raise QueryError(tree.get("error_message", "the statement is not a SELECT"))
    return list(_nodes(tree["statements"]))


def tables_named(nodes: list[dict[str, Any]]) -> set[str] | None:
    """The tables and views of a SELECT, in lower case; None if it may read others, or lists them.

    A function such as `query_table` takes the name of a table as a text.
    """
    names = set[str]()
    for node in nodes:
        kind = node.get("type")
        if kind == "TABLE_FUNCTION" and _function(node) not in _PURE_TABLE_FUNCTIONS:
            return None
        # a DESCRIBE has a query in place of a name
        if kind in ("BASE_TABLE", "SHOW_REF") and node["table_name"]:
            names.add(str(node["table_name"]).lower())
    return names


def only_selects(nodes: list[dict[str, Any]]) -> bool:
    """Whether every part of a SELECT only reads; a part could write a file or a table."""
    kinds = (node.get("type") for node in nodes)
    return all(kind in _READ_ONLY_NODES for kind in kinds if str(kind).endswith("_NODE"))


def first_nondeterministic(
    connection: duckdb.DuckDBPyConnection, nodes: list[dict[str, Any]]
) -> str | None:
    """The first name in a SELECT whose result may change between runs; None if there is none."""
    functions = connection.execute(
        "SELECT function_name, stability, macro_definition FROM duckdb_functions() "
        "WHERE regexp_full_match(function_name, '\\w+')"
    ).fetchall()
    names = {name for name, stability, _ in functions if stability not in (None, "CONSISTENT")}
    names |= _VOLATILE_FUNCTIONS
    keywords = "|".join(_VOLATILE_KEYWORDS)
    calls = rf"\b({'|'.join(names)})\s*\(|\b({keywords})\b"
    macros = re.compile(calls, re.IGNORECASE)
    names |= {name for name, _, macro in functions if macro and macros.search(macro)}
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE internal").fetchall()
    internal_views = {name for (name,) in views}
    nondeterministic = (_nondeterministic_name(node, names, internal_views) for node in nodes)
    return next(filter(None, nondeterministic), None)


def _nondeterministic_name(
    node: dict[str, Any], functions: set[str], internal_views: set[str]
) -> str | None:
    kind = node.get("type")
    if node.get("sample"):
        return "SAMPLE"
    if kind == "TABLE_FUNCTION":
        name = _function(node)
        return None if name in _PURE_TABLE_FUNCTIONS else name
    if kind == "BASE_TABLE" and node["table_name"].lower() in internal_views:
        return str(node["table_name"])
    if kind == "COLUMN_REF" and node["column_names"][-1].lower() in _VOLATILE_KEYWORDS:
        return str(node["column_names"][-1])
    name = str(node.get("function_name", "")).lower()
    return name if name in functions else None


def _function(table_function: dict[str, Any]) -> str:
    return str(table_function["function"]["function_name"])


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    pending = [value]  # no recursion: a hostile statement may be deeper than Python's stack
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            yield current
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)
