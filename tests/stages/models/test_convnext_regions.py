from __future__ import annotations

import pytest
import torch

from schemas.errors import SourceError
from stages.models.network import Clip
from tests.stages.models.tiny import config, tiny_clip


@pytest.fixture
def clip(tmp_path):
    return tiny_clip(tmp_path, "convnext").double()


@pytest.mark.slow
def test_the_whole_image_at_its_native_size_is_clips_own_feature(clip) -> None:
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    whole = [torch.tensor([[0.0, 0, 64, 64]])] * 2
    torch.testing.assert_close(clip.encode_regions(pixels, whole), clip.encode_images(pixels))


def test_a_region_is_the_head_over_the_cells_it_covers(clip) -> None:
    pixels = torch.randn(1, 3, 128, 160, dtype=torch.float64)
    cells = clip.trunk(pixels)[:, :, 1:3, 2:4]
    visual = clip.network.visual
    expected = visual.head(visual.trunk.forward_head(cells))
    actual = clip.encode_regions(pixels, [torch.tensor([[64.0, 32, 128, 96]])])
    torch.testing.assert_close(actual, expected)


def test_a_timm_tower_without_a_convolutional_map_is_refused(tmp_path) -> None:
    description = config("convnext")
    description["vision_cfg"]["timm_model_name"] = "test_efficientnet"
    spec = tiny_clip(tmp_path).spec
    with pytest.raises(SourceError, match="regions cannot be read from a timm tower"):
        Clip(type(spec)(None, description, 64, spec.mean, spec.std, ""))


@pytest.mark.slow
def test_an_image_smaller_than_a_cell_is_padded(clip) -> None:
    pixels = torch.randn(1, 3, 5, 70, dtype=torch.float64)
    padded = torch.nn.functional.pad(pixels, (0, 0, 0, 27))
    assert torch.equal(clip.trunk(pixels), clip.trunk(padded))
