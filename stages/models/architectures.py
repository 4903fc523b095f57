"""Which of open_clip's architectures some weights have, told by the shapes of their tensors.

What shapes do not tell, such as the number of attention heads, comes with the architecture; so
weights of no known architecture are refused rather than guessed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import open_clip

from schemas.errors import SourceError
from stages.models.spec import side

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_QUICK = "-quickgelu"  # open_clip's suffix of the names of architectures that have it


@dataclass(frozen=True)
class Shape:
    """What can be seen of a CLIP in its tensors.

    Attributes:
        tower: "ResNet" or "vision transformer".
        layers: Blocks of each stage, or of the transformer.
        width: Of the first stage, or of the transformer.
        patch: Side of a patch, pixels; 32 for a ResNet, whose stride that is.
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


def recognise(state: Mapping[str, torch.Tensor], source: str) -> str:
    """open_clip's name of the architecture of `state`, which has open_clip's names.

    Raises:
        SourceError: If it is none, or one of several that differ in what cannot be seen.
    """
    seen = shape_of(state)
    if seen is None:
        raise SourceError(
            f"the architecture of {source} cannot be told from its tensors (only CLIP ResNets and "
            f"vision transformers can); give open_clip's name of it with --architecture"
        )
    fitting = [n for n, config in _plain_configs().items() if _same(seen, shape_in(config))]
    towers = {str(open_clip.get_model_config(name)["vision_cfg"]) for name in fitting}
    if len(towers) == 1:
        return min(fitting, key=lambda name: (len(name), name))
    found = f"could be any of {', '.join(sorted(fitting))}" if fitting else "is none of open_clip's"
    raise SourceError(
        f"{source} has a {seen.tower} of {'-'.join(map(str, seen.layers))} layers, {seen.width} "
        f"wide, for images of {seen.image_size} pixels and a space {seen.embed_dim} wide: it "
        f"{found}; give its name, or a JSON configuration, with --architecture"
    )


def shape_of(state: Mapping[str, torch.Tensor]) -> Shape | None:
    """What the tensors of a CLIP say; None if its image tower is neither of the two kinds."""
    if "visual.attnpool.positional_embedding" in state:
        return _resnet(state)
    if "visual.class_embedding" in state and "visual.proj" in state:
        return _transformer(state)
    return None


def shape_in(config: Mapping[str, Any]) -> Shape | None:
    """What a configuration says; None if its image tower is neither of the two kinds."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    layers = vision.get("layers")
    if layers is None or vision.get("timm_model_name") or text.get("hf_model_name"):
        return None
    size = side(vision.get("image_size", 224))
    told = (
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
        patch = side(vision.get("patch_size") or 16)
        size = patch * (size // patch)
    return Shape(tower, blocks, int(width), patch, size, int(config["embed_dim"]), told)


def _resnet(state: Mapping[str, torch.Tensor]) -> Shape:
    stages = tuple(_count(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4))
    grid = _grid(state["visual.attnpool.positional_embedding"])
    projection = state.get("visual.attnpool.c_proj.weight")
    first = state.get("visual.layer1.0.conv1.weight")
    width = 0 if first is None else len(first)
    embed_dim = 0 if projection is None else len(projection)
    return Shape("ResNet", stages, width, 32, 32 * grid, embed_dim, _text(state))


def _transformer(state: Mapping[str, torch.Tensor]) -> Shape:
    layers = _count(state, r"visual\.transformer\.resblocks\.(\d+)\.")
    width, embed_dim = state["visual.proj"].shape
    patches = state.get("visual.conv1.weight")
    patch = 0 if patches is None else patches.shape[-1]
    size = patch * _grid(state.get("visual.positional_embedding"))
    return Shape("vision transformer", (layers,), width, patch, size, embed_dim, _text(state))


def _text(state: Mapping[str, torch.Tensor]) -> tuple[int, ...] | None:
    tokens = state.get("token_embedding.weight", state.get("text.token_embedding.weight"))
    places = state.get("positional_embedding", state.get("text.positional_embedding"))
    if tokens is None or places is None:
        return None
    layers = _count(state, r"(?:text\.)?transformer\.resblocks\.(\d+)\.")
    return len(tokens), len(places), tokens.shape[1], layers


def _grid(positions: torch.Tensor | None) -> int:
    """Side of the grid that positions are of, the first being that of the mean or class token."""
    return 0 if positions is None else math.isqrt(max(0, len(positions) - 1))


def _count(state: Mapping[str, torch.Tensor], pattern: str) -> int:
    found = (re.match(pattern, name) for name in state)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _same(seen: Shape, told: Shape | None) -> bool:
    if told is None:
        return False
    return (seen.text is None or seen.text == told.text) and all(
        getattr(seen, part) == getattr(told, part)
        for part in ("tower", "layers", "width", "patch", "image_size", "embed_dim")
    )


def _plain_configs() -> dict[str, Any]:
    """open_clip's configurations by name, without those that only add QuickGELU to another."""
    names = [name for name in open_clip.list_models() if not name.endswith(_QUICK)]
    return {name: open_clip.get_model_config(name) for name in names}
