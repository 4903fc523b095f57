"""Sweeps of a recipe: expanded steps, overridden values, and selected steps and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.recipes import recipe
from schemas.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

SWEPT = """
[defaults]
world = "w"
count = 5
[quick]
count = 2
seed = [0]
[sweep]
seed = [0, 1]
[[draw]]
kind = "scenes"
folder = "{world}/{count}-{seed}"
count = "{count}"
seed = "{seed}"
seed-offset = 100
[[step]]
run = "ingest"
as = "pictures"
sources = ["{world}/{count}-{seed}"]
[[step]]
run = "train-rpn"
as = "once"
images = "images@00"
steps = 1
[[step]]
run = "extract-concepts"
as = "pool"
images = "@pictures"
"""


def load_recipe(folder: Path, text: str, quick: bool = False, **settings: str) -> recipe.Recipe:
    path = folder / "recipe.toml"
    path.write_text(text)
    return recipe.load(path, settings, quick=quick)


def test_a_step_runs_once_for_each_swept_value_that_it_depends_on(tmp_path: Path) -> None:
    loaded = load_recipe(tmp_path, SWEPT)
    assert [step.label for step in loaded.steps] == [
        "pictures [seed=0]",
        "pictures [seed=1]",
        "once",
        "pool [seed=0]",
        "pool [seed=1]",
    ]
    assert loaded.steps[3].inputs == {"images": "@pictures [seed=0]"}
    assert [str(data.folder) for data in loaded.synthetic_data] == ["w/5-0", "w/5-1"]
    assert [data.seed for data in loaded.synthetic_data] == [100, 101]


def test_settings_override_quick_values_and_these_override_defaults(tmp_path: Path) -> None:
    quick = load_recipe(tmp_path, SWEPT, quick=True)
    assert [step.label for step in quick.steps] == ["pictures [seed=0]", "once", "pool [seed=0]"]
    assert quick.synthetic_data[0].count == 2
    chosen = load_recipe(tmp_path, SWEPT, quick=True, seed="7,8", count="3")
    assert [data.seed for data in chosen.synthetic_data] == [107, 108]
    assert chosen.synthetic_data[0].count == 3


TABLE = """
[[table]]
name = "numbers"
title = "Numbers"
columns = [{ title = "top-1", metric = "top1" }]
row = [{ name = "first", step = "pool" }]
"""


def test_only_keeps_the_selected_steps_and_all_that_they_read(tmp_path: Path) -> None:
    loaded = load_recipe(tmp_path, SWEPT + TABLE)
    assert {step.name for step in loaded.only(["pool"]).steps} == {"pictures", "pool"}
    one = loaded.only(["pool [seed=1]"])
    assert [step.label for step in one.steps] == ["pictures [seed=1]", "pool [seed=1]"]
    assert one.synthetic_data == loaded.synthetic_data
    assert loaded.only(["once"]).tables == []


def test_only_of_a_table_keeps_the_steps_of_its_rows(tmp_path: Path) -> None:
    selected = load_recipe(tmp_path, SWEPT + TABLE).only(["numbers"])
    assert {step.name for step in selected.steps} == {"pictures", "pool"}
    assert [table.name for table in selected.tables] == ["numbers"]


def test_only_of_a_row_keeps_its_step_alone(tmp_path: Path) -> None:
    other = 'row = [{ name = "first", step = "pool" }, { name = "last", step = "once" }]'
    loaded = load_recipe(tmp_path, SWEPT + TABLE.replace(TABLE.splitlines()[-1], other))
    assert {step.name for step in loaded.only(["first"]).steps} == {"pictures", "pool"}
    assert {step.name for step in loaded.only(["last"]).steps} == {"once"}
    assert loaded.only(["last"]).tables == []


def test_only_of_an_unknown_name_is_refused(tmp_path: Path) -> None:
    told = "no step, table or row of the recipe is called 'nonsense'; its "
    with pytest.raises(SourceError, match=f"{told}steps are pictures, once, pool$"):
        load_recipe(tmp_path, SWEPT).only(["pool", "nonsense"])
    with pytest.raises(SourceError, match=f"{told}tables are numbers$"):
        load_recipe(tmp_path, SWEPT + TABLE).only(["pool", "nonsense"])


def test_a_table_that_names_no_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="table 'numbers': no step is called 'pond'"):
        load_recipe(tmp_path, SWEPT + TABLE.replace('step = "pool"', 'step = "pond"'))
