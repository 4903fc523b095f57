"""Losses of a detector: classification of regions, and box regression; each a plain function.

Shapes: R sampled regions of a batch, F of them on an object, K categories; class K is background.

Source: RegionCLIP (arXiv:2112.09106), transfer; values as its `FastRCNNOutputLayers` computes
them. Its two ways to weight background divide by different numbers; both are kept.
"""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

from stages.models.box_deltas import encode

_TINY: Final = 1e-12  # a smaller cross-entropy gets no gradient through the focal factor


def classification(
    logits: torch.Tensor, classes: torch.Tensor, background_weight: float, focal_gamma: float
) -> torch.Tensor:
    """Cross-entropy of regions, with a weight for background and optional focal scaling.

    With scaling, the cross-entropy of every region (background too) is multiplied by
    (1 - p)^gamma, p the probability of its class, then background by its weight; the sum is
    divided by R. Without, the weighted sum is divided by the sum of the weights.

    Args:
        logits: (R, K + 1), background last.
        classes: (R,) int64, K for background.
        background_weight: Weight of a background region; an object has 1.
        focal_gamma: Exponent; 0 is no scaling.

    Returns:
        Scalar in nats; 0 if R is 0.
    """
    if len(classes) == 0:
        return logits.sum() * 0
    background = classes == logits.shape[1] - 1
    weights = torch.where(background, background_weight, 1.0).to(logits)  # (R,)
    entropy = F.cross_entropy(logits, classes, reduction="none")  # (R,)
    if not focal_gamma:
        return (weights * entropy).sum() / weights.sum()
    # 1 - p where p = exp(-entropy); above 0, because the gradient of its root is infinite at 0
    complement = -torch.expm1(-entropy.clamp(min=_TINY))
    return (weights * entropy * complement**focal_gamma).mean()


def box_regression(
    deltas: torch.Tensor,
    boxes: torch.Tensor,
    targets: torch.Tensor,
    classes: torch.Tensor,
    weights: tuple[float, ...],
) -> torch.Tensor:
    """L1 distance of predicted and target deltas: summed over objects, divided by R.

    Args:
        deltas: (R, 4), or (R, 4K) of which only those of the region's class count.
        boxes: (R, 4) in pixels of the input.
        targets: (R, 4) box of each region's object; zeros for background.
        classes: (R,) int64; ignored for background.
        weights: Of dx, dy, dw, dh.

    Returns:
        Scalar; 0 without objects.
    """
    objects = (targets[:, 2:] > targets[:, :2]).all(dim=1).nonzero().flatten()  # (F,)
    if len(objects) == 0:
        return deltas.sum() * 0
    by_class = deltas[objects].view(len(objects), -1, 4)  # (F, 1 or K, 4)
    column = classes[objects] if by_class.shape[1] > 1 else torch.zeros_like(objects)
    predicted = by_class[torch.arange(len(objects), device=deltas.device), column]  # (F, 4)
    expected = encode(boxes[objects], targets[objects], weights)
    return (predicted - expected).abs().sum() / len(classes)
