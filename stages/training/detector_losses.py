"""What a detector is taught by: named regions, and boxes that fit; each a plain function.

Shapes: R sampled regions of a batch, K categories; class K is background.

Source: RegionCLIP (arXiv:2112.09106), transfer; values as its `FastRCNNOutputLayers` computes
them. Its two ways to weigh background differ in what they divide by, and both are kept.
"""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

from stages.models.box_deltas import encode

_TINY: Final = 1e-12  # a cross-entropy below it has no part in the gradient of the scaling


def classification(
    logits: torch.Tensor, classes: torch.Tensor, background_weight: float, focal_gamma: float
) -> torch.Tensor:
    """Cross-entropy of regions, focally scaled or not, background weighed.

    With scaling, every region's cross-entropy (background too) is multiplied by
    (1 - p)^gamma, p the probability of its class, then background's by its weight; the sum is
    divided by R. Without, the weighted sum is divided by the sum of the weights.

    Args:
        logits: (R, K + 1), background last.
        classes: (R,) int64, K for background.
        background_weight: What a background region counts beside an object.
        focal_gamma: Exponent; 0 switches the scaling off.

    Returns:
        Scalar in nats; 0 when R is 0.
    """
    if len(classes) == 0:
        return logits.sum() * 0
    background = classes == logits.shape[1] - 1
    weights = torch.where(background, background_weight, 1.0).to(logits)  # (R,)
    entropy = F.cross_entropy(logits, classes, reduction="none")  # (R,)
    if not focal_gamma:
        return (weights * entropy).sum() / weights.sum()
    # 1 - p of p = exp(-entropy); its root has no slope at p = 1, so it stays above
    rest = -torch.expm1(-entropy.clamp(min=_TINY))
    return (weights * entropy * rest**focal_gamma).mean()


def box_regression(
    deltas: torch.Tensor,
    boxes: torch.Tensor,
    targets: torch.Tensor,
    classes: torch.Tensor,
    weights: tuple[float, ...],
) -> torch.Tensor:
    """L1 between the deltas given and those wanted: summed over objects, divided by R.

    Args:
        deltas: (R, 4), or (R, 4K) of which those of the region's class count.
        boxes: (R, 4) in pixels of the input.
        targets: (R, 4) the object each region belongs to; zeros for background.
        classes: (R,) int64; not looked at for background.
        weights: Of dx, dy, dw, dh.

    Returns:
        Scalar; 0 without objects.
    """
    objects = (targets[:, 2:] > targets[:, :2]).all(dim=1).nonzero().flatten()  # (F,)
    if len(objects) == 0:
        return deltas.sum() * 0
    mine = deltas[objects].view(len(objects), -1, 4)  # (F, 1 or K, 4)
    which = classes[objects] if mine.shape[1] > 1 else torch.zeros_like(objects)
    given = mine[torch.arange(len(objects), device=mine.device), which]  # (F, 4)
    wanted = encode(boxes[objects], targets[objects], weights)
    return (given - wanted).abs().sum() / len(classes)
