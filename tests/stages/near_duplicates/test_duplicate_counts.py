"""What a run says of the images it compared."""

from __future__ import annotations

import pytest

from stages.near_duplicates.duplicate_counts import (
    NO_IMAGES,
    described_duplicates,
    described_rest,
    lost_comparisons,
)

OTHERS = {"images": 100, "unreadable": 0, "plain": 0, "themselves": False}


@pytest.mark.parametrize(
    ("counts", "others", "line"),
    [
        ({"seen": 1}, {}, "none of 1 image is a duplicate of one of 100 others"),
        (
            {"seen": 1204, "duplicate": 1, "same_bytes": 1},
            {},
            "1 of 1,204 images is a duplicate of one of 100 others, 1 of them by the same bytes",
        ),
        (
            {"seen": 1204, "duplicate": 1000, "same_bytes": 0},
            {"themselves": True},
            "1,000 of 1,204 images are duplicates of an earlier one, 0 of them by the same bytes",
        ),
    ],
)
def test_the_line_says_how_many(counts: dict[str, int], others: dict[str, bool], line: str) -> None:
    assert described_duplicates(NO_IMAGES | counts, OTHERS | others) == line


def test_what_was_not_compared_or_not_listed_is_said_of_both_sides() -> None:
    counts = NO_IMAGES | {"seen": 9, "unreadable": 1, "plain": 2, "more": 3, "cut": 1}
    others = OTHERS | {"unreadable": 4}
    assert described_rest(counts, others, 10) == [
        "5 images could not be read: compared by their bytes alone",
        "2 images are of one brightness: compared by their bytes alone",
        "3 images with more than 10 duplicates: 10 of each are listed; --most lists more",
        "1 image with too many that are similar: of each the 100 likeliest were looked at",
    ]
    assert described_rest(counts, others | {"themselves": True}, 10)[0].startswith("1 image could")
    assert described_rest(NO_IMAGES, OTHERS, 10) == []


def test_most_images_unreadable_is_a_loss_of_either_side() -> None:
    counts = NO_IMAGES | {"seen": 4, "unreadable": 2}
    assert lost_comparisons(counts, OTHERS) == []
    assert lost_comparisons(counts, OTHERS | {"unreadable": 51}) == ["51 of 100 others unreadable"]
    assert lost_comparisons(counts | {"unreadable": 3}, OTHERS) == ["3 of 4 images unreadable"]
