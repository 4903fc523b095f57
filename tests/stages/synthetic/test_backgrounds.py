from __future__ import annotations

import numpy as np
import pytest

from stages.synthetic.backgrounds import (
    PLACES,
    TEXTURES,
    plain_background,
    textured_background,
)
from stages.synthetic.captions import PLACE_PHRASES


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
