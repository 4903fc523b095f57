from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.reliability import commands
from benchmarks.reliability.__main__ import SECTIONS, table
from benchmarks.reliability.section import Count
from pipeline.recipes.recipe import load

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.reliability.section import Section


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_holds_in_short(name: str) -> None:
    # In a new process, which has no threads yet when it forks.
    words = [sys.executable, "-m", "benchmarks.reliability", "--short", "--only", name]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    together = re.search(
        r"^\| \*\*together\*\* \| \*\*(\d+)\*\* \| \*\*\1\*\* ", ended.stdout, re.M
    )
    assert together, ended.stdout
    assert int(together[1]) > 0


def test_a_failed_case_is_counted_and_printed() -> None:
    count = Count()
    with count.case("first"):
        pass
    with count.case("second"):
        raise AssertionError("it differs")
    section = cast("Section", SimpleNamespace(TITLE="Kills", ABOUT="Killed."))
    text = table(section, {"label": count})
    assert "| label | 2 | 1 | 1 |" in text
    assert "* second: it differs" in text


def test_the_recipe_that_is_killed_names_options_that_there_are(tmp_path: Path) -> None:
    commands.make_world(tmp_path)
    recipe = load(tmp_path / "recipe.toml", {})
    assert [step.verb for step in recipe.steps] == ["ingest", "extract-concepts"]
