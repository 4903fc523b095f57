"""New CLIP models: an architecture with random weights, or with weights published for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict

from schemas.errors import SourceError
from stages.models.clip import Clip, Spec
from stages.models.weights import load_state, read_state, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    if Path(pretrained).suffix:
        return _from_file(spec, Path(pretrained))
    return _from_tag(spec, pretrained)


def describe(architecture: str) -> Spec:
    """The spec of an architecture given by name or by JSON file, its origin left empty.

    Raises:
        SourceError: If it is neither, or the file is no configuration.
    """
    if architecture.endswith(".json"):
        name, content = None, _read_json(Path(architecture))
    else:
        name, content = architecture.replace("/", "-"), _named(architecture)
    config = content.get("config") or content.get("model_cfg") or content
    looks = content.get("preprocess_cfg") or content
    if not {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
        raise SourceError(f"{architecture} lacks embed_dim, vision_cfg or text_cfg")
    return Spec(
        architecture=content.get("architecture") or name,
        config=config,
        image_size=_side(config["vision_cfg"].get("image_size", 224)),
        mean=_triple(looks.get("mean") or open_clip.OPENAI_DATASET_MEAN),
        std=_triple(looks.get("std") or open_clip.OPENAI_DATASET_STD),
        origin="",
    )


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
    looks = {k: _triple(known[k]) for k in ("mean", "std") if known.get(k)}
    clip = Clip(_with(spec, config=config, origin=f"open_clip {name} {tag}", **looks)).eval()
    load_state(clip.network, fetched.state_dict(), f"open_clip {name} {tag}")
    return clip


def _with(spec: Spec, **changes: Any) -> Spec:
    return dataclasses.replace(spec, **changes)


def _named(name: str) -> Mapping[str, Any]:
    config = open_clip.get_model_config(name.replace("/", "-"))
    if config is None:
        raise SourceError(
            f"open_clip knows no architecture '{name}'; give a name such as RN50 or ViT-B-32, or "
            f"the path of a .json configuration"
        )
    return dict(config)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is no readable JSON configuration: {error}") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path} is no configuration: a JSON object is expected")
    return content


def _side(size: Any) -> int:
    return int(size if isinstance(size, int) else size[0])


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
