from __future__ import annotations

import pytest
import torch

from tests.stages.models.tiny import tiny_clip, with_large_weights


@pytest.fixture
def clip(tmp_path):
    return with_large_weights(tiny_clip(tmp_path, "fastvit"))


def test_the_whole_image_at_its_native_size_is_clips_own_feature(clip) -> None:
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    whole = [torch.tensor([[0.0, 0, 64, 64]])] * 2
    torch.testing.assert_close(clip.encode_regions(pixels, whole), clip.encode_images(pixels))


def test_what_looks_at_the_whole_image_looks_at_the_cells_of_a_region(clip) -> None:
    tower, pixels = clip.network.visual.trunk, torch.randn(1, 3, 128, 160, dtype=torch.float64)
    cells = tower.stages(tower.stem(pixels))[:, :, 1:3, 2:4]
    expected = tower.head(tower.final_conv(cells))
    actual = clip.encode_regions(pixels, [torch.tensor([[64.0, 32, 128, 96]])])
    torch.testing.assert_close(actual, expected)
