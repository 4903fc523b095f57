"""`rc report`: a page about what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import OptionError


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("report")(report)


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
    from pipeline.report import report_labels

    if what != "labels":
        raise OptionError(f"rc report writes about labels, not '{what}'")
    typer.echo(str(report_labels(store, out, labels, where)))
