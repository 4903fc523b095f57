"""The benchmark of growth runs on next to nothing, and its stores are what the code would make."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmarks.scale import __main__ as scale
from benchmarks.scale import page
from benchmarks.scale.many_parts import make_many_parts, make_one_part
from benchmarks.scale.measuring import COMMANDS, Cost, slope
from pipeline import sql
from pipeline.execution import planning
from pipeline.execution.inputs import resolve
from pipeline.execution.reuse import recorded
from pipeline.store import catalog
from stages.label import Label
from stages.propose import Propose

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    make_many_parts(make_one_part(folder, IMAGES), folder / "parts-3", 3)
    return folder


@pytest.mark.slow
def test_every_hash_of_a_store_of_many_parts_holds(folder: Path) -> None:
    artifacts = {one.manifest.artifact: one for one in catalog.everything(folder / "parts-3")}
    assert {name for name, one in artifacts.items() if one.manifest.parts.count == 3} == {
        *("images", "proposals", "pseudo_labels")
    }
    assert len(artifacts["concepts"].drafts) == 3
    assert artifacts["images"].manifest.rows == 3 * IMAGES
    for artifact in artifacts.values():
        assert catalog.verify(artifact) == []


@pytest.mark.slow
def test_a_run_would_take_the_store_for_its_own(folder: Path) -> None:
    root = folder / "parts-3"
    label = Label(from_images=True, resize="192x400")
    work = planning.plan(label, resolve(label, {}, root), root)
    assert work.finished
    assert len(recorded(work.with_recipes(work.tasks), root)) == 3
    propose = Propose(top_k=100, nms=0.95, resize="192x400")
    assert planning.plan(propose, resolve(propose, {}, root), root).finished


@pytest.mark.slow
def test_its_rows_are_those_of_one_part_as_often_as_it_has_parts(folder: Path) -> None:
    counts = []
    for name in ("one", "parts-3"):
        with sql.connect(folder / name) as connection:
            relation = sql.query(connection, "SELECT count(*) FROM proposals")
            counts.append(relation.fetchall()[0][0])
    assert counts[1] == 3 * counts[0] > 0


@pytest.mark.slow
def test_measures_every_command_and_writes_the_page(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "scale.md"
    words = ["--parts", "2", "3", "--folder", str(folder), "--page", str(out)]
    assert scale.main(words) == 0
    said, written = capsys.readouterr().out, out.read_text("utf-8")
    assert all(said.count(command) == 3 for command in COMMANDS)
    assert all(written.count(f"| `{command}` |") == 1 for command in COMMANDS)
    assert all(f"| {name} | {images:,} | " in written for name, images in page.SETS.items())


@pytest.mark.parametrize("power", [0.9, 1.0, 1.3])
def test_the_slope_is_the_power_of_growth(power: float) -> None:
    costs = {1: Cost(1.5, 0, 0)} | {
        n: Cost(1.5 + 0.01 * n**power, 0, 0) for n in (1_000, 10_000, 100_000)
    }
    assert math.isclose(slope(costs) or 0, power, abs_tol=1e-3)


def test_what_does_not_grow_has_no_slope() -> None:
    assert slope({1: Cost(1.0, 0, 0), 10: Cost(0.9, 0, 0), 100: Cost(1.1, 0, 0)}) is None


def test_hours_and_requests_follow_from_sizes() -> None:
    sizes = {"images": page.Size(1, 100.0), "labels": page.Size(1, 2_000.0)}
    [row] = [row for row in page._sets(sizes, 1_000) if row.startswith("| CC3M")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # 300 parts of 1 MB (2 requests) and of 20 MB (3 pieces of 8 MiB, 7 requests)
    assert cells[2:8] == ["300", "600", "6", "3", "2,700", "1,200"]
    assert cells[8] == f"{3_000_000 / (8 * 20 * 3600):,.1f}"
