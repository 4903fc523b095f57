"""What is said of a file of reviews: all that was read, refused or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.reviewing.review_comparison import Opinion
from stages.reviewing.review_counts import ReviewTally, described, empty_reason, lost_images
from tests.stages.reviewing.small_export import Collected, write_export

if TYPE_CHECKING:
    from pathlib import Path

NOTE: dict[str, Any] = {
    "images": 102,
    "unknown": 2,
    "labels": 1200,
    "judged": 96,
    "reviewers": 1,
    "right": 980,
    "renamed": 120,
    "moved": 60,
    "deleted": 40,
    "new": 12,
    "without": 4,
    "absent": 0,
    "strange": 0,
    "strange_names": [],
    "unknown_images": ["a\x1b", "b"],
}


def test_the_first_line_is_what_most_want_to_know() -> None:
    assert described(NOTE) == [
        "1,200 labels of 96 images reviewed: 980 right, 120 renamed, 60 moved, 40 deleted; "
        "12 new boxes and 4 images without annotation left out",
        "not of the export, left out: 2 images of the file ('a\ufffd', 'b')",
    ]


def test_everything_else_is_said_where_there_is_any() -> None:
    more = {"unsure": 3, "reviewers": 2, "absent": 8, "emptied": 1, "superseded": 2}
    more |= {"cancelled": 1, "unread": 2, "answers": 1, "strange": 7}
    lines = described(NOTE | more | {"strange_names": list("vwxyz"), "unknown": 0})
    assert lines[0].startswith(
        "1,200 labels of 96 images reviewed by 2 people, 1,203 opinions: 980 right"
    )
    assert "40 deleted, 3 unsure;" in lines[0]
    assert lines[1:] == [
        "not in the file: 8 images of the export",
        "1 annotation deleted every label of the image",
        "left out: 2 earlier annotations of the same people about the same images",
        "not read: 1 cancelled annotation",
        "not read: 2 shapes that are no upright boxes",
        "not read: 1 answer that is no shape",
        "7 other names than the export offered: 'v', 'w', 'x', 'y', 'z' and 2 more",
    ]


def test_nothing_is_said_of_what_there_is_none_of() -> None:
    note = NOTE | dict.fromkeys(("new", "without", "unknown", "renamed", "moved", "deleted"), 0)
    assert described(note) == ["1,200 labels of 96 images reviewed: 980 right"]


def test_why_nothing_was_judged() -> None:
    assert empty_reason(NOTE | {"images": 2}).startswith(
        "none of 2 images of the file was exported to that folder ('a\ufffd', 'b'): give --exported"
    )
    assert empty_reason(NOTE | {"images": 6}) == (
        "no image was judged: of 6 images in the file, 2 were not exported and 4 have no finished "
        "annotation"
    )


def test_a_file_of_mostly_other_images_is_a_loss() -> None:
    assert lost_images(NOTE) == []
    assert lost_images(NOTE | {"images": 3}) == [
        "2 of 3 images of the file were not exported to that folder"
    ]


def test_opinions_are_counted_by_review_and_labels_once(tmp_path: Path) -> None:
    tally = ReviewTally()
    tally.add(0, "ann", [Opinion("right"), Opinion("wrong", "cat"), Opinion("unsure")], 1)
    tally.add(0, "bob", [Opinion("wrong"), Opinion("wrong"), Opinion("wrong")], 0)
    tally.add(1, "bob", [Opinion("wrong-box", "cat", (0.0, 0.0, 1.0, 1.0))], 2)
    collected = Collected.of(write_export(tmp_path / "out", "cvat"))
    note = tally.note(collected.collector)
    counts = {"right": 1, "renamed": 1, "unsure": 1, "deleted": 3, "moved": 1, "new": 3}
    counts |= {"emptied": 1, "labels": 4, "judged": 2, "reviewers": 2, "absent": 2, "without": 0}
    assert {name: note[name] for name in counts} == counts
