from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from stages.models.preprocess import Size, normalise, pad_batch, prepare

NO_MEAN, NO_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_an_image_is_resized_by_pillow_and_normalised(interpolation) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    ready = prepare(image, Size(60, 100), interpolation, mean, std)
    code = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    expected = np.asarray(Image.fromarray(image).resize((80, 60), code[interpolation])) / 255
    expected = ((expected - np.array(mean)) / np.array(std)).transpose(2, 0, 1)
    assert ready.pixels.dtype == torch.float32
    np.testing.assert_allclose(ready.pixels.numpy(), expected, atol=1e-5)


def test_boxes_are_scaled_with_the_image() -> None:
    ready = prepare(np.zeros((30, 40, 3), np.uint8), Size(45), "bilinear", NO_MEAN, NO_STD)
    boxes = np.array([[0, 0, 40, 30], [10, 6, 20, 12]], np.float32)
    assert ready.scale_boxes(boxes).tolist() == [[0, 0, 60, 45], [15, 9, 30, 18]]
    assert ready.scale_boxes(boxes).dtype == torch.float32
    assert ready.whole_box().tolist() == [[0, 0, 60, 45]]


def test_each_side_has_its_own_rounding() -> None:
    ready = prepare(np.zeros((480, 640, 3), np.uint8), Size(800, 1333), "bilinear", NO_MEAN, NO_STD)
    assert ready.scale == (1067 / 640, 800 / 480)


def test_an_image_of_the_right_size_keeps_its_pixels() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    ready = prepare(image, Size(None), "bilinear", NO_MEAN, NO_STD)
    torch.testing.assert_close(ready.pixels * 255, torch.from_numpy(image).permute(2, 0, 1).float())


def test_a_read_only_image_can_be_normalised() -> None:
    image = np.full((2, 2, 3), 255, np.uint8)
    image.flags.writeable = False
    assert normalise(image, NO_MEAN, NO_STD).unique().tolist() == [1]


def test_padding_is_zero_at_the_bottom_and_right() -> None:
    batch = pad_batch([torch.ones(3, 2, 5), torch.ones(3, 4, 3)], (4, 5))
    assert batch.shape == (2, 3, 4, 5)
    assert batch[0, 0].tolist() == [[1] * 5] * 2 + [[0] * 5] * 2
    assert batch[1, 0].tolist() == [[1, 1, 1, 0, 0]] * 4
