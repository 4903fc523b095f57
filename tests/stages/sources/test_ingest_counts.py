"""The line that ingest ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.sources.ingest_counts import (
    NOTE,
    IngestCounts,
    count_cut,
    count_kept,
    count_left_out,
    count_refused,
)
from stages.sources.record import LeftOut, Record, SourceObject
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from pathlib import Path


def record(captions: int, boxes: int) -> Record:
    thing = SourceObject("cat", (0, 0, 1, 1))
    return Record("a", "a.jpg", bytes, captions=["x"] * captions, objects=[thing] * boxes)


def test_every_image_is_kept_or_refused(tmp_path: Path) -> None:
    part = InMemory({}, tmp_path)
    count_kept(part, record(2, 3), boxes=1)
    count_kept(part, record(0, 0), boxes=0)
    count_refused(part)
    count_left_out(part, LeftOut(".heic file", 2))
    count_left_out(part, LeftOut("caption of no image"))
    counts = IngestCounts(part.notes[NOTE])
    assert counts.line() == (
        "3 images: 1 with captions (2 captions), 1 with boxes (1 box); 1 refused; "
        "not read: 2 .heic files, 1 caption of no image"
    )
    assert counts.losses({}) == ["2 of 3 boxes were refused"]


def test_boxes_that_were_cut_are_counted_over_all_images(tmp_path: Path) -> None:
    part = InMemory({}, tmp_path)
    count_cut(part, [])
    assert NOTE not in part.notes
    count_cut(part, [0.9])
    assert IngestCounts(part.notes[NOTE]).cut() == ["1 box cut at the border of their image"]
    count_cut(part, [0.1, 0.75])
    assert part.notes[NOTE]["cut"] == {"boxes": 3, "by_half": 1}
    said = "3 boxes cut at the border of their image, 1 of them by more than half of their area"
    assert IngestCounts(part.notes[NOTE]).cut() == [said]


def test_most_images_refused_is_a_loss() -> None:
    counts = IngestCounts({"images": 3, "kept": 1})
    assert counts.losses({}) == ["2 of 3 images were refused"]
    assert IngestCounts({"images": 2, "kept": 1}).losses({}) == []


def test_nothing_kept_says_what_was_seen_and_why() -> None:
    sentence = IngestCounts({"images": 2}).why_empty(["photos"], {"unreadable": 2})
    assert sentence.startswith("no image of photos was kept: 2 seen (2 unreadable)")
    assert IngestCounts({}).line() == "0 images: 0 with captions, 0 with boxes"


def test_captions_of_no_image_are_an_error_if_there_are_no_others() -> None:
    kept = {"images": 2, "kept": 2}
    lost = {"unknown-image": 3}
    assert IngestCounts(kept).why_unmatched(lost, ("t/captions/1", "t/images/1")) == (
        "none of 3 captions or boxes belongs to an image: one is of 't/captions/1', "
        "an image is 't/images/1'"
    )
    assert IngestCounts(kept).why_unmatched(lost, None) == (
        "none of 3 captions or boxes belongs to an image; rc sql 'FROM quarantine' lists them"
    )


@pytest.mark.parametrize("more", [{"captions": 1}, {"boxes_seen": 1}, {"images": 3}])
def test_captions_of_no_image_are_no_error_if_another_image_has_or_may_have_had_some(
    more: dict[str, int],
) -> None:
    counts = IngestCounts({"images": 2, "kept": 2, **more})
    assert counts.why_unmatched({"unknown-image": 3}, None) is None
    assert IngestCounts({"images": 2, "kept": 2}).why_unmatched({}, None) is None
