"""Formats for the rows of a query: a table for people, CSV, JSON, Parquet or Markdown."""

from __future__ import annotations

import json
import re
import sys
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import typer

from pipeline.cli.cell_text import cell_text, csv_field
from pipeline.cli.terminal_table import TextColumn, print_table
from pipeline.sql.json_values import json_value
from schemas.errors import OptionError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SINGLE_RESULT_FORMATS: Final = ("csv", "parquet")  # two results cannot be in one file
_TABLE_ROWS: Final = 1000  # rows a table on the terminal shows at most
# JSON does not have to escape these, but a terminal may obey or hide them: C1 control characters,
# changes of the writing direction.
_CONTROLS: Final = re.compile("[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def row_writer(output: str) -> Callable[[pa.RecordBatchReader], None]:
    """The function that writes rows to standard output in the format `output`.

    Raises:
        OptionError: If the format is unknown.
    """
    if output not in ROW_WRITERS:
        raise OptionError(f"--format must be one of {', '.join(ROW_WRITERS)}, got {output!r}")
    return ROW_WRITERS[output]


def _write_table(reader: pa.RecordBatchReader) -> None:
    rows = _rows(reader)
    columns = _text_columns(_unique_names(reader), list(islice(rows, _TABLE_ROWS)))
    more = next(rows, None) is not None
    hidden = print_table(columns)
    if more:
        typer.echo(
            f"only the first {_TABLE_ROWS} rows are shown; use --format csv for all", err=True
        )
    if hidden:
        message = f"{hidden} of {len(columns)} columns are not shown; select fewer"
        typer.echo(f"{message}, or use --format csv for all", err=True)


def _text_columns(names: list[str], rows: list[tuple[Any, ...]]) -> list[TextColumn]:
    columns = []
    for index, name in enumerate(names):
        values = [row[index] for row in rows]
        cells = [cell_text(value) for value in values]
        pairs = zip(cells, values, strict=True)
        uncut = [text for text, value in pairs if not isinstance(value, str | list | dict)]
        columns.append(TextColumn(cell_text(name), cells, uncut))
    return columns


def _write_csv(reader: pa.RecordBatchReader) -> None:
    import csv

    safe = cell_text if sys.stdout.isatty() else str  # a file gets every character unchanged
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(safe, _unique_names(reader)))
    for row in _rows(reader):
        fields = map(csv_field, row)
        writer.writerow([safe(value) if isinstance(value, str) else value for value in fields])


def _write_json(reader: pa.RecordBatchReader) -> None:
    names = _unique_names(reader)
    for row in _rows(reader):
        values = json_value(dict(zip(names, row, strict=True)))
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        sys.stdout.write(_CONTROLS.sub(lambda m: f"\\u{ord(m[0]):04x}", text) + "\n")


def _write_parquet(reader: pa.RecordBatchReader) -> None:
    import pyarrow.parquet as pq

    if sys.stdout.isatty():
        raise OptionError("rc sql: --format parquet is binary; redirect it to a file")
    fields = [
        field.with_name(n) for field, n in zip(reader.schema, _unique_names(reader), strict=True)
    ]
    for field in fields:
        _check_parquet_type(field)
    with pq.ParquetWriter(sys.stdout.buffer, pa.schema(fields)) as writer:
        for batch in reader:
            writer.write_batch(pa.record_batch(batch.columns, schema=pa.schema(fields)))


def _check_parquet_type(field: pa.Field) -> None:
    """Check that Parquet can store the type of a column.

    Raises:
        QueryError: If it cannot.
    """
    import pyarrow.parquet as pq

    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
    except pa.ArrowNotImplementedError:
        kind = str(field.type).replace("month_day_nano_interval", "INTERVAL")
        raise QueryError(
            f"Parquet has no type for column {cell_text(field.name)}, which is {cell_text(kind)}; "
            "write column::VARCHAR instead"
        ) from None


def _write_markdown(reader: pa.RecordBatchReader) -> None:
    names = [_markdown_cell(name) for name in _unique_names(reader)]
    typer.echo(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in _rows(reader):
        typer.echo(f"| {' | '.join(map(_markdown_cell, row))} |")


def _markdown_cell(value: Any) -> str:
    return cell_text(value).replace("|", "\\|")


def _unique_names(reader: pa.RecordBatchReader) -> list[str]:
    """Names of the columns without duplicates: x0 of a second table becomes x0_1."""
    names: list[str] = []
    for name in reader.schema.names:
        numbered = (f"{name}_{number}" for number in count(1))
        free = (other for other in numbered if other not in {*names, *reader.schema.names})
        names.append(name if name not in names else next(free))
    return names


def _rows(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    """Values of each row.

    Raises:
        QueryError: If Python cannot represent a value, such as a day in the year 100,000.
    """
    for batch in reader:
        try:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        except (OverflowError, ValueError) as error:
            raise QueryError(
                f"a value cannot be written ({error}); write column::VARCHAR instead"
            ) from None


ROW_WRITERS: dict[str, Callable[[pa.RecordBatchReader], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
    "markdown": _write_markdown,
}
