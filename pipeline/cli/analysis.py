"""Verbs that judge what was made: what-if, diff, compare, report."""

from __future__ import annotations

import json
import math
from pathlib import Path
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
    app.command("compare")(compare)
    app.command("report")(report)


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

    from pipeline.analysis.what_if import forecast, grid
    from pipeline.cli.answers import writer

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
    from pipeline.analysis import diff

    found = diff.difference(store, first, second)
    if as_json:
        typer.echo(json.dumps(diff.as_json(found), ensure_ascii=False))
        return
    typer.echo(f"first   {found.first}\nsecond  {found.second}\n")
    _show("", found.summary)
    _show("moved most often", found.moved)
    _show("moved although both were sure", found.examples)
    _show("concepts that gained or lost most regions", found.concepts)


def compare(
    first: Annotated[str, typer.Argument(help="metrics@…, or the beginning of its fingerprint")],
    second: Annotated[str, typer.Argument(help="the same, to compare with")],
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Compare two evaluations metric by metric, with 95 % intervals over resampled images."""
    from pipeline.analysis import compare as comparison

    rows = comparison.compare(store, first, second)
    if as_json:
        typer.echo(json.dumps(comparison.as_json(rows)))
        return
    typer.echo(f"{'per cent':<24} {first:>22} {second:>22} {'difference':>24}")
    for row in rows:
        typer.echo(
            f"{row.metric + ', ' + row.split:<24} "
            f"{_span(row.first, row.first_low, row.first_high):>22} "
            f"{_span(row.second, row.second_low, row.second_high):>22} "
            f"{_span(row.difference, row.low, row.high, sign='+'):>22} "
            f"{'*' if row.apart else ' '}"
        )
    typer.echo("[95 % of 1000 resamples of the images]; * keeps its sign in them", err=True)


def report(
    what: Annotated[str, typer.Argument(help="labels: the pseudo-labels")],
    store: Store = STORE,
    out: Annotated[Path, typer.Option("--out", help="folder for the page and its pictures")] = Path(
        "report"
    ),
    labels: Annotated[
        str | None, typer.Option("--pseudo-labels", help="pseudo_labels@…; default: the newest")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="SQL predicate over judged_labels")
    ] = None,
) -> None:
    """Write a page about pseudo-labels: counts, sureness, captions, concepts, boxes, truth.

    index.html opens anywhere without a network; each of its pictures lies beside it as PNG.
    Precision, recall, calibration, confusions and sizes are there where people drew objects.
    """
    from pipeline.analysis.report import report_labels

    if what != "labels":
        raise OptionError(f"rc report writes about labels, not '{what}'")
    typer.echo(str(report_labels(store, out, labels, where)))


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


def _span(value: float, low: float | None, high: float | None, sign: str = "") -> str:
    middle = f"{100 * value:{sign}.1f}"
    if low is None or high is None:
        return middle
    return f"{middle} [{100 * low:.1f}, {100 * high:.1f}]"
