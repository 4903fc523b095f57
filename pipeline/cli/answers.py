"""Answers: rows of a query as a table for people, or as CSV, JSON or Parquet."""

from __future__ import annotations

import json
import re
import sys
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import typer

from pipeline.cli.layout import TextColumn, show
from pipeline.sql.json_values import json_value
from schemas.errors import OptionError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE_ANSWER: Final = ("csv", "parquet")  # two of them end to end are no file of the kind
_TABLE_ROWS: Final = 1000  # rows a table on the terminal shows at most
_LONGEST: Final = 2000  # signs of a cell
# What JSON need not escape, but a terminal may obey or hide: C1 controls, turns of direction.
_UNSEEN: Final = re.compile("[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def writer(output: str) -> Callable[[pa.RecordBatchReader], None]:
    """What writes rows in a way the user named.

    Raises:
        OptionError: If it is unknown.
    """
    if output not in WRITERS:
        raise OptionError(f"--format must be one of {', '.join(WRITERS)}, got {output!r}")
    return WRITERS[output]


def _table(reader: pa.RecordBatchReader) -> None:
    rows = _rows(reader)
    columns = _columns(_names(reader), list(islice(rows, _TABLE_ROWS)))
    more = next(rows, None) is not None
    hidden = show(columns)
    if more:
        typer.echo(f"only the first {_TABLE_ROWS} rows are shown; --format csv has all", err=True)
    if hidden:
        told = f"{hidden} of {len(columns)} columns are not shown"
        typer.echo(f"{told}; name the columns wanted, or --format csv has all", err=True)


def _columns(names: list[str], rows: list[tuple[Any, ...]]) -> list[TextColumn]:
    found = []
    for number, name in enumerate(names):
        values = [row[number] for row in rows]
        cells = [cell(value) for value in values]
        both = zip(cells, values, strict=True)
        whole = [text for text, v in both if not isinstance(v, str | list | dict)]
        found.append(TextColumn(cell(name), cells, whole))
    return found


def _csv(reader: pa.RecordBatchReader) -> None:
    import csv

    safe = cell if sys.stdout.isatty() else str  # a file gets every sign as it is
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(safe, _names(reader)))
    for row in _rows(reader):
        told = map(_field, row)
        writer.writerow([safe(value) if isinstance(value, str) else value for value in told])


def _field(value: Any) -> Any:
    """A value as CSV has it: JSON's words, but texts without quotes, and nan and inf."""
    if isinstance(value, float):
        return value
    told = json_value(value)
    nested = isinstance(told, bool | list | dict)
    return json.dumps(told, ensure_ascii=False, allow_nan=False) if nested else told


def _json(reader: pa.RecordBatchReader) -> None:
    names = _names(reader)
    for row in _rows(reader):
        told = json_value(dict(zip(names, row, strict=True)))
        text = json.dumps(told, ensure_ascii=False, allow_nan=False)
        sys.stdout.write(_UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", text) + "\n")


def _parquet(reader: pa.RecordBatchReader) -> None:
    import pyarrow.parquet as pq

    if sys.stdout.isatty():
        raise OptionError("rc sql: --format parquet is binary; redirect it to a file")
    fields = [field.with_name(n) for field, n in zip(reader.schema, _names(reader), strict=True)]
    for field in fields:
        _check_parquet(field)
    with pq.ParquetWriter(sys.stdout.buffer, pa.schema(fields)) as writer:
        for batch in reader:
            writer.write_batch(pa.record_batch(batch.columns, schema=pa.schema(fields)))


def _check_parquet(field: pa.Field) -> None:
    """Pass if Parquet has the type of a column.

    Raises:
        QueryError: If not.
    """
    import pyarrow.parquet as pq

    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
    except pa.ArrowNotImplementedError:
        kind = str(field.type).replace("month_day_nano_interval", "INTERVAL")
        raise QueryError(
            f"Parquet has no type for column {cell(field.name)}, which is {cell(kind)}; "
            "write column::VARCHAR in its place"
        ) from None


def _markdown(reader: pa.RecordBatchReader) -> None:
    names = [_in_bars(name) for name in _names(reader)]
    typer.echo(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in _rows(reader):
        typer.echo(f"| {' | '.join(map(_in_bars, row))} |")


def _in_bars(value: Any) -> str:
    return cell(value).replace("|", "\\|")


def _names(reader: pa.RecordBatchReader) -> list[str]:
    """Names of the columns, each once: x0 of a second table is x0_1."""
    found: list[str] = []
    for name in reader.schema.names:
        others = (f"{name}_{number}" for number in count(1))
        free = (other for other in others if other not in {*found, *reader.schema.names})
        found.append(name if name not in found else next(free))
    return found


def _rows(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    """Values of each row.

    Raises:
        QueryError: If a value is none that can be written, such as a day in the year 100,000.
    """
    for batch in reader:
        try:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        except (OverflowError, ValueError) as error:
            raise QueryError(
                f"a value cannot be written ({error}); write column::VARCHAR in its place"
            ) from None


def cell(value: Any) -> str:
    """A value as a person reads it; text from outside is shown, never interpreted."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list) and len(value) > 8:
        return f"[{', '.join(map(_inner, value[:8]))}, … {len(value)} in all]"
    if isinstance(value, list):
        return f"[{', '.join(map(_inner, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(map(_inner, value.items()))}}}"
    return "" if value is None else _line(str(_field(value)))


def _inner(value: Any) -> str:
    """A value within another; a pair is an entry of a struct or of a map."""
    if type(value) is tuple:
        return ": ".join(map(_inner, value))
    return "null" if value is None else cell(value)


def _line(text: str) -> str:
    """A text as one line of signs that a terminal does not obey, cut if it is very long."""
    line = "".join(sign if sign.isprintable() else "�" for sign in text[:_LONGEST])
    return line if len(text) <= _LONGEST else f"{line}… {len(text)} signs in all"


WRITERS: dict[str, Callable[[pa.RecordBatchReader], None]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "markdown": _markdown,
}
