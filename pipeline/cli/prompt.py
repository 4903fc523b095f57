"""The prompt of `rc sql`: several lines to a statement, a history, completion of names."""

from __future__ import annotations

import os
import re
import readline
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from pipeline.cli.answers import WRITERS
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cli.session import Session

_HISTORY: Final = 1000  # entries kept
_KEYWORDS: Final = (
    *("SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "LIMIT", "HAVING", "JOIN", "USING"),
    *("DESC", "DISTINCT", "count", "avg", "AND", "OR", "NOT", "DESCRIBE", "SUMMARIZE"),
)
_HELP: Final = f"""Write SQL and end it with ; (or an empty line). Ctrl-C drops it, Ctrl-D leaves.
.tables          what there is to ask about
.schema NAME     the columns of a view
.queries         questions by name
.query NAME      ask one of them
.format NAME     {", ".join(WRITERS)}
.quit            leave, as exit and quit do"""
_LEAVE: Final = re.compile(r"\.?(exit|quit)\s*;?", re.IGNORECASE)
_DOTS: Final = (".exit", ".format", ".help", ".queries", ".query", ".quit", ".schema", ".tables")


def prompt(session: Session, read: Callable[[str], str] = input) -> None:
    """Answer what is typed until it ends; a sentence for what cannot be answered."""
    columns = session.columns()
    history = _history()
    readline.set_auto_history(False)  # it would remember lines, not statements
    _complete(columns)
    typer.echo(f"{len(columns)} views; .help for help, Ctrl-D to leave", err=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while _answered(session, columns, read):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
        if history:
            _keep(history)


def _answered(session: Session, columns: dict[str, list[str]], read: Callable[[str], str]) -> bool:
    """Answer one statement; whether there was one. Ctrl-C drops it, and the prompt goes on."""
    try:
        statement = _statement(read)
        if statement is not None:
            _remember(statement)
            _act(session, columns, statement)
    except RCError as error:
        typer.echo(f"error: {error}", err=True)
    except KeyboardInterrupt:
        typer.echo("", err=True)
    else:
        return statement is not None
    return True


def _statement(read: Callable[[str], str]) -> str | None:
    """Lines up to a semicolon or an empty line, or one that is no SQL; None at the end."""
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


def _remember(statement: str) -> None:
    """Keep a statement as one entry of the history."""
    lines = statement.split("\n")
    commented = any("--" in line for line in lines)  # joined, it would hide the lines that follow
    for entry in lines if commented else [" ".join(lines)]:
        if entry != readline.get_history_item(readline.get_current_history_length()):
            readline.add_history(entry)


def _act(session: Session, columns: dict[str, list[str]], statement: str) -> None:
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
        typer.echo(_schema(columns, name))
    elif word == ".queries":
        typer.echo(_queries())
    elif word == ".query":
        from pipeline.sql.named import named_query

        found = named_query(name)
        session.answer(found.statement, found.leads)
    elif word == ".format":
        session.write_as(name)
    else:
        typer.echo(_HELP)


def _schema(columns: dict[str, list[str]], name: str) -> str:
    if not name:
        return f".schema takes the name of a view: {', '.join(columns)}"
    if name not in columns:
        return f"there is no view '{name}'; .tables lists them"
    return "\n".join(columns[name])


def _queries() -> str:
    from pipeline.sql.named import named_queries

    return "\n".join(f"{query.name:<26} {query.doc}" for query in named_queries().values())


def _complete(columns: dict[str, list[str]]) -> None:
    """Complete, at Tab, the names of views and columns, and what begins with a dot."""
    from pipeline.sql.named import named_queries

    names = sorted({*columns, *(c.split()[0] for own in columns.values() for c in own)})
    dotted = {"": _DOTS, ".schema": columns, ".query": named_queries(), ".format": WRITERS}

    def candidates(text: str, state: int) -> str | None:
        before = readline.get_line_buffer()[: readline.get_begidx()].strip()
        if before in dotted and (before or text.startswith(".")):
            fitting = [word for word in dotted[before] if word.startswith(text)]
        else:
            fitting = _words(text, [*names, *_KEYWORDS])
        return fitting[state] if state < len(fitting) else None

    readline.set_completer(candidates)
    readline.set_completer_delims(re.sub(r"[-._@]", "", readline.get_completer_delims()))
    readline.parse_and_bind("tab: complete")


def _words(text: str, words: list[str]) -> list[str]:
    """What SQL may go on with; a minus is part of the names of queries alone."""
    head, minus, begun = text.rpartition("-")
    return [f"{head}{minus}{word}" for word in words if word.lower().startswith(begun.lower())]


def _history() -> Path | None:
    """The file that remembers what was typed; None where none can be kept."""
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


def _keep(path: Path) -> None:
    readline.set_history_length(_HISTORY)
    try:
        readline.write_history_file(path)
        path.chmod(0o600)  # what one asks is one's own
    except OSError:
        typer.echo(f"the history could not be kept in {path}", err=True)
