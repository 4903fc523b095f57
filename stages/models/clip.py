"""CLIP models: made new, read from their two files, written to them.

A model artifact is model.json (a `Spec`) and weights.safetensors, with the names open_clip
gives its tensors. Only `create_clip` with a tag ever uses the network.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict

from schemas.errors import SourceError
from stages.models.device import resolve
from stages.models.network import Clip
from stages.models.spec import Spec, describe, triple
from stages.models.weights import (
    SUFFIXES,
    load_state,
    read_state,
    require_trained_statistics,
    write_state,
)

__all__ = ["Clip", "Spec", "create_clip", "load_clip", "read_clip", "save_clip"]


def load_clip(config: Path, weights: Path, device: str) -> Clip:
    """The CLIP of two files, frozen, once per process; shared, so copy it before training it.

    Files that changed on disk are read again.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    place = str(resolve(device))
    return _load_once(config, weights, place, _stamp(config), _stamp(weights))


def read_clip(config: Path, weights: Path, device: str = "cpu") -> Clip:
    """A CLIP of one's own from two files, in evaluation mode, everything trainable.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    clip = Clip(Spec.read(config))
    load_state(clip.network, read_state(weights), str(weights))
    return clip.to(resolve(device)).eval()


def save_clip(clip: Clip, config: Path, weights: Path, dtype: str = "float32") -> None:
    """Write model.json and weights.safetensors; equal models give equal bytes."""
    clip.spec.write(config)
    write_state(clip.network.state_dict(), weights, getattr(torch, dtype))


def create_clip(architecture: str, pretrained: str | None = None, seed: int = 0) -> Clip:
    """A CLIP in evaluation mode, everything trainable.

    Args:
        architecture: Name known to open_clip, such as RN50, or the path of a JSON file with its
            configuration (bare, under "model_cfg", or a model.json).
        pretrained: open_clip's tag for weights, fetched by it; or a file of weights; or None.
        seed: Of the random weights, if `pretrained` is None.

    Raises:
        SourceError: If the architecture, the tag or the file is unknown or does not fit.
    """
    spec = describe(architecture)
    if pretrained is None:
        return _random(spec, seed)
    if Path(pretrained).suffix in SUFFIXES or Path(pretrained).is_file():
        return _from_file(spec, Path(pretrained))
    return _from_tag(spec, pretrained)


@functools.lru_cache(maxsize=4)  # a teacher, a student, and one to compare each with
def _load_once(config: Path, weights: Path, device: str, *_: tuple[int, int]) -> Clip:
    return read_clip(config, weights, device).requires_grad_(False)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise SourceError(f"{path} is missing: the model cannot be loaded without it") from error
    return found.st_mtime_ns, found.st_size


def _random(spec: Spec, seed: int) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Clip(_with(spec, origin=f"random, seed {seed}")).eval()


def _from_file(spec: Spec, path: Path) -> Clip:
    state = read_state(path)
    require_trained_statistics(state, str(path))
    clip = Clip(_with(spec, origin=path.name)).eval()
    if spec.config.get("custom_text") and "positional_embedding" in state:
        state = convert_to_custom_text_state_dict(state)
    load_state(clip.network, state, str(path))
    return clip


def _from_tag(spec: Spec, tag: str) -> Clip:
    name = spec.architecture or ""
    known = open_clip.get_pretrained_cfg(name, tag)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise SourceError(
            f"no weights '{tag}' are published for '{name}' (tags: {tags}) and no file has that "
            f"name; give one of these tags, or the path of a weights file"
        )
    config = dict(spec.config)
    if known.get("quick_gelu"):  # a text tower trained with QuickGELU is wrong without it
        config["quick_gelu"] = True
    try:
        fetched = open_clip.create_model(
            name, pretrained=tag, force_quick_gelu=bool(known.get("quick_gelu"))
        )
    except Exception as error:  # open_clip and its download libraries share no base class
        raise SourceError(
            f"weights '{tag}' of '{name}' could not be fetched ({error}); check the network, or "
            f"download the file elsewhere and give its path"
        ) from error
    looks = {k: triple(known[k]) for k in ("mean", "std") if known.get(k)}
    clip = Clip(_with(spec, config=config, origin=f"open_clip {name} {tag}", **looks)).eval()
    load_state(clip.network, fetched.state_dict(), f"open_clip {name} {tag}")
    return clip


def _with(spec: Spec, **changes: Any) -> Spec:
    return dataclasses.replace(spec, **changes)
