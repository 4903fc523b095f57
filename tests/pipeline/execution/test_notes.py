from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.execution.notes import Notes, add_up, joined
from pipeline.store.part_records import PartRecord
from pipeline.store.parts import Receipt
from schemas.errors import StageError
from stages.featurize import Featurize
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path


def receipt(number: int, notes: dict[str, Any], counts: dict[str, Any] | None = None) -> Receipt:
    part = PartRecord(number=number, rows=1, bytes=1, sha256="0" * 64, counts=counts or {})
    return Receipt(part=part, notes=notes)


def test_three_parts_that_note_one_temperature_have_that_temperature() -> None:
    notes = joined(Ingest, [receipt(n, {"temperature": 0.01}) for n in range(3)])
    assert notes == {"temperature": 0.01}


def test_counts_add_up_beside_facts() -> None:
    receipts = [receipt(n, {"names": ["a"]}, {"boxes": {"raw": n, "kept": [1, n]}}) for n in (1, 2)]
    assert joined(Ingest, receipts) == {"names": ["a"], "boxes": {"raw": 3, "kept": [2, 3]}}


def test_parts_that_disagree_on_a_fact_are_named_with_what_they_say() -> None:
    receipts = [receipt(0, {"size": 1}), receipt(4, {"size": 1}), receipt(7, {"size": 2})]
    with pytest.raises(StageError, match="parts 0 and 7 disagree on the note 'size': 1 and 2"):
        joined(Ingest, receipts)


def test_a_part_that_disagrees_with_the_start_of_the_run_is_named() -> None:
    survey = Notes({"size": 1})
    said = "the start of the run and part 7 disagree on the note 'size': 1 and 2. This is a fault"
    with pytest.raises(StageError, match=said):
        joined(Ingest, [receipt(4, {}), receipt(7, {"size": 2})], survey)


def test_where_a_fact_follows_from_the_machine_the_stage_says_what_to_do() -> None:
    receipts = [receipt(n, {"precision": kind}) for n, kind in enumerate(["bfloat16", "float32"])]
    said = "rc featurize: parts 0 and 1 disagree .* 'bfloat16' and 'float32'. --precision auto"
    with pytest.raises(StageError, match=said):
        joined(Featurize, receipts)


def test_a_fact_that_only_some_parts_know_is_the_fact() -> None:
    assert joined(Ingest, [receipt(0, {}), receipt(1, {"size": 2}), receipt(2, {})]) == {"size": 2}


def test_a_key_is_a_fact_or_a_count_but_not_both() -> None:
    notes = Notes()
    notes.note("a", 1)
    notes.count("b", 1)
    with pytest.raises(StageError, match="'a' is a fact"):
        notes.count("a", 1)
    with pytest.raises(StageError, match="'b' was 1 and is now 2"):
        notes.note("b", 2)


def test_within_a_part_a_fact_may_be_repeated_but_not_changed_and_a_count_grows() -> None:
    notes = Notes()
    for _ in range(2):
        notes.note("a", [1])
        notes.count("n", 2)
    with pytest.raises(StageError, match=r"'a' was \[1\] and is now \[2\]"):
        notes.note("a", [2])
    assert (notes.facts, notes.counts) == ({"a": [1]}, {"n": 4})


@pytest.mark.parametrize(
    ("a", "b"), [(1, [1]), ([1], [1, 2]), ("x", "y"), (True, 1), ({"k": 1}, 2)]
)
def test_counts_of_different_shapes_do_not_add_up(a: Any, b: Any) -> None:
    with pytest.raises(StageError, match="cannot be added up"):
        add_up(a, b)


def test_numbers_of_mappings_with_other_keys_are_kept() -> None:
    assert add_up({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}


class Disagreeing(Ingest):
    def run(self, part):  # type: ignore[no-untyped-def]
        part.note("first", part.number // 2)
        yield from super().run(part)


def test_a_run_whose_parts_disagree_fails_and_leaves_no_artifact(root: Path) -> None:
    with pytest.raises(StageError, match="rc ingest: parts 0 and 2 disagree on the note 'first'"):
        make(Disagreeing(count=20), root)
    assert list(root.glob("images/*/manifest.json")) == []


def test_a_fact_that_is_not_a_number_agrees_with_itself_and_a_tuple_with_its_list() -> None:
    notes = Notes()
    for value in (float("nan"), (1, 2)):
        key = repr(value)
        notes.note(key, value)
        notes.note(key, value)
    notes.note("(1, 2)", [1, 2])
    notes.note("flag", 1)
    with pytest.raises(StageError, match="'flag' was 1 and is now True"):
        notes.note("flag", True)
