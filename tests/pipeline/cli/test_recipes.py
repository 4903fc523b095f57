"""`rc run`: the steps of a recipe in order, finished steps skipped, and the tables at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.cli import recipes
from pipeline.recipes.recipe import load
from pipeline.store import catalog
from tests.pipeline.helpers import ROOT, make
from tests.pipeline.toys import Ingest
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CHAIN = """
[defaults]
count = 8
[[step]]
run = "ingest"
as = "pictures"
sources = ["{place}"]
count = "{count}"
tint = 1
[[step]]
run = "propose"
images = "@pictures"
mark = "{log}"
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "chain.toml"
    path.write_text(CHAIN)
    return path


def run_chain(rc, chain: Path, *words: object):  # type: ignore[no-untyped-def]
    log = chain.parent / "log"
    return rc("run", chain, "--set", "place=here", "--set", f"log={log}", *words)


def test_every_step_prints_its_line_and_finished_steps_are_skipped(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    result = run_chain(rc, chain)
    images, proposals = (catalog.find(root, name) for name in ("images", "proposals"))
    assert result.code == 0
    assert result.out == f"{images.address}  8 rows\n{proposals.address}  24 rows\n"
    assert result.err == "== pictures\n== 2 propose\n"
    again = run_chain(rc, chain)
    assert again.out == result.out
    assert len((chain.parent / "log").read_text().splitlines()) == 2


def test_a_recipe_and_flags_that_say_the_same_make_the_same_artifact(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    run_chain(rc, chain)
    rc("ingest", "here", "--count", "8", "--tint", "1")
    assert len(catalog.committed(root, "images")) == 1


def test_a_step_reads_what_it_names_even_if_there_is_something_newer(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    run_chain(rc, chain)
    make(Ingest(count=3), root)
    run_chain(rc, chain, "--set", "count=9")
    parents = catalog.parents(catalog.find(root, "proposals"))
    assert parents["images"].manifest.rows == 9


def test_a_name_no_earlier_step_bears_is_a_sentence(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    chain.write_text(CHAIN.replace("@pictures", "@paintings"))
    result = run_chain(rc, chain)
    assert result.code == 1
    assert "error: step '2 propose': no earlier step has the name 'paintings'" in result.err


def test_a_wrong_setting_is_a_sentence(rc, chain) -> None:  # type: ignore[no-untyped-def]
    result = run_chain(rc, chain, "--set", "count")
    assert result.err == "error: rc run: --set takes name=value, got 'count'\n"
    assert "has no value; give one with --set place=" in rc("run", chain).err


def test_a_failing_step_ends_the_recipe(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    chain.write_text(CHAIN.replace('mark = "{log}"', "break_part = 1"))
    result = run_chain(rc, chain)
    assert result.code == 1
    assert "error: rc propose: 1 of 2 parts failed; part 1 said: " in result.err
    assert catalog.committed(root, "proposals") == []


def test_a_dry_run_ends_at_the_first_step_that_would_work(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    first = run_chain(rc, chain, "--dry-run")
    assert first.out.count("would compute 2 of 2 parts") == 1
    assert "the dry run ends here" in first.err
    rc("ingest", "here", "--count", "8")
    second = run_chain(rc, chain, "--dry-run")
    assert "finished already" in second.out
    assert "proposals/v1-" in second.out
    assert catalog.committed(root, "proposals") == []


def test_a_dry_run_says_what_it_would_draw_and_draws_nothing(  # type: ignore[no-untyped-def]
    rc, root, tmp_path: Path
) -> None:
    root.rmdir()
    folder, file = tmp_path / "scenes", tmp_path / "drawn.toml"
    file.write_text(
        f'[[draw]]\nkind = "scenes"\nfolder = "{folder}"\ncount = 3\n'
        f'[[step]]\nrun = "ingest"\nas = "pictures"\nsources = ["{folder}"]\n'
    )
    result = rc("run", file, "--dry-run")
    assert (result.code, result.out) == (0, f"would draw 3 scenes into {folder}\n")
    assert "the dry run ends here" in result.err
    assert not folder.exists()
    assert not root.exists()


def test_an_unknown_recipe_is_a_sentence(rc) -> None:  # type: ignore[no-untyped-def]
    assert rc("run", "no-such").err.startswith("error: no recipe 'no-such': give a TOML file, or")


SMALLER = {
    "min_frequency": 1,
    "scenes": 8,
    "web": 80,
    "teacher_steps": 1,
    "holdout": 4,
    "student_steps": 1,
    "paper_steps": 1,
    "ablation_steps": 1,
    "detector_steps": 1,
}


def test_the_tables_of_the_paper_are_made_by_one_command(tmp_path: Path) -> None:
    settings_of_data = {"data": str(ROOT / "data" / "demo"), "world": str(tmp_path / "world")}
    settings = [f"--set={name}={value}" for name, value in {**settings_of_data, **SMALLER}.items()]
    report = tmp_path / "results.md"
    words = ["run", "recipes/tables.toml", "--quick", "--store", tmp_path / "store", "-q"]
    program = "from pipeline.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", program, *map(str, words), "--report", str(report), *settings],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=HANG_S,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    page = report.read_text()
    recipe = load(ROOT / "pipeline" / "recipes" / "tables.toml", settings_of_data, quick=True)
    assert len(recipe.tables) == 6
    for table in recipe.tables:
        assert f"## {table.title}" in page
        for row in table.rows:
            assert f"| {row.name} |" in page
        name = table.name.replace("-", "_")
        assert (tmp_path / "pictures" / f"results_{name}.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("given", "how"),
    [
        ({}, {"engine": "ray", "workers": 3, "ray_address": "auto"}),
        ({"workers": 5, "engine": None}, {"engine": "ray", "workers": 5, "ray_address": "auto"}),
        ({"engine": "local"}, {"engine": "local", "workers": 3}),  # nothing of Ray is left
        (
            {"engine": "local", "ray_address": "head:1"},  # but what is given, to be refused
            {"engine": "local", "workers": 3, "ray_address": "head:1"},
        ),
    ],
)
def test_what_is_given_comes_before_what_a_recipe_says_of_its_running(
    given: dict[str, object], how: dict[str, object]
) -> None:
    running = {"engine": "ray", "workers": 3, "ray_address": "auto"}
    assert recipes._how(running, given) == how
