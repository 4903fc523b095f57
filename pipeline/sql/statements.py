"""Statements: what may be asked, and the answer as it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from pipeline.sql import syntax
from pipeline.sql.relations import IN_ORDER, VIEWED
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 400  # characters of what DuckDB says
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?", re.IGNORECASE)
_QUOTED: Final = (  # where an @ is no name
    r"\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*"
    r"|/\*(?:[^/*]|/(?!\*)|\*(?!/)|/\*.*?\*/)*\*/"
)
_PIN: Final = re.compile(
    rf'{_QUOTED}|"(?P<inner>\w+@[\w-]+)"|"(?:[^"]|"")*"|\b(?P<bare>[A-Za-z_]\w*@\w+)\b',
    re.DOTALL,
)


def pins_in(statement: str) -> list[str]:
    """Artifacts that a statement names by prefix, as in FROM pseudo_labels@3f9c, each once.

    >>> pins_in("FROM pseudo_labels@3f9c WHERE concept = 'a@b'")
    ['pseudo_labels@3f9c']
    """
    found = (match["inner"] or match["bare"] for match in _PIN.finditer(statement))
    return list(dict.fromkeys(name for name in found if name))


def leads_of(statement: str) -> list[str]:
    """The tables that a statement is about, the one made last first; none if it is no SELECT.

    Their newest artifacts, with all that the first was made from, are what it should see.
    """
    try:
        with duckdb.connect(":memory:") as connection:
            nodes = syntax.tree(connection, _with_pins_quoted(statement))
    except (duckdb.Error, QueryError, UnicodeError):
        return []
    names = [str(node["table_name"]).lower() for node in nodes if node.get("type") == "BASE_TABLE"]
    found = {VIEWED.get(name, name) for name in names}
    return [table for table in reversed(IN_ORDER) if table in found]


def split(script: str) -> list[str]:
    """The statements of a text, in order.

    Raises:
        QueryError: If it is no SQL.
    """
    try:
        with duckdb.connect(":memory:") as connection:
            quoted = connection.extract_statements(_with_pins_quoted(script))
            return [found.query.strip() for found in quoted]
    except (duckdb.Error, ValueError) as error:
        raise QueryError(first_line(error)) from None


def query(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyRelation:
    """The result of one reading statement, lazily.

    Raises:
        QueryError: If the statement does anything but read, or fails.
    """
    statement = _with_pins_quoted(text(statement))
    try:
        if not _only_reads(connection, statement):
            raise QueryError("rc sql answers one SELECT at a time and changes nothing")
        return connection.sql(statement)
    except duckdb.Error as error:
        raise QueryError(first_line(error)) from None


def batches(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """The rows of an answer, computed as they are read.

    Raises:
        QueryError: If the statement fails, at once or while it is read.
    """
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    try:
        reader = read(1024)
    except duckdb.Error as error:
        raise QueryError(first_line(error)) from None
    return pa.RecordBatchReader.from_batches(reader.schema, _read(reader))


def keep(connection: duckdb.DuckDBPyConnection, name: str, statement: str) -> None:
    """Make a table of an answer that lasts as long as the connection, for questions about it.

    Raises:
        QueryError: If the statement does anything but read, or fails.
    """
    relation = query(connection, statement)
    try:
        relation.create(name)
    except duckdb.Error as error:
        raise QueryError(first_line(error)) from None


def text(statement: str) -> str:
    """The statement, if it is text at all: bytes of a command line need not be.

    Raises:
        QueryError: If not.
    """
    try:
        statement.encode()
    except UnicodeEncodeError:
        raise QueryError("the statement holds bytes that are no UTF-8 text") from None
    return statement


def first_line(error: object) -> str:
    """What DuckDB says is wrong, without the statement it repeats below.

    It may quote what is in the store, so nothing in it is left that a terminal would obey.
    """
    line = (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST]
    said = "".join(sign if sign.isprintable() else "�" for sign in line)
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        said += "; ask for less, with LIMIT or WHERE, or allow more memory"
    return said


def _with_pins_quoted(statement: str) -> str:
    return _PIN.sub(lambda m: f'"{m["bare"]}"' if m["bare"] else m[0], statement)


def _only_reads(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Whether it is one SELECT, or the EXPLAIN of one: EXPLAIN ANALYZE runs what it explains."""
    try:
        kinds = [found.type.name for found in connection.extract_statements(statement)]
    except ValueError:  # a kind of statement that the Python client has no word for
        return False
    explained = _EXPLAIN.match(statement)
    if kinds == ["EXPLAIN"] and explained:
        return _only_reads(connection, statement[explained.end() :])
    return kinds == ["SELECT"] and syntax.only_selects(syntax.tree(connection, statement))


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        raise QueryError(first_line(error)) from None
