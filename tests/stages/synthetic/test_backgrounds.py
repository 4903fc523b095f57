from __future__ import annotations

import numpy as np
import pytest

from stages.synthetic.backgrounds import PLACES as PLACE_PARTS
from stages.synthetic.backgrounds import TEXTURES, plain, textured
from stages.synthetic.captions import PLACES


@pytest.mark.parametrize("noun", TEXTURES)
def test_a_texture_fills_any_size_with_finite_values_that_vary(noun: str) -> None:
    for width, height in ((320, 256), (64, 33), (9, 7)):
        canvas = np.asarray(TEXTURES[noun](width, height, np.random.default_rng(1)))
        assert canvas.shape == (height, width, 3)
        assert np.isfinite(canvas).all()
    assert np.asarray(TEXTURES[noun](320, 256, np.random.default_rng(2))).std() > 1


def test_a_plain_backdrop_varies_less_than_the_textures_do_on_average() -> None:
    def rough(canvas: np.ndarray) -> float:
        return float(np.abs(np.diff(canvas, axis=1)).mean())

    plains = [rough(plain(96, 96, np.random.default_rng(k))) for k in range(20)]
    textures = [rough(textured(96, 96, np.random.default_rng(k))[0]) for k in range(20)]
    assert max(plains) < np.mean(textures) / 3


def test_every_place_has_a_caption_word_and_known_textures() -> None:
    nouns = {noun for _, _, noun in PLACE_PARTS} | set(TEXTURES)
    assert nouns == set(PLACES)
    assert {part for far, near, _ in PLACE_PARTS for part in (far, near)} <= set(TEXTURES)
