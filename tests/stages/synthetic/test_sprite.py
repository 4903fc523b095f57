from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import OptionError
from stages.synthetic.categories import CATEGORIES, Category
from stages.synthetic.sprite import VISIBLE, sprite

every_category = pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)


@every_category
def test_an_object_reaches_every_edge_of_its_sprite_and_is_about_as_large_as_asked(
    category: Category,
) -> None:
    for side in (24, 60, 200):
        pixels = sprite(category, side, np.random.default_rng(side)).pixels
        visible = pixels[..., 3] >= VISIBLE
        assert pixels.dtype == np.uint8
        assert visible[0].any()
        assert visible[-1].any()
        assert visible[:, 0].any()
        assert visible[:, -1].any()
        assert 0.55 * side <= max(visible.shape) <= 1.5 * side


@every_category
def test_no_drawing_is_cut_off_by_its_sheet(category: Category) -> None:
    # a drawing cut by the sheet would show a long straight run of opaque pixels at an edge
    longest = round(60 * 1.55) - 1
    for seed in range(5):
        pixels = sprite(category, 60, np.random.default_rng([seed, 9])).pixels
        assert max(pixels.shape[:2]) < longest


@every_category
def test_no_two_drawings_of_a_category_are_equal(category: Category) -> None:
    one, other = (sprite(category, 40, np.random.default_rng(seed)).pixels for seed in (1, 2))
    assert one.shape != other.shape or (one != other).any()


def test_the_same_generator_draws_the_same_bytes() -> None:
    for category in CATEGORIES[::7]:
        one, other = (sprite(category, 50, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.colour == other.colour


def test_the_named_colour_is_one_the_category_may_have() -> None:
    rng = np.random.default_rng(0)
    for category in CATEGORIES:
        assert sprite(category, 30, rng).colour in category.colours


def test_a_red_car_is_redder_than_a_blue_one() -> None:
    car = next(c for c in CATEGORIES if c.name == "car")
    redness: dict[str, list[float]] = {"red": [], "blue": []}
    for seed in range(60):
        drawn = sprite(car, 60, np.random.default_rng(seed))
        if drawn.colour in redness:
            inside = drawn.pixels[drawn.pixels[..., 3] > 250].astype(float)
            redness[drawn.colour].append(float(inside[:, 0].mean() - inside[:, 2].mean()))
    assert min(redness["red"]) > max(redness["blue"])


def test_a_drawing_of_nothing_is_refused_by_name() -> None:
    ghost = Category("ghost", "play", lambda pen: None)
    with pytest.raises(OptionError, match="ghost"):
        sprite(ghost, 30, np.random.default_rng(0))
