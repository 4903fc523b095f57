"""CLIP models small enough for a test, one for each kind of image tower."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import torch

from stages.models.clip import Clip, create_clip, save_clip
from stages.models.preprocessing import CLIPS
from tests.stages.models import tiny_timm  # noqa: F401 - its towers are known to timm from here on

if TYPE_CHECKING:
    from pathlib import Path

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 64, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16}
TOWERS: dict[str, dict[str, Any]] = {
    "resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8},
    "vit": VIT,
    "vit-average": VIT | {"pool_type": "avg", "final_ln_after_pool": True},
    "vit-attention": VIT | {"attentional_pool": True, "attn_pooler_queries": 3},
    "convnext": {"image_size": 64, "timm_model_name": "test_convnext"},
    "fastvit": {"image_size": 64, "timm_model_name": "tiny_fastvit", "timm_proj": None},
    "siglip": {"image_size": 90, "timm_model_name": "tiny_siglip", "timm_pool": "map"},
    "eva02": {"image_size": 64, "timm_model_name": "tiny_eva02", "timm_pool": "token"},
    "pe": {"image_size": 64, "timm_model_name": "tiny_pe", "timm_pool": "map"},
    "mobileclip-b": {"image_size": 64, "timm_model_name": "tiny_mci", "timm_pool": "token"},
}
TOWERS["siglip"]["timm_proj"] = "none"
for name in ("eva02", "pe", "mobileclip-b"):
    TOWERS[name]["timm_proj"] = None


def config(tower: str = "resnet") -> dict[str, Any]:
    return copy.deepcopy({"embed_dim": 32, "vision_cfg": TOWERS[tower], "text_cfg": TEXT})


def described(tower: str = "resnet", **changes: object) -> dict[str, Any]:
    """What an open_clip_config.json holds: the configuration, and how images are prepared."""
    return {"model_cfg": config(tower) | changes, "preprocess_cfg": CLIPS.content()}


def tiny_clip(folder: Path, tower: str = "resnet", seed: int = 0) -> Clip:
    """A model with random statistics in its norms, so that no norm is the identity."""
    path = folder / f"{tower}.json"
    path.write_text(json.dumps(described(tower)))
    clip = create_clip(str(path), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for name, value in clip.network.state_dict().items():
        if name.endswith(("running_mean", "running_var", "bn3.weight", "bias")):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.5)
    return clip


def with_large_weights(clip: Clip, seed: int = 0) -> Clip:
    """The same model with every weight random in float64, so that no part of it is negligible."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in clip.double().network.visual.parameters():
            spread = 1.0 if weight.dim() < 2 else weight[0].numel() ** -0.5
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
            weight.mul_(spread)
    return clip


def tiny_files(folder: Path, tower: str = "resnet", seed: int = 0) -> dict[tuple[str, str], Path]:
    """The attachments of a teacher artifact, as `tests.in_memory.InMemory` takes them."""
    files = {
        ("teacher", name): folder / f"{tower}-{seed}-{name}"
        for name in ("model.json", "weights.safetensors")
    }
    clip = tiny_clip(folder, tower, seed)
    save_clip(clip, files["teacher", "model.json"], files["teacher", "weights.safetensors"])
    return files
