"""`rc sql`: questions to the store; `rc db`: the store as a database for other clients."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import OptionError, QueryError

Use = Annotated[
    list[str] | None,
    typer.Option("--use", help="artifact to use instead of the newest: table@prefix"),
]


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    app.command("sql")(sql)
    app.command("db")(db)
    app.command("queries", hidden=True)(queries)


def sql(  # noqa: PLR0913  # each is a flag
    statement: Annotated[
        str | None, typer.Argument(help="one SELECT; see 'FROM artifacts'; none opens a prompt")
    ] = None,
    store: Store = STORE,
    use: Use = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="statements from a file; - is standard input")
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="a question by name; see docs/queries.md")
    ] = None,
    output: Annotated[
        str, typer.Option("--format", help="table, csv, json (a row a line), parquet or markdown")
    ] = "table",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="seconds one answer may take; 0: no limit")
    ] = 3600,
    memory_mb: Annotated[
        int, typer.Option("--memory-mb", min=64, help="the rest of a large answer goes to disk")
    ] = 2048,
) -> None:
    """Ask the store in SQL: images, captions, objects, concepts, pseudo_labels, lineage, ...

    Read-only: no files outside the store, no settings, no statement that writes. A table's older
    artifacts are there under their names: FROM pseudo_labels@3f9c.
    """
    from pipeline.cli.session import Session

    session = Session(store, use or [], output, timeout, memory_mb)
    asked = {"STATEMENT": statement, "--file": file, "--query": query}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) > 1:
        raise OptionError(f"rc sql: give one of {' and '.join(given)}, not both")
    if not given and sys.stdin.isatty():
        from pipeline.cli.prompt import prompt

        prompt(session)
        return
    if query is not None:
        from pipeline.sql.named import named_query

        found = named_query(query)
        session.answer(found.statement, found.leads)
        return
    for question in [statement] if statement is not None else _questions(file, output):
        session.answer(question)


def db(
    out: Annotated[Path, typer.Argument(help="the DuckDB file to write")],
    store: Store = STORE,
    use: Use = None,
    materialize: Annotated[
        bool, typer.Option("--materialize", help="copy the rows instead of pointing at them")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="replace a DuckDB file that exists")
    ] = False,
) -> None:
    """Write a DuckDB file with all views of the store, for any DuckDB client.

    Without --materialize the views read the store's Parquet files where they lie, and vectors are
    BLOBs, the bytes they are stored in; with it they are FLOAT arrays.
    """
    from pipeline.sql import write_database

    names = write_database(store, out, use or [], materialize=materialize, force=force)
    typer.echo(f"{out}  {len(names)} {'tables' if materialize else 'views'}: {', '.join(names)}")


def queries(store: Store = STORE) -> None:
    """Print docs/queries.md: every named query, and what it answers about a store."""
    from pipeline.cli.session import Session
    from pipeline.sql.named import named_queries

    typer.echo("# Named queries\n\nMade by `rc queries` on the store of `rc demo`; do not edit.")
    session = Session(store, [], "markdown")
    for query in named_queries().values():
        typer.echo(f"\n## {query.name}\n\n{query.doc} {query.needs}\n")
        typer.echo(f"```sql\n{query.statement}\n```\n\n`rc sql --query {query.name}`\n")
        session.answer(query.statement, query.leads)


def _questions(file: Path | None, output: str) -> list[str]:
    """The statements of a file, or of standard input.

    Raises:
        QueryError: If it cannot be read, or is no SQL.
        OptionError: If they are several, and the output is a file of one answer.
    """
    from pipeline.cli.answers import ONE_ANSWER
    from pipeline.sql.statements import split

    try:
        text = sys.stdin.read() if file in (None, Path("-")) else Path(str(file)).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{file} cannot be read: {error}") from error
    found = split(text)
    if len(found) > 1 and output in ONE_ANSWER:
        raise OptionError(
            f"rc sql: --format {output} writes the answer to one statement, got {len(found)}; "
            "ask them one at a time, or with --format json"
        )
    return found
