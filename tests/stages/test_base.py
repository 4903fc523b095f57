from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from schemas.concepts import CONCEPTS
from schemas.errors import OptionError
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.proposals import PROPOSALS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, Stage, each, option, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Smallest(Stage):
    """Does nothing."""

    size: int = option(3, "of it", at_least=1)
    file: str = option("", "a path", recipe=False)

    name: ClassVar[str] = "smallest"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "pool": each(CONCEPTS, optional=True),
        "images": each(IMAGES),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = PROPOSALS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        yield from ()


@dataclass(frozen=True, kw_only=True)
class Single(Smallest):
    """Does nothing, once."""

    single_task: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Switched(Smallest):
    """Does nothing, in two ways."""

    fancy: bool = option(False, "the other way")
    colour: str = option("red", "of it")
    speed: int = option(1, "of it", recipe=False)
    exact: bool = option(False, "rather than fast", recipe="changed")

    only_with: ClassVar[Mapping[str, Sequence[str]]] = {"fancy": ("images", "colour", "speed")}


def test_a_switch_that_is_off_leaves_the_recipe_as_if_it_were_not_there() -> None:
    assert Switched().recipe() == Smallest().recipe()
    on = Switched(fancy=True, speed=9).recipe()
    assert on == {**Smallest().recipe(), "fancy": True, "colour": "red"}


@pytest.mark.parametrize(("name", "value"), [("colour", "blue"), ("speed", 2)])
def test_an_option_without_its_switch_is_refused(name: str, value: object) -> None:
    Switched(fancy=True, **{name: value})
    with pytest.raises(OptionError, match=f"rc smallest: --{name} is of --fancy; give that too"):
        Switched(**{name: value})


def test_what_is_counted_is_the_unit() -> None:
    assert Smallest().counts() == Smallest.unit


def test_an_option_that_counts_where_it_is_changed_is_not_in_the_recipe_before() -> None:
    assert "exact" not in Switched(fancy=True).recipe()
    assert Switched(exact=True).recipe() == {**Smallest().recipe(), "exact": True}


def test_the_recipe_holds_what_decides_the_rows_and_nothing_else() -> None:
    stage = Smallest(size=5, file="here", device="cuda", threads=2, limit=7)
    assert stage.recipe() == {"limit": 7, "size": 5}


def test_inputs_are_read_part_by_part_or_by_every_task() -> None:
    reads = Smallest.reads
    assert (reads["images"].whole, reads["teacher"].whole) == (False, True)
    assert reads["teacher"].also == (STUDENTS,)
    assert each(CONCEPTS, drafts=MENTIONS).drafts is MENTIONS
    assert not each(CONCEPTS).fallback


def test_the_first_input_that_is_needed_leads() -> None:
    assert Smallest().first() == "images"


def test_parts_follow_those_of_the_first_input_and_a_single_task_is_one() -> None:
    parts = {"images": [0, 2, 5], "pool": [0]}
    assert list(Smallest().plan(parts)) == [0, 2, 5]
    assert list(Single().plan(parts)) == [0]
    assert list(Smallest().plan({})) == [0]


def test_what_a_stage_does_not_say_is_nothing() -> None:
    stage = Smallest()
    assert stage.requires() is Smallest.reads
    assert stage.makes() is PROPOSALS
    assert dict(stage.digests()) == {}
    assert stage.total() is None
    assert (stage.drafts, stage.single_task, stage.unit) == (None, False, "images")


def test_drafts_without_a_merge_are_a_fault_of_the_stage() -> None:
    with pytest.raises(NotImplementedError, match="Smallest sets `drafts` but has no `merge`"):
        list(Smallest().merge([], print))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "rc smallest: --size must be at least 1, got 0"),
        ({"limit": 0}, "rc smallest: --limit must be at least 1, got 0"),
        ({"threads": -1}, "rc smallest: --threads must be at least 1, got -1"),
    ],
)
def test_options_are_checked_whoever_makes_the_stage(options: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Smallest(**options)


def test_equal_options_are_equal_stages() -> None:
    assert Smallest(size=4) == Smallest(size=4)
    assert Smallest(size=4) != Smallest(size=5)
