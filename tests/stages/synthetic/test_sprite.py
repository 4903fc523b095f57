from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import OptionError
from stages.synthetic.categories import CATEGORIES, Category
from stages.synthetic.sprite import VISIBLE_ALPHA, render_sprite

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
