"""Augmentation: sizes, flips and crops, and boxes that follow their objects."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stages.models.clip_spec import ClipSpec
from stages.models.preprocess import Size, normalise
from stages.seeds import generator
from stages.training.augment import MultiScale, View, ZoomedCrop

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.5, 0.2)
BACKGROUND, SQUARE = (40, 90, 160), (250, 10, 60)


def spec(side: int = 64) -> ClipSpec:
    return ClipSpec(
        architecture=None, config={}, image_size=side, mean=MEAN, std=STD, origin="nowhere"
    )


def image(height: int, width: int, box: tuple[int, int, int, int] | None = None) -> Any:
    canvas = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
    if box:
        x0, y0, x1, y1 = box
        canvas[y0:y1, x0:x1] = SQUARE
    return canvas


def square_box(pixels: torch.Tensor) -> list[int]:
    """The box of the square, found by its colour."""
    red = pixels[0] * STD[0] + MEAN[0]
    rows, columns = torch.nonzero(red > 0.57, as_tuple=True)
    return [int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def test_a_flipped_box_has_its_distance_to_the_left_edge_now_to_the_right_edge() -> None:
    view = View(torch.zeros(3, 10, 40), (2.0, 0.5), flipped=True)
    placed = view.transform_boxes(np.float32([[1, 2, 4, 8], [0, 0, 20, 20]]))
    assert placed.tolist() == [[32, 1, 38, 4], [0, 0, 40, 10]]


def test_an_unflipped_box_is_only_scaled() -> None:
    view = View(torch.zeros(3, 10, 40), (2.0, 0.5), flipped=False)
    assert view.transform_boxes(np.float32([[1, 2, 4, 8]])).tolist() == [[2, 1, 8, 4]]


def test_an_empty_set_of_boxes_stays_empty() -> None:
    for flipped in (False, True):
        view = View(torch.zeros(3, 10, 40), (2.0, 0.5), flipped=flipped)
        assert view.transform_boxes(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("seed", range(8))
def test_in_every_view_the_box_still_surrounds_its_square(seed: int) -> None:
    rng = generator("square", seed)
    x0, y0 = (int(rng.integers(0, n)) for n in (50, 30))
    box = (x0, y0, x0 + int(rng.integers(20, 40)), y0 + int(rng.integers(20, 40)))
    sizes = (Size(50), Size(90, 120), Size(None))
    augment = MultiScale(sizes, flip=True, interpolation="bicubic", spec=spec())
    view = augment(image(80, 100, box), rng)
    (placed,) = view.transform_boxes(np.float32([box])).tolist()
    assert square_box(view.pixels) == pytest.approx(placed, abs=1)


def test_at_native_size_without_flip_the_view_is_the_normalised_image() -> None:
    whole = image(20, 30, (3, 4, 9, 11))
    view = MultiScale((Size(None),), flip=False, interpolation="bicubic", spec=spec())(
        whole, generator(0)
    )
    assert torch.equal(view.pixels, normalise(whole, MEAN, STD))
    assert view.scale == (1, 1)
    assert not view.flipped


def test_every_size_occurs_with_and_without_a_flip() -> None:
    augment = MultiScale((Size(20), Size(30)), flip=True, interpolation="bilinear", spec=spec())
    views = set()
    for i in range(40):
        view = augment(image(40, 50), generator(i))
        views.add((view.pixels.shape[1], view.flipped))
    assert views == {(20, False), (20, True), (30, False), (30, True)}


def test_a_crop_is_always_of_the_native_size() -> None:
    for i, (height, width) in enumerate([(200, 90), (64, 64), (7, 300), (30, 31), (1, 1)]):
        pixels = ZoomedCrop((0.5, 2.0), flip=True, spec=spec())(image(height, width), generator(i))
        assert pixels.shape == (3, 64, 64)
        assert torch.isfinite(pixels).all()


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_a_crop_is_resized_as_the_weights_were_trained(interpolation: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    own = replace(spec(), interpolation=interpolation)
    pixels = ZoomedCrop((1.0, 1.0), flip=False, spec=own)(picture, generator(0))
    kind = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    resized = Image.fromarray(picture).resize((64, 64), kind[interpolation])
    assert torch.equal(pixels, normalise(np.asarray(resized), MEAN, STD))


def test_a_square_image_without_zoom_is_kept_whole() -> None:
    whole = image(64, 64, (10, 20, 30, 50))
    pixels = ZoomedCrop((1.0, 1.0), flip=False, spec=spec())(whole, generator(0))
    assert torch.equal(pixels, normalise(whole, MEAN, STD))


def test_without_zoom_a_flip_mirrors_the_image() -> None:
    whole = image(64, 64, (10, 20, 30, 50))
    crop = ZoomedCrop((1.0, 1.0), flip=True, spec=spec())
    boxes = {tuple(square_box(crop(whole, generator(i)))) for i in range(10)}
    assert boxes == {(10, 20, 30, 50), (34, 20, 54, 50)}


@pytest.mark.parametrize("zoom", [0.5, 0.75, 1.0, 1.5, 2.0])
def test_the_size_of_objects_is_proportional_to_the_zoom(zoom: float) -> None:
    whole = image(96, 96, (42, 42, 54, 54))
    for i in range(5):
        pixels = ZoomedCrop((zoom, zoom), flip=False, spec=spec())(whole, generator(i))
        red = pixels[0] * STD[0] + MEAN[0]
        if (red > 0.57).any():
            x0, _, x1, _ = square_box(pixels)
            if x0 > 0 and x1 < 64:  # else the edge of the crop cut it
                assert x1 - x0 == pytest.approx(12 * zoom * 64 / 96, abs=1.5)


def test_a_small_image_is_padded_with_the_mean_colour() -> None:
    pixels = ZoomedCrop((0.5, 0.5), flip=False, spec=spec())(image(30, 30), generator(0))
    covered = (pixels != 0).any(dim=0)
    assert int(covered.sum()) == 32 * 32
    rows, columns = torch.nonzero(covered, as_tuple=True)
    assert int(rows.max() - rows.min()) == int(columns.max() - columns.min()) == 31


@pytest.mark.slow
def test_zooms_are_sampled_log_uniformly() -> None:
    sides = []
    for i in range(300):
        pixels = ZoomedCrop((0.25, 1.0), flip=False, spec=spec())(image(30, 30), generator(i))
        sides.append(math.sqrt(int((pixels != 0).any(dim=0).sum())))
    assert np.median(sides) == pytest.approx(32, abs=4)
    assert min(sides) < 18
    assert max(sides) > 58


def test_equal_generators_give_equal_crops() -> None:
    augment = ZoomedCrop((0.5, 2.0), flip=True, spec=spec())
    whole = image(80, 70, (5, 5, 40, 40))
    assert torch.equal(augment(whole, generator("a")), augment(whole, generator("a")))
