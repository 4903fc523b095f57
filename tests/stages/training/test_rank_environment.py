"""The place of a rank: five variables, all or none."""

from __future__ import annotations

import pytest

from schemas.errors import OptionError
from stages.training.rank_environment import RankPlace, rank_place

WHOLE = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "node-1",
    "MASTER_PORT": "29500",
}


def test_a_place_is_what_the_variables_say() -> None:
    assert rank_place(WHOLE) == RankPlace(3, 4, 1, "node-1", 29500)


@pytest.mark.parametrize(
    "alone",
    [
        {},
        {"MASTER_ADDR": "node-1", "MASTER_PORT": "29500", "LOCAL_RANK": "0"},
        {"WORLD_SIZE": "1"},
        WHOLE | {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"},
        dict.fromkeys(WHOLE, ""),
    ],
)
def test_a_process_without_others_has_none(alone: dict[str, str]) -> None:
    assert rank_place(alone) is None


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    part = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(OptionError, match=rf"the environment has .* but no {name}, so .* torchrun"):
        rank_place(part)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RANK", "4", "which cannot be"),
        ("WORLD_SIZE", "1", "which cannot be"),
        ("LOCAL_RANK", "4", "which cannot be"),
        ("MASTER_PORT", "0", "which cannot be"),
        ("MASTER_PORT", "65536", "which cannot be"),
        ("RANK", "-1", "RANK=-1, which is no number"),
        ("WORLD_SIZE", "two", "WORLD_SIZE=two, which is no number"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        rank_place(WHOLE | {name: value})
