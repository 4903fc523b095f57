from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.synthetic.categories import CATEGORIES, NOVEL
from stages.synthetic.rendering import (
    SCENE,
    WEB,
    SyntheticImage,
    _add_domain_gap,
    _generator,
    _sample_categories,
    _to_uint8,
    render_scene,
    render_web_image,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {c.name for c in CATEGORIES}


def equal(first: SyntheticImage, second: SyntheticImage) -> bool:
    return (
        first.image.tobytes() == second.image.tobytes()
        and first.boxes.tobytes() == second.boxes.tobytes()
        and (first.captions, first.categories) == (second.captions, second.categories)
    )


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_web_images_hold_one_large_object_or_two() -> None:
    images = [render_web_image(1, index) for index in range(120)]
    counts = Counter(len(rendered.boxes) for rendered in images)
    assert set(counts) == {1, 2}
    assert counts[1] > 2 * counts[2]
    single = [rendered.boxes[0] for rendered in images if len(rendered.boxes) == 1]
    assert np.median([max(b[2] - b[0], b[3] - b[1]) for b in single]) > 48


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_gap_of_zero_only_compresses_highlights() -> None:
    pixels = np.random.default_rng(1).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    result = _add_domain_gap(pixels, 0.0, np.random.default_rng(2))
    expected = np.where(pixels > 215, 215 + 0.4 * (pixels - 215), pixels)
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_a_stronger_gap_changes_pixels_more_on_average() -> None:
    pixels = np.full((24, 32, 3), 120, dtype=np.float32)
    changes = [
        np.mean([
            np.abs(_add_domain_gap(pixels.copy(), gap, np.random.default_rng(seed)) - 120).mean()
            for seed in range(30)
        ])
        for gap in (0.0, 0.5, 1.0)
    ]  # fmt: skip
    assert changes[0] == pytest.approx(0, abs=1e-4)
    assert changes[0] < changes[1] < changes[2]


def test_values_outside_the_byte_range_are_clipped() -> None:
    assert _to_uint8(np.float32([[-3.0, 0.9, 255.9, 300.0]])).tolist() == [[0, 0, 255, 255]]


def test_kind_seed_and_index_each_give_another_random_stream() -> None:
    keys = [(WEB, 0, 0), (SCENE, 0, 0), (WEB, 1, 0), (WEB, 0, 1)]
    streams = [_generator(*key).integers(1 << 30, size=50) for key in keys]
    assert len({stream.tobytes() for stream in streams}) == len(keys)
    correlations = np.corrcoef(np.array(streams, dtype=float))
    assert np.abs(correlations - np.eye(len(keys))).max() < 0.5


def test_a_scene_chooses_its_objects_from_twelve_distinct_categories() -> None:
    rng = np.random.default_rng(3)
    pools = [_sample_categories(rng) for _ in range(60)]
    assert {len({category.name for category in pool}) for pool in pools} == {12}
    assert {category.name for pool in pools for category in pool} == NAMES


@pytest.mark.slow
def test_captions_mention_only_categories_of_the_image() -> None:
    for index in range(6):
        rendered = render_scene(10, index)
        present = {c.name for c in CATEGORIES if c.name in rendered.categories}
        unique_words = {"butterfly", "snowman", "guitar", "umbrella", "turtle", "rocket", "pizza"}
        text = " ".join(rendered.captions)
        assert {word for word in unique_words if word in text} <= present
