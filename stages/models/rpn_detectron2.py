"""Read proposal networks from checkpoints of detectron2, and of RegionCLIP, which contain one.

`backbone.*` and `proposal_generator.*` of a detector, or `offline_backbone.*` and
`offline_proposal_generator.*` beside a student, become the tensors of a `stages.models.rpn.Rpn`
that gives the same boxes: the stride is in the first convolution of a bottleneck, channels are
blue, green, red, pixel values go to 255, anchors are not rounded, and batch norms are constant
gains and biases.

Source: detectron2's `build_resnet_backbone`, `FPN`, `StandardRPNHead`; its model zoo's R-50 of
MSRA; the CLIP ResNet under a pyramid as in RegionCLIP's `build_clip_resnet_fpn_backbone`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

from schemas.errors import SourceError
from stages.models.rpn_spec import RpnSpec
from stages.models.weights import length

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

    from stages.models.weights import State

_OFFLINE: Final = "offline_"
_SIZES: Final = (32, 64, 128, 256, 512)  # pixels; one for each level, or all on one map
_PIXELS: Final[dict[str, Any]] = {
    "mean": (103.530, 116.280, 123.675),
    "std": (1.0, 1.0, 1.0),
    "channels": "bgr",
    "scale": 255,
}
_CLIP_PIXELS: Final[dict[str, Any]] = {
    "mean": tuple(OPENAI_DATASET_MEAN),
    "std": tuple(OPENAI_DATASET_STD),
}
_NAMES: Final = (  # tried in order; `body.` stands for `backbone.` or `backbone.bottom_up.`
    (r"body\.stem\.conv1\.norm\.(\w+)", r"backbone.body.bn1.\1"),
    (r"body\.stem\.conv1\.weight", r"backbone.body.conv1.weight"),
    (r"body\.res(\d)\.(\d+)\.conv(\d)\.norm\.(\w+)", r"backbone.body.layer\1.\2.bn\3.\4"),
    (r"body\.res(\d)\.(\d+)\.conv(\d)\.weight", r"backbone.body.layer\1.\2.conv\3.weight"),
    (r"body\.res(\d)\.(\d+)\.shortcut\.norm\.(\w+)", r"backbone.body.layer\1.\2.downsample.1.\3"),
    (r"body\.res(\d)\.(\d+)\.shortcut\.weight", r"backbone.body.layer\1.\2.downsample.0.weight"),
    (r"body\.((?:conv|bn|layer)\d\..+)", r"backbone.body.\1"),  # CLIP's own names are kept
    (r"fpn_lateral(\d)\.norm\.(\w+)", r"backbone.fpn.inner_blocks.\1.1.\2"),
    (r"fpn_lateral(\d)\.(\w+)", r"backbone.fpn.inner_blocks.\1.0.\2"),
    (r"fpn_output(\d)\.norm\.(\w+)", r"backbone.fpn.layer_blocks.\1.1.\2"),
    (r"fpn_output(\d)\.(\w+)", r"backbone.fpn.layer_blocks.\1.0.\2"),
    (r"rpn_head\.conv\.conv(\d)\.(\w+)", r"rpn.head.conv.\1.0.\2"),
    (r"rpn_head\.conv\.(\w+)", r"rpn.head.conv.0.0.\1"),
    (r"rpn_head\.objectness_logits\.(\w+)", r"rpn.head.cls_logits.\1"),
    (r"rpn_head\.anchor_deltas\.(\w+)", r"rpn.head.bbox_pred.\1"),
)
_FIRST_NUMBERS: Final = {"layer": 1, "inner_blocks.": 2, "layer_blocks.": 2}  # res2 is layer1, ...
# by blocks of res4, and whether they are bottlenecks
_BACKBONES: Final = {(6, True): "resnet50", (23, True): "resnet101", (6, False): "resnet34"}


def read_detectron2_rpn(state: Mapping[str, torch.Tensor]) -> tuple[RpnSpec, State, set[str]]:
    """The proposal network in a checkpoint.

    Args:
        state: All its tensors by name.

    Returns:
        The spec of the network, its tensors by our names, and the names in `state` that were used.

    Raises:
        SourceError: If there is no such network, or its kind is unknown.
    """
    offline = any(name.startswith(f"{_OFFLINE}proposal_generator.") for name in state)
    prefix = _OFFLINE if offline else ""
    tensors: State = {}
    used = set()
    for name, value in state.items():
        ours = _our_name(name, prefix)
        if ours is not None:
            tensors[ours] = value
            used.add(name)
    pyramid = any(name.startswith("backbone.fpn.") for name in tensors)
    clip = "backbone.body.conv3.weight" in tensors
    if not pyramid:  # the last stage of a C4 detector belongs to its box head
        kept = {name for name in tensors if not name.startswith("backbone.body.layer4.")}
        used = {name for name in used if _our_name(name, prefix) in kept}
        tensors = {name: tensors[name] for name in kept}
    return _spec_of(tensors, pyramid=pyramid, clip=clip), tensors, used


def _our_name(name: str, prefix: str) -> str | None:
    """Our name for a tensor of the proposal network; None for other tensors."""
    own = name.removeprefix(prefix)
    if prefix and own == name:
        return None
    if own.startswith("proposal_generator."):
        own = own.removeprefix("proposal_generator.")
    elif own.startswith("backbone.fpn_"):
        own = own.removeprefix("backbone.")
    elif own.startswith("backbone."):
        own = "body." + own.removeprefix("backbone.").removeprefix("bottom_up.")
    else:
        return None
    for pattern, ours in _NAMES:
        if match := re.fullmatch(pattern, own):
            return _renumbered(match.expand(ours), clip=".res" not in own)
    return None


def _renumbered(name: str, *, clip: bool) -> str:
    """The name with torchvision's numbers: res2 is its layer 1, FPN level 2 is its block 0."""
    for word, first in _FIRST_NUMBERS.items():
        if word == "layer" and clip:
            continue
        if match := re.search(rf"\.{re.escape(word)}(\d)\.", name):
            name = f"{name[: match.start(1)]}{int(match[1]) - first}{name[match.end(1) :]}"
    return name


