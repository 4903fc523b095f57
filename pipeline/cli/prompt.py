"""The prompt of `rc sql`: statements of several lines, a history, completion of names."""

from __future__ import annotations

import os
import re
import readline
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from pipeline.cli.row_formats import ROW_WRITERS
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cli.sql_session import SqlSession

_HISTORY: Final = 1000  # entries kept
_KEYWORDS: Final = (
    *("SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "LIMIT", "HAVING", "JOIN", "USING"),
    *("DESC", "DISTINCT", "count", "avg", "AND", "OR", "NOT", "DESCRIBE", "SUMMARIZE"),
)
_HELP: Final = f"""Write SQL and end it with ; (or an empty line). Ctrl-C cancels it, Ctrl-D leaves.
.tables          list the views
.schema NAME     show the columns of a view
.queries         list the named queries
.query NAME      run a named query
.format NAME     {", ".join(ROW_WRITERS)}
.quit            leave; exit and quit do the same"""
_LEAVE: Final = re.compile(r"\.?(exit|quit)\s*;?", re.IGNORECASE)
_DOT_COMMANDS: Final = (
    ".exit",
    ".format",
    ".help",
    ".queries",
    ".query",
    ".quit",
    ".schema",
    ".tables",
)


def prompt(session: SqlSession, read: Callable[[str], str] = input) -> None:
    """Answer statements until the input ends; an error is printed as a sentence."""
    columns = session.columns()
    history = _load_history()
    readline.set_auto_history(False)  # it would store lines, not statements
    _set_completer(columns)
    typer.echo(f"{len(columns)} views; .help for help, Ctrl-D to leave", err=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while _answer_next(session, columns, read):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
        if history:
            _save_history(history)


def _answer_next(
    session: SqlSession, columns: dict[str, list[str]], read: Callable[[str], str]
) -> bool:
    """Answer one statement; False at the end of the input. Ctrl-C cancels the statement only."""
    try:
        statement = _read_statement(read)
        if statement is not None:
            _add_to_history(statement)
            _execute(session, columns, statement)
    except RCError as error:
        typer.echo(f"error: {error}", err=True)
    except KeyboardInterrupt:
        typer.echo("", err=True)
    else:
        return statement is not None
    return True


def _read_statement(read: Callable[[str], str]) -> str | None:
    """Lines up to a semicolon or an empty line, or one dot command; None at the end of input."""
    lines: list[str] = []
    while True:
        try:
            line = read("rc> " if not lines else "... ")
        except EOFError:
            return None
        if not lines and (line.strip().startswith(".") or _LEAVE.fullmatch(line.strip())):
            return line.strip()
        lines += [line] if line.strip() else []
        if lines and (not line.strip() or line.rstrip().endswith(";")):
            return "\n".join(lines)


def _add_to_history(statement: str) -> None:
    """Add a statement to the history as one entry."""
    lines = statement.split("\n")
    commented = any("--" in line for line in lines)  # joined, a comment would hide later lines
    for entry in lines if commented else [" ".join(lines)]:
        if entry != readline.get_history_item(readline.get_current_history_length()):
            readline.add_history(entry)


def _execute(session: SqlSession, columns: dict[str, list[str]], statement: str) -> None:
    if _LEAVE.fullmatch(statement):
        raise SystemExit(0)
    if not statement.startswith("."):
        session.answer(statement)
        return
    word, _, rest = statement.partition(" ")
    name = rest.strip()
    if word == ".tables":
        typer.echo("\n".join(columns))
    elif word == ".schema":
        typer.echo(_schema_text(columns, name))
    elif word == ".queries":
        typer.echo(_query_list())
    elif word == ".query":
        from pipeline.sql.named_queries import named_query

        query = named_query(name)
        session.answer(query.statement, query.subjects)
    elif word == ".format":
        session.set_format(name)
    else:
        typer.echo(_HELP)


def _schema_text(columns: dict[str, list[str]], name: str) -> str:
    if not name:
        return f".schema takes the name of a view: {', '.join(columns)}"
    if name not in columns:
        return f"there is no view '{name}'; .tables lists them"
    return "\n".join(columns[name])


def _query_list() -> str:
    from pipeline.sql.named_queries import named_queries

    return "\n".join(f"{query.name:<26} {query.doc}" for query in named_queries().values())


def _set_completer(columns: dict[str, list[str]]) -> None:
    """Complete dot commands and the names of views and columns at Tab."""
    from pipeline.sql.named_queries import named_queries

    names = sorted({*columns, *(c.split()[0] for own in columns.values() for c in own)})
    arguments = {
        "": _DOT_COMMANDS,
        ".schema": columns,
        ".query": named_queries(),
        ".format": ROW_WRITERS,
    }

    def candidates(text: str, state: int) -> str | None:
        before = readline.get_line_buffer()[: readline.get_begidx()].strip()
        if before in arguments and (before or text.startswith(".")):
            matches = [word for word in arguments[before] if word.startswith(text)]
        else:
            matches = _completions(text, [*names, *_KEYWORDS])
        return matches[state] if state < len(matches) else None

    readline.set_completer(candidates)
    readline.set_completer_delims(re.sub(r"[-._@]", "", readline.get_completer_delims()))
    readline.parse_and_bind("tab: complete")


def _completions(text: str, words: list[str]) -> list[str]:
    """Completions of a text in SQL; here a minus is an operator, not part of a name."""
    head, minus, start = text.rpartition("-")
    return [f"{head}{minus}{word}" for word in words if word.lower().startswith(start.lower())]


def _load_history() -> Path | None:
    """Load the history; return its file, or None if it cannot be used."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(state) / "rc" / "sql_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        readline.clear_history()
        if path.is_file():
            readline.read_history_file(path)
    except OSError:
        return None
    return path


def _save_history(path: Path) -> None:
    readline.set_history_length(_HISTORY)
    try:
        readline.write_history_file(path)
        path.chmod(0o600)  # queries are private
    except OSError:
        typer.echo(f"the history could not be written to {path}", err=True)
