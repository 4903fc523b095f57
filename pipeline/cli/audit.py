"""`rc audit close` and `rc audit report`; `rc audit draw` is a stage like others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, Quiet, Store

if TYPE_CHECKING:
    from pipeline.analysis.audits import AuditReport
    from stages.auditing.estimation import Estimate

_Name = Annotated[str, typer.Argument(help="of the audit", metavar="NAME")]
_Closed = Annotated[str, typer.Argument(help="of the audit, or of marks", metavar="NAME")]


def add_commands(app: typer.Typer) -> None:
    """Add these to `rc audit`."""
    app.command("report")(report)
    app.command("close")(close)


def report(
    name: _Name,
    target: Annotated[
        float, typer.Option("--target", help="precision to find a threshold for", min=0, max=1)
    ] = 0.9,
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for a page and its pictures, too")
    ] = None,
) -> None:
    """Show how right pseudo-labels are, by what was judged so far.

    Each share has an interval that contains the true one in 95 of 100 audits. The page is
    index.html, which opens without a network; its pictures are also PNG in the same folder.
    """
    from pipeline.analysis.audits import audit_report
    from pipeline.analysis.report import report_audit

    found = audit_report(store, name, target)
    page = None if out is None else report_audit(found, out)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    _print(found)
    if page is not None:
        typer.echo(f"\n{page}")


def close(name: _Closed, store: Store = STORE, quiet: Quiet = False) -> None:
    """Make an artifact (reviews) of what was judged, or marked in bulk, so far.

    It can go on after that, and be closed again.
    """
    from pipeline.analysis.marks import marked_labels, marks_path
    from pipeline.cli.run_options import RunOptions
    from pipeline.cli.stage_running import execute
    from pipeline.store.journals import journal_path
    from stages.audit_close import AuditClose

    labels = marked_labels(store, name)
    path = marks_path(store, name) if labels else journal_path(store, name)
    values = {"called": name, "journal": path, "marked": bool(labels)}
    inputs = {"pseudo_labels": labels} if labels else {"audits": f"audits@{name}"}
    execute(AuditClose, values, inputs, RunOptions(store=store, quiet=quiet))


def _print(found: AuditReport) -> None:
    from pipeline.cli.cell_text import cell_text

    progress = found.progress
    typer.echo(f"{found.address}: {progress.judged} of {progress.drawn} labels judged")
    if progress.open:
        typer.echo(f"{progress.open} left out: reviewers are unsure, or do not agree")
    whole = progress.precision
    typer.echo(f"precision of all {whole.labels:,.0f} labels: {whole.text()}")
    if found.more:
        typer.echo(f"about {found.more} more judgements would make it ± 3 points")
    typer.echo(found.threshold_sentence())
    _table("probability above", {f"{t:g}": one for t, one in found.above.items()})
    _table("stratum", found.strata)
    _table("concept", found.concepts)
    for pair in found.agreements:
        typer.echo(cell_text(pair.text()))


def _table(title: str, rows: dict[str, Estimate]) -> None:
    from pipeline.cli.cell_text import cell_text

    if not rows:
        return
    width = max(len(title), *(len(cell_text(name)) for name in rows))
    typer.echo(f"\n{title:<{width}}  {'precision, per cent':<22} {'judged':>7} {'labels':>12}")
    for name, one in rows.items():
        typer.echo(
            f"{cell_text(name):<{width}}  {one.text():<22} {one.judged:>7} {one.labels:>12,.0f}"
        )
