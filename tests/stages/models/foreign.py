"""Files as others publish them, made from our tiny networks with random weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch

from tests.stages.models import tiny

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

    State = dict[str, torch.Tensor]

WIDTH = 32  # of the embedding space of the tiny networks


def architecture(folder: Path, tower: str = "resnet", **changes: object) -> str:
    """Path of the configuration of a tiny network."""
    path = folder / f"{tower}-config.json"
    path.write_text(json.dumps(tiny.described(tower, **changes)))
    return str(path)


def renamed(clip: Clip, visual: str = "backbone.", text: str = "lang_encoder.") -> State:
    """A tiny network's tensors as RegionCLIP names them."""
    tensors = {}
    for name, value in clip.network.state_dict().items():
        if name.endswith("num_batches_tracked") or name == "logit_scale":
            continue
        if name.startswith("visual."):
            tensors[visual + name.removeprefix("visual.")] = value.clone()
        elif text:
            tensors[text + name] = value.clone()
    return tensors


def pretrained(folder: Path) -> State:
    """Student, language encoder, teacher, and something of a proposal network, in one file."""
    teacher = renamed(tiny.tiny_clip(folder, seed=1), "teacher_backbone.", "")
    offline = {
        "offline_backbone.stem.conv1.norm.running_mean": torch.zeros(4),
        "offline_backbone.stem.conv1.norm.running_var": torch.ones(4),
    }
    return renamed(tiny.tiny_clip(folder)) | teacher | offline


def finetuned(folder: Path, trained: int = 5, tested: int = 7, deltas: int = 4) -> State:
    """A detector without a language encoder, as fine-tuning leaves it, and its mask head."""
    torch.manual_seed(3)
    box = "roi_heads.box_predictor."
    return renamed(tiny.tiny_clip(folder), text="") | {
        box + "cls_score.weight": torch.randn(trained, WIDTH),
        box + "test_cls_score.weight": torch.randn(tested, WIDTH),
        box + "cls_bg_score.weight": torch.zeros(1, WIDTH),
        box + "bbox_pred.weight": torch.randn(deltas, WIDTH),
        box + "bbox_pred.bias": torch.randn(deltas),
        "roi_heads.mask_head.deconv.weight": torch.randn(2, 2),
    }


def save(state: State, path: Path) -> Path:
    """Write it as detectron2 does."""
    torch.save({"model": state, "iteration": 7, "__author__": "someone"}, path)
    return path


def names(folder: Path, count: int, *more: str) -> Path:
    """A file of names, one a line."""
    path = folder / f"names-{count}-{len(more)}.txt"
    path.write_text("\n".join([*(f"thing {i}" for i in range(count)), *more]) + "\n")
    return path
