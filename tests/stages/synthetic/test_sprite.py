from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import OptionError
from stages.synthetic.categories import CATEGORIES, COLOURS, Category
from stages.synthetic.sprite import (
    VISIBLE_ALPHA,
    _add_shading,
    _expand_box,
    _jitter_colour,
    _trim_transparent,
    render_sprite,
)

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import ShapeCanvas

pytestmark = pytest.mark.slow

every_category = pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)


@every_category
def test_an_object_touches_every_edge_of_its_sprite_and_has_about_the_requested_size(
    category: Category,
) -> None:
    for side in (24, 60, 200):
        pixels = render_sprite(category, side, np.random.default_rng(side)).pixels
        visible = pixels[..., 3] >= VISIBLE_ALPHA
        assert pixels.dtype == np.uint8
        assert visible[0].any()
        assert visible[-1].any()
        assert visible[:, 0].any()
        assert visible[:, -1].any()
        assert 0.55 * side <= max(visible.shape) <= 1.5 * side


@every_category
def test_no_object_is_cut_off_by_its_canvas(category: Category) -> None:
    # an object cut off by the canvas would be as large as the canvas
    longest = round(60 * 1.55) - 1
    for seed in range(5):
        pixels = render_sprite(category, 60, np.random.default_rng([seed, 9])).pixels
        assert max(pixels.shape[:2]) < longest


@every_category
def test_two_objects_of_a_category_differ_between_seeds(category: Category) -> None:
    first, second = (
        render_sprite(category, 40, np.random.default_rng(seed)).pixels for seed in (1, 2)
    )
    assert first.shape != second.shape or (first != second).any()


def test_the_same_seed_renders_the_same_bytes() -> None:
    for category in CATEGORIES[::7]:
        first, second = (render_sprite(category, 50, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first.pixels, second.pixels)
        assert first.colour == second.colour


def test_the_named_colour_is_one_the_category_may_have() -> None:
    rng = np.random.default_rng(0)
    for category in CATEGORIES:
        assert render_sprite(category, 30, rng).colour in category.colours


def test_a_red_car_is_redder_than_a_blue_one() -> None:
    car = next(c for c in CATEGORIES if c.name == "car")
    redness: dict[str, list[float]] = {"red": [], "blue": []}
    for seed in range(60):
        rendered = render_sprite(car, 60, np.random.default_rng(seed))
        if rendered.colour in redness:
            opaque = rendered.pixels[rendered.pixels[..., 3] > 250].astype(float)
            redness[rendered.colour].append(float(opaque[:, 0].mean() - opaque[:, 2].mean()))
    assert min(redness["red"]) > max(redness["blue"])


def test_an_object_without_visible_pixels_is_refused_by_name() -> None:
    ghost = Category("ghost", "play", lambda canvas: None)
    with pytest.raises(
        OptionError, match="ghost at 30 pixels has no visible pixel; give a longer side"
    ):
        render_sprite(ghost, 30, np.random.default_rng(0))


def test_a_category_without_flip_and_tilt_is_only_stretched() -> None:
    def corner(canvas: ShapeCanvas) -> None:  # an L, so that flips and turns can be seen
        canvas.rectangle((-0.9, -0.9, -0.5, 0.9), (9, 9, 9))
        canvas.rectangle((-0.9, 0.5, 0.9, 0.9), (9, 9, 9))

    upright = Category("corner", "play", corner, max_tilt=0.0, can_flip=False)
    ratios = []
    for seed in range(40):
        alpha = render_sprite(upright, 60, np.random.default_rng(seed)).pixels[..., 3]
        height, width = alpha.shape
        assert alpha[: height // 3, : width // 8].min() >= VISIBLE_ALPHA
        assert alpha[: height // 3, width // 2 :].max() < VISIBLE_ALPHA
        ratios.append(width / height)
    assert np.exp(-0.3) < min(ratios) < 0.95
    assert 1.05 < max(ratios) < np.exp(0.3)


def test_about_half_of_the_objects_are_mirrored() -> None:
    def left_half(canvas: ShapeCanvas) -> None:
        canvas.rectangle((-0.9, -0.9, 0.9, -0.8), (9, 9, 9))
        canvas.rectangle((-0.9, -0.9, 0.0, 0.9), (9, 9, 9))

    category = Category("half", "play", left_half, max_tilt=0.0)
    masses = []
    for seed in range(200):
        alpha = render_sprite(category, 30, np.random.default_rng(seed)).pixels[..., 3] > 0
        left, right = np.array_split(alpha, 2, axis=1)
        masses.append(left.sum() > right.sum())
    assert np.mean(masses) == pytest.approx(0.5, abs=0.1)


def test_jitter_keeps_a_colour_valid_and_near() -> None:
    rng = np.random.default_rng(1)
    for name, colour in COLOURS.items():
        jittered = np.array([_jitter_colour(colour, rng) for _ in range(100)])
        assert jittered.min() >= 12, name
        assert jittered.max() <= 250, name
        assert np.abs(jittered.mean(axis=0) - colour).max() < 16, name
        assert len(np.unique(jittered, axis=0)) > 50, name


def test_shading_is_a_linear_ramp_that_keeps_alpha() -> None:
    pixels = np.full((21, 31, 4), 100, dtype=np.uint8)
    shaded = _add_shading(pixels, np.random.default_rng(3))
    np.testing.assert_array_equal(shaded[..., 3], pixels[..., 3])
    column = shaded[:, 15, 0].astype(float)
    assert (np.diff(column) <= 0).all()  # light from above
    expected = np.linspace(column[0], column[-1], 21)
    np.testing.assert_allclose(column, expected, atol=1.0)


def test_trimming_cuts_border_rows_and_columns_below_the_visible_alpha() -> None:
    pixels = np.zeros((6, 7, 4), dtype=np.uint8)
    pixels[2:4, 1:5, 3] = VISIBLE_ALPHA
    pixels[0, :, 3] = VISIBLE_ALPHA - 1
    assert _trim_transparent(pixels).shape == (2, 4, 4)
    assert _trim_transparent(pixels[:1]).size == 0


def test_a_box_is_expanded_up_to_the_limits() -> None:
    assert _expand_box((10, 1, 20, 29), 4, 30) == (6, 0, 24, 30)
