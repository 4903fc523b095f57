from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.resnet import Bottleneck

from stages.models.rpn_backbones import MultiScaleTrunk, ResidualBlock, RpnBackbone, batch_norms
from stages.models.rpn_creation import create_rpn
from stages.models.rpn_spec import RpnSpec
from tests.stages.models.tiny_rpn import SMALL, tiny_rpn
from tests.stages.models.torchvision_rpn import RESNET18

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("neck", ["fpn", "c4"])
@pytest.mark.parametrize("backbone", ["small", "resnet18", "mobilenet_v3_small"])
def test_every_backbone_has_the_strides_of_its_spec(backbone: str, neck: str) -> None:
    sizes = (16, 32, 64, 128, 256) if neck == "fpn" else (16, 32)
    rpn = tiny_rpn(backbone=backbone, neck=neck, stride=4, anchor_sizes=sizes)
    levels = rpn(torch.zeros(2, 3, 128, 256))
    for level, stride, anchor_sizes in zip(levels, rpn.spec.strides, rpn.spec.levels, strict=True):
        anchors = (128 // stride) * (256 // stride) * 3 * len(anchor_sizes)
        assert level.logits.shape == (2, anchors)
        assert level.deltas.shape == (2, anchors, 4)
        sides = (level.anchors[:, 2:] - level.anchors[:, :2]).prod(dim=1).sqrt()
        assert sides.max() == pytest.approx(max(anchor_sizes), rel=0.1)


@pytest.fixture
def layers() -> nn.Module:
    """Layers of strides 2, 2, 4, 8 and 16, with 3, 5, 7, 9 and 11 channels."""
    strides, widths = (2, 1, 2, 2, 2), (3, 3, 5, 7, 9, 11)
    convs = [nn.Conv2d(widths[k], widths[k + 1], 3, s, 1) for k, s in enumerate(strides)]
    return nn.Sequential(*convs)


def test_a_trunk_gives_the_last_map_of_each_stride_and_drops_later_layers(layers) -> None:
    trunk = MultiScaleTrunk(layers, (2, 8))
    assert list(trunk) == ["0", "1", "2", "3"]
    assert trunk.widths == [5, 9]
    pixels = torch.randn(1, 3, 64, 32)
    second, fourth = trunk(pixels)
    expected = layers[1](layers[0](pixels))
    assert torch.equal(second, expected)
    assert torch.equal(fourth, layers[3](layers[2](expected)))
    assert fourth.shape == (1, 9, 8, 4)


def test_finding_strides_changes_neither_mode_nor_statistics() -> None:
    layers = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1, 4), nn.BatchNorm2d(4))).train()
    trunk = MultiScaleTrunk(layers, (4,))
    norm = trunk["0"][1]
    assert trunk["0"].training
    assert norm.num_batches_tracked == 0
    assert not norm.running_mean.any()


def test_a_residual_block_adds_two_convolutions_to_its_input() -> None:
    block = ResidualBlock(4).eval()
    maps = torch.randn(2, 4, 5, 6)
    (conv1, norm1, _), (conv2, norm2) = block.first, block.second
    expected = (maps + norm2(conv2(norm1(conv1(maps)).relu()))).relu()
    torch.testing.assert_close(block(maps), expected)


def test_parameters_have_the_names_and_shapes_of_torchvisions() -> None:
    with torch.device("meta"):
        theirs = resnet_fpn_backbone(
            backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d
        ).state_dict()
        ours = RpnBackbone(RESNET18).state_dict()
    assert {n: v.shape for n, v in ours.items()} == {n: v.shape for n, v in theirs.items()}


def test_with_strides_in_the_1x1_only_the_first_convolution_of_a_bottleneck_has_one() -> None:
    sizes = {"backbone": "resnet50", "neck": "c4", "stride": 4, "anchor_sizes": (32,)}
    strides = {}
    for strided in ("3x3", "1x1"):
        with torch.device("meta"):  # no memory, no time
            body = RpnBackbone(RpnSpec(**{**SMALL, **sizes, "strided": strided})).body
        blocks = [m for m in body.modules() if isinstance(m, Bottleneck)]
        strides[strided] = [(b.conv1.stride[0], b.conv2.stride[0]) for b in blocks]
    assert strides["3x3"].count((1, 2)) == strides["1x1"].count((2, 1)) == 2
    assert [(b, a) for a, b in strides["3x3"]] == strides["1x1"]


def test_batch_norms_of_a_pyramid_are_counted_only_if_it_has_them() -> None:
    counts = [len(batch_norms(tiny_rpn(fpn_norm=norm))) for norm in (False, True)]
    assert counts[1] - counts[0] == 2 * 3  # two for each of the strides 8, 16 and 32


def test_the_small_backbone_is_small() -> None:
    rpn = create_rpn(RpnSpec(**{**SMALL, "width": 64}))
    assert sum(p.numel() for p in rpn.parameters()) < 1_500_000


def test_norm_eps_reaches_every_batch_norm() -> None:
    rpn = tiny_rpn(norm_eps=0.25)
    norms = [m for m in rpn.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all(norm.eps == 0.25 for norm in norms)
