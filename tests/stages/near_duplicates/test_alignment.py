"""Pictures are aligned: known parts are found again, and strangers do not agree."""

from __future__ import annotations

import numpy as np
import pytest

from stages.near_duplicates.alignment import (
    FREQUENCIES,
    SMALLEST_PART,
    Hypothesis,
    agreement,
    aligned,
)
from stages.near_duplicates.grey_pictures import SIDE
from stages.near_duplicates.spectra import Window, spectra
from tests.stages.near_duplicates.smooth import Scene


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.1, 0.1), (0.07, 0.02), (0.05, 0.05)])
def test_a_known_part_is_found_again(rng: np.random.Generator, place: tuple[float, float]) -> None:
    scene = Scene(rng)
    part = (*place, place[0] + 0.9, place[1] + 0.9)
    similarity, window = aligned(scene.pixels(SIDE, SIDE, part), scene.pixels(SIDE, SIDE))
    assert similarity > 0.9
    found = (window.x0, window.y0, window.x1, window.y1)
    np.testing.assert_allclose(found, part, atol=0.02)


def test_what_is_found_agrees_at_least_as_well_as_the_start(rng: np.random.Generator) -> None:
    one, other = (Scene(rng).pixels(SIDE, SIDE) for _ in range(2))
    start = Window(0.05, 0.05, 0.95, 0.95)
    similarity, window = aligned(one, other, start)
    products = [
        float(spectra(one[None], FREQUENCIES)[0] @ spectra(other[None], FREQUENCIES, where)[0])
        for where in (start, window)
    ]
    assert similarity == pytest.approx(products[1])
    assert similarity >= products[0]
    assert window.smaller_side >= SMALLEST_PART - 1e-9


def test_the_same_picture_agrees_entirely(rng: np.random.Generator) -> None:
    picture = Scene(rng).pixels(SIDE, SIDE)
    found = agreement(picture, picture, Hypothesis())
    assert found.similarity == pytest.approx(1)
    assert found.similarity <= 1
    assert (found.mirrored, found.cropped) == (False, None)


@pytest.mark.parametrize("mirrored", [False, True])
def test_it_is_told_which_of_the_two_is_cropped(rng: np.random.Generator, mirrored: bool) -> None:
    scene = Scene(rng)
    whole, part = scene.pixels(SIDE, SIDE), scene.pixels(SIDE, SIDE, (0.1, 0.02, 1.0, 0.92))
    turn = slice(None, None, -1) if mirrored else slice(None)
    by_image = agreement(part, whole[:, turn], Hypothesis(mirrored))
    by_other = agreement(whole, part[:, turn], Hypothesis(mirrored))
    assert (by_image.cropped, by_other.cropped) == ("image", "other")
    assert min(by_image.similarity, by_other.similarity) > 0.9


def test_strangers_do_not_agree(rng: np.random.Generator) -> None:
    pictures = [Scene(rng).pixels(SIDE, SIDE) for _ in range(8)]
    scores = [
        agreement(one, other, Hypothesis(mirrored)).similarity
        for n, one in enumerate(pictures)
        for other in pictures[:n]
        for mirrored in (False, True)
    ]
    assert max(scores) < 0.7


def test_a_picture_of_one_brightness_agrees_with_none(rng: np.random.Generator) -> None:
    flat = np.full((SIDE, SIDE), 7, np.uint8)
    assert agreement(flat, Scene(rng).pixels(SIDE, SIDE), Hypothesis()).similarity < 0.7
