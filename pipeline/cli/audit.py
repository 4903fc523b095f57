"""`rc audit close` and `rc audit report`; `rc audit draw` is a stage like others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, Quiet, Store

if TYPE_CHECKING:
    from pipeline.analysis.audits import Report
    from stages.auditing.estimation import Estimate

_Name = Annotated[str, typer.Argument(help="of the audit", metavar="NAME")]


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
) -> None:
    """Show how right pseudo-labels are, by what was judged so far.

    Each share has an interval that contains the true one in 95 of 100 audits.
    """
    from pipeline.analysis.audits import report as find

    found = find(store, name, target)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    _print(found)


def close(name: _Name, store: Store = STORE, quiet: Quiet = False) -> None:
    """Make an artifact (reviews) of what was judged so far.

    The audit can go on after that, and be closed again.
    """
    from pipeline.analysis.audits import journal_path
    from pipeline.cli.run_options import RunOptions
    from pipeline.cli.stage import execute
    from stages.audit_close import AuditClose

    values = {"called": name, "journal": journal_path(store, name)}
    run = RunOptions(store=store, quiet=quiet)
    execute(AuditClose, values, {"audits": f"audits@{name}"}, run)


def _print(found: Report) -> None:
    whole = found.precision
    typer.echo(f"{found.address}: {whole.judged} of {found.drawn} labels judged")
    if found.open:
        typer.echo(f"{found.open} left out: reviewers are unsure, or do not agree")
    typer.echo(f"precision of all {whole.labels:,.0f} labels: {_share(whole)}")
    if found.more:
        typer.echo(f"about {found.more} more judgements would make it ± 3 points")
    if found.where is None:
        typer.echo(f"no threshold of probability has a precision of {found.target:g} for sure")
    else:
        typer.echo(f"precision at least {found.target:g} (at 95 %): --where '{found.where}'")
    _table("probability above", {f"{t:g}": one for t, one in found.above.items()})
    _table("stratum", found.strata)
    _table("concept", found.concepts)
    for pair in found.agreements:
        kappa = "" if pair.kappa is None else f", kappa {pair.kappa:.2f}"
        first, second = (reviewer or "(no name)" for reviewer in pair.reviewers)
        typer.echo(f"{first} and {second} agree on {pair.share:.0%} of {pair.labels} labels{kappa}")


def _table(title: str, rows: dict[str, Estimate]) -> None:
    from pipeline.cli.row_formats import cell_text

    if not rows:
        return
    width = max(len(title), *(len(cell_text(name)) for name in rows))
    typer.echo(f"\n{title:<{width}}  {'precision, per cent':<22} {'judged':>7} {'labels':>12}")
    for name, one in rows.items():
        typer.echo(
            f"{cell_text(name):<{width}}  {_share(one):<22} {one.judged:>7} {one.labels:>12,.0f}"
        )


def _share(one: Estimate) -> str:
    if one.share is None:
        return "not known"
    return f"{100 * one.share:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"
