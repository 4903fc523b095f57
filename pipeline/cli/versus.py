"""`rc evaluate --compare A B`: two evaluations side by side."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from pipeline.cli.shared import Run

_KIND = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--compare",
        metavar="METRICS METRICS",
        help="compare two evaluations, metrics@…, instead of making one",
        rich_help_panel="Inputs",
    ),
]
COMPARE: Final = inspect.Parameter(
    "compare", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_KIND
)


def compare(run: Run, first: str, second: str) -> None:
    """Print every metric of both, with 95 per cent intervals over resampled images."""
    from pipeline.versus import as_json, versus

    lines = versus(run.store, first, second)
    if run.json:
        typer.echo(json.dumps(as_json(lines)))
        return
    typer.echo(f"{'per cent':<24} {first:>22} {second:>22} {'difference':>24}")
    for line in lines:
        typer.echo(
            f"{line.metric + ', ' + line.split:<24} "
            f"{_span(line.first, line.first_low, line.first_high):>22} "
            f"{_span(line.second, line.second_low, line.second_high):>22} "
            f"{_span(line.difference, line.low, line.high, sign='+'):>22} "
            f"{'*' if line.apart else ' '}"
        )
    typer.echo("[95 % of 1000 resamples of the images]; * keeps its sign in them", err=True)


def _span(value: float, low: float | None, high: float | None, sign: str = "") -> str:
    middle = f"{100 * value:{sign}.1f}"
    if low is None or high is None:
        return middle
    return f"{middle} [{100 * low:.1f}, {100 * high:.1f}]"
