"""A detector of torchvision with random weights, and the spec of its proposal network."""

from __future__ import annotations

from typing import Any

import torch
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from stages.models.rpn_spec import RpnSpec
from tests.stages.models.tiny_rpn import randomise


def torchvision_detector(height: int, width: int) -> Any:
    """torchvision's own, with random weights, that leaves images of this size as they are."""
    torch.manual_seed(1)
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=torch.nn.BatchNorm2d
    )
    detector = FasterRCNN(
        backbone,
        num_classes=2,
        min_size=min(height, width),
        max_size=max(height, width),
        rpn_anchor_generator=AnchorGenerator(
            ((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5
        ),
        rpn_pre_nms_top_n_test=50,
        rpn_post_nms_top_n_test=10_000,
        rpn_nms_thresh=1.0,
    ).eval()
    randomise(detector, spread=0.002)
    return detector


RESNET18 = RpnSpec(
    backbone="resnet18",
    neck="fpn",
    width=256,
    stride=4,
    anchor_sizes=(32, 64, 128, 256, 512),
    shortest=800,
    longest=1333,
)
