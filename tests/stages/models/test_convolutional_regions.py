from __future__ import annotations

import pytest
import torch

from tests.stages.models.tiny import tiny_clip

KINDS = ("convnext", "fastvit")


@pytest.mark.parametrize("kind", KINDS)
def test_the_grid_of_a_region_is_that_of_an_image_of_the_native_size(tmp_path, kind: str) -> None:
    clip = tiny_clip(tmp_path, kind)
    assert (clip.stride, clip.tower.cells) == (32, 2)
    with torch.no_grad():
        feature_map = clip.trunk(torch.zeros(1, 3, 96, 64))
    crops = clip.crop_regions(feature_map, [torch.tensor([[0.0, 0, 64, 96]])])
    assert crops.shape == (1, feature_map.shape[1], 2, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_early_layers_are_the_stem_and_the_first_stage(tmp_path, kind: str) -> None:
    clip = tiny_clip(tmp_path, kind)
    trunk = clip.network.visual.trunk
    assert list(clip.tower.early_layers()) == [trunk.stem, trunk.stages[0]]
