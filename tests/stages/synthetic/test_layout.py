from __future__ import annotations

import numpy as np
import pytest

from stages.synthetic.categories import CATEGORIES
from stages.synthetic.layout import MIN_VISIBLE, Layout
from stages.synthetic.sprite import VISIBLE, Sprite, sprite


def square(side: int, colour: int = 200) -> Sprite:
    pixels = np.full((side, side, 4), 255, dtype=np.uint8)
    pixels[..., :3] = colour
    return Sprite(CATEGORIES[0], "red", pixels)


def crowded(seed: int) -> Layout:
    rng = np.random.default_rng(seed)
    layout = Layout(120, 90)
    for _ in range(12):
        category = CATEGORIES[int(rng.integers(len(CATEGORIES)))]
        layout.add(sprite(category, float(rng.uniform(25, 60)), rng), rng)
    return layout


@pytest.mark.parametrize("seed", range(6))
def test_every_object_stays_visible_enough_however_crowded(seed: int) -> None:
    layout = crowded(seed)
    assert len(layout.placed) > 1
    assert layout.visible_shares().min() >= MIN_VISIBLE


@pytest.mark.parametrize("seed", range(3))
def test_visible_shares_agree_with_counting_pixels_one_by_one(seed: int) -> None:
    layout = crowded(seed)
    height, width = layout.owner.shape
    for i, p in enumerate(layout.placed):
        seen = total = 0
        for row, line in enumerate(p.sprite.pixels[..., 3] >= VISIBLE):
            for column, visible in enumerate(line):
                y, x = p.y + row, p.x + column
                total += int(visible)
                inside = 0 <= y < height and 0 <= x < width
                seen += int(visible and inside and layout.owner[y, x] == i)
        assert layout.visible_shares()[i] == pytest.approx(seen / total)


@pytest.mark.parametrize("seed", range(6))
def test_boxes_hold_every_pixel_of_their_object_and_touch_it(seed: int) -> None:
    layout = crowded(seed)
    height, width = layout.owner.shape
    for p, (x0, y0, x1, y1) in zip(layout.placed, layout.boxes(), strict=True):
        rows, columns = np.nonzero(p.sprite.pixels[..., 3] >= VISIBLE)
        assert x0 == max(0, p.x + columns.min())
        assert y0 == max(0, p.y + rows.min())
        assert x1 == min(width, p.x + columns.max() + 1)
        assert y1 == min(height, p.y + rows.max() + 1)


def test_an_object_that_would_hide_another_is_left_out() -> None:
    layout = Layout(20, 20)
    rng = np.random.default_rng(0)
    assert layout.add(square(20), rng, centred=True)
    assert not layout.add(square(19), rng, centred=True)
    assert len(layout.placed) == 1


def test_painting_puts_the_last_object_on_top_and_keeps_the_rest() -> None:
    layout = Layout(20, 20)
    rng = np.random.default_rng(0)
    layout.add(square(16, 100), rng, centred=True)
    layout.add(square(8, 250), rng, centred=True)
    canvas = layout.paint(np.zeros((20, 20, 3), dtype=np.float32), shadow=0.0)
    assert [np.unique(canvas[layout.owner == owner]).tolist() for owner in (-1, 0, 1)] == [
        [0.0],
        [100.0],
        [250.0],
    ]


def test_a_shadow_only_darkens_and_only_outside_the_objects() -> None:
    layout = Layout(40, 40)
    layout.add(square(20), np.random.default_rng(1), centred=True)
    canvas = np.full((40, 40, 3), 120, dtype=np.float32)
    bright, dark = layout.paint(canvas.copy(), 0.0), layout.paint(canvas.copy(), 0.5)
    assert (dark <= bright).all()
    assert (dark < bright).any()
    np.testing.assert_array_equal(dark[layout.owner == 0], bright[layout.owner == 0])


def test_an_empty_layout_has_no_boxes() -> None:
    layout = Layout(8, 8)
    assert layout.boxes().shape == (0, 4)
    assert layout.visible_shares().shape == (0,)
