"""`rc what-if` and `rc diff`: look at pseudo-labels before anything is made of them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa

Listed = str | None


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    app.command("what-if")(what_if)
    app.command("diff")(diff)


def what_if(  # noqa: PLR0913  # each is a flag
    store: Store = STORE,
    probability: Annotated[
        Listed, typer.Option("--min-probability", help="thresholds, as 0.05,0.1,0.2")
    ] = None,
    margin: Annotated[Listed, typer.Option("--min-margin", help="likewise")] = None,
    objectness: Annotated[Listed, typer.Option("--min-objectness", help="likewise")] = None,
    cosine: Annotated[Listed, typer.Option("--min-cosine", help="likewise")] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="SQL condition that holds beside all of them")
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--pseudo-labels", help="pseudo_labels@…; default: the newest")
    ] = None,
    output: Annotated[
        str, typer.Option("--format", help="table, csv, json (a row a line), parquet or markdown")
    ] = "table",
) -> None:
    """Show what thresholds would keep of the pseudo-labels, before anything is kept.

    Labels, images and concepts left, how often captions agree, and against ground truth, where
    there is any, precision and recall. The first column is what --where takes.
    """
    import pyarrow as pa

    from pipeline.cli.answers import writer
    from pipeline.what_if import forecast, grid

    given = {"probability": probability, "margin": margin}
    given |= {"objectness": objectness, "cosine": cosine}
    values = {name: _numbers(name, words) for name, words in given.items() if words}
    asked = grid(values or {"probability": [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]})
    write = writer(output)
    rows = list(forecast(store, asked, where, labels))
    write(pa.RecordBatchReader.from_batches(rows[0].schema, rows))


def diff(
    first: Annotated[str, typer.Argument(help="pseudo_labels@… or a selection's name")],
    second: Annotated[str, typer.Argument(help="the same, to compare with")],
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Compare two sets of pseudo-labels region by region: agreement, what moved, examples."""
    from pipeline import difference

    found = difference.difference(store, first, second)
    if as_json:
        typer.echo(json.dumps(difference.as_json(found), ensure_ascii=False))
        return
    typer.echo(f"first   {found.first}\nsecond  {found.second}\n")
    _show("", found.summary)
    _show("moved most often", found.moved)
    _show("moved although both were sure", found.examples)
    _show("concepts that gained or lost most regions", found.concepts)


def _show(title: str, rows: pa.Table) -> None:
    from pipeline.cli.answers import writer

    if title:
        typer.echo(f"\n{title}" if rows.num_rows else f"\n{title}: none")
    if rows.num_rows:
        writer("table")(rows.to_reader())


def _numbers(name: str, words: str) -> list[float]:
    try:
        found = [float(word) for word in words.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise OptionError(
            f"rc what-if: --min-{name} takes numbers with commas between them, as 0.05,0.1, "
            f"not {words!r}"
        )
    return found
