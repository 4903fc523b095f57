"""Which box became of which label, against a search through all pairs in exact numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.reviewing.review_comparison import (
    NO_REGION,
    NamedBoxes,
    Opinion,
    Unread,
    opinions,
    partners,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DOG, CAT = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)


def named(*boxes: tuple[int, str, Sequence[float]]) -> NamedBoxes:
    names = np.empty(len(boxes), object)
    names[:] = [name for _, name, _ in boxes]
    sides = np.array([sides for *_, sides in boxes], np.float64).reshape(-1, 4)
    return NamedBoxes(np.array([region for region, *_ in boxes], np.int64), names, sides)


def exact_iou(a: Sequence[float], b: Sequence[float]) -> Fraction:
    """In whole numbers."""
    sides = [max(0, int(min(a[i + 2], b[i + 2]) - max(a[i], b[i]))) for i in (0, 1)]
    shared = sides[0] * sides[1]
    areas = [int(s[2] - s[0]) * int(s[3] - s[1]) for s in (a, b)]
    return Fraction(shared, sum(areas) - shared)


def reference(labels: NamedBoxes, boxes: NamedBoxes) -> list[int]:
    """The rule as it is written: the best of all pairs that are left, again and again."""

    def key(at: int, other: int) -> tuple[Any, ...]:
        overlap = exact_iou(labels.sides[at], boxes.sides[other])
        return -overlap, labels.names[at] != boxes.names[other], at, other

    found = [-1] * len(labels)
    for at, region in enumerate(labels.regions):
        same = [key(at, o) for o in range(len(boxes)) if boxes.regions[o] == region]
        if same:
            found[at] = min(same)[-1]
    while True:
        left = [
            key(at, other)
            for at in range(len(labels))
            for other in range(len(boxes))
            if found[at] < 0 and other not in found
        ]
        left = [one for one in left if -one[0] >= Fraction(1, 2)]
        if not left:
            return found
        *_, at, other = min(left)
        found[at] = other


def random_boxes(rng: np.random.Generator, count: int, regions: Sequence[int]) -> NamedBoxes:
    """Few places, so that many pairs are equal."""
    corners = rng.integers(0, 4, (count, 2))
    sides = np.concatenate([corners, corners + rng.integers(2, 5, (count, 2))], axis=1)
    return NamedBoxes(
        np.array(regions, np.int64),
        rng.choice(np.array(["dog", "cat", "tree"], object), count),
        sides.astype(np.float64),
    )


@pytest.mark.parametrize("seed", range(60))
def test_partners_are_those_of_a_search_through_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_labels, num_boxes = rng.integers(0, 9, 2).tolist()
    labels = random_boxes(rng, num_labels, rng.permutation(20)[:num_labels].tolist())
    known = rng.choice([*range(20), *[NO_REGION] * 20], num_boxes)
    boxes = random_boxes(rng, num_boxes, known.tolist())
    found = partners(labels, boxes)
    assert found.tolist() == reference(labels, boxes)
    taken = found[found >= 0]
    assert len(set(taken.tolist())) == len(taken)


def test_an_untouched_label_is_right_and_a_pixel_is_no_move() -> None:
    boxes = named((0, "dog", (0.0, 0.0, 10.0, 11.0)), (NO_REGION, "cat", CAT))
    said, new = opinions(named((0, "dog", DOG), (1, "cat", CAT)), boxes)
    assert (said, new) == ([Opinion("right"), Opinion("right")], 0)


def test_a_box_that_was_moved_is_wrong_whatever_its_overlap_if_its_region_is_known() -> None:
    far = (50.0, 50.0, 61.5, 60.0)
    said, new = opinions(named((3, "dog", DOG)), named((3, "dog", far)))
    assert (said, new) == ([Opinion("wrong-box", None, far)], 0)
    said, new = opinions(named((3, "dog", DOG)), named((NO_REGION, "dog", far)))
    assert (said, new) == ([Opinion("wrong")], 1)
    said, _ = opinions(named((3, "dog", DOG)), named((3, "cat", far)))
    assert said == [Opinion("wrong-box", "cat", far)]


def test_another_name_is_what_it_is() -> None:
    said, new = opinions(named((0, "dog", DOG)), named((NO_REGION, "wolf", DOG)))
    assert (said, new) == ([Opinion("wrong", "wolf")], 0)


def test_of_copies_of_a_region_the_nearest_counts_and_the_other_is_new() -> None:
    boxes = named((0, "dog", (4.0, 0.0, 14.0, 10.0)), (0, "dog", (2.0, 0.0, 12.0, 10.0)))
    said, new = opinions(named((0, "dog", DOG)), boxes)
    assert (said, new) == ([Opinion("wrong-box", None, (2.0, 0.0, 12.0, 10.0))], 1)


def test_of_boxes_on_the_same_place_that_of_the_same_name_is_the_partner() -> None:
    boxes = named((NO_REGION, "cat", DOG), (NO_REGION, "dog", DOG))
    said, new = opinions(named((0, "dog", DOG)), boxes)
    assert (said, new) == ([Opinion("right")], 1)


@pytest.mark.parametrize(
    ("unread", "verdict"),
    [
        (Unread(0, "cat"), "unsure"),
        (Unread(NO_REGION, "dog"), "unsure"),
        (Unread(NO_REGION, None), "unsure"),
        (Unread(NO_REGION, "cat"), "wrong"),
        (Unread(1, "dog"), "wrong"),
    ],
)
def test_a_label_that_may_be_what_was_not_read_is_not_called_deleted(
    unread: Unread, verdict: str
) -> None:
    said, new = opinions(named((0, "dog", DOG)), named(), [unread])
    assert (said, new) == ([Opinion(verdict)], 0)


def test_images_without_boxes_or_labels_are_compared_too() -> None:
    assert opinions(named(), named()) == ([], 0)
    assert opinions(named(), named((0, "dog", DOG))) == ([], 1)
    assert opinions(named((0, "dog", DOG)), named()) == ([Opinion("wrong")], 0)
