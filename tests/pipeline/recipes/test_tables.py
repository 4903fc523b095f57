"""Sweeps, drawings and tables of a recipe, and the report made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.recipes import recipe, results_page
from pipeline.recipes.expectations import judge, summary
from pipeline.recipes.results_plot import save_picture
from pipeline.recipes.synthetic_data import NOTE, SyntheticData, draw
from pipeline.recipes.table_spec import Expectation
from pipeline.verbs import VERBS
from schemas.errors import SourceError
from tests.pipeline.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RECIPES = ROOT / "pipeline" / "recipes"
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


def load(folder: Path, text: str, **how: object) -> recipe.Recipe:
    path = folder / "recipe.toml"
    path.write_text(text)
    return recipe.load(path, {}, **how)  # type: ignore[arg-type]


def test_a_step_is_run_for_each_value_it_depends_on_and_others_once(tmp_path: Path) -> None:
    found = load(tmp_path, SWEPT)
    assert [step.label for step in found.steps] == [
        "pictures [seed=0]",
        "pictures [seed=1]",
        "once",
        "pool [seed=0]",
        "pool [seed=1]",
    ]
    assert found.steps[3].inputs == {"images": "@pictures [seed=0]"}
    assert [str(d.folder) for d in found.drawings] == ["w/5-0", "w/5-1"]
    assert [d.seed for d in found.drawings] == [100, 101]


def test_quick_replaces_values_and_what_is_given_replaces_both(tmp_path: Path) -> None:
    quick = load(tmp_path, SWEPT, quick=True)
    assert [step.label for step in quick.steps] == ["pictures [seed=0]", "once", "pool [seed=0]"]
    assert quick.drawings[0].count == 2
    path = tmp_path / "recipe.toml"
    given = recipe.load(path, {"seed": "7,8", "count": "3"}, quick=True)
    assert [d.seed for d in given.drawings] == [107, 108]
    assert given.drawings[0].count == 3


def test_only_keeps_a_step_and_what_it_reads(tmp_path: Path) -> None:
    found = load(tmp_path, SWEPT).only(["pool"])
    assert {step.name for step in found.steps} == {"pictures", "pool"}
    with pytest.raises(SourceError, match="no step or table"):
        found.only(["nonsense"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[quick]\nnobody = 1", "neither in"),
        ("[defaults]\nseed = 3", r"is in \[defaults\] and in \[sweep\]"),
        ("nonsense = 1", "holds include"),
        ('[[table]]\nname = "t"\ntitle = "T"\ncolumns = []\nrow = []', "a column and a row"),
    ],
)
def test_what_a_recipe_cannot_mean_is_a_sentence(tmp_path: Path, line: str, said: str) -> None:
    base = "[sweep]\nseed = [1]\n" if "seed" in line else ""
    step = '[[step]]\nrun = "ingest"\nsources = ["x"]\n'
    text = f"{line}\n{base}{step}" if "=" in line.split("\n")[0] else f"{base}{step}{line}\n"
    with pytest.raises(SourceError, match=said):
        load(tmp_path, text)


def test_a_drawing_is_made_once_and_never_mistaken_for_another(tmp_path: Path) -> None:
    one = SyntheticData("scenes", tmp_path / "w", "scenes", 2, 5)
    assert draw(one)
    assert json.loads((tmp_path / "w" / NOTE).read_text()) == one.told()
    assert not draw(one)
    with pytest.raises(SourceError, match="but the recipe asks for"):
        draw(SyntheticData("scenes", tmp_path / "w", "scenes", 3, 5))
    (tmp_path / "mine").mkdir()
    with pytest.raises(SourceError, match="no drawing of ours"):
        draw(SyntheticData("scenes", tmp_path / "mine", "scenes", 3, 5))


def test_a_verdict_follows_from_the_numbers() -> None:
    above = Expectation(above="other", by=3.0)
    met = judge(above, [5.0, 6.0, 7.0], [1.0, 2.0, 2.5])
    assert (met.met, met.apart, met.agreeing) == (True, True, 3)
    close = judge(above, [5.0, 6.0, 7.0], [3.0, 4.0, 5.0])
    assert not close.met  # two points, three were asked
    assert not judge(Expectation(below="other"), [5.0], [4.0]).met
    assert judge(Expectation(below="other"), [3.0], [4.0]).met
    same = Expectation(same_as="other", by=0.5)
    assert judge(same, [1.0, 2.0], [1.2, 1.7]).met
    assert not judge(same, [1.0, 2.0], [3.0, 4.0]).met
    assert summary([4.0]).deviation == 0


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_we_ship_can_be_loaded_and_its_stages_made(path: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("dog\ncat\n")
    splits = tmp_path / "splits.json"
    splits.write_text('{"base": ["dog"], "novel": ["cat"]}')
    written = path.read_text()
    given = dict.fromkeys(
        (
            "images",
            "data",
            "scenes",
            "holdout",
            "teacher",
            "student",
            "rpn",
            "val",
            "train",
            "annotations",
            "web",
            "weights",
            "rpn_weights",
            "checkpoint",
        ),
        str(names),
    )
    given["splits"] = str(splits)
    for name in ("scenes", "holdout", "web"):
        if f"\n{name} = " in written:  # a number there, a folder elsewhere
            given.pop(name)
    loaded = recipe.load(path, given)
    assert loaded.steps
    for step in loaded.steps:
        from stages.option import with_presets

        stage = VERBS[step.verb].load()
        stage(**with_presets(stage, step.options))


def test_the_report_of_a_recipe_has_every_row(tmp_path: Path) -> None:
    from pipeline.recipes.table_spec import read_comparison

    written = {
        "name": "t",
        "title": "One",
        "columns": [{"title": "top-1", "metric": "top1"}],
        "row": [
            {"name": "low", "step": "a"},
            {"name": "high", "step": "b", "expect": [{"above": "low", "by": 1.0}]},
            {"name": "lost", "step": "a", "expect": [{"above": "high"}], "tried": "Everything."},
        ],
    }
    table = read_comparison(written, "here")
    values = {
        ("low", "top-1"): [1.0, 2.0],
        ("high", "top-1"): [5.0, 7.0],
        ("lost", "top-1"): [1, 2],
    }
    measured = results_page.Measured(table, values)
    told = results_page.RunInfo("rc run x", {}, {"train": 3.0}, {"t": "pictures/t.png"})
    page = results_page.page([measured], recipe.Recipe([], introduction="# Begin"), told)
    assert page.startswith("# Begin")
    assert "| low | 1.5 ± 0.7 |" in page
    assert "yes: above low (+4.5" in page
    assert "**no**: above high" in page
    assert "Not as expected: **lost**. Everything." in page
    assert "Of 2 expectations 1 are met" in page
    save_picture(measured, tmp_path / "a.png")
    save_picture(measured, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
