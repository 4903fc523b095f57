"""Verbs that evaluate and compare artifacts: merge-concepts, what-if, diff, compare, report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, Quiet, Store
from schemas.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa

Thresholds = str | None  # numbers with commas between them


def add_commands(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    app.command("merge-concepts")(merge_concepts)
    app.command("what-if")(what_if)
    app.command("diff")(diff)
    app.command("compare")(compare)
    app.command("report")(report)


def merge_concepts(
    out: Annotated[Path, typer.Argument(help="TOML file to write, for you to edit")],
    store: Store = STORE,
    concepts: Annotated[
        str | None,
        typer.Option("--concepts", help="concepts@…; default: those of the embeddings"),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option("--embeddings", help="concept_embeddings@…; default: the newest"),
    ] = None,
    min_cosine: Annotated[
        float, typer.Option("--min-cosine", help="lowest cosine of two names", min=-1, max=1)
    ] = 0.9,
    force: Annotated[bool, typer.Option("--force", help="replace a file that exists")] = False,
) -> None:
    """Propose names of one thing, to be merged.

    Two names are proposed if their embeddings are similar, and captions speak of them as of one
    thing: different captions of one image have one and the other three times as often as chance
    would, and one caption has both at most a third as often as if they were two things. Edit the
    file, then run rc extract-concepts --merge OUT.
    """
    from pipeline.analysis.groups_file import groups_text, summary
    from pipeline.analysis.synonym_groups import propose_groups
    from pipeline.exporting.output_files import draft_file, with_suffix

    target = with_suffix("merge-concepts", out, ".toml")
    with draft_file("merge-concepts", target, force=force) as draft:
        proposed = propose_groups(store, min_cosine, concepts, embeddings)
        draft.write_text(groups_text(proposed), "utf-8")
    typer.echo(str(target))
    for line in summary(proposed):
        typer.echo(line, err=True)


def what_if(  # noqa: PLR0913  # each is an option
    store: Store = STORE,
    probability: Annotated[
        Thresholds, typer.Option("--min-probability", help="thresholds, such as 0.05,0.1,0.2")
    ] = None,
    margin: Annotated[Thresholds, typer.Option("--min-margin", help="likewise")] = None,
    objectness: Annotated[Thresholds, typer.Option("--min-objectness", help="likewise")] = None,
    cosine: Annotated[Thresholds, typer.Option("--min-cosine", help="likewise")] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", help="further SQL condition for every row of the result"),
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--pseudo-labels", help="pseudo_labels@…; default: the newest")
    ] = None,
    output: Annotated[
        str,
        typer.Option("--format", help="table, csv, json (one row per line), parquet or markdown"),
    ] = "table",
) -> None:
    """Show which pseudo-labels thresholds would keep.

    Nothing is written.

    The columns are the remaining labels, images and concepts, how often captions agree, and, where
    there is ground truth, precision and recall. The first column can be used as --where.
    """
    import pyarrow as pa

    from pipeline.analysis.what_if import forecast, grid
    from pipeline.cli.row_formats import row_writer

    options = {"probability": probability, "margin": margin}
    options |= {"objectness": objectness, "cosine": cosine}
    values = {name: _numbers(name, words) for name, words in options.items() if words}
    thresholds = grid(values or {"probability": [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]})
    write = row_writer(output)
    rows = list(forecast(store, thresholds, where, labels))
    write(pa.RecordBatchReader.from_batches(rows[0].schema, rows))


def diff(
    first: Annotated[str, typer.Argument(help="pseudo_labels@… or a selection's name")],
    second: Annotated[str, typer.Argument(help="likewise, to compare with the first")],
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Compare two sets of pseudo-labels region by region.

    Shows how often they agree, what changed most, and examples.
    """
    from pipeline.analysis import diff

    difference = diff.diff_labels(store, first, second)
    if as_json:
        typer.echo(json.dumps(diff.as_json(difference), ensure_ascii=False))
        return
    typer.echo(f"first   {difference.first}\nsecond  {difference.second}\n")
    _print_table("", difference.summary)
    _print_table("most frequent changes", difference.moved)
    _print_table("changes between concepts of high probability", difference.examples)
    _print_table("concepts that gained or lost most regions", difference.concepts)


def compare(
    first: Annotated[str, typer.Argument(help="metrics@…, or the start of its fingerprint")],
    second: Annotated[str, typer.Argument(help="likewise, to compare with the first")],
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Compare two evaluations metric by metric.

    With 95 % intervals over resampled images.
    """
    from pipeline.analysis import compare as comparison

    rows = comparison.compare(store, first, second)
    if as_json:
        typer.echo(json.dumps(comparison.as_json(rows)))
        return
    typer.echo(f"{'per cent':<24} {first:>22} {second:>22} {'difference':>24}")
    for row in rows:
        typer.echo(
            f"{row.metric + ', ' + row.split:<24} "
            f"{_with_interval(row.first, row.first_low, row.first_high):>22} "
            f"{_with_interval(row.second, row.second_low, row.second_high):>22} "
            f"{_with_interval(row.difference, row.low, row.high, sign='+'):>22} "
            f"{'*' if row.apart else ' '}"
        )
    typer.echo(
        "[interval of 95 % of 1000 resamples of the images]; * = all of it has one sign", err=True
    )


def report(  # each is an option
    subject: Annotated[str, typer.Argument(help="labels: the pseudo-labels")],
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
    quiet: Quiet = False,
) -> None:
    """Write a page about pseudo-labels, with pictures.

    Counts, scores, captions, concepts, boxes, ground truth.

    index.html opens without a network; each of its pictures is also a PNG in the same folder.
    Precision, recall, calibration, confusions and sizes need images with ground-truth boxes.
    """
    from pipeline.analysis.report import report_labels
    from pipeline.cli.progress_bar import TerminalReporter

    if subject != "labels":
        raise OptionError(f"rc report writes about labels, not '{subject}'")
    typer.echo(str(report_labels(store, out, labels, where, TerminalReporter(quiet=quiet))))


def _print_table(title: str, rows: pa.Table) -> None:
    from pipeline.cli.row_formats import row_writer

    if title:
        typer.echo(f"\n{title}" if rows.num_rows else f"\n{title}: none")
    if rows.num_rows:
        row_writer("table")(rows.to_reader())


def _numbers(name: str, words: str) -> list[float]:
    try:
        numbers = [float(word) for word in words.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise OptionError(
            f"rc what-if: --min-{name} takes numbers with commas between them, such as 0.05,0.1, "
            f"not {words!r}"
        )
    return numbers


def _with_interval(value: float, low: float | None, high: float | None, sign: str = "") -> str:
    middle = f"{100 * value:{sign}.1f}"
    if low is None or high is None:
        return middle
    return f"{middle} [{100 * low:.1f}, {100 * high:.1f}]"
