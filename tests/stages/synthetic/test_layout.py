from __future__ import annotations

import numpy as np
import pytest

from stages.synthetic.categories import CATEGORIES
from stages.synthetic.layout import MIN_VISIBLE, Layout, _clip_to_image
from stages.synthetic.sprite import VISIBLE_ALPHA, Sprite, render_sprite


def square_sprite(side: int, colour: int = 200) -> Sprite:
    pixels = np.full((side, side, 4), 255, dtype=np.uint8)
    pixels[..., :3] = colour
    return Sprite(CATEGORIES[0], "red", pixels)


def crowded_layout(seed: int) -> Layout:
    rng = np.random.default_rng(seed)
    layout = Layout(120, 90)
    for _ in range(12):
        category = CATEGORIES[int(rng.integers(len(CATEGORIES)))]
        layout.add(render_sprite(category, float(rng.uniform(25, 60)), rng), rng)
    return layout


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_every_object_stays_visible_enough_in_a_crowded_layout(seed: int) -> None:
    layout = crowded_layout(seed)
    assert len(layout.placed) > 1
    assert layout.visible_shares().min() >= MIN_VISIBLE


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_visible_shares_agree_with_counting_pixels_one_by_one(seed: int) -> None:
    layout = crowded_layout(seed)
    height, width = layout.owner.shape
    for i, placed in enumerate(layout.placed):
        num_visible = total = 0
        for row, line in enumerate(placed.sprite.pixels[..., 3] >= VISIBLE_ALPHA):
            for column, visible in enumerate(line):
                y, x = placed.y + row, placed.x + column
                total += int(visible)
                inside = 0 <= y < height and 0 <= x < width
                num_visible += int(visible and inside and layout.owner[y, x] == i)
        assert layout.visible_shares()[i] == pytest.approx(num_visible / total)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_box_is_the_tightest_box_around_its_visible_alpha(seed: int) -> None:
    layout = crowded_layout(seed)
    height, width = layout.owner.shape
    for placed, (x0, y0, x1, y1) in zip(layout.placed, layout.boxes(), strict=True):
        rows, columns = np.nonzero(placed.sprite.pixels[..., 3] >= VISIBLE_ALPHA)
        assert x0 == max(0, placed.x + columns.min())
        assert y0 == max(0, placed.y + rows.min())
        assert x1 == min(width, placed.x + columns.max() + 1)
        assert y1 == min(height, placed.y + rows.max() + 1)


def test_an_object_that_would_occlude_another_is_left_out() -> None:
    layout = Layout(20, 20)
    rng = np.random.default_rng(0)
    assert layout.add(square_sprite(20), rng, centred=True)
    assert not layout.add(square_sprite(19), rng, centred=True)
    assert len(layout.placed) == 1


def test_compositing_puts_the_last_object_on_top_and_keeps_the_rest() -> None:
    layout = Layout(20, 20)
    rng = np.random.default_rng(0)
    layout.add(square_sprite(16, 100), rng, centred=True)
    layout.add(square_sprite(8, 250), rng, centred=True)
    image = layout.composite(np.zeros((20, 20, 3), dtype=np.float32), shadow=0.0)
    assert [np.unique(image[layout.owner == owner]).tolist() for owner in (-1, 0, 1)] == [
        [0.0],
        [100.0],
        [250.0],
    ]


def test_a_shadow_only_darkens_and_only_outside_the_objects() -> None:
    layout = Layout(40, 40)
    layout.add(square_sprite(20), np.random.default_rng(1), centred=True)
    image = np.full((40, 40, 3), 120, dtype=np.float32)
    bright, dark = layout.composite(image.copy(), 0.0), layout.composite(image.copy(), 0.5)
    assert (dark <= bright).all()
    assert (dark < bright).any()
    np.testing.assert_array_equal(dark[layout.owner == 0], bright[layout.owner == 0])


def test_an_empty_layout_has_no_boxes() -> None:
    layout = Layout(8, 8)
    assert layout.boxes().shape == (0, 4)
    assert layout.visible_shares().shape == (0,)


def test_a_centred_object_lies_near_the_middle_and_inside_the_image() -> None:
    rng = np.random.default_rng(2)
    positions = []
    for _ in range(300):
        layout = Layout(100, 60)
        layout.add(square_sprite(20), rng, centred=True)
        positions.append((layout.placed[0].x, layout.placed[0].y))
    x, y = np.array(positions).T
    assert (x.min(), x.max()) == (pytest.approx(40 - 32, abs=2), pytest.approx(40 + 32, abs=2))
    assert (y.min(), y.max()) == (pytest.approx(20 - 16, abs=2), pytest.approx(20 + 16, abs=2))


def test_other_objects_overhang_the_image_by_at_most_an_eighth() -> None:
    rng = np.random.default_rng(3)
    positions = []
    for _ in range(400):
        layout = Layout(100, 60)
        assert layout.add(square_sprite(32), rng)
        positions.append((layout.placed[0].x, layout.placed[0].y))
    x, y = np.array(positions).T
    assert (x.min(), y.min()) == (-4, -4)
    assert (x.max(), y.max()) == (100 - 32 + 4, 60 - 32 + 4)


def test_an_object_larger_than_the_image_is_clipped_or_left_out() -> None:
    layout = Layout(20, 20)
    assert layout.add(square_sprite(24), np.random.default_rng(0), centred=True)
    np.testing.assert_array_equal(layout.boxes(), [[0, 0, 20, 20]])
    assert not Layout(20, 20).add(square_sprite(60), np.random.default_rng(0), centred=True)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-2, 3), (5, -4), (8, 9), (-20, 2), (3, 40)])
def test_clipping_agrees_with_pasting_into_a_padded_image(x: int, y: int) -> None:
    pixels = np.random.default_rng(1).integers(1, 255, (6, 5))
    padded = np.zeros((110, 112), dtype=pixels.dtype)
    padded[50 + y : 56 + y, 50 + x : 55 + x] = pixels
    image = np.zeros((10, 12), dtype=pixels.dtype)
    rows, columns, inside = _clip_to_image(image.shape, pixels, x, y)
    image[rows, columns] = inside
    np.testing.assert_array_equal(image, padded[50:60, 50:62])


def test_a_shadow_falls_to_the_lower_right() -> None:
    layout = Layout(60, 60)
    layout.add(square_sprite(20), np.random.default_rng(1), centred=True)
    image = np.full((60, 60, 3), 120, dtype=np.float32)
    darkening = (image - layout.composite(image.copy(), shadow=0.5))[..., 0]
    darkening[layout.owner == 0] = 0
    x0, y0, x1, y1 = layout.boxes()[0].astype(int)
    assert darkening[y1:, :].sum() > darkening[:y0, :].sum()
    assert darkening[:, x1:].sum() > darkening[:, :x0].sum()
    assert darkening.max() <= 120 * 0.5


def test_partly_transparent_pixels_are_blended() -> None:
    sprite = square_sprite(10, 200)
    sprite.pixels[..., 3] = 102  # 40 per cent
    layout = Layout(10, 10)
    layout.add(sprite, np.random.default_rng(0), centred=True)
    image = layout.composite(np.full((10, 10, 3), 100, dtype=np.float32), shadow=0.0)
    np.testing.assert_allclose(image, 100 + 0.4 * (200 - 100), rtol=1e-5)
