from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stages.synthetic.pen import NOTHING, Pen, tone


def pen_on(sheet: Image.Image, scale: float = 40.0) -> Pen:
    matrix = np.array([[scale, 0.0, 50.0], [0.0, scale, 50.0]])
    return Pen(sheet, matrix, np.random.default_rng(0), (200, 40, 40), (40, 40, 200))


def alpha(sheet: Image.Image, x: int, y: int) -> int:
    return int(np.asarray(sheet)[y, x, 3])


@pytest.fixture
def sheet() -> Image.Image:
    return Image.new("RGBA", (100, 100))


def test_a_unit_square_covers_the_pixels_the_map_sends_it_to(sheet: Image.Image) -> None:
    pen_on(sheet).rect((-1, -1, 1, 1), (1, 2, 3))
    assert sheet.getbbox() == (10, 10, 91, 91)
    assert sheet.getpixel((50, 50)) == (1, 2, 3, 255)


def test_a_rounded_rectangle_lacks_its_corners_and_keeps_its_sides(sheet: Image.Image) -> None:
    pen_on(sheet).rect((-1, -1, 1, 1), (1, 2, 3), rounding=0.5)
    assert alpha(sheet, 11, 11) == 0
    assert sheet.getbbox() == (10, 10, 91, 91)


def test_filling_with_nothing_makes_a_hole(sheet: Image.Image) -> None:
    pen = pen_on(sheet)
    pen.disc(0, 0, 1, (9, 9, 9))
    pen.disc(0, 0, 0.5, NOTHING)
    assert alpha(sheet, 50, 50) == 0
    assert alpha(sheet, 14, 50) == 255


def test_a_disc_has_the_area_of_a_circle(sheet: Image.Image) -> None:
    pen_on(sheet).disc(0, 0, 1, (9, 9, 9))
    area = (np.asarray(sheet)[..., 3] > 0).sum()
    assert area == pytest.approx(np.pi * 40**2, rel=0.05)


def test_a_turned_oval_is_as_high_as_it_was_wide(sheet: Image.Image) -> None:
    pen_on(sheet).oval(0, 0, 1.0, 0.3, (9, 9, 9), turn=90)
    x0, y0, x1, y1 = sheet.getbbox() or (0, 0, 0, 0)
    assert x1 - x0 == pytest.approx(25, abs=2)
    assert y1 - y0 == pytest.approx(81, abs=2)


def test_a_blob_passes_through_its_points(sheet: Image.Image) -> None:
    pen_on(sheet).blob([(0, -1), (1, 0), (0, 1), (-1, 0)], (9, 9, 9))
    x0, y0, x1, y1 = sheet.getbbox() or (0, 0, 0, 0)
    assert x0 <= 11
    assert y0 <= 11
    assert x1 >= 90
    assert y1 >= 90


def test_a_ring_leaves_its_inside_alone(sheet: Image.Image) -> None:
    pen_on(sheet).ring(0, 0, 0.8, 0.8, 0.1, (9, 9, 9))
    assert alpha(sheet, 50, 50) == 0
    assert alpha(sheet, 82, 50) == 255


def test_tone_darkens_below_one_and_whitens_above() -> None:
    assert tone((100, 200, 0), 1.0) == (100, 200, 0)
    assert tone((100, 200, 0), 0.1) == (10, 20, 0)
    assert tone((0, 0, 0), 1.5) == (128, 128, 128)
