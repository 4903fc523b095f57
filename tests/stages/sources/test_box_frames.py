from __future__ import annotations

import numpy as np
import pytest

from stages.pixels import upright
from stages.sources.box_frames import ImageShape, Move, move_into, turn


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_turned_as_the_pixels_are(orientation: int) -> None:
    stored = np.zeros((6, 10, 3), np.uint8)
    stored[1:3, 7:10] = 1  # rows 1 to 3, columns 7 to 10
    shown = upright(stored, orientation)[:, :, 0]
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert turn(np.array([[7.0, 1, 10, 3]]), (10, 6), orientation).tolist() == [expected]


@pytest.mark.parametrize(
    ("frame", "shape", "box"),
    [
        (None, ImageShape(60, 100, 6), [70, 10, 90, 20]),
        ((60, 100), ImageShape(60, 100, 6), [70, 10, 90, 20]),
        ((100, 60), ImageShape(60, 100, 6), [40, 70, 50, 90]),
        ((200, 120), ImageShape(60, 100, 6), [50, 35, 55, 45]),
        ((100, 60), ImageShape(100, 60, 3), [70, 10, 90, 20]),
        ((200, 120), ImageShape(100, 60), [35, 5, 45, 10]),
        ((333, 200), ImageShape(1000, 600), [70 / 0.333, 30, 90 / 0.333, 60]),
    ],
)
def test_boxes_come_into_their_image(
    frame: tuple[float, float] | None, shape: ImageShape, box: list[float]
) -> None:
    move = move_into(frame, shape)
    assert move is not None
    np.testing.assert_allclose(move.apply(np.array([[70.0, 10, 90, 20]])), [box])


def test_fractions_are_of_the_upright_image() -> None:
    assert move_into((1, 1), ImageShape(60, 100, 6)) == Move((60, 100))


@pytest.mark.parametrize(
    ("frame", "shape"),
    [
        ((100, 70), ImageShape(100, 60)),
        ((60, 100), ImageShape(100, 60)),  # exchanged, and no orientation says why
        ((200, 199), ImageShape(100, 90)),
        ((120, 50), ImageShape(100, 60)),
        ((200, 200), ImageShape(100, 101, 6)),  # nearly square: it could be resized either way
    ],
)
def test_sizes_without_an_exact_relation_are_refused(
    frame: tuple[float, float], shape: ImageShape
) -> None:
    assert move_into(frame, shape) is None
