"""What a proposal network is taught: which anchors hold an object, and where it is.

Shapes: A anchors, G objects of an image, S anchors drawn from an image.

Source: Faster R-CNN (arXiv:1506.01497, section 3.1.2); values and normalisation of detectron2's
`RPN` (256 anchors an image, half of them positive at most, IoU 0.3 and 0.7, plain L1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know
from torchvision.ops import box_iou

from stages.models.rpn_boxes import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.rpn import Level

BACKGROUND: Final = 0
OBJECT: Final = 1
IGNORED: Final = -1


@dataclass(frozen=True, kw_only=True)
class AnchorTargets:
    """Which anchors count, and how many.

    Attributes:
        background_iou: Anchors whose best IoU is below this are background.
        object_iou: Anchors whose best IoU reaches this are objects.
        anchors: Drawn from each image.
        positive: Largest share of these that are objects.
        box_weight: What the box loss is multiplied by in the sum that is minimised.
    """

    background_iou: float = 0.3
    object_iou: float = 0.7
    anchors: int = 256
    positive: float = 0.5
    box_weight: float = 1.0


def assign(
    anchors: torch.Tensor, objects: torch.Tensor, teaching: AnchorTargets
) -> tuple[torch.Tensor, torch.Tensor]:
    """What each anchor is.

    The anchors nearest to an object belong to it however far they are, so that none is lost.

    Args:
        anchors: (A, 4).
        objects: (G, 4); G may be 0.
        teaching: Thresholds.

    Returns:
        (A,) int64, one of BACKGROUND, OBJECT, IGNORED; and (A,) int64, the object it overlaps
        most, of equals the first (0 without objects).
    """
    if len(objects) == 0:
        nothing = torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device)
        return nothing, nothing
    iou = box_iou(objects, anchors)  # (G, A)
    best, owner = iou.max(dim=0)
    kinds = torch.full_like(owner, IGNORED)
    kinds[best < teaching.background_iou] = BACKGROUND
    kinds[best >= teaching.object_iou] = OBJECT
    nearest = (iou == iou.max(dim=1, keepdim=True).values) & (iou > 0)
    kinds[nearest.any(dim=0)] = OBJECT
    return kinds, owner


def draw(kinds: torch.Tensor, teaching: AnchorTargets) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of anchors to learn from: objects and background; draws from torch's generator."""
    objects = _some(kinds == OBJECT, int(teaching.anchors * teaching.positive))
    return objects, _some(kinds == BACKGROUND, teaching.anchors - len(objects))


def losses(
    levels: Sequence[Level], objects: Sequence[torch.Tensor], teaching: AnchorTargets
) -> tuple[torch.Tensor, torch.Tensor]:
    """Objectness and box losses of a batch.

    Args:
        levels: Predictions for B images.
        objects: B tensors (G, 4), in pixels of the padded batch.
        teaching: Which anchors count.

    Returns:
        Binary cross-entropy in nats and L1 on encoded boxes, both summed over the anchors drawn
        and divided by B times `teaching.anchors`.
    """
    logits = torch.cat([level.logits for level in levels], dim=1)  # (B, A)
    deltas = torch.cat([level.deltas for level in levels], dim=1)  # (B, A, 4)
    anchors = torch.cat([level.anchors for level in levels])  # (A, 4)
    objectness, box = logits.new_zeros(()), logits.new_zeros(())
    for logit, delta, boxes in zip(logits, deltas, objects, strict=True):
        kinds, owner = assign(anchors, boxes, teaching)
        positive, negative = draw(kinds, teaching)
        drawn = torch.cat([positive, negative])  # (S,)
        truth = (kinds[drawn] == OBJECT).to(logit.dtype)
        objectness = objectness + F.binary_cross_entropy_with_logits(
            logit[drawn], truth, reduction="sum"
        )
        if len(positive):
            wanted = encode(boxes[owner[positive]], anchors[positive])
            box = box + (delta[positive] - wanted).abs().sum()
    count = len(objects) * teaching.anchors
    return objectness / count, box / count


def _some(which: torch.Tensor, most: int) -> torch.Tensor:
    places = which.nonzero().flatten()
    # drawn on the CPU, so that every device learns from the same anchors
    return places[torch.randperm(len(places))[:most].to(places.device)]
