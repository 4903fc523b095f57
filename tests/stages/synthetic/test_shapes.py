"""The gallery: the shapes of all categories, from every `shapes_*` module."""

from __future__ import annotations

import importlib
import inspect
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stages.synthetic
from stages.synthetic.categories import CATEGORIES, Category
from stages.synthetic.shape_canvas import Colour, ShapeCanvas

SCALE, SIDE = 30.0, 100  # pixels per unit, pixels of the square canvas
RED, GREEN, BLUE = (200, 40, 40), (40, 200, 40), (40, 40, 200)
ALWAYS_THE_SAME_COLOURS = {"pizza", "traffic light"}
ONE_SHAPE_FOR_ALL_SEEDS = {"snail", "fire hydrant", "stop sign"}

every_category = pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)


def render(
    category: Category, seed: int, main: Colour = RED, accent: Colour = BLUE
) -> np.ndarray:  # (SIDE, SIDE, 4)
    sheet = Image.new("RGBA", (SIDE, SIDE))
    matrix = np.array([[SCALE, 0.0, SIDE / 2], [0.0, SCALE, SIDE / 2]])
    category.render(ShapeCanvas(sheet, matrix, np.random.default_rng(seed), main, accent))
    return np.asarray(sheet)


def drawing_functions() -> set[object]:
    modules = [
        importlib.import_module(f"stages.synthetic.{path.stem}")
        for path in Path(stages.synthetic.__path__[0]).glob("shapes_*.py")
    ]
    return {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_each_public_function_of_the_gallery_draws_exactly_one_category() -> None:
    drawn = [category.render for category in CATEGORIES]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == drawing_functions()


@pytest.mark.slow
@every_category
def test_an_object_fills_the_unit_square_and_stays_inside_the_canvas(category: Category) -> None:
    for seed in range(6):
        rows, columns = np.nonzero(render(category, seed)[..., 3])
        height, width = (np.ptp(rows) + 1) / SCALE, (np.ptp(columns) + 1) / SCALE
        assert 1.5 <= max(height, width) <= 2.5
        assert min(rows.min(), columns.min()) > SIDE / 2 - 1.5 * SCALE
        assert max(rows.max(), columns.max()) < SIDE / 2 + 1.5 * SCALE


@every_category
def test_an_object_covers_a_visible_part_of_its_box(category: Category) -> None:
    alpha = render(category, seed=3)[..., 3]
    rows, columns = np.nonzero(alpha)
    box = alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (box > 0).mean() > 0.15


@every_category
def test_pixels_are_either_opaque_or_transparent(category: Category) -> None:
    assert set(np.unique(render(category, seed=1)[..., 3])) == {0, 255}


@every_category
def test_the_same_seed_and_colours_give_the_same_pixels(category: Category) -> None:
    np.testing.assert_array_equal(render(category, seed=5), render(category, seed=5))


@pytest.mark.slow
@every_category
def test_the_seed_decides_the_details_of_most_categories(category: Category) -> None:
    images = {render(category, seed).tobytes() for seed in range(6)}
    assert (len(images) == 1) == (category.name in ONE_SHAPE_FOR_ALL_SEEDS)


@every_category
def test_the_main_colour_changes_every_object_that_has_a_choice(category: Category) -> None:
    red, green = render(category, 2, main=RED), render(category, 2, main=GREEN)
    np.testing.assert_array_equal(red[..., 3], green[..., 3])  # the outline stays
    changed = (red != green).any()
    assert changed == (category.name not in ALWAYS_THE_SAME_COLOURS)
    assert changed or len(category.colours) == 1


@pytest.mark.slow
def test_all_categories_look_different_at_the_same_seed_and_colours() -> None:
    images = [(category.name, render(category, seed=0).astype(float)) for category in CATEGORIES]
    differences = {
        (name, other_name): np.abs(image - other).mean() / 255
        for (name, image), (other_name, other) in combinations(images, 2)
    }
    assert min(differences.values()) > 0.02, min(differences, key=differences.__getitem__)


def test_rendering_uses_no_other_source_of_randomness() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    for category in CATEGORIES:
        render(category, seed=4)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]


@pytest.mark.parametrize("name", ["key", "scissors", "mug", "teapot"])
def test_rings_and_handles_leave_a_hole_in_the_object(name: str) -> None:
    category = next(c for c in CATEGORIES if c.name == name)
    empty = render(category, seed=0)[..., 3] == 0
    outside = np.zeros_like(empty)
    outside[0, 0] = True
    while True:  # grow the outside into empty neighbours until nothing changes
        grown = outside.copy()
        grown[1:] |= outside[:-1]
        grown[:-1] |= outside[1:]
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        grown &= empty
        if (grown == outside).all():
            break
        outside = grown
    assert (empty & ~outside).sum() >= 4
