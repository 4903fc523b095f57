"""Low frequencies of pictures and of their parts, against the sums that define them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stages.near_duplicates.grey_pictures import SIDE
from stages.near_duplicates.spectra import Window, is_plain, mirroring, spectra
from tests.stages.near_duplicates.smooth import Scene


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_a_spectrum_is_the_weighted_cosine_transform(rng: np.random.Generator) -> None:
    picture = rng.uniform(0, 255, (SIDE, SIDE))
    expected = []
    for down in range(4):
        for across in range(4):
            wave = [
                [
                    math.cos(math.pi * down * (row + 0.5) / SIDE)
                    * math.cos(math.pi * across * (column + 0.5) / SIDE)
                    for column in range(SIDE)
                ]
                for row in range(SIDE)
            ]
            scale = (math.sqrt(2) if down else 1) * (math.sqrt(2) if across else 1)
            expected.append((picture * wave).sum() * scale * math.hypot(down, across))
    vector = np.array(expected[1:])
    (found,) = spectra(picture[None], 4)
    np.testing.assert_allclose(found, vector / np.linalg.norm(vector), atol=1e-12)


def test_brightness_and_contrast_do_not_count(rng: np.random.Generator) -> None:
    pictures = rng.uniform(0, 255, (3, SIDE, SIDE))
    np.testing.assert_allclose(spectra(0.3 * pictures + 60, 8), spectra(pictures, 8), atol=1e-12)


def test_signs_make_the_spectrum_of_the_mirror_image(rng: np.random.Generator) -> None:
    pictures = rng.uniform(0, 255, (2, SIDE, SIDE))
    turned = spectra(pictures[:, :, ::-1], 8)
    np.testing.assert_allclose(spectra(pictures, 8) * mirroring(8), turned, atol=1e-12)


def test_the_spectrum_of_a_part_is_that_of_a_picture_of_the_part(rng: np.random.Generator) -> None:
    scene = Scene(rng)
    whole = scene.pixels(SIDE, SIDE)
    part = scene.pixels(SIDE, SIDE, (0.05, 0.1, 0.95, 1.0))
    (of_part,) = spectra(whole[None], 8, Window(0.05, 0.1, 0.95, 1.0))
    (expected,) = spectra(part[None], 8)
    assert of_part @ expected > 0.97
    assert spectra(whole[None], 8)[0] @ expected < of_part @ expected


def test_a_picture_of_one_brightness_is_plain_and_has_no_spectrum() -> None:
    flat = np.full((1, SIDE, SIDE), 200, np.uint8)
    assert is_plain(flat).tolist() == [True]
    assert np.abs(spectra(flat, 8)).max() < 1e-6 or not np.isnan(spectra(flat, 8)).any()


def test_a_picture_with_contrast_is_not_plain(rng: np.random.Generator) -> None:
    pictures = np.stack([Scene(rng).pixels(SIDE, SIDE), np.zeros((SIDE, SIDE), np.uint8)])
    assert is_plain(pictures).tolist() == [False, True]


def test_no_pictures_have_no_spectra() -> None:
    assert spectra(np.zeros((0, SIDE, SIDE), np.uint8), 8).shape == (0, 63)
