"""`rc sql` queries the store; `rc db` writes the store as a database for other clients."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.run_options import STORE, Quiet, Store
from schemas.errors import OptionError, QueryError

Use = Annotated[
    list[str] | None,
    typer.Option("--use", help="artifact to use instead of the newest: table@prefix"),
]


def add_commands(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    app.command("sql")(sql)
    app.command("db")(db)
    app.command("queries", hidden=True)(queries)


def sql(  # noqa: PLR0913  # each is an option
    statement: Annotated[
        str | None,
        typer.Argument(help="one SELECT, such as 'FROM artifacts'; without it, a prompt opens"),
    ] = None,
    store: Store = STORE,
    use: Use = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="read statements from a file; - is standard input")
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="run a named query; see docs/queries.md")
    ] = None,
    output: Annotated[
        str,
        typer.Option("--format", help="table, csv, json (one row per line), parquet or markdown"),
    ] = "table",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="seconds for one statement; 0: no limit")
    ] = 3600,
    memory_mb: Annotated[
        int, typer.Option("--memory-mb", min=64, help="memory of a query; more goes to disk")
    ] = 2048,
) -> None:
    """Query the store in SQL.

    Views: images, captions, objects, concepts, pseudo_labels, lineage, ...

    Read-only: no files outside the store, no settings, no statement that writes. Older artifacts of
    a table can be named: FROM pseudo_labels@3f9c.
    """
    from pipeline.cli.sql_session import SqlSession

    session = SqlSession(store, use or [], output, timeout, memory_mb)
    sources = {"STATEMENT": statement, "--file": file, "--query": query}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise OptionError(f"rc sql: give one of {' and '.join(given)}, not both")
    if not given and sys.stdin.isatty():
        from pipeline.cli.prompt import prompt

        prompt(session)
        return
    if query is not None:
        from pipeline.sql.named_queries import named_query

        named = named_query(query)
        session.answer(named.statement, named.subjects)
        return
    for text in [statement] if statement is not None else _read_statements(file, output):
        session.answer(text)


def db(
    out: Annotated[Path, typer.Argument(help="the DuckDB file to write")],
    store: Store = STORE,
    use: Use = None,
    materialize: Annotated[
        bool,
        typer.Option(
            "--materialize", help="copy the rows instead of referring to the files of the store"
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="replace a DuckDB file that exists")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write the store as a DuckDB file, for any DuckDB client.

    It has all views of the store.

    Without --materialize the views read the Parquet files of the store, and vectors are BLOBs of
    the stored bytes; with it vectors are FLOAT arrays.
    """
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.sql import write_database

    terminal = TerminalReporter(quiet=quiet)
    names = write_database(
        store, out, use or [], materialize=materialize, force=force, reporter=terminal
    )
    typer.echo(f"{out}  {len(names)} {'tables' if materialize else 'views'}: {', '.join(names)}")


def queries(store: Store = STORE) -> None:
    """Print docs/queries.md: every named query, and its result on a store."""
    from pipeline.cli.sql_session import SqlSession
    from pipeline.sql.named_queries import named_queries

    typer.echo("# Named queries\n\nMade by `rc queries` on the store of `rc demo`; do not edit.")
    session = SqlSession(store, [], "markdown")
    for query in named_queries().values():
        typer.echo(f"\n## {query.name}\n\n{query.doc} {query.needs}\n")
        typer.echo(f"```sql\n{query.statement}\n```\n\n`rc sql --query {query.name}`\n")
        session.answer(query.statement, query.subjects)


def _read_statements(file: Path | None, output: str) -> list[str]:
    """The statements of a file, or of standard input.

    Raises:
        QueryError: If it cannot be read, or is not SQL.
        OptionError: If there are several, and the format holds one result only.
    """
    from pipeline.cli.row_formats import SINGLE_RESULT_FORMATS
    from pipeline.sql.statements import split

    try:
        text = sys.stdin.read() if file in (None, Path("-")) else Path(str(file)).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{file} cannot be read: {error}") from error
    statements = split(text)
    if len(statements) > 1 and output in SINGLE_RESULT_FORMATS:
        raise OptionError(
            f"rc sql: --format {output} writes the result of one statement, got {len(statements)}; "
            "run them one at a time, or with --format json"
        )
    return statements
