from __future__ import annotations

from typing import Any

import pytest

from stages.proposals.propose_counts import ProposeCounts

FILE = {
    "file": "b.json",
    "ids": 4,
    "ids_matched": 4,
    "ids_ambiguous": 0,
    "example": ["42", "val/COCO_val2014_000000000042"],
    "boxes": 10,
    "bad_records": 0,
    "has_scores": True,
}
BOXES = {"images": 4, "raw_boxes": 10, "boxes_not_finite": 0, "boxes_outside": 0, "boxes_cut": 0}


def counts(
    rows: int = 8, dropped: dict[str, int] | None = None, *, file: Any = None, **notes: Any
) -> ProposeCounts:
    """Counts of a run over four images."""
    known = {"boxes": BOXES, "localizer": {**FILE, **(file or {})}, "matched_by": {"COCO id": 4}}
    return ProposeCounts(rows, dropped or {}, {**known, **notes})


def test_the_first_line_says_proposals_and_recall() -> None:
    recall = {"objects": 4, "hits_50": 3, "ar100_hits": [2] * 10}
    assert ProposeCounts(9, {"unreadable": 1}, {"boxes": {"images": 2}}).lines() == [
        "9 proposals of 3 images (3.0 per image)"
    ]
    assert counts(recall=recall).lines()[0] == (
        "8 proposals of 4 images (2.0 per image), recall 0.750 at IoU 0.5 (4 objects)"
    )


def test_boxes_that_the_selection_left_out_are_counted() -> None:
    left_out = "2 left out by --nms, --top-k, --min-size or --min-objectness"
    assert counts(8).lines()[-1] == f"of 10 boxes, {left_out}"
    assert "left out" not in " ".join(counts(10).lines())


def test_the_next_lines_say_how_a_file_fits_and_what_was_not_used() -> None:
    boxes = {**BOXES, "boxes_cut": 2, "boxes_outside": 1, "boxes_not_finite": 1}
    file = {"ids_matched": 2, "ids_ambiguous": 1, "has_scores": False, "bad_records": 3}
    matched_by = {"file name": 1, "COCO id": 1}
    lines = counts(8, {"ambiguous-id": 2}, file=file, boxes=boxes, matched_by=matched_by).lines()
    assert lines[1:] == [
        "2 of 6 images have boxes: 1 by COCO id, 1 by file name; 2 have none; 2 refused, since it "
        "is unclear which boxes are their own; 1 id of b.json matches no image",
        "b.json has no scores, so every objectness is 1",
        "3 records of b.json not read",
        "of 10 boxes, 2 cut at the border of their image, 1 empty or outside it, 1 without finite "
        "numbers or score",
    ]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (
            {"ids_matched": 0},
            "no id of b.json is one of ours: boxes are keyed '42', images are named "
            "'val/COCO_val2014_000000000042'; write the name of the image's file, its image_id, or "
            "its COCO id",
        ),
        (
            {"ids_matched": 0, "ids_ambiguous": 4},
            "b.json: 4 ids could be several images each, such as '42'; write them as image_id has "
            "them, such as 'val/COCO_val2014_000000000042', or say with --ids whether they are ids "
            "of the source's JSON or names",
        ),
        (
            {"ids": 0, "ids_matched": 0},
            "b.json has no boxes; look at the file, or name another with --from",
        ),
        (
            {},
            "of 10 boxes none is a proposal: lower --min-size or --min-objectness; 4 of 4 images "
            "have boxes: 4 by COCO id",
        ),
    ],
)
def test_an_empty_result_says_why_with_an_example_of_each_side(
    file: dict[str, Any], sentence: str
) -> None:
    assert counts(0, file=file).why_empty() == sentence


@pytest.mark.parametrize(
    ("boxes", "sentence"),
    [
        ({}, "of 10 boxes none is a proposal: lower --min-size or --min-objectness"),
        (
            {"boxes_outside": 10},
            "of 10 boxes none is a proposal: 10 are empty, outside their image, or not finite",
        ),
        ({"raw_boxes": 0}, "4 images gave no box"),
    ],
)
def test_boxes_that_all_go_say_where_they_went(boxes: dict[str, int], sentence: str) -> None:
    assert ProposeCounts(0, {}, {"boxes": {**BOXES, **boxes}}).why_empty() == sentence


def test_most_of_a_kind_lost_is_said() -> None:
    assert counts(file={"ids_matched": 2}).losses() == []
    (loss,) = counts(file={"ids_matched": 1}).losses()
    assert loss.startswith("3 of 4 ids of b.json got no image: boxes are keyed '42', images")
    assert counts(8, {"ambiguous-id": 4}).losses() == []
    assert counts(8, {"ambiguous-id": 5}).losses() == ["5 of 9 images were refused"]
    assert counts(file={"bad_records": 11}).losses() == ["11 records of b.json could not be read"]
    assert counts(boxes={**BOXES, "boxes_outside": 6}).losses() == [
        "6 of 10 boxes could not be used"
    ]
    assert ProposeCounts(0, {}, {}).losses() == []
