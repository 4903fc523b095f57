from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.duplicates import DUPLICATES
from schemas.errors import OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.outcome import Result
from stages.select import Select
from tests.in_memory import InMemory
from tests.stages.training.tiny import pseudo_labels


def test_rows_are_passed_on_as_they_are_read() -> None:
    rows = pseudo_labels(range(4))
    part = InMemory({"pseudo_labels": rows})
    selected = list(Select(called="all").run(part))
    assert pa.Table.from_batches(selected).equals(rows)
    assert part.notes == {"regions": {"regions": rows.num_rows, "kept": rows.num_rows}}
    assert part.advanced == rows.num_rows


def test_an_empty_selection_has_no_rows() -> None:
    part = InMemory({"pseudo_labels": pa.Table.from_batches([PSEUDO_LABELS.empty()])})
    assert sum(batch.num_rows for batch in Select(called="none").run(part)) == 0
    assert part.notes == {"regions": {"regions": 0, "kept": 0}}


@pytest.mark.parametrize("name", ["", "Sure", "a b", "../up", "1st", "cafe", "x@y", "a'b"])
def test_an_ambiguous_name_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="is no name for a selection"):
        Select(called=name)


@pytest.mark.parametrize("name", ["sure", "sure-ones_2", "g"])
def test_a_name_of_small_letters_digits_and_marks_is_accepted(name: str) -> None:
    assert Select(called=name).recipe()["called"] == name


def test_the_outcome_names_the_selection() -> None:
    stage = Select(called="sure", where="probability > 0.9")
    assert stage.outcome(Result(3, {}, {})).summary == ["3 labels selected as sure"]
    empty = stage.outcome(Result(0, {}, {})).empty
    assert empty == "no label was selected: --where probability > 0.9"


def test_a_selection_says_how_its_labels_were_made() -> None:
    similarity = {"probability": "sigmoid", "temperature": 0.1}
    facts = {("pseudo_labels", "similarity"): similarity}
    part = InMemory({"pseudo_labels": pseudo_labels(range(4))}, facts=facts)
    list(Select(called="all").run(part))
    assert part.notes["similarity"] == similarity


def duplicates_of(*images: str) -> pa.Table:
    n = len(images)
    columns = {
        "image_id": list(images),
        "other_id": [f"other {number}" for number in range(n)],
        "kind": ["near"] * n,
        "similarity": [0.9] * n,
        "mirrored": [False] * n,
        "cropped": [None] * n,
    }
    return pa.Table.from_batches([DUPLICATES.batch(columns)])


def test_labels_of_duplicate_images_are_left_out_and_counted() -> None:
    rows = pseudo_labels(range(4))
    names = sorted(set(rows["image_id"].to_pylist()))
    twice = duplicates_of(names[0], names[0], names[2])
    part = InMemory({"pseudo_labels": rows, "without": twice})
    selected = pa.Table.from_batches(list(Select(called="clean").run(part)))
    kept = pc.is_in(rows["image_id"], pa.array([names[1], *names[3:]]))
    assert selected.equals(rows.filter(kept))
    assert part.notes["left_out"] == {"labels": rows.num_rows - selected.num_rows, "images": 2}
    assert part.notes["regions"]["regions"] == selected.num_rows
    assert part.advanced == rows.num_rows


def test_without_duplicates_that_are_none_everything_stays() -> None:
    rows = pseudo_labels(range(4))
    part = InMemory({"pseudo_labels": rows, "without": duplicates_of()})
    assert pa.Table.from_batches(list(Select(called="clean").run(part))).equals(rows)
    assert part.notes["left_out"] == {"labels": 0, "images": 0}


def test_the_outcome_says_what_was_left_out() -> None:
    notes = {"left_out": {"labels": 12, "images": 1}}
    stage = Select(called="clean", where="kept")
    said = "12 labels of 1 image left out as duplicates"
    assert stage.outcome(Result(3, {}, notes)).summary == [f"3 labels selected as clean; {said}"]
    empty = stage.outcome(Result(0, {}, notes)).empty
    assert empty == f"no label was selected: --where kept; {said}"