def _spec_of(tensors: State, *, pyramid: bool, clip: bool) -> RpnSpec:
    missing = [
        n for n in ("rpn.head.cls_logits.weight", "rpn.head.conv.0.0.weight") if n not in tensors
    ]
    if missing:
        raise SourceError(
            "the checkpoint has a proposal_generator, but not the rpn_head of detectron2's "
            "StandardRPNHead; no other kind is supported"
        )
    head = tensors["rpn.head.conv.0.0.weight"]
    return RpnSpec(
        backbone="clip_resnet50" if clip else _backbone_name(tensors),
        neck="fpn" if pyramid else "c4",
        width=length(head, 1),
        stride=4,
        anchor_sizes=_SIZES,
        ratios=_anchor_ratios(tensors, len(_SIZES) if not pyramid else 1),
        anchors="detectron2",
        head_convs=1 + max(int(m[1]) for n in tensors if (m := _CONV.match(n))),
        strided="3x3" if clip else "1x1",
        fpn_norm="backbone.fpn.inner_blocks.0.1.weight" in tensors,
        pad_to=32 if pyramid else 1,
        constant_statistics=True,
        shortest=800,
        longest=1333,
        **(_CLIP_PIXELS if clip else _PIXELS),
    )


_CONV: Final = re.compile(r"rpn\.head\.conv\.(\d)\.")


def _anchor_ratios(tensors: State, sizes: int) -> tuple[float, ...]:
    anchors = length(tensors["rpn.head.cls_logits.weight"], 0)
    if anchors != 3 * sizes:
        raise SourceError(
            f"the proposal network has {anchors} anchors per position, not the {3 * sizes} of "
            f"{sizes} sizes and ratios 0.5, 1 and 2; only detectron2's default anchors are known"
        )
    return (0.5, 1.0, 2.0)


def _backbone_name(names: Iterable[str]) -> str:
    blocks = {int(m[1]) for n in names if (m := re.match(r"backbone\.body\.layer3\.(\d+)\.", n))}
    bottlenecks = "backbone.body.layer1.0.conv3.weight" in names
    backbone = _BACKBONES.get((len(blocks), bottlenecks))
    if backbone is None:
        raise SourceError(
            f"the proposal network's backbone has {len(blocks)} blocks in res4; only ResNets of "
            f"50 and 101 layers (and 34) are known"
        )
    return backbone
