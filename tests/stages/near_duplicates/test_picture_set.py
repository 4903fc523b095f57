"""Candidates, against a comparison of all pairs in all ways one by one."""

from __future__ import annotations

import numpy as np
import pytest

from stages.near_duplicates import picture_set
from stages.near_duplicates.grey_pictures import SIDE
from stages.near_duplicates.picture_set import CANDIDATE, FREQUENCIES, WINDOWS, PictureSet
from stages.near_duplicates.spectra import Window, spectra
from tests.stages.near_duplicates.smooth import Scene


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def pictures(rng: np.random.Generator, count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.stack([Scene(rng).pixels(SIDE, SIDE) for _ in range(count)])


def everyone(queries: np.ndarray, number: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(len(queries), number)


def best_product(one: np.ndarray, other: np.ndarray) -> float:  # type: ignore[type-arg]
    """Of whole with whole, and of whole with each window of the other, mirrored or not."""
    products = []
    for turned in (other, other[:, ::-1]):
        for window in WINDOWS:
            for larger, smaller in ((one, turned), (turned, one)):
                part = spectra(larger[None], FREQUENCIES, window)[0]
                products.append(part @ spectra(smaller[None], FREQUENCIES)[0])
    return float(max(products))


def test_candidates_are_those_of_a_plain_comparison(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_set, "_BLOCK", 3)  # not a divisor of the number of pictures
    monkeypatch.setattr(picture_set, "CANDIDATE", 0.1)
    known, queries = pictures(rng, 7), pictures(rng, 5)
    found = PictureSet([*known]).candidates(queries, everyone(queries, 7))
    for query, candidates in zip(queries, found, strict=True):
        products = [best_product(query, other) for other in known]
        expected = sorted(
            (n for n, p in enumerate(products) if p >= 0.1), key=lambda n: -products[n]
        )
        assert [one.number for one in candidates] == expected
        assert [one.product for one in candidates] == pytest.approx(
            [products[n] for n in expected], abs=1e-5
        )


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("larger", ["image", "other"])
def test_a_hypothesis_says_where_the_two_agree(
    rng: np.random.Generator, mirrored: bool, larger: str
) -> None:
    scene = Scene(rng)
    whole, part = scene.pixels(SIDE, SIDE), scene.pixels(SIDE, SIDE, (0.1, 0.0, 1.0, 0.9))
    image, other = (whole, part) if larger == "image" else (part, whole)
    if mirrored:
        other = np.ascontiguousarray(other[:, ::-1])
    ((found,),) = PictureSet([other]).candidates(image[None], everyone(image[None], 1))
    assert (found.hypothesis.mirrored, found.hypothesis.larger) == (mirrored, larger)
    assert found.hypothesis.window == Window(0.1, 0.0, 1.0, 0.9)
    assert found.product > 0.9


def test_only_pictures_before_a_number_are_compared(rng: np.random.Generator) -> None:
    (same,) = pictures(rng, 1)
    queries = np.stack([same] * 5)
    found = PictureSet([same] * 4).candidates(queries, np.array([0, 1, 2, 3, 4]))
    assert [[one.number for one in some] for some in found] == [list(range(n)) for n in range(5)]


def test_the_likeliest_are_kept_where_there_are_too_many(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_set, "MOST", 3)
    monkeypatch.setattr(picture_set, "_BLOCK", 4)
    scene = Scene(rng)
    copies = [scene.pixels(SIDE, SIDE, (0, 0, 1 - n / 100, 1)) for n in range(10)]
    (found,) = PictureSet(copies[::-1]).candidates(copies[0][None], np.array([10]))
    assert len(found) == 3
    assert found[0].number == 9
    assert all(one.product >= CANDIDATE for one in found)


def test_plain_pictures_and_empty_sets_have_no_candidates(rng: np.random.Generator) -> None:
    flat = np.full((2, SIDE, SIDE), 9, np.uint8)
    some = pictures(rng, 2)
    assert PictureSet([*flat]).candidates(flat, everyone(flat, 2)) == [[], []]
    assert PictureSet([]).candidates(some, everyone(some, 0)) == [[], []]
    assert PictureSet([*some]).candidates(some[:0], everyone(some[:0], 2)) == []
