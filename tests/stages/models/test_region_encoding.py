from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.models import region_encoding
from stages.models.region_encoding import encode_regions_batched
from tests.stages.models.tiny import TOWERS, tiny_clip

pytestmark = pytest.mark.slow

SIZES = [(64, 64), (80, 64), (64, 64), (64, 96), (64, 64)]


def scene(seed: int = 0) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    images = [torch.randn(3, *size, generator=generator) for size in SIZES]
    boxes = []
    for (height, width), count in zip(SIZES, [3, 0, 7, 1, 2], strict=True):
        corners = torch.rand(count, 2, 2, generator=generator).sort(dim=1).values
        boxes.append((corners * torch.tensor([width, height])).reshape(count, 4))
    return images, boxes


@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("batch_regions", [1, 4, 100])
def test_a_batch_gives_the_features_of_each_image_alone(tmp_path, tower, batch_regions) -> None:
    clip = tiny_clip(tmp_path, tower)
    images, boxes = scene()
    features = encode_regions_batched(clip, images, boxes, batch_regions)
    assert [len(f) for f in features] == [3, 0, 7, 1, 2]
    for image, of_image, actual in zip(images, boxes, features, strict=True):
        alone = clip.encode_regions(image[None], [of_image]).detach().numpy()
        np.testing.assert_allclose(actual, alone, rtol=1e-4, atol=1e-5)


def test_images_share_a_pass_only_if_their_sizes_are_equal(tmp_path, monkeypatch) -> None:
    clip = tiny_clip(tmp_path)
    shapes: list[tuple[int, ...]] = []
    real = clip.trunk
    monkeypatch.setattr(clip, "trunk", lambda x: (shapes.append(tuple(x.shape)), real(x))[1])
    encode_regions_batched(clip, *scene(), 10)
    assert shapes == [(3, 3, 64, 64), (1, 3, 64, 96), (1, 3, 80, 64)]
    monkeypatch.setattr(region_encoding, "_PIXELS", {"cpu": 64 * 64 * 2})
    shapes.clear()
    encode_regions_batched(clip, *scene(), 10)
    assert shapes[:2] == [(2, 3, 64, 64), (1, 3, 64, 64)]


def test_no_images_or_no_regions_give_no_features(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    assert encode_regions_batched(clip, [], [], 8) == []
    (none,) = encode_regions_batched(clip, [torch.zeros(3, 64, 64)], [torch.zeros(0, 4)], 8)
    assert none.shape == (0, 32)


@pytest.mark.parametrize("tower", TOWERS)
def test_an_image_thinner_than_a_cell_has_features(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    for size in ((1, 120), (70, 3), (1, 1), (17, 33)):
        whole = torch.tensor([[0.0, 0.0, size[1], size[0]]])
        (features,) = encode_regions_batched(clip, [torch.ones(3, *size)], [whole], 8)
        assert np.isfinite(features).all()


@pytest.mark.gpu
@pytest.mark.parametrize("tower", TOWERS)
def test_cuda_encodes_like_the_cpu(tmp_path, tower) -> None:
    from stages.models import device

    device.deterministic()
    clip = tiny_clip(tmp_path, tower)
    images, boxes = scene()
    here = np.concatenate(encode_regions_batched(clip, images, boxes, 5))
    there = np.concatenate(encode_regions_batched(clip.cuda(), images, boxes, 5))
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-3 * np.abs(here).max())
