"""The prompt of `rc sql`: several lines to a statement, a history, completion of names."""

from __future__ import annotations

import os
import re
import readline
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cli.asking import Session

_HISTORY: Final = 1000  # lines kept
_KEYWORDS: Final = (
    *("SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "LIMIT", "HAVING", "JOIN", "USING"),
    *("DESC", "DISTINCT", "count", "avg", "AND", "OR", "NOT", "DESCRIBE", "SUMMARIZE"),
)
_HELP: Final = """Write SQL and end it with ; (or an empty line). Ctrl-C drops it, Ctrl-D leaves.
.tables          what there is to ask about
.schema NAME     the columns of a view
.queries         questions by name
.query NAME      ask one of them
.format NAME     table, csv or json
.quit            leave"""


def prompt(session: Session, read: Callable[[str], str] = input) -> None:
    """Answer what is typed until it ends; a sentence for what cannot be answered."""
    columns = session.columns()
    history = _history()
    _complete(sorted({*columns, *(c.split()[0] for own in columns.values() for c in own)}))
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
            _act(session, columns, statement)
    except RCError as error:
        typer.echo(f"error: {error}", err=True)
    except KeyboardInterrupt:
        typer.echo("", err=True)
    else:
        return statement is not None
    return True


def _statement(read: Callable[[str], str]) -> str | None:
    """Lines up to a semicolon or an empty line; None at the end."""
    lines: list[str] = []
    while True:
        try:
            line = read("rc> " if not lines else "... ")
        except EOFError:
            return None
        if not lines and line.strip().startswith("."):
            return line.strip()
        lines += [line] if line.strip() else []
        if lines and (not line.strip() or line.rstrip().endswith(";")):
            return "\n".join(lines)


def _act(session: Session, columns: dict[str, list[str]], statement: str) -> None:
    if not statement.startswith("."):
        session.answer(statement)
        return
    word, _, rest = statement.partition(" ")
    if word in (".quit", ".exit"):
        raise SystemExit(0)
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
    if name not in columns:
        return f"there is no view '{name}'; .tables lists them"
    return "\n".join(columns[name])


def _queries() -> str:
    from pipeline.sql.named import named_queries

    return "\n".join(f"{query.name:<26} {query.doc}" for query in named_queries().values())


def _complete(names: list[str]) -> None:
    words = [*names, *_KEYWORDS]

    def candidates(text: str, state: int) -> str | None:
        fitting = [word for word in words if word.lower().startswith(text.lower())]
        return fitting[state] if state < len(fitting) else None

    readline.set_completer(candidates)
    readline.set_completer_delims(re.sub(r"[._@]", "", readline.get_completer_delims()))
    readline.parse_and_bind("tab: complete")


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
