"""CONTRIBUTING.md is true: its eight steps add a stage to a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
STEPS = PAGE.partition("## How to add a stage")[2].partition("\n## ")[0]
FILE = re.compile(
    r"^`([\w./-]+)`(?:, after `([^\n]+)`)?\n\n```\w+\n(.*?)```$", re.MULTILINE | re.DOTALL
)
COPIED = ("schemas", "stages", "pipeline", "tests", "data", "docs")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the steps were followed."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "CONTRIBUTING.md", "README.md"):
        shutil.copy(ROOT / file, copy / file)
    for name, after, content in FILE.findall(STEPS):
        target = copy / name
        if after:
            text = target.read_text()
            assert text.count(after + "\n") == 1, f"{name} has no line {after}"
            target.write_text(text.replace(after + "\n", after + "\n" + content))
        else:
            assert not target.exists()
            target.write_text(content)
    return copy


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def rc(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from pipeline.cli import main; sys.argv[0] = 'rc'; main()"
    return run(project, "-c", code, *words)


def test_the_page_has_eight_steps_and_a_file_for_each_that_needs_one() -> None:
    assert [int(n) for n in re.findall(r"^\*\*(\d)\.", STEPS, re.MULTILINE)] == list(range(1, 9))
    names = [name for name, _, _ in FILE.findall(STEPS)]
    assert names == [
        "schemas/coverages.py",
        "tests/stages/test_measure_coverage.py",
        "stages/measure_coverage.py",
        "pipeline/verbs.py",
        "pyproject.toml",
        "pipeline/sql/relations.py",
    ]


def test_the_exemplars_and_folders_that_it_names_are_there() -> None:
    places = re.findall(r"`((?:schemas|stages|pipeline|tests|docs|benchmarks)/[\w./-]*)`", PAGE)
    made = {name for name, after, _ in FILE.findall(STEPS) if not after}
    missing = [place for place in places if place not in made and not (ROOT / place).exists()]
    assert len(places) > 15
    assert missing == []


@pytest.mark.slow
def test_the_new_stage_passes_its_tests_and_the_rules_of_the_house(project: Path) -> None:
    rules = (
        "one_word or help_says or contracts_are or contract_between or options_are or stays_small"
        " or reads"
    )
    done = run(
        project,
        *(
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-k",
            f"coverage or {rules} or schemas or relations or verb",
        ),
        *("tests/stages/test_measure_coverage.py", "tests/test_architecture.py"),
        *("tests/schemas", "tests/pipeline/sql/test_relations.py", "tests/pipeline/test_verbs.py"),
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_the_new_files_are_as_the_linters_want_them(project: Path) -> None:
    made = [name for name, after, _ in FILE.findall(STEPS) if not after and name.endswith(".py")]
    ruff = str(Path(sys.executable).with_name("ruff"))
    for words in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        done = subprocess.run(
            [ruff, *words, *made], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_new_verb_runs_and_its_rows_can_be_asked_for(project: Path, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    written = rc(project, "draw", "scenes", str(tmp_path / "scenes"), "--count", "4")
    assert written.returncode == 0, written.stderr
    for words in (
        ("ingest", str(tmp_path / "scenes")),
        ("propose", "--grid"),
        ("measure-coverage", "--best", "50"),
    ):
        done = rc(project, *words, *store)
        assert done.returncode == 0, done.stderr
    answer = rc(project, "sql", *store, "--format", "csv", "SELECT avg(share) AS s FROM coverages")
    assert answer.stdout.split() == ["s", "1.0"]  # the first cell of a grid is the whole image


@pytest.mark.slow
def test_the_generated_pages_have_the_new_table_and_the_new_verb(project: Path) -> None:
    assert "## coverages (version 1)" in rc(project, "tables").stdout
    assert "## rc measure-coverage" in rc(project, "commands").stdout
