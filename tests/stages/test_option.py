from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from schemas.errors import OptionError
from stages.option import (
    check_options,
    choices,
    option,
    option_types,
    takes_number,
    value_type,
    with_presets,
)

PRESETS = {"few": {"count": 3, "share": 0.5}, "many": {"count": 40}}


@dataclass(frozen=True, kw_only=True)
class Base:
    name = "toy"  # no annotation: not an option
    preset: Literal["few", "many"] | None = option(None, "options at once", presets=PRESETS)
    count: int = option(1, "how many", at_least=1)


@dataclass(frozen=True, kw_only=True)
class Options(Base):
    share: float = option(0.1, "of the rows", above=0, below=1)
    kind: Literal["a", "b"] = option("a", "which", flag="--as")
    file: Path | None = option(None, "a list", recipe=False)
    sizes: tuple[str, ...] = option((), "of images")
    weight: float | Literal["auto"] = option("auto", "a number or a name", above=0, below=9)


def test_types_of_inherited_and_own_options_are_found_behind_their_annotations() -> None:
    assert dict(option_types(Options)) == {
        "preset": Literal["few", "many"] | None,
        "count": int,
        "share": float,
        "kind": Literal["a", "b"],
        "file": Path | None,
        "sizes": tuple[str, ...],
        "weight": float | Literal["auto"],
    }


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (int, ()),
        (Path | None, ()),
        (Literal["x"], ("x",)),
        (tuple[Literal["x", "y"], ...], ("x", "y")),
        (float | Literal["x"], ("x",)),
    ],
)
def test_choices_are_the_names_within_a_type(kind: Any, names: tuple[str, ...]) -> None:
    assert choices(kind) == names


def test_a_person_types_text_where_names_are_allowed() -> None:
    kinds = option_types(Options)
    assert value_type(kinds["kind"]) is str
    assert value_type(kinds["preset"]) == str | None
    assert value_type(kinds["file"]) == Path | None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "rc toy: --count must be at least 1, got 0"),
        ({"share": 0}, "rc toy: --share must be above 0, got 0"),
        ({"share": 1.0}, "rc toy: --share must be below 1, got 1"),
        ({"share": math.nan}, "rc toy: --share must be above 0, got nan"),
        ({"kind": "c"}, "rc toy: --as must be one of a, b, got 'c'"),
        ({"weight": 0.0}, "rc toy: --weight must be above 0, got 0"),
        ({"weight": math.nan}, "rc toy: --weight must be above 0, got nan"),
        ({"weight": 9}, "rc toy: --weight must be below 9, got 9"),
        ({"weight": "best"}, "rc toy: --weight must be a number or auto, got 'best'"),
        ({"weight": "0.5"}, "rc toy: --weight must be a number or auto, got '0.5'"),
        ({"weight": True}, "rc toy: --weight must be a number or auto, got True"),
        ({"preset": "all"}, "rc toy: --preset must be one of few, many, got 'all'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_its_flag(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError) as refusal:
        check_options(Options(**values))
    assert str(refusal.value) == message


def test_allowed_values_and_none_pass() -> None:
    assert check_options(Options(count=1, share=0.999, kind="b", preset="few")) is None
    for weight in ("auto", 1, 0.5):
        assert check_options(Options(weight=weight)) is None


def test_a_type_of_numbers_and_names_takes_both_and_no_other_does() -> None:
    kinds = option_types(Options)
    assert [name for name, kind in kinds.items() if takes_number(kind)] == ["weight"]
    assert value_type(kinds["weight"]) == float | Literal["auto"]


def test_a_preset_wins_over_defaults_and_what_is_given_wins_over_a_preset() -> None:
    given = {"preset": "few", "share": 0.2}
    assert with_presets(Options, given) == {"preset": "few", "count": 3, "share": 0.2}
    assert with_presets(Options, {"preset": "many", "count": 1})["count"] == 1


def test_without_a_preset_only_what_is_given_is_set() -> None:
    assert with_presets(Options, {"count": 7}) == {"count": 7}
    assert with_presets(Options, {"count": 7, "preset": None}) == {"count": 7, "preset": None}


def test_an_unknown_preset_sets_nothing_and_is_refused_by_the_stage() -> None:
    values = with_presets(Options, {"preset": "none"})
    assert values == {"preset": "none"}
    with pytest.raises(OptionError, match="--preset must be one of few, many, got 'none'"):
        check_options(Options(**values))
