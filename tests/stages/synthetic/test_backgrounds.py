from __future__ import annotations

import numpy as np
import pytest

from stages.synthetic.backgrounds import (
    PLACES,
    TEXTURES,
    _smooth_noise,
    _two_textures,
    plain_background,
    textured_background,
)
from stages.synthetic.captions import PLACE_PHRASES


@pytest.mark.slow
@pytest.mark.parametrize("noun", TEXTURES)
def test_a_texture_fills_any_size_with_finite_values_that_vary(noun: str) -> None:
    for width, height in ((320, 256), (64, 33), (9, 7)):
        image = np.asarray(TEXTURES[noun](width, height, np.random.default_rng(1)))
        assert image.shape == (height, width, 3)
        assert np.isfinite(image).all()
    assert np.asarray(TEXTURES[noun](320, 256, np.random.default_rng(2))).std() > 1


def test_a_plain_background_varies_less_than_an_average_texture() -> None:
    def roughness(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=1)).mean())

    plains = [roughness(plain_background(96, 96, np.random.default_rng(k))) for k in range(20)]
    textures = [
        roughness(textured_background(96, 96, np.random.default_rng(k))[0]) for k in range(20)
    ]
    assert max(plains) < np.mean(textures) / 3


def test_every_place_has_a_caption_phrase_and_known_textures() -> None:
    keys = {place for _, _, place in PLACES} | set(TEXTURES)
    assert keys == set(PLACE_PHRASES)
    assert {texture for far, near, _ in PLACES for texture in (far, near)} <= set(TEXTURES)


@pytest.mark.parametrize("noun", TEXTURES)
def test_a_texture_depends_only_on_its_generator(noun: str) -> None:
    first, second, third = (
        np.asarray(TEXTURES[noun](40, 30, np.random.default_rng(seed))) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_smooth_noise_has_mean_zero_and_the_grain_of_its_cell() -> None:
    rng = np.random.default_rng(0)
    fine, coarse = (
        np.stack([_smooth_noise(64, 48, (cell, cell), rng)[..., 0] for _ in range(50)])
        for cell in (2.0, 24.0)
    )
    assert fine.shape == coarse.shape == (50, 48, 64)
    assert abs(fine.mean()) < 0.02
    assert np.abs(np.diff(fine, axis=2)).mean() > 4 * np.abs(np.diff(coarse, axis=2)).mean()


def test_a_place_of_two_textures_has_a_dark_horizon_in_its_upper_two_thirds() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        image, place = _two_textures(50, 60, rng)
        assert image.shape == (60, 50, 3)
        assert place in {name for _, _, name in PLACES}
    rendered = [_two_textures(50, 60, np.random.default_rng(seed)) for seed in range(60)]
    beaches = [image.mean(axis=(1, 2)) for image, place in rendered if place == "beach"]
    horizons = [1 + int(np.argmin(np.diff(brightness))) for brightness in beaches]
    assert len(horizons) > 2
    assert int(60 * 0.3) - 1 <= min(horizons)
    assert max(horizons) <= int(60 * 0.62)


def test_a_textured_background_is_a_texture_or_a_place() -> None:
    rng = np.random.default_rng(1)
    names = [textured_background(12, 10, rng)[1] for _ in range(400)]
    places = {name for _, _, name in PLACES}
    assert set(names) == places | set(TEXTURES)
    share = np.mean([name in places - set(TEXTURES) for name in names])
    assert share == pytest.approx(0.45 * 11 / 13, abs=0.07)  # two of 13 places are called "night"
