"""Networks of published shape with few channels, whose norms are all different from identity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from stages.models.clip import Clip, create_clip

if TYPE_CHECKING:
    from pathlib import Path

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
HEADS = 4


def config(side: int, layers: list[int], width: int, embed: int) -> dict[str, Any]:
    vision = {"image_size": side, "layers": layers, "width": width, "head_width": width * 8}
    return {"embed_dim": embed, "vision_cfg": vision, "text_cfg": TEXT, "quick_gelu": True}


def thin(
    folder: Path,
    side: int = 224,
    layers: tuple[int, ...] = (1, 1, 2, 1),
    width: int = 4,
    embed: int = 12,
) -> Clip:
    """A CLIP ResNet of few channels, four heads in its attention pool, float64."""
    path = folder / "thin.json"
    path.write_text(json.dumps(config(side, list(layers), width, embed)))
    clip = create_clip(str(path), seed=1)
    rng = torch.Generator().manual_seed(2)
    for name, value in clip.network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=rng) * 0.5 + 0.1)
        elif name.endswith((".bias", "running_mean", "positional_embedding")):
            value.copy_(torch.randn(value.shape, generator=rng) * 0.3)
        elif ".bn" in name or "downsample.1" in name:
            value.copy_(torch.rand(value.shape, generator=rng) + 0.5)
        elif "attnpool" in name:
            value.copy_(torch.randn(value.shape, generator=rng) * 1.5 * value.shape[-1] ** -0.5)
    return clip.double().eval()
