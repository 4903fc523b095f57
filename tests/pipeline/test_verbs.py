from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pipeline.verbs import VERBS

STAGES = Path(__file__).parents[2] / "stages"
WRITTEN = [v for v in VERBS.values() if (STAGES / f"{v.word}.py").exists()]


@pytest.mark.parametrize("verb", WRITTEN, ids=lambda verb: verb.name)
def test_a_verb_loads_the_stage_of_its_name_and_says_what_it_says(verb) -> None:  # type: ignore[no-untyped-def]
    stage = verb.load()
    assert stage.name == verb.name
    assert inspect.getdoc(stage).splitlines()[0] == verb.help
