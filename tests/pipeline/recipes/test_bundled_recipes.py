"""The recipes beside the code: each loads, and its options fit the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.recipes import recipe
from pipeline.recipes.recipe_file import read_recipe
from pipeline.verbs import VERBS
from stages.option import with_presets
from tests.pipeline.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RECIPES = ROOT / "pipeline" / "recipes"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_bundled_recipe_loads_and_its_stages_accept_their_options(
    path: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("dog\ncat\n")
    splits = tmp_path / "splits.json"
    splits.write_text('{"base": ["dog"], "novel": ["cat"]}')
    written = read_recipe(path)
    settings = dict.fromkeys(
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
            "more",
            "weights",
            "rpn_weights",
            "checkpoint",
        ),
        str(names),
    )
    settings["splits"] = str(splits)
    for name in ("scenes", "holdout", "web"):
        if name in written.defaults:  # a number in these recipes, a folder in others
            settings.pop(name)
    loaded = recipe.load(path, settings)
    assert loaded.steps
    for step in loaded.steps:
        stage = VERBS[step.verb].load()
        stage(**with_presets(stage, step.options))
