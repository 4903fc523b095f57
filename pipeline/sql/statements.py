"""Statements: which are allowed, which artifacts they name, and how results are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from pipeline.sql import syntax
from pipeline.sql.limits import condition_limits
from pipeline.sql.relations import TABLE_ORDER, VIEW_SOURCES, VIEWS
from pipeline.sql.suggestions import suggestion
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_MESSAGE: Final = 400  # characters of an error message of DuckDB
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?", re.IGNORECASE)
_QUOTED: Final = (  # strings and comments, where @ is not part of a name
    r"\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*"
    r"|/\*(?:[^/*]|/(?!\*)|\*(?!/)|/\*.*?\*/)*\*/"
)
_PIN: Final = re.compile(
    rf'{_QUOTED}|"(?P<inner>\w+@[\w-]+)"|"(?:[^"]|"")*"|\b(?P<bare>[A-Za-z_]\w*@\w+)\b',
    re.DOTALL,
)


def pins_in(statement: str) -> list[str]:
    """Artifacts that a statement names, as in FROM pseudo_labels@3f9c, each once.

    >>> pins_in("FROM pseudo_labels@3f9c WHERE concept = 'a@b'")
    ['pseudo_labels@3f9c']
    """
    names = (match["inner"] or match["bare"] for match in _PIN.finditer(statement))
    return list(dict.fromkeys(name for name in names if name))


def subject_tables(statement: str) -> list[str]:
    """The tables that a statement is about, latest in `TABLE_ORDER` first; [] without a SELECT.

    The statement should see their newest artifacts and the inputs of these.
    """
    try:
        with duckdb.connect(":memory:") as connection:
            nodes = syntax.syntax_nodes(connection, _with_pins_quoted(statement))
    except (duckdb.Error, QueryError, UnicodeError):
        return []
    names = [str(node["table_name"]).lower() for node in nodes if node.get("type") == "BASE_TABLE"]
    tables = {VIEW_SOURCES.get(name, name) for name in names}
    return [table for table in reversed(TABLE_ORDER) if table in tables]


def views_read(statement: str) -> frozenset[str] | None:
    """The views that a statement reads; None if it names anything else, or cannot be read.

    A misspelt name, one that the statement gives, and a function that may look for tables count as
    anything else.
    """
    try:
        with duckdb.connect(":memory:") as connection:
            nodes = syntax.syntax_nodes(connection, _with_pins_quoted(statement))
    except (duckdb.Error, QueryError, UnicodeError):
        return None
    names = syntax.tables_named(nodes)
    return frozenset(names) if names and names <= VIEWS else None


def split(script: str) -> list[str]:
    """The statements of a script, in order.

    Raises:
        QueryError: If the script is not valid SQL.
    """
    try:
        with duckdb.connect(":memory:") as connection:
            statements = connection.extract_statements(_with_pins_quoted(script))
            return [statement.query.strip() for statement in statements]
    except (duckdb.Error, ValueError) as error:
        raise QueryError(first_line(error)) from None


def query(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyRelation:
    """The result of one read-only statement, evaluated lazily.

    Raises:
        QueryError: If the statement does more than read, or fails.
    """
    statement = _with_pins_quoted(check_encoding(statement))
    try:
        if not _only_reads(connection, statement):
            raise QueryError("rc sql answers one SELECT at a time and changes nothing")
        return connection.sql(statement)
    except duckdb.Error as error:
        advice = suggestion(connection, statement, str(error))
        raise QueryError(advice or first_line(error)) from None


def batches(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """The rows of a result, computed while they are read.

    Raises:
        QueryError: If the statement fails, at once or while rows are read.
    """
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    try:
        reader = read(1024)
    except duckdb.Error as error:
        raise QueryError(first_line(error)) from None
    return pa.RecordBatchReader.from_batches(reader.schema, _read(reader))


def chosen(connection: duckdb.DuckDBPyConnection, statement: str) -> pa.RecordBatchReader:
    """The rows of a statement that holds a user's condition, computed while they are read.

    Time and memory are limited while DuckDB works, and not while the caller uses the rows.

    Raises:
        QueryError: As `query` and `batches` do, or beyond the limits.
    """
    with condition_limits(connection):
        reader = batches(query(connection, statement))
    return pa.RecordBatchReader.from_batches(reader.schema, _limited(connection, reader))


def create_table(connection: duckdb.DuckDBPyConnection, name: str, statement: str) -> None:
    """Store the result of a statement as a table of the connection, for further queries.

    Raises:
        QueryError: If the statement does more than read, or fails.
    """
    relation = query(connection, statement)
    try:
        relation.create(name)
    except duckdb.Error as error:
        raise QueryError(first_line(error)) from None


def check_encoding(statement: str) -> str:
    """The statement itself; a command line can hold bytes that are not UTF-8.

    Raises:
        QueryError: If it holds such bytes.
    """
    try:
        statement.encode()
    except UnicodeEncodeError:
        raise QueryError("the statement holds bytes that are not UTF-8") from None
    return statement


def first_line(error: object) -> str:
    """The first line of an error of DuckDB; the lines below repeat the statement.

    The line may quote data of the store, so control characters are replaced.
    """
    line = (str(error).splitlines() or [type(error).__name__])[0][:_MAX_MESSAGE]
    message = "".join(c if c.isprintable() else "�" for c in line)
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        message += "; ask for less, with LIMIT or WHERE, or allow more memory"
    return message


def _with_pins_quoted(statement: str) -> str:
    return _PIN.sub(lambda m: f'"{m["bare"]}"' if m["bare"] else m[0], statement)


def _only_reads(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Whether it is one SELECT or its EXPLAIN; EXPLAIN ANALYZE runs the statement."""
    try:
        kinds = [part.type.name for part in connection.extract_statements(statement)]
    except ValueError:  # a kind of statement that the Python client does not know
        return False
    explained = _EXPLAIN.match(statement)
    if kinds == ["EXPLAIN"] and explained:
        return _only_reads(connection, statement[explained.end() :])
    return kinds == ["SELECT"] and syntax.only_selects(syntax.syntax_nodes(connection, statement))


def _limited(
    connection: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader
) -> Iterator[pa.RecordBatch]:
    while True:
        with condition_limits(connection):
            batch = next(reader, None)
        if batch is None:
            return
        yield batch


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        raise QueryError(first_line(error)) from None
