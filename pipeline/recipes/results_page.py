"""The tables of a recipe as a Markdown page; all numbers come from the store.

Equal stores give equal pages: times are those recorded in manifests.
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
    from pipeline.recipes.table_spec import Expectation, MetricColumn, TableRow, TableSpec

_KINDS = {"above": "above", "below": "below", "same_as": "the same as"}


@dataclass(frozen=True)
class MeasuredTable:
    """A table and its numbers: n runs of each row and column, in points; None for no number."""

    table: TableSpec
    values: Mapping[tuple[str, str], Sequence[float] | None]

    def cell(self, row: TableRow, column: MetricColumn) -> Summary | None:
        """Mean and deviation of a cell."""
        values = self.values[row.name, column.title]
        return None if values is None else summary(values)

    def verdicts(self, row: TableRow) -> list[tuple[Expectation, Verdict]]:
        """Each expectation of a row, and whether it is met.

        Raises:
            ArtifactError: If a row has no numbers, or both rows have a different number of runs.
        """
        verdicts = []
        for expected in row.expect:
            title = self.table.column(expected.on).title
            values, other = self.values[row.name, title], self.values[expected.other, title]
            if values is None or other is None or len(values) != len(other):
                raise ArtifactError(
                    f"table '{self.table.name}': '{row.name}' and '{expected.other}' cannot be "
                    f"compared on '{title}': one has no numbers, or another number of runs"
                )
            verdicts.append((expected, judge(expected, values, other)))
        return verdicts


def measure_tables(recipe: Recipe, addresses: Mapping[str, str], root: Path) -> list[MeasuredTable]:
    """The numbers of every table of a recipe that was run.

    Raises:
        ArtifactError: If a step is not an evaluation, or lacks the metric of a column.
    """
    runs: dict[str, list[dict[tuple[str, str], float]]] = {}
    for step in recipe.steps:
        if any(step.name in table.steps() for table in recipe.tables):
            runs.setdefault(step.name, []).append(_metrics(root, addresses[step.label]))
    return [
        MeasuredTable(
            table,
            {
                (row.name, column.title): _cell_values(runs, table, row, column)
                for row in table.rows
                for column in table.columns
            },
        )
        for table in recipe.tables
    ]


def page(tables: Sequence[MeasuredTable], recipe: Recipe, info: RunInfo) -> str:
    """The whole page, Markdown.

    Args:
        tables: The tables with their numbers.
        recipe: The recipe that was run.
        info: Further facts of the run.
    """
    met = [v.met for each in tables for row in each.table.rows for _, v in each.verdicts(row)]
    parts = [
        recipe.introduction.strip(),
        f"Made by `{info.command}`; {info.seconds:.0f} seconds of computing "
        f"({info.verb_times()}). Of {len(met)} expectations {sum(met)} are met.",
        _EXPLANATION,
    ]
    for measured in tables:
        parts.append(section(measured, info.pictures.get(measured.table.name)))
    parts.append("## Artifacts of the numbers\n\n" + _addresses(recipe, info.addresses))
    return "\n\n".join(part for part in parts if part) + "\n"


_EXPLANATION = (
    "Numbers are per cent: mean ± standard deviation (of a sample) over the runs of a row. The\n"
    "last column says whether the expected difference was found: *yes* if the difference of the\n"
    "means has the expected sign and size, *apart* if the intervals mean ± deviation of both rows\n"
    "do not overlap, and in how many runs, compared on the same images, the sign is as expected."
)


@dataclass(frozen=True)
class RunInfo:
    """Facts of a run for the page.

    Attributes:
        command: Command line of the run.
        addresses: Address of each step by its label.
        seconds_by_verb: Computing time of each verb.
        pictures: File of the plot of each table, by its name.
    """

    command: str
    addresses: Mapping[str, str]
    seconds_by_verb: Mapping[str, float]
    pictures: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Computing time of all stages."""
        return sum(self.seconds_by_verb.values())

    def verb_times(self) -> str:
        """Seconds of each verb as text, the longest first."""
        order = sorted(self.seconds_by_verb.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{verb} {seconds:.0f}" for verb, seconds in order)


def seconds_by_verb(addresses: Mapping[str, str], root: Path) -> dict[str, float]:
    """Seconds that each verb took for these artifacts, from their manifests."""
    seconds: dict[str, float] = {}
    for address in dict.fromkeys(addresses.values()):
        manifest = catalog.find(root, address).manifest
        verb = manifest.stage.name
        seconds[verb] = seconds.get(verb, 0.0) + float(manifest.run.get("seconds", 0.0))
    return seconds


def section(measured: MeasuredTable, picture: str | None) -> str:
    """One table with its title, text and plot, Markdown."""
    table = measured.table
    num_runs = max((len(v) for v in measured.values.values() if v is not None), default=0)
    head = ["", *(column.title for column in table.columns), "as expected?"]
    rows = [head, ["---"] * len(head)]
    for row in table.rows:
        cells = [_cell_text(measured.cell(row, column)) for column in table.columns]
        verdicts = "; ".join(_verdict_text(e, v) for e, v in measured.verdicts(row))
        rows.append([row.name, *cells, verdicts])
    lines = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    parts = [f"## {table.title}", table.about, lines, f"n = {num_runs}.", *_failures(measured)]
    if picture:
        parts.append(f"![{table.title}]({picture})")
    return "\n\n".join(part for part in parts if part)


def _failures(measured: MeasuredTable) -> list[str]:
    texts = []
    for row in measured.table.rows:
        if any(not verdict.met for _, verdict in measured.verdicts(row)):
            reason = row.tried or "The reason is not known yet."
            texts.append(f"Not as expected: **{row.name}**. {reason.strip()}")
    return texts


def _verdict_text(expected: Expectation, verdict: Verdict) -> str:
    gap = verdict.difference
    several = gap.count > 1
    spread = f" ± {gap.deviation:.1f}" if several else ""
    limit = f", expected at least {expected.by:g}" if expected.by and not verdict.met else ""
    if expected.kind == "same_as":
        limit = f", at most {expected.by:g} allowed"
    where = f" on {expected.on}" if expected.on else ""
    runs = f"; {verdict.agreeing} of {gap.count} runs" if several else ""
    apart = f"; {'apart' if verdict.apart else 'overlapping'}" if several else ""
    return (
        f"{'yes' if verdict.met else '**no**'}: {_KINDS[expected.kind]} {expected.other}{where} "
        f"({gap.mean:+.1f}{spread}{limit}{apart}{runs})"
    )


def _cell_text(cell: Summary | None) -> str:
    if cell is None:
        return ""
    return f"{cell.mean:.1f} ± {cell.deviation:.1f}" if cell.count > 1 else f"{cell.mean:.1f}"


def _metrics(root: Path, address: str) -> dict[tuple[str, str], float]:
    artifact = catalog.find(root, address)
    if artifact.manifest.artifact != "metrics":
        raise ArtifactError(f"{address} has no metrics; a row of a table must be an evaluation")
    rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
    return {(r["metric"], r["split"]): 100 * r["value"] for r in rows if not r["category"]}


def _cell_values(
    runs: Mapping[str, Sequence[Mapping[tuple[str, str], float]]],
    table: TableSpec,
    row: TableRow,
    column: MetricColumn,
) -> list[float] | None:
    step = row.step_of(column)
    if step is None:
        return None
    try:
        return [metrics[column.metric, column.split] for metrics in runs[step]]
    except KeyError:
        raise ArtifactError(
            f"table '{table.name}': step '{step}' has no {column.metric} of {column.split}, "
            f"the metric of column '{column.title}'"
        ) from None


def _addresses(recipe: Recipe, addresses: Mapping[str, str]) -> str:
    texts: dict[str, list[str]] = {}
    names = {name for table in recipe.tables for name in table.steps()}
    for step in recipe.steps:
        if step.name in names:
            texts.setdefault(step.name, []).append(_address_text(step, addresses))
    return "\n".join(f"* {name}: {', '.join(runs)}" for name, runs in texts.items())


def _address_text(step: Step, addresses: Mapping[str, str]) -> str:
    swept = ", ".join(f"{key} {value}" for key, value in step.swept.items())
    return f"`{addresses[step.label]}`" + (f" ({swept})" if swept else "")
