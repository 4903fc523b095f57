from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.synthetic.categories import CATEGORIES, NOVEL
from stages.synthetic.rendering import SyntheticImage, render_scene, render_web_image

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {c.name for c in CATEGORIES}


def equal(first: SyntheticImage, second: SyntheticImage) -> bool:
    return (
        first.image.tobytes() == second.image.tobytes()
        and first.boxes.tobytes() == second.boxes.tobytes()
        and (first.captions, first.categories) == (second.captions, second.categories)
    )


@pytest.mark.parametrize("render", [render_web_image, render_scene])
def test_an_image_depends_only_on_its_seed_and_index(
    render: Callable[[int, int], SyntheticImage],
) -> None:
    first = render(3, 8)
    render(4, 1)
    np.random.seed(0)  # global state must not matter
    assert equal(first, render(3, 8))
    assert not equal(first, render(3, 9))
    assert not equal(first, render(4, 8))


@pytest.mark.parametrize("render", [render_web_image, render_scene])
def test_boxes_are_within_the_image_and_have_a_category_each(
    render: Callable[[int, int], SyntheticImage],
) -> None:
    for index in range(40):
        rendered = render(11, index)
        height, width, channels = rendered.image.shape
        assert channels == 3
        assert rendered.image.dtype == np.uint8
        assert rendered.boxes.dtype == np.float32
        assert rendered.boxes.shape == (len(rendered.categories), 4)
        assert set(rendered.categories) <= NAMES
        x0, y0, x1, y1 = rendered.boxes.T
        assert (x0 >= 0).all()
        assert (y0 >= 0).all()
        assert (x1 <= width).all()
        assert (y1 <= height).all()
        assert (x1 - x0 >= 8).all()
        assert (y1 - y0 >= 4).all()


def test_images_have_the_requested_size() -> None:
    assert render_web_image(0, 0, size=64).image.shape == (64, 64, 3)
    assert render_scene(0, 0, size=(200, 140)).image.shape == (140, 200, 3)


def test_web_images_hold_one_large_object_or_two() -> None:
    images = [render_web_image(1, index) for index in range(120)]
    counts = Counter(len(rendered.boxes) for rendered in images)
    assert set(counts) == {1, 2}
    assert counts[1] > 2 * counts[2]
    single = [rendered.boxes[0] for rendered in images if len(rendered.boxes) == 1]
    assert np.median([max(b[2] - b[0], b[3] - b[1]) for b in single]) > 48


def test_scenes_hold_four_to_eleven_objects_of_many_sizes_and_some_overlap() -> None:
    images = [render_scene(2, index) for index in range(40)]
    counts = [len(rendered.boxes) for rendered in images]
    sides = np.concatenate(
        [(rendered.boxes[:, 2:] - rendered.boxes[:, :2]).max(axis=1) for rendered in images]
    )
    assert min(counts) >= 4
    assert max(counts) <= 11
    assert np.percentile(sides, 90) > 2 * np.percentile(sides, 10)
    assert any(any_overlap(rendered.boxes) for rendered in images)


def any_overlap(boxes: np.ndarray) -> bool:
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (bottom_right - top_left).clip(min=0).prod(axis=2)
    np.fill_diagonal(shared, 0)
    return bool((shared > 100).any())


def test_every_category_occurs_and_every_novel_one_is_mentioned_in_captions() -> None:
    images = [render_web_image(5, index, size=32) for index in range(700)]
    assert {name for rendered in images for name in rendered.categories} == NAMES
    text = " ; ".join(caption for rendered in images for caption in rendered.captions)
    assert all(name in text for name in NOVEL)


def test_pixels_inside_a_box_vary_more_than_those_outside() -> None:
    differences = []
    for index in range(30):
        rendered = render_web_image(6, index)
        if len(rendered.boxes) == 1:
            x0, y0, x1, y1 = rendered.boxes[0].astype(int)
            outside = np.ones(rendered.image.shape[:2], dtype=bool)
            outside[y0:y1, x0:x1] = False
            pixels = rendered.image.astype(float)
            inside_spread = pixels[y0:y1, x0:x1].std()
            differences.append(inside_spread - pixels[outside].std())
    assert np.mean(np.array(differences) > 0) > 0.9


def test_the_domain_gap_changes_pixels_and_neither_boxes_nor_categories() -> None:
    clear, degraded = render_scene(7, 3, gap=0.0), render_scene(7, 3, gap=1.0)
    assert clear.categories == degraded.categories
    np.testing.assert_array_equal(clear.boxes, degraded.boxes)
    assert not equal(clear, degraded)
