"""What to do about an error of DuckDB: the nearest names, or the verb that makes a table."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import duckdb

from pipeline.sql import syntax
from pipeline.sql.relations import TABLE_ORDER, VIEW_SOURCES
from pipeline.verbs import maker
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Collection

NO_COLUMN: Final = "there is no column"
_COLUMN: Final = re.compile(
    r'Referenced column "([^"\n]+)" not found|does not have a column named "([^"\n]+)"'
)
_TABLE: Final = re.compile(r'Table with name "?([^"\n]+?)"? does not exist')
_SHOWN: Final = 3  # nearest names
_ALL_SHOWN: Final = 20  # names, where none is near


def suggestion(connection: Any, statement: str, message: str) -> str | None:
    """A sentence about a name that does not exist, with the way out; None for another error.

    Args:
        connection: With the views of the store.
        statement: The SELECT that failed.
        message: Of DuckDB.
    """
    if match := _COLUMN.search(message):
        return _about_column(connection, statement, match[1] or match[2])
    if match := _TABLE.search(message):
        return _about_table(connection, match[1].removeprefix("_"))
    return None


def nearest(name: str, known: Collection[str]) -> str:
    """The known names that are most like one, or, if none is, what there is; for a message.

    >>> nearest("probabilty", ["x0", "probability"]), nearest("q", ["x0", "y0"])
    ('the nearest is probability', 'there are x0, y0')
    """
    spelled = {word.lower(): word for word in known}
    close = [spelled[word] for word in get_close_matches(name.lower(), spelled, _SHOWN)]
    if close:
        return f"the nearest {'is' if len(close) == 1 else 'are'} {', '.join(close)}"
    more = f" and {len(known) - _ALL_SHOWN} more" if len(known) > _ALL_SHOWN else ""
    return f"there are {', '.join(list(known)[:_ALL_SHOWN])}{more}"


def _about_column(connection: Any, statement: str, name: str) -> str:
    return f"{NO_COLUMN} {_printable(name)}; {nearest(name, _columns(connection, statement))}"


def _columns(connection: Any, statement: str) -> list[str]:
    """Columns of the views that a statement reads; of all views if it is not known which."""
    rows = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE NOT internal AND NOT starts_with(table_name, '_')"
    ).fetchall()
    try:
        nodes = syntax.syntax_nodes(connection, statement)
    except (duckdb.Error, QueryError):
        nodes = []
    read = {str(n["table_name"]).lower() for n in nodes if n.get("type") == "BASE_TABLE"}
    own = [column for table, column in rows if table.lower() in read]
    return list(dict.fromkeys(own or [column for _, column in rows]))


def _about_table(connection: Any, name: str) -> str | None:
    views = [
        view
        for (view,) in connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' "
            "AND NOT starts_with(view_name, '_') ORDER BY 1"
        ).fetchall()
    ]
    if "artifacts" not in views:  # one part for a condition, not a store
        return None
    table = VIEW_SOURCES.get(name.lower(), name.lower())
    if table not in TABLE_ORDER:
        known = sorted({*views, *TABLE_ORDER, *VIEW_SOURCES})
        return f"there is no table {_printable(name)}; {nearest(name, known)}"
    other = connection.execute(
        'SELECT max(artifact) FROM artifacts WHERE "table" = ?', [table]
    ).fetchall()[0][0]
    verb = maker(table)
    if other is None:
        others = [view for view in views if view.endswith(f"_{name.lower()}")]
        there = f"; {', '.join(others)} are there" if others else ""
        return f"there are no {name} in this store yet: 'rc {verb}' makes them{there}"
    if table in views:
        return f"{other} has no {name}: 'rc {verb}' makes them, with other options or images"
    return f"{other} was written by another version of this program: run 'rc {verb}' again"


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:100])
