"""The page of a recipe's tables: numbers from the store, verdicts, and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipeline.recipes import results_page
from pipeline.recipes.recipe import Recipe, Step
from pipeline.recipes.results_page import MeasuredTable, RunInfo, measure_tables, seconds_by_verb
from pipeline.recipes.table_spec import TableSpec, read_table_spec
from schemas.errors import ArtifactError
from schemas.images import IMAGES
from schemas.metrics import METRICS
from stages.base import Part, Reads, Stage, each, option
from stages.evaluation.metrics import Metric, metric_rows
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class FixedMetrics(Stage):
    """An evaluation with the accuracy that its option says."""

    accuracy: float = option(0.5, "top1 of the split all")

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        yield metric_rows(
            [
                Metric("top1", "all", "", self.accuracy, 1),
                Metric("top1", "all", "dog", 0.99, 1),
                Metric("AP50", "all", "", 0.25, 1),
            ]
        )


def table(**changes: object) -> TableSpec:
    written = {
        "name": "t",
        "title": "One",
        "about": "About it.",
        "columns": [
            {"title": "top-1", "metric": "top1"},
            {"title": "AP50", "metric": "AP50", "of": "rpn"},
        ],
        "row": [
            {"name": "low", "step": "a"},
            {"name": "high", "step": "b", "expect": [{"above": "low", "by": 1.0}]},
            {"name": "lost", "step": "a", "expect": [{"above": "high"}], "tried": "Everything."},
        ],
    }
    return read_table_spec({**written, **changes}, "here")


def measured(**values: list[float] | None) -> MeasuredTable:
    defaults: dict[str, list[float] | None] = {"low": [1, 2], "high": [5, 7], "lost": [1, 2]}
    rows = {(name, "top-1"): numbers for name, numbers in (defaults | values).items()}
    return MeasuredTable(table(), rows | dict.fromkeys([(n, "AP50") for n in defaults]))


def test_the_numbers_of_each_cell_come_from_the_metrics_of_its_step(root: Path) -> None:
    make(Ingest(count=2), root)
    runs = [make(FixedMetrics(accuracy=value), root).address for value in (0.25, 0.5, 0.75)]
    steps = [
        Step("evaluate", "a", swept={"seed": 0}),
        Step("evaluate", "a", swept={"seed": 1}),
        Step("evaluate", "b"),
    ]
    addresses = {step.label: address for step, address in zip(steps, runs, strict=True)}
    rows = [{"name": "x", "step": "a"}, {"name": "y", "step": "b", "steps": {"rpn": "b"}}]
    (result,) = measure_tables(Recipe(steps, tables=[table(row=rows)]), addresses, root)
    assert result.values == {
        ("x", "top-1"): [25.0, 50.0],
        ("x", "AP50"): None,
        ("y", "top-1"): [75.0],
        ("y", "AP50"): [25.0],
    }
    assert set(seconds_by_verb(addresses, root)) == {"evaluate"}


def test_a_step_without_the_metric_of_a_column_is_refused(root: Path) -> None:
    make(Ingest(count=2), root)
    addresses = {"a": make(FixedMetrics(), root).address}
    spec = table(
        columns=[{"title": "rare", "metric": "top1", "split": "novel"}],
        row=[{"name": "x", "step": "a"}],
    )
    recipe = Recipe([Step("evaluate", "a")], tables=[spec])
    message = "table 't': step 'a' has no top1 of novel, the metric of column 'rare'"
    with pytest.raises(ArtifactError, match=message):
        measure_tables(recipe, addresses, root)


def test_a_row_that_is_not_an_evaluation_is_refused(root: Path) -> None:
    addresses = {"a": make(Ingest(count=2), root).address}
    recipe = Recipe([Step("ingest", "a")], tables=[table(row=[{"name": "x", "step": "a"}])])
    with pytest.raises(ArtifactError, match="has no metrics; a row of a table must be an evalua"):
        measure_tables(recipe, addresses, root)


@pytest.mark.parametrize("numbers", [None, [1.0], [1.0, 2.0, 3.0]])
def test_rows_with_other_runs_cannot_be_compared(numbers: list[float] | None) -> None:
    result = measured(low=numbers)
    with pytest.raises(ArtifactError, match="'high' and 'low' cannot be compared on 'top-1'"):
        result.verdicts(result.table.rows[1])


def test_a_page_has_every_row_with_its_numbers_and_verdicts() -> None:
    info = RunInfo("rc run x", {}, {"train": 3.0, "label": 4.0}, {"t": "pictures/t.png"})
    page = results_page.page([measured()], Recipe([], introduction="# Begin\n"), info)
    assert page.startswith(
        "# Begin\n\nMade by `rc run x`; 7 seconds of computing (label 4, train 3)"
    )
    assert "## One\n\nAbout it." in page
    assert "| low | 1.5 ± 0.7 |  |  |" in page
    assert "yes: above low (+4.5 ± 0.7; apart; 2 of 2 runs)" in page
    assert "**no**: above high (-4.5 ± 0.7; apart; 0 of 2 runs)" in page
    assert "Not as expected: **lost**. Everything." in page
    assert "Of 2 expectations 1 are met" in page
    assert "n = 2." in page
    assert "![One](pictures/t.png)" in page


def test_a_single_run_has_neither_deviations_nor_a_number_of_runs() -> None:
    text = results_page.section(measured(low=[1.0], high=[1.5], lost=[1.0]), picture=None)
    assert "| low | 1.0 |" in text
    assert "**no**: above low (+0.5, expected at least 1)" in text
    assert "![" not in text


def test_a_missed_expectation_without_a_reason_says_so() -> None:
    text = results_page.section(measured(high=[0.0, 0.0]), picture=None)
    assert "Not as expected: **high**. The reason is not known yet." in text


def test_a_page_lists_the_artifacts_of_each_row_with_their_swept_values() -> None:
    steps = [
        Step("evaluate", "a", swept={"seed": 0}),
        Step("evaluate", "a", swept={"seed": 1}),
        Step("evaluate", "b"),
        Step("ingest", "c"),
    ]
    addresses = {step.label: f"metrics@{n}" for n, step in enumerate(steps)}
    info = RunInfo("rc run x", addresses, {}, {})
    page = results_page.page([measured()], Recipe(steps, tables=[table()]), info)
    assert page.endswith(
        "## Artifacts of the numbers\n\n* a: `metrics@0` (seed 0), `metrics@1` (seed 1)\n"
        "* b: `metrics@2`\n"
    )
