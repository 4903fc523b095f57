"""Answers: rows of a query as a table for people, or as CSV, JSON or Parquet."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_TABLE_ROWS = 1000  # rows a table on the terminal shows at most


def writer(output: str) -> Callable[[pa.RecordBatchReader], None]:
    """What writes rows in a way the user named.

    Raises:
        OptionError: If it is unknown.
    """
    if output not in WRITERS:
        raise OptionError(f"--format must be one of {', '.join(WRITERS)}, got {output!r}")
    return WRITERS[output]


def _table(reader: pa.RecordBatchReader) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(show_edge=False, pad_edge=False, header_style="bold")
    for name in reader.schema.names:
        shown.add_column(name, overflow="fold")
    count = 0
    for batch in reader:
        for row in batch.slice(0, _TABLE_ROWS - count).to_pylist():
            shown.add_row(*[cell(value) for value in row.values()])
            count += 1
        if count == _TABLE_ROWS:
            typer.echo(f"only the first {count} rows are shown", err=True)
            break
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, emoji=False, highlight=False).print(shown)


def _csv(reader: pa.RecordBatchReader) -> None:
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(reader.schema.names)
    for batch in reader:
        writer.writerows(row.values() for row in batch.to_pylist())


def _json(reader: pa.RecordBatchReader) -> None:
    for batch in reader:
        for row in batch.to_pylist():
            sys.stdout.write(json.dumps(row, default=str, ensure_ascii=False) + "\n")


def _parquet(reader: pa.RecordBatchReader) -> None:
    import pyarrow.parquet as pq

    if sys.stdout.isatty():
        raise OptionError("rc sql: --format parquet is binary; redirect it to a file")
    with pq.ParquetWriter(sys.stdout.buffer, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _markdown(reader: pa.RecordBatchReader) -> None:
    typer.echo(f"| {' | '.join(reader.schema.names)} |\n|{'---|' * len(reader.schema.names)}")
    for batch in reader:
        for row in batch.to_pylist():
            cells = (cell(value).replace("|", "\\|") for value in row.values())
            typer.echo(f"| {' | '.join(cells)} |")


def cell(value: Any) -> str:
    """A value as a person reads it; text from outside is shown, never interpreted."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list) and len(value) > 8:
        return f"[{', '.join(map(cell, value[:8]))}, … {len(value)} in all]"
    if isinstance(value, list):
        return f"[{', '.join(map(cell, value))}]"
    return "" if value is None else "".join(c if c.isprintable() else "�" for c in str(value))


WRITERS: dict[str, Callable[[pa.RecordBatchReader], None]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "markdown": _markdown,
}
