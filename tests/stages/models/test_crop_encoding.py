from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from stages.models.crop_encoding import CropConfig, cut_crops, encode_crops, encode_crops_batched
from tests.stages.models.tiny import tiny_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

BICUBIC = CropConfig("bicubic", margin=0.1)


def scene(seed: int = 0) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.float32]]]:
    """Three images with two, no and three boxes."""
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((50, 70), (9, 9))]
    images.append(rng.integers(0, 256, (80, 40, 3), dtype=np.uint8))
    corners = [np.sort(rng.uniform(0, 40, (count, 2, 2)), axis=1) for count in (2, 0, 3)]
    return images, [c.reshape(-1, 4).astype(np.float32) for c in corners]


@pytest.fixture
def clip(tmp_path):
    return tiny_clip(tmp_path, "vit").requires_grad_(False)


def test_crops_are_the_cut_outs_as_the_tower_takes_images(clip) -> None:
    (image, *_), _ = scene()
    (crop,) = cut_crops(image, np.float32([[10, 20, 40, 44]]), clip.spec, CropConfig("bilinear"))
    part = Image.fromarray(image[20:44, 10:40]).resize((64, 64), Image.Resampling.BILINEAR)
    mean, std = (torch.tensor(v)[:, None, None] for v in (clip.spec.mean, clip.spec.std))
    inside = (torch.from_numpy(np.array(part)).permute(2, 0, 1) / 255 - mean) / std
    # cut first or resize first differ only where the filter meets the edge
    torch.testing.assert_close(crop[:, 3:-3, 3:-3], inside[:, 3:-3, 3:-3], rtol=0, atol=0.02)


def test_features_are_those_of_the_crops_one_by_one(clip) -> None:
    images, boxes = scene()
    features = encode_crops_batched(clip, images, boxes, BICUBIC, batch_crops=2)
    assert [f.shape for f in features] == [(2, 32), (0, 32), (3, 32)]
    for image, of_image, actual in zip(images, boxes, features, strict=True):
        for box, feature in zip(of_image, actual, strict=True):
            alone = clip.encode_images(cut_crops(image, box[None], clip.spec, BICUBIC))[0]
            np.testing.assert_allclose(feature, alone, rtol=1e-4, atol=1e-5)
        together = encode_crops(clip, image, of_image, BICUBIC, batch_crops=2)
        np.testing.assert_allclose(actual, together, rtol=1e-4, atol=1e-5)


def test_no_boxes_have_no_crops_and_no_features(clip) -> None:
    (image, *_), _ = scene()
    none = np.zeros((0, 4), np.float32)
    assert cut_crops(image, none, clip.spec, BICUBIC).shape == (0, 3, 64, 64)
    assert encode_crops(clip, image, none, BICUBIC).shape == (0, 32)
    assert encode_crops_batched(clip, [], [], BICUBIC) == []


def test_crops_can_be_learned_from(tmp_path) -> None:
    clip = tiny_clip(tmp_path, "vit")
    images, boxes = scene()
    encode_crops(clip, images[0], boxes[0], BICUBIC).sum().backward()
    assert clip.network.visual.conv1.weight.grad.abs().sum() > 0
