"""Identify which of open_clip's architectures some weights have, by the shapes of their tensors.

Shapes do not show everything, such as the number of attention heads; the architecture adds that.
So weights of an unknown architecture are refused, not guessed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import open_clip

from schemas.errors import SourceError
from stages.models.clip_spec import square_side
from stages.models.weights import length

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_QUICK = "-quickgelu"  # open_clip's suffix of the names of architectures that have it


@dataclass(frozen=True)
class ClipShape:
    """What the tensors of a CLIP show of its architecture.

    Attributes:
        tower: "ResNet" or "vision transformer".
        layers: Blocks of each stage, or of the transformer.
        width: Of the first stage, or of the transformer.
        patch: Side of a patch, pixels; for a ResNet its stride, 32.
        image_size: Native side of an image, pixels.
        embed_dim: Width of the space of features and embeddings.
        text: Vocabulary, context length, width and layers of the language encoder; None without.
    """

    tower: str
    layers: tuple[int, ...]
    width: int
    patch: int
    image_size: int
    embed_dim: int
    text: tuple[int, ...] | None = None


def identify_architecture(state: Mapping[str, torch.Tensor], source: str) -> str:
    """The name that open_clip gives to the architecture of `state`, which has open_clip's keys.

    Raises:
        SourceError: If no architecture fits, or several that differ in what shapes do not show.
    """
    if any(re.match(r"text\.transformer\.(?!resblocks\.)", name) for name in state):
        raise SourceError(
            f"{source} has a text tower of transformers, whose architecture tensors do not show; "
            f"give its name in open_clip (such as xlm-roberta-base-ViT-B-32) with --architecture"
        )
    shape = shape_in_state(state)
    if shape is None:
        raise SourceError(
            f"the architecture of {source} cannot be identified by its tensors, for it is no CLIP "
            f"ResNet or vision transformer; give its name in open_clip with --architecture"
        )
    names = [n for n, config in _configs().items() if _fits(shape, shape_in_config(config))]
    towers = {str(open_clip.get_model_config(name)["vision_cfg"]) for name in names}
    if len(towers) == 1:
        return min(names, key=lambda name: (len(name), name))
    result = f"could be any of {', '.join(sorted(names))}" if names else "is none of open_clip's"
    raise SourceError(
        f"{source} has a {shape.tower} of {'-'.join(map(str, shape.layers))} layers, {shape.width} "
        f"wide, for images of {shape.image_size} pixels and a space {shape.embed_dim} wide: it "
        f"{result}; give its name, or a JSON configuration, with --architecture"
    )


def may_fit(state: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> bool:
    """Whether a configuration describes these tensors, as far as both show their shapes."""
    shape, described = shape_in_state(state), shape_in_config(config)
    return shape is None or described is None or _fits(shape, described)


def shape_in_state(state: Mapping[str, torch.Tensor]) -> ClipShape | None:
    """The shape that tensors show; None if the image tower is no CLIP ResNet or transformer."""
    if "visual.attnpool.positional_embedding" in state:
        return _resnet_shape(state)
    if "visual.class_embedding" in state and "visual.proj" in state:
        return _transformer_shape(state)
    return None


def shape_in_config(config: Mapping[str, Any]) -> ClipShape | None:
    """The shape that a configuration describes; None for other kinds of image tower.

    Raises:
        SourceError: If its sizes are no numbers.
    """
    try:
        return _described_shape(config)
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise SourceError(f"sizes in a configuration of a CLIP are no numbers ({error})") from error


def _described_shape(config: Mapping[str, Any]) -> ClipShape | None:
    vision, text = config["vision_cfg"], config["text_cfg"]
    layers = vision.get("layers")
    if layers is None or vision.get("timm_model_name") or text.get("hf_model_name"):
        return None
    size = square_side(vision.get("image_size", 224))
    text_shape = (
        int(text.get("vocab_size", 49408)),
        int(text.get("context_length", 77)),
        int(text.get("width", 512)),
        int(text.get("layers", 12)),
    )
    if isinstance(layers, (list, tuple)):
        width, blocks, tower, patch = vision.get("width", 64), tuple(layers), "ResNet", 32
        size = patch * (size // patch)
    else:
        width, blocks, tower = vision.get("width", 768), (layers,), "vision transformer"
        patch = square_side(vision.get("patch_size") or 16)
        size = patch * (size // patch)
    return ClipShape(tower, blocks, int(width), patch, size, int(config["embed_dim"]), text_shape)


def _resnet_shape(state: Mapping[str, torch.Tensor]) -> ClipShape:
    stages = tuple(
        _count_blocks(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)
    )
    grid = _grid_side(state["visual.attnpool.positional_embedding"])
    projection = state.get("visual.attnpool.c_proj.weight")
    first = state.get("visual.layer1.0.conv1.weight")
    width, embed_dim = length(first, 0), length(projection, 0)
    return ClipShape("ResNet", stages, width, 32, 32 * grid, embed_dim, _text_shape(state))


def _transformer_shape(state: Mapping[str, torch.Tensor]) -> ClipShape:
    layers = _count_blocks(state, r"visual\.transformer\.resblocks\.(\d+)\.")
    width, embed_dim = (length(state["visual.proj"], axis) for axis in (0, 1))
    patch = length(state.get("visual.conv1.weight"), -1)
    size = patch * _grid_side(state.get("visual.positional_embedding"))
    return ClipShape(
        "vision transformer", (layers,), width, patch, size, embed_dim, _text_shape(state)
    )


def _text_shape(state: Mapping[str, torch.Tensor]) -> tuple[int, ...] | None:
    tokens = state.get("token_embedding.weight", state.get("text.token_embedding.weight"))
    positions = state.get("positional_embedding", state.get("text.positional_embedding"))
    if tokens is None or positions is None:
        return None
    layers = _count_blocks(state, r"(?:text\.)?transformer\.resblocks\.(\d+)\.")
    return length(tokens, 0), length(positions, 0), length(tokens, 1), layers


def _grid_side(positions: torch.Tensor | None) -> int:
    """Side of the grid of positions; the first position is that of the mean or class token."""
    return math.isqrt(max(0, length(positions, 0) - 1))


def _count_blocks(state: Mapping[str, torch.Tensor], pattern: str) -> int:
    matches = (re.match(pattern, name) for name in state)
    return max((int(match[1]) + 1 for match in matches if match), default=0)


def _fits(shape: ClipShape, described: ClipShape | None) -> bool:
    if described is None:
        return False
    return (shape.text is None or shape.text == described.text) and all(
        getattr(shape, part) == getattr(described, part)
        for part in ("tower", "layers", "width", "patch", "image_size", "embed_dim")
    )


def _configs() -> dict[str, Any]:
    """open_clip's configurations by name, without those that only add QuickGELU to another one."""
    names = [name for name in open_clip.list_models() if not name.endswith(_QUICK)]
    return {name: open_clip.get_model_config(name) for name in names}
