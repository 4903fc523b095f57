from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pipeline.execution.presets import fill
from schemas.errors import OptionError
from tests.pipeline import toys

if TYPE_CHECKING:
    from collections.abc import Mapping

PRESETS = {"few": {"count": 3, "per_part": 1}, "many": {"count": 40}}


@dataclass(frozen=True, kw_only=True)
class Ingest(toys.Ingest):
    preset: str | None = toys.option(None, "options at once", choices=tuple(PRESETS))

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS


def test_a_preset_wins_over_defaults_and_what_is_given_wins_over_a_preset() -> None:
    stage = Ingest(**fill(Ingest, {"preset": "few", "per_part": 2}))
    assert (stage.count, stage.per_part, stage.seed) == (3, 2, 0)
    assert stage.recipe()["preset"] == "few"


def test_without_a_preset_only_what_is_given_is_said() -> None:
    assert fill(Ingest, {"count": 7}) == {"count": 7}
    assert fill(Ingest, {"count": 7, "preset": None}) == {"count": 7, "preset": None}
    assert fill(toys.Ingest, {"count": 7}) == {"count": 7}


def test_a_value_given_equal_to_the_default_still_wins_over_the_preset() -> None:
    assert Ingest(**fill(Ingest, {"preset": "many", "count": 20})).count == 20


def test_an_unknown_preset_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(OptionError, match=r"--preset must be one of few, many, got 'none'"):
        Ingest(**fill(Ingest, {"preset": "none"}))
