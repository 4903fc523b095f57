from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.box_forms import BoxCensus, to_corners
from schemas.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from schemas.box_forms import BoxLayout

SIZE = np.float32([100, 60])
CORNERS = np.float32([[70, 10, 95, 20], [40, 30, 60, 60], [5, 5, 20, 20]])
SIZES = np.float32([[70, 10, 25, 10], [40, 30, 20, 30], [5, 5, 15, 15]])


def census(
    numbers: NDArray[np.float32],
    layout: BoxLayout = "xywh",
    size: NDArray[np.float32] | None = SIZE,
) -> BoxCensus:
    counts = BoxCensus("boxes.json", layout)
    counts.add(np.asarray(numbers, np.float32), size)
    return counts


@pytest.mark.parametrize(("numbers", "layout"), [(SIZES, "xywh"), (CORNERS, "xyxy")])
def test_boxes_that_fit_their_format_are_believed(
    numbers: NDArray[np.float32], layout: BoxLayout
) -> None:
    assert census(numbers, layout).form() == (layout, False)
    assert to_corners(numbers, layout).tolist() == CORNERS.tolist()


def test_corners_given_as_width_and_height_are_refused_until_the_user_says_so() -> None:
    counts = census(CORNERS)
    with pytest.raises(
        SourceError, match=r"boxes\.json: read as x, y, width, height, 2 of 3.*xyxy"
    ):
        counts.form()
    assert counts.form("xyxy") == ("xyxy", False)
    assert counts.form("xywh") == ("xywh", False)


def test_sizes_given_as_corners_are_refused_even_if_no_image_is_known() -> None:
    with pytest.raises(SourceError, match=r"read as corners x0, y0, x1, y1, 2 of 3.*--boxes xywh"):
        census(SIZES, "xyxy").form()
    with pytest.raises(SourceError, match="--boxes xywh"):
        census(SIZES, "xyxy", None).form()


def test_fractions_are_refused_until_the_user_says_so() -> None:
    counts = census(SIZES / np.tile(SIZE, 2))
    with pytest.raises(SourceError, match=r"3 of 3 boxes are within \[0, 1\].*--boxes normalised"):
        counts.form()
    assert counts.form("normalised") == ("xywh", True)


def test_fractions_may_be_corners_too() -> None:
    assert census(CORNERS / np.tile(SIZE, 2)).form("normalised") == ("xyxy", True)


def test_inexact_boxes_and_small_ones_are_believed() -> None:
    sloppy = np.concatenate([SIZES, np.float32([[90, 50, 12, 11], [0, 0, 1, 1]])])
    assert census(sloppy).form() == ("xywh", False)


def test_boxes_far_outside_that_would_be_no_corners_either_are_believed() -> None:
    assert census(np.float32([[60, 40, 50, 50], [5, 5, 20, 20]])).form() == ("xywh", False)


def test_padding_and_numbers_that_are_not_finite_do_not_count() -> None:
    padding = np.zeros((50, 4), np.float32)
    broken = np.float32([[np.nan, 0, 1, 1], [np.inf, 1, 1, 1]])
    counts = census(np.concatenate([SIZES, padding, broken]))
    assert (counts.boxes, counts.form()) == (3, ("xywh", False))


def test_the_answer_does_not_depend_on_how_boxes_are_added() -> None:
    one_by_one = BoxCensus("boxes.json")
    for row in CORNERS[::-1]:
        one_by_one.add(row[None], SIZE[None])
    assert one_by_one == census(CORNERS)


def test_images_without_a_size_are_judged_by_their_fractions_alone() -> None:
    sizes = np.float32([[0, 0], [100, 60], [0, 0]])
    assert census(CORNERS, size=sizes).leaving == 1
    assert census(CORNERS, size=None).form() == ("xywh", False)
    with pytest.raises(SourceError, match="normalised"):
        census(CORNERS / 100, size=None).form()
    assert BoxCensus("empty.json").form() == ("xywh", False)
