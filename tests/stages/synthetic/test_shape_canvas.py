from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stages.synthetic.shape_canvas import TRANSPARENT, ShapeCanvas, tone


def canvas_on(sheet: Image.Image, scale: float = 40.0) -> ShapeCanvas:
    matrix = np.array([[scale, 0.0, 50.0], [0.0, scale, 50.0]])
    return ShapeCanvas(sheet, matrix, np.random.default_rng(0), (200, 40, 40), (40, 40, 200))


def alpha(sheet: Image.Image, x: int, y: int) -> int:
    return int(np.asarray(sheet)[y, x, 3])


@pytest.fixture
def sheet() -> Image.Image:
    return Image.new("RGBA", (100, 100))


def test_a_unit_square_covers_the_pixels_that_the_affine_map_gives(sheet: Image.Image) -> None:
    canvas_on(sheet).rectangle((-1, -1, 1, 1), (1, 2, 3))
    assert sheet.getbbox() == (10, 10, 91, 91)
    assert sheet.getpixel((50, 50)) == (1, 2, 3, 255)


def test_a_rounded_rectangle_has_empty_corners_and_full_sides(sheet: Image.Image) -> None:
    canvas_on(sheet).rectangle((-1, -1, 1, 1), (1, 2, 3), rounding=0.5)
    assert alpha(sheet, 11, 11) == 0
    assert sheet.getbbox() == (10, 10, 91, 91)


def test_filling_with_transparent_makes_a_hole(sheet: Image.Image) -> None:
    canvas = canvas_on(sheet)
    canvas.circle(0, 0, 1, (9, 9, 9))
    canvas.circle(0, 0, 0.5, TRANSPARENT)
    assert alpha(sheet, 50, 50) == 0
    assert alpha(sheet, 14, 50) == 255


def test_a_filled_circle_has_the_area_of_a_circle(sheet: Image.Image) -> None:
    canvas_on(sheet).circle(0, 0, 1, (9, 9, 9))
    area = (np.asarray(sheet)[..., 3] > 0).sum()
    assert area == pytest.approx(np.pi * 40**2, rel=0.05)


def test_an_ellipse_rotated_by_90_degrees_swaps_width_and_height(sheet: Image.Image) -> None:
    canvas_on(sheet).ellipse(0, 0, 1.0, 0.3, (9, 9, 9), degrees=90)
    x0, y0, x1, y1 = sheet.getbbox() or (0, 0, 0, 0)
    assert x1 - x0 == pytest.approx(25, abs=2)
    assert y1 - y0 == pytest.approx(81, abs=2)


def test_a_closed_curve_passes_through_its_points(sheet: Image.Image) -> None:
    canvas_on(sheet).closed_curve([(0, -1), (1, 0), (0, 1), (-1, 0)], (9, 9, 9))
    x0, y0, x1, y1 = sheet.getbbox() or (0, 0, 0, 0)
    assert x0 <= 11
    assert y0 <= 11
    assert x1 >= 90
    assert y1 >= 90


def test_a_ring_does_not_change_its_inside(sheet: Image.Image) -> None:
    canvas_on(sheet).ring(0, 0, 0.8, 0.8, 0.1, (9, 9, 9))
    assert alpha(sheet, 50, 50) == 0
    assert alpha(sheet, 82, 50) == 255


def test_tone_darkens_below_one_and_whitens_above() -> None:
    assert tone((100, 200, 0), 1.0) == (100, 200, 0)
    assert tone((100, 200, 0), 0.1) == (10, 20, 0)
    assert tone((0, 0, 0), 1.5) == (128, 128, 128)
