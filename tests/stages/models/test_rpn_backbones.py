from __future__ import annotations

import pytest
import torch

from stages.models.rpn_creation import create_rpn
from stages.models.rpn_spec import RpnSpec
from tests.stages.models.tiny_rpn import SMALL, tiny_rpn


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


def test_the_small_backbone_is_small() -> None:
    rpn = create_rpn(RpnSpec(**{**SMALL, "width": 64}))
    assert sum(p.numel() for p in rpn.parameters()) < 1_500_000


def test_norm_eps_reaches_every_batch_norm() -> None:
    rpn = tiny_rpn(norm_eps=0.25)
    norms = [m for m in rpn.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all(norm.eps == 0.25 for norm in norms)
