"""A proposal network small enough to run hundreds of times, with statistics in its batch norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from stages.models.rpn_backbones import batch_norms
from stages.models.rpn_creation import create_rpn, save_rpn
from stages.models.rpn_spec import RpnSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stages.models.preprocess import Size
    from stages.models.rpn import Rpn

SMALL: dict[str, Any] = {
    "backbone": "small",
    "neck": "fpn",
    "width": 8,
    "stride": 8,
    "anchor_sizes": (16, 32, 48, 64),
    "shortest": 64,
    "longest": 96,
}


def tiny_rpn(seed: int = 0, **changes: Any) -> Rpn:
    """Random weights, statistics and predictions, in evaluation mode."""
    rpn = create_rpn(RpnSpec(**{**SMALL, **changes}), seed).eval()
    randomise(rpn, seed)
    return rpn


@torch.no_grad()
def randomise(module: torch.nn.Module, seed: int = 0, spread: float = 0.1) -> None:
    """Give every batch norm statistics, and predictions a spread, as training would."""
    rng = torch.Generator().manual_seed(seed)
    for norm in batch_norms(module):
        norm.running_mean.copy_(torch.randn(norm.num_features, generator=rng) * 0.1)
        norm.running_var.copy_(torch.rand(norm.num_features, generator=rng) + 0.5)
    for name, value in module.named_parameters():
        if "cls_logits" in name or "bbox_pred" in name:
            value.copy_(torch.randn(value.shape, generator=rng) * spread)


def raw_boxes(
    rpn: Rpn, images: Iterable[Any], size: Size | None = None, pre_nms: int | None = None
) -> list[Any]:
    """Boxes (R, 4) before any selection and their logits (R,), for each image (H, W, 3) RGB."""
    results = []
    for image in images:
        prepared = rpn.prepare(image, size or rpn.size)
        original = image.shape[1], image.shape[0]
        results.append(rpn.raw_boxes(prepared, original, pre_nms)[:2])
    return results


def saved(rpn: Rpn, folder: Path) -> tuple[Path, Path]:
    """Its model.json and weights.safetensors."""
    config, weights = folder / "model.json", folder / "weights.safetensors"
    save_rpn(rpn, config, weights)
    return config, weights
