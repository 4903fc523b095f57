"""The stage: a row for each pair, and what is counted, noted and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.duplicates import DUPLICATES
from schemas.errors import OptionError
from stages.duplicates import Duplicates
from stages.near_duplicates.duplicate_counts import NO_IMAGES
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.near_duplicates.smooth import Scene, jpeg, png
from tests.stages.near_duplicates.test_image_set import image_rows

BROKEN = b"\xff\xd8 no image"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def table(contents: dict[str, bytes]) -> pa.Table:
    return pa.Table.from_batches([image_rows(contents)])


def run(part: InMemory, **options: Any) -> list[dict[str, Any]]:
    rows = pa.Table.from_batches(list(Duplicates(**options).run(part)), DUPLICATES.arrow)
    DUPLICATES.check(rows)
    return rows.to_pylist()


def test_a_copy_and_a_crop_of_the_other_set_are_rows(rng: np.random.Generator) -> None:
    scene = Scene(rng)
    content, crop = jpeg(scene.pixels()), png(scene.pixels(90, 70, (0.0, 0.1, 0.9, 1.0)))
    images = table({"a": png(Scene(rng).pixels()), "b": crop, "c": content})
    part = InMemory({"images": images, "against": table({"e": content})})
    near, same = run(part)
    assert near.pop("similarity") > 0.9
    assert near == {
        "image_id": "b",
        "other_id": "e",
        "kind": "near",
        "mirrored": False,
        "cropped": "image",
    }
    assert same == {
        "image_id": "c",
        "other_id": "e",
        "kind": "same-bytes",
        "similarity": 1.0,
        "mirrored": False,
        "cropped": None,
    }
    assert part.notes["images"] == NO_IMAGES | {"seen": 3, "duplicate": 2, "same_bytes": 1}
    others = {"images": 1, "unreadable": 0, "plain": 0, "themselves": False}
    assert part.notes["compared_with"] == others
    assert part.advanced == 3


def test_images_of_one_set_are_duplicates_of_earlier_ones_and_never_of_themselves(
    rng: np.random.Generator,
) -> None:
    pixels = Scene(rng).pixels()
    images = table({"a": png(pixels), "b": png(Scene(rng).pixels()), "c": png(pixels)})
    rows = run(InMemory({"images": images, "against": images}))
    assert [(row["image_id"], row["other_id"]) for row in rows] == [("c", "a")]


def test_what_cannot_be_read_is_refused_once_and_the_run_goes_on(rng: np.random.Generator) -> None:
    against = table({"e": BROKEN, "f": png(Scene(rng).pixels())})
    images = table({"a": BROKEN, "b": BROKEN + b"!"})
    first, second = (
        InMemory({"images": images, "against": against}, number=number) for number in (0, 1)
    )
    for part in (first, second):
        assert [(row["image_id"], row["kind"]) for row in run(part)] == [("a", "same-bytes")]
    assert [record for record, *_ in first.refused] == ["a", "b", "e"]
    assert [record for record, *_ in second.refused] == ["a", "b"]


def test_no_more_than_most_are_listed_and_the_others_are_counted(rng: np.random.Generator) -> None:
    pixels = Scene(rng).pixels()
    against = table({f"{n}": jpeg(pixels, 80 + n) for n in range(4)})
    part = InMemory({"images": table({"a": jpeg(pixels, 90)}), "against": against})
    assert len(run(part, most=2)) == 2
    assert part.notes["images"]["more"] == 1
    with pytest.raises(OptionError, match="--most must be at least 1, got 0"):
        Duplicates(most=0)


def test_no_images_have_no_rows(rng: np.random.Generator) -> None:
    nothing = table({"a": png(Scene(rng).pixels())}).slice(1)
    part = InMemory({"images": nothing, "against": table({"e": png(Scene(rng).pixels())})})
    assert run(part) == []


def test_that_there_are_none_is_a_result_and_no_error() -> None:
    others = {"images": 100, "unreadable": 60, "plain": 0, "themselves": False}
    outcome = Duplicates().outcome(Result(0, {}, {"compared_with": others}))
    assert outcome.empty is None
    assert outcome.summary[0] == "none of 0 images is a duplicate of one of 100 others"
    assert outcome.losses == ["60 of 100 others unreadable"]
    assert DUPLICATES.may_be_empty
