from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stages.synthetic.shape_canvas import (
    BLACK,
    TRANSPARENT,
    WHITE,
    ShapeCanvas,
    _smooth_path,
    tone,
)


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


def test_the_affine_map_rotates_the_whole_drawing(sheet: Image.Image) -> None:
    quarter_turn = np.array([[0.0, -40.0, 50.0], [40.0, 0.0, 50.0]])
    canvas = ShapeCanvas(sheet, quarter_turn, np.random.default_rng(0), (1, 1, 1), (2, 2, 2))
    canvas.rectangle((-1, -0.25, 1, 0.25), (9, 9, 9))
    assert sheet.getbbox() == (40, 10, 61, 91)


def test_a_line_has_its_width_and_round_ends(sheet: Image.Image) -> None:
    canvas_on(sheet).line([(-0.5, 0), (0.5, 0)], 0.5, (9, 9, 9))
    x0, y0, x1, y1 = sheet.getbbox() or (0, 0, 0, 0)
    assert y1 - y0 == pytest.approx(0.5 * 40, abs=2)
    assert x1 - x0 == pytest.approx((1.0 + 0.5) * 40, abs=2)
    assert alpha(sheet, x0, y0) == 0


def test_a_thin_line_is_at_least_one_pixel_wide(sheet: Image.Image) -> None:
    canvas_on(sheet).line([(-1, 0), (1, 0)], 0.001, (9, 9, 9))
    assert (np.asarray(sheet)[:, 50, 3] > 0).sum() == 1


def test_a_smooth_path_follows_the_catmull_rom_formula() -> None:
    points = np.random.default_rng(3).uniform(-1, 1, (5, 2))
    path = _smooth_path(points, closed=True)
    assert path.shape == (5 * 6, 2)
    for span in range(5):
        p0, p1, p2, p3 = (points[(span + offset) % 5] for offset in (-1, 0, 1, 2))
        for step in range(6):
            t = step / 6
            tangent1, tangent2 = (p2 - p0) / 2, (p3 - p1) / 2
            hermite = (
                (2 * t**3 - 3 * t**2 + 1) * p1
                + (t**3 - 2 * t**2 + t) * tangent1
                + (-2 * t**3 + 3 * t**2) * p2
                + (t**3 - t**2) * tangent2
            )
            np.testing.assert_allclose(path[6 * span + step], hermite, atol=1e-12)


def test_an_open_smooth_path_begins_and_ends_at_its_end_points() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 0.0]])
    path = _smooth_path(points, closed=False)
    assert path.shape == (2 * 6 + 1, 2)
    for index, point in ((0, points[0]), (6, points[1]), (12, points[2])):
        np.testing.assert_allclose(path[index], point)


def test_a_highlight_is_a_light_tone_of_the_main_colour(sheet: Image.Image) -> None:
    canvas_on(sheet).highlight(0, 0, 0.5, 0.5)
    assert sheet.getpixel((50, 50)) == (*tone((200, 40, 40), 1.45), 255)


def test_eyes_are_dark_and_symmetric_with_a_light_spot(sheet: Image.Image) -> None:
    canvas_on(sheet).eyes(0, 0, 1.0, 0.2)
    opaque = np.asarray(sheet)[..., 3] > 0
    left, right = opaque[:, 20:50].sum(), opaque[:, 51:81].sum()
    assert left == pytest.approx(right, rel=0.1)
    assert sheet.getpixel((50 + 20 + 3, 53)) == (*BLACK, 255)
    assert sheet.getpixel((50 + 20 - 2, 50 - 3)) == (*WHITE, 255)


def test_random_numbers_come_from_the_generator_of_the_canvas(sheet: Image.Image) -> None:
    canvas, expected = canvas_on(sheet), np.random.default_rng(0)
    assert canvas.uniform(2, 5) == expected.uniform(2, 5)
    assert canvas.chance(0.5) == (expected.random() < 0.5)
    assert not canvas.chance(0.0)
    assert canvas.chance(1.0)
