"""Results: the tables of a recipe as a page, every number from the store.

The same store gives the same page: times are those that the manifests record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.recipes.expectations import Summary, judge, summary
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.recipes.expectations import Verdict
    from pipeline.recipes.recipe import Recipe, Step
    from pipeline.recipes.table_spec import Expectation, MetricColumn, Row, TableSpec

_KINDS = {"above": "above", "below": "below", "same_as": "the same as"}


@dataclass(frozen=True)
class Measured:
    """The numbers of one table: n runs of each row and column, in points; None where empty."""

    comparison: TableSpec
    values: Mapping[tuple[str, str], Sequence[float] | None]

    def of(self, row: Row, column: MetricColumn) -> Summary | None:
        """Mean and deviation of a cell."""
        values = self.values[row.name, column.title]
        return None if values is None else summary(values)

    def verdicts(self, row: Row) -> list[tuple[Expectation, Verdict]]:
        """What is expected of a row, and whether it is so.

        Raises:
            ArtifactError: If there are no numbers to tell by, or not as many of both rows.
        """
        found = []
        for one in row.expect:
            title = self.comparison.column(one.on).title
            mine, other = self.values[row.name, title], self.values[one.other, title]
            if mine is None or other is None or len(mine) != len(other):
                raise ArtifactError(
                    f"table '{self.comparison.name}': '{row.name}' and '{one.other}' cannot be "
                    f"compared on '{title}': one has no numbers, or other runs"
                )
            found.append((one, judge(one, mine, other)))
        return found


def measure(recipe: Recipe, addresses: Mapping[str, str], root: Path) -> list[Measured]:
    """The numbers of every table of a recipe that has been run.

    Raises:
        ArtifactError: If a step is no evaluation, or did not measure what a column shows.
    """
    runs: dict[str, list[dict[tuple[str, str], float]]] = {}
    for step in recipe.steps:
        if any(step.name in one.steps() for one in recipe.comparisons):
            runs.setdefault(step.name, []).append(_metrics(root, addresses[step.label]))
    return [
        Measured(
            one,
            {
                (row.name, column.title): _cell(runs, one, row, column)
                for row in one.rows
                for column in one.columns
            },
        )
        for one in recipe.comparisons
    ]


def page(measured: Sequence[Measured], recipe: Recipe, told: RunInfo) -> str:
    """The whole page, Markdown.

    Args:
        measured: Numbers of each table.
        recipe: That was run.
        told: What else the page says.
    """
    met = [v.met for one in measured for row in one.comparison.rows for _, v in one.verdicts(row)]
    parts = [
        recipe.introduction.strip(),
        f"Made by `{told.command}`; {told.seconds:.0f} seconds of computing "
        f"({told.by_verb()}). Of {len(met)} expectations {sum(met)} are met.",
        _READING,
    ]
    for one in measured:
        parts.append(section(one, told.pictures.get(one.comparison.name)))
    parts.append("## Where the numbers lie\n\n" + _addresses(recipe, told.addresses))
    return "\n\n".join(part for part in parts if part) + "\n"


_READING = (
    "Numbers are per cent: mean ± standard deviation (of a sample) over the runs of a row. The\n"
    "last column says whether the direction that was expected is there: *yes* if the difference\n"
    "of the means has it and is as large as asked, *apart* if mean ± deviation of both rows do\n"
    "not overlap, and in how many of the runs, compared one by one on the same pictures, it shows."
)


@dataclass(frozen=True)
class RunInfo:
    """What a page says besides numbers."""

    command: str
    addresses: Mapping[str, str]
    spent: Mapping[str, float]
    pictures: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(self.spent.values())

    def by_verb(self) -> str:
        """Seconds by verb, the longest first."""
        order = sorted(self.spent.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{verb} {seconds:.0f}" for verb, seconds in order)


def spent(addresses: Mapping[str, str], root: Path) -> dict[str, float]:
    """Seconds that each verb took for these artifacts, as their manifests say."""
    found: dict[str, float] = {}
    for address in dict.fromkeys(addresses.values()):
        manifest = catalog.find(root, address).manifest
        seconds = float(manifest.run.get("seconds", 0.0))
        found[manifest.stage.name] = found.get(manifest.stage.name, 0.0) + seconds
    return found


def section(one: Measured, picture: str | None) -> str:
    """One table with its title, text and picture, Markdown."""
    table, rows = one.comparison, []
    most = max((len(v) for v in one.values.values() if v is not None), default=0)
    head = ["", *(column.title for column in table.columns), "as expected?"]
    rows = [head, ["---"] * len(head)]
    for row in table.rows:
        cells = [_shown(one.of(row, column)) for column in table.columns]
        rows.append([row.name, *cells, "; ".join(_verdict(e, v) for e, v in one.verdicts(row))])
    lines = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    parts = [f"## {table.title}", table.about, lines, f"n = {most}.", *_failures(one)]
    if picture:
        parts.append(f"![{table.title}]({picture})")
    return "\n\n".join(part for part in parts if part)


def _failures(one: Measured) -> list[str]:
    found = []
    for row in one.comparison.rows:
        if any(not verdict.met for _, verdict in one.verdicts(row)):
            why = row.tried or "Nothing was tried yet to find out why."
            found.append(f"Not as expected: **{row.name}**. {why.strip()}")
    return found


def _verdict(expected: Expectation, verdict: Verdict) -> str:
    gap = verdict.difference
    several = gap.count > 1
    spread = f" ± {gap.deviation:.1f}" if several else ""
    asked = f", at least {expected.by:g} asked" if expected.by and not verdict.met else ""
    if expected.kind == "same_as":
        asked = f", at most {expected.by:g} allowed"
    where = f" on {expected.on}" if expected.on else ""
    runs = f"; {verdict.agreeing} of {gap.count} runs" if several else ""
    apart = f"; {'apart' if verdict.apart else 'overlapping'}" if several else ""
    return (
        f"{'yes' if verdict.met else '**no**'}: {_KINDS[expected.kind]} {expected.other}{where} "
        f"({gap.mean:+.1f}{spread}{asked}{apart}{runs})"
    )


def _shown(cell: Summary | None) -> str:
    if cell is None:
        return ""
    return f"{cell.mean:.1f} ± {cell.deviation:.1f}" if cell.count > 1 else f"{cell.mean:.1f}"


def _metrics(root: Path, address: str) -> dict[tuple[str, str], float]:
    artifact = catalog.find(root, address)
    if artifact.manifest.artifact != "metrics":
        raise ArtifactError(f"{address} holds no metrics; a row of a table shows evaluations")
    rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
    return {(r["metric"], r["split"]): 100 * r["value"] for r in rows if not r["category"]}


def _cell(
    runs: Mapping[str, Sequence[Mapping[tuple[str, str], float]]],
    table: TableSpec,
    row: Row,
    column: MetricColumn,
) -> list[float] | None:
    step = row.step_of(column)
    if step is None:
        return None
    try:
        return [metrics[column.metric, column.split] for metrics in runs[step]]
    except KeyError:
        raise ArtifactError(
            f"table '{table.name}': step '{step}' did not measure {column.metric} of "
            f"{column.split}, which column '{column.title}' shows"
        ) from None


def _addresses(recipe: Recipe, addresses: Mapping[str, str]) -> str:
    shown: dict[str, list[str]] = {}
    named = {name for one in recipe.comparisons for name in one.steps()}
    for step in recipe.steps:
        if step.name in named:
            shown.setdefault(step.name, []).append(_brief(step, addresses))
    return "\n".join(f"* {name}: {', '.join(several)}" for name, several in shown.items())


def _brief(step: Step, addresses: Mapping[str, str]) -> str:
    at = ", ".join(f"{key} {value}" for key, value in step.at.items())
    return f"`{addresses[step.label]}`" + (f" ({at})" if at else "")
