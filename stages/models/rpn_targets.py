"""Training targets of a proposal network: which anchors hold an object, and its box.

Shapes: A anchors, G ground-truth boxes of an image, S sampled anchors of an image.

Source: Faster R-CNN (arXiv:1506.01497, section 3.1.2); values and normalisation of detectron2's
`RPN` (256 anchors an image, half of them positive at most, IoU 0.3 and 0.7, plain L1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know
from torchvision.ops import box_iou

from stages.models.anchor_deltas import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.rpn import LevelPredictions

BACKGROUND: Final = 0
OBJECT: Final = 1
IGNORED: Final = -1


@dataclass(frozen=True, kw_only=True)
class AnchorTargetConfig:
    """Which anchors are trained on, how many, and the weight of their boxes.

    Attributes:
        background_iou: Anchors whose best IoU is below this are background.
        object_iou: Anchors whose best IoU reaches this are objects.
        anchors_per_image: Anchors sampled from each image.
        positive_share: Largest share of these that are objects.
        box_weight: Factor of the box loss in the total loss.
    """

    background_iou: float = 0.3
    object_iou: float = 0.7
    anchors_per_image: int = 256
    positive_share: float = 0.5
    box_weight: float = 1.0


def assign_anchors(
    anchors: torch.Tensor, objects: torch.Tensor, config: AnchorTargetConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """The kind and the object of each anchor.

    The anchors with the highest IoU of an object count as that object even below the threshold,
    so that every object that overlaps an anchor has one.

    Args:
        anchors: (A, 4).
        objects: (G, 4) ground-truth boxes; G may be 0.
        config: Thresholds.

    Returns:
        (A,) int64, one of BACKGROUND, OBJECT, IGNORED; and (A,) int64, the index of the object
        with the highest IoU, the first of equals (0 without objects).
    """
    if len(objects) == 0:
        zeros = torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device)
        return zeros, zeros
    iou = box_iou(objects, anchors)  # (G, A)
    best, matched = iou.max(dim=0)
    kinds = torch.full_like(matched, IGNORED)
    kinds[best < config.background_iou] = BACKGROUND
    kinds[best >= config.object_iou] = OBJECT
    best_of_object = (iou == iou.max(dim=1, keepdim=True).values) & (iou > 0)
    kinds[best_of_object.any(dim=0)] = OBJECT
    return kinds, matched


def sample_anchors(
    kinds: torch.Tensor, config: AnchorTargetConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of anchors to train on: objects and background; uses torch's current generator."""
    limit = int(config.anchors_per_image * config.positive_share)
    objects = _sampled_indices(kinds == OBJECT, limit)
    return objects, _sampled_indices(kinds == BACKGROUND, config.anchors_per_image - len(objects))


def losses(
    levels: Sequence[LevelPredictions],
    objects: Sequence[torch.Tensor],
    config: AnchorTargetConfig,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Objectness and box losses of a batch.

    Args:
        levels: Predictions for B images.
        objects: B tensors (G, 4) of ground-truth boxes, in pixels of the padded batch.
        config: Which anchors are trained on.

    Returns:
        Binary cross-entropy in nats and L1 on encoded boxes, both summed over the sampled anchors
        and divided by B times `config.anchors_per_image`.
    """
    logits = torch.cat([level.logits for level in levels], dim=1)  # (B, A)
    deltas = torch.cat([level.deltas for level in levels], dim=1)  # (B, A, 4)
    anchors = torch.cat([level.anchors for level in levels])  # (A, 4)
    objectness, box = logits.new_zeros(()), logits.new_zeros(())
    for logit, delta, boxes in zip(logits, deltas, objects, strict=True):
        kinds, matched = assign_anchors(anchors, boxes, config)
        positive, negative = sample_anchors(kinds, config)
        sampled = torch.cat([positive, negative])  # (S,)
        labels = (kinds[sampled] == OBJECT).to(logit.dtype)
        objectness = objectness + F.binary_cross_entropy_with_logits(
            logit[sampled], labels, reduction="sum"
        )
        if len(positive):
            targets = encode(boxes[matched[positive]], anchors[positive])
            box = box + (delta[positive] - targets).abs().sum()
    count = len(objects) * config.anchors_per_image
    return objectness / count, box / count


def _sampled_indices(mask: torch.Tensor, limit: int) -> torch.Tensor:
    indices = mask.nonzero().flatten()
    # sampled on the CPU, so that every device trains on the same anchors
    return indices[torch.randperm(len(indices))[:limit].to(indices.device)]
