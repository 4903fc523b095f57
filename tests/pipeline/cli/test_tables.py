"""The paper's tables in their quick form, smaller still: every step runs, every row is there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from pipeline.recipes.recipe import load
from tests.pipeline.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SMALLER = {
    "min_frequency": 1,
    "scenes": 16,
    "web": 160,
    "teacher_steps": 2,
    "holdout": 8,
    "student_steps": 2,
    "paper_steps": 1,
    "ablation_steps": 1,
    "detector_steps": 2,
}


def test_the_tables_are_made_by_one_command(tmp_path: Path) -> None:
    given = {"data": str(ROOT / "data" / "demo"), "world": str(tmp_path / "world")}
    settings = [f"--set={name}={value}" for name, value in {**given, **SMALLER}.items()]
    report = tmp_path / "results.md"
    words = ["run", "recipes/tables.toml", "--quick", "--store", tmp_path / "store", "-q"]
    program = "from pipeline.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", program, *map(str, words), "--report", str(report), *settings],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    page = report.read_text()
    recipe = load(ROOT / "pipeline" / "recipes" / "tables.toml", given, quick=True)
    assert len(recipe.tables) == 5
    for comparison in recipe.tables:
        assert f"## {comparison.title}" in page
        for row in comparison.rows:
            assert f"| {row.name} |" in page
        name = comparison.name.replace("-", "_")
        assert (tmp_path / "pictures" / f"results_{name}.png").stat().st_size > 5000
