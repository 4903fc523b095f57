from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.synthetic.categories import CATEGORIES, NOVEL
from stages.synthetic.world import SyntheticImage, scene, web_picture

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {c.name for c in CATEGORIES}


def equal(one: SyntheticImage, other: SyntheticImage) -> bool:
    return (
        one.image.tobytes() == other.image.tobytes()
        and one.boxes.tobytes() == other.boxes.tobytes()
        and (one.captions, one.categories) == (other.captions, other.categories)
    )


@pytest.mark.parametrize("draw", [web_picture, scene])
def test_a_picture_follows_from_its_seed_and_index_alone(
    draw: Callable[[int, int], SyntheticImage],
) -> None:
    first = draw(3, 8)
    draw(4, 1)
    np.random.seed(0)  # global state must not matter
    assert equal(first, draw(3, 8))
    assert not equal(first, draw(3, 9))
    assert not equal(first, draw(4, 8))


@pytest.mark.parametrize("draw", [web_picture, scene])
def test_boxes_are_within_the_picture_and_have_a_category_each(
    draw: Callable[[int, int], SyntheticImage],
) -> None:
    for index in range(40):
        picture = draw(11, index)
        height, width, channels = picture.image.shape
        assert channels == 3
        assert picture.image.dtype == np.uint8
        assert picture.boxes.dtype == np.float32
        assert picture.boxes.shape == (len(picture.categories), 4)
        assert set(picture.categories) <= NAMES
        x0, y0, x1, y1 = picture.boxes.T
        assert (x0 >= 0).all()
        assert (y0 >= 0).all()
        assert (x1 <= width).all()
        assert (y1 <= height).all()
        assert (x1 - x0 >= 8).all()
        assert (y1 - y0 >= 4).all()


def test_sizes_are_those_asked_for() -> None:
    assert web_picture(0, 0, size=64).image.shape == (64, 64, 3)
    assert scene(0, 0, size=(200, 140)).image.shape == (140, 200, 3)


def test_web_pictures_hold_one_large_object_or_two() -> None:
    pictures = [web_picture(1, index) for index in range(120)]
    counts = Counter(len(p.boxes) for p in pictures)
    assert set(counts) == {1, 2}
    assert counts[1] > 2 * counts[2]
    single = [p.boxes[0] for p in pictures if len(p.boxes) == 1]
    assert np.median([max(b[2] - b[0], b[3] - b[1]) for b in single]) > 48


def test_scenes_hold_five_to_eleven_objects_of_many_sizes_and_some_overlap() -> None:
    pictures = [scene(2, index) for index in range(40)]
    counts = [len(p.boxes) for p in pictures]
    sides = np.concatenate([(p.boxes[:, 2:] - p.boxes[:, :2]).max(axis=1) for p in pictures])
    assert min(counts) >= 4
    assert max(counts) <= 11
    assert np.percentile(sides, 90) > 2 * np.percentile(sides, 10)
    assert any(overlap(p.boxes) for p in pictures)


def overlap(boxes: np.ndarray) -> bool:
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (bottom_right - top_left).clip(min=0).prod(axis=2)
    np.fill_diagonal(shared, 0)
    return bool((shared > 100).any())


def test_every_category_occurs_and_novel_ones_are_mentioned_in_captions() -> None:
    pictures = [web_picture(5, index, size=32) for index in range(700)]
    assert {name for p in pictures for name in p.categories} == NAMES
    text = " ; ".join(caption for p in pictures for caption in p.captions)
    assert all(name in text for name in NOVEL)


def test_a_box_marks_where_the_picture_differs_from_its_surroundings() -> None:
    differences = []
    for index in range(30):
        picture = web_picture(6, index)
        if len(picture.boxes) == 1:
            x0, y0, x1, y1 = picture.boxes[0].astype(int)
            outside = np.ones(picture.image.shape[:2], dtype=bool)
            outside[y0:y1, x0:x1] = False
            pixels = picture.image.astype(float)
            inside_spread = pixels[y0:y1, x0:x1].std()
            differences.append(inside_spread - pixels[outside].std())
    assert np.mean(np.array(differences) > 0) > 0.9


def test_without_a_gap_a_scene_is_neither_blurred_nor_noisy() -> None:
    clear, hazy = scene(7, 3, gap=0.0), scene(7, 3, gap=1.0)
    assert clear.categories == hazy.categories
    np.testing.assert_array_equal(clear.boxes, hazy.boxes)
    assert not equal(clear, hazy)
