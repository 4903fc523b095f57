"""The published towers have the published shapes, and other towers give regions too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from stages.models.clip_spec import architecture_spec
from stages.models.network import Clip
from tests.parity import nets, plain

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# depth flag, blocks, width, embedding, native side, heads, pooler side, tokens of the pool
PUBLISHED = {
    "RN50": ((3, 4, 6, 3), 64, 1024, 224, 32, 14, 50),
    "RN101": ((3, 4, 23, 3), 64, 512, 224, 32, 14, 50),
    "RN50x4": ((4, 6, 10, 6), 80, 640, 288, 40, 18, 82),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_tower_has_its_published_shape(name: str) -> None:
    blocks, width, embed, side, heads, cells, tokens = PUBLISHED[name]
    with torch.device("meta"):  # shapes alone: no memory, no time
        clip = Clip(architecture_spec(name))
    visual = clip.network.visual
    stages = [visual.layer1, visual.layer2, visual.layer3, visual.layer4]
    assert tuple(len(layer) for layer in stages) == blocks
    assert visual.conv3.out_channels == width
    outs = [layer[-1].bn3.num_features for layer in stages]
    assert outs == [width * 4, width * 8, width * 16, width * 32]
    assert (clip.width, visual.attnpool.c_proj.out_features) == (embed, embed)
    assert (clip.spec.image_size, visual.attnpool.num_heads) == (side, heads)
    assert (clip.tower.cells, len(visual.attnpool.positional_embedding)) == (cells, tokens)
    with torch.device("meta"):
        dense = clip.eval().trunk(torch.zeros(1, 3, 800, 1088))
    assert dense.shape == (1, width * 16, 50, 68)  # a sixteenth


@pytest.mark.parametrize(
    ("layers", "side", "embed"),
    [((3, 4, 6, 3), 224, 1024), ((3, 4, 23, 3), 224, 512), ((4, 6, 10, 6), 288, 640)],
)
def test_a_thin_tower_of_published_depth_equals_the_plain_network(
    tmp_path: Path, layers, side: int, embed: int
) -> None:
    clip = nets.thin(tmp_path, side, layers, 4, embed)
    weights = plain.weights_of(clip.network)
    pixels = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    box = torch.tensor([[5.0, 3.0, 80.0, 60.0]])
    with torch.no_grad():
        actual = clip.encode_regions(pixels, [box])
    dense = plain.trunk(weights, pixels)[0]
    expected = plain.region_feature(weights, dense, box[0], side // 16, nets.HEADS)
    torch.testing.assert_close(actual[0], expected)
    assert actual.shape == (1, embed)


@pytest.mark.parametrize(
    ("name", "stride", "width"), [("ViT-B-16", 16, 512), ("convnext_base", 32, 512)]
)
def test_other_towers_have_a_feature_map_too(name: str, stride: int, width: int) -> None:
    with torch.device("meta"):
        clip = Clip(architecture_spec(name)).eval()
        dense = clip.trunk(torch.zeros(1, 3, 320, 480))
    assert (clip.stride, clip.width) == (stride, width)
    assert dense.shape[2:] == (320 // stride, 480 // stride)
