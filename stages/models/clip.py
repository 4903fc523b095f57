"""CLIP models: create them, read them from their two files, write them.

A model artifact is model.json (a `ClipSpec`) and weights.safetensors, with the names open_clip
gives its tensors. Only `create_clip` with a tag uses the internet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from stages.models.clip_creation import create_clip
from stages.models.clip_spec import ClipSpec
from stages.models.device import resolve
from stages.models.model_cache import load_once
from stages.models.network import Clip
from stages.models.weights import load_state, read_state, write_state

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Clip", "ClipSpec", "create_clip", "load_clip", "read_clip", "save_clip"]


def load_clip(config: Path, weights: Path, device: str) -> Clip:
    """The frozen CLIP of two files, read once per process; shared, so copy it before training it.

    Files that changed on disk are read again.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    return load_once(_read_frozen, config, weights, device)


def read_clip(config: Path, weights: Path, device: str = "cpu") -> Clip:
    """A new CLIP from two files, in evaluation mode, with all parameters trainable; not shared.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    clip = Clip(ClipSpec.read(config))
    load_state(clip.network, read_state(weights), str(weights))
    return clip.to(resolve(device)).eval()


def save_clip(clip: Clip, config: Path, weights: Path, dtype: str = "float32") -> None:
    """Write model.json and weights.safetensors; equal models give equal bytes."""
    clip.spec.write(config)
    write_state(clip.network.state_dict(), weights, getattr(torch, dtype))


def _read_frozen(config: Path, weights: Path, device: str) -> Clip:
    return read_clip(config, weights, device).requires_grad_(False)
