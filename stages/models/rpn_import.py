"""Import proposal networks from published files: torchvision's, detectron2's, RegionCLIP's, ours.

A file of RegionCLIP holds its proposal network (`offline_*`) beside the student; this module reads
the proposal network only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from stages.models.key_report import KeyReport
from stages.models.rpn import Rpn
from stages.models.rpn_creation import current_name
from stages.models.rpn_detectron2 import read_detectron2_rpn
from stages.models.rpn_spec import BACKBONES, STRIDES, RpnSpec, read_spec
from stages.models.weights import (
    State,
    length,
    load_state,
    read_state,
    require_trained_statistics,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

_DETECTRON2_PREFIXES: Final = ("proposal_generator.", "offline_proposal_generator.")
_BLOCKS: Final[
    dict[tuple[tuple[int, ...], bool], str]
] = {  # blocks of each stage, and whether they are bottlenecks
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
}
_FINEST_ANCHOR: Final = 32  # pixels, at stride 4; torchvision doubles it for each coarser map


def import_rpn(
    path: Path,
    architecture: str | None = None,
    norm_eps: float | None = None,
    *,
    untrained: bool = False,
) -> tuple[Rpn, KeyReport]:
    """The proposal network of a file, in evaluation mode, and how each tensor was used.

    Args:
        path: Weights with `rpn.*` and `backbone.*` (torchvision's or ours), `proposal_generator.*`
            (detectron2's), or `offline_*` (RegionCLIP's).
        architecture: Name of a backbone or path of a model.json, if shapes do not show it.
        norm_eps: Added to variances in torchvision's batch norms: 0 in its COCO_V1 detectors.
        untrained: Accept batch norms that all have their initial statistics.

    Raises:
        SourceError: If there is no such network, or tensors are missing, of another shape or not
            finite.
    """
    raw = read_state(path)
    if any(name.startswith(_DETECTRON2_PREFIXES) for name in raw):
        spec, state, used = read_detectron2_rpn(raw)
        layout = "detectron2"
    else:
        renamed = {current_name(name): name for name in raw}
        names = {n: old for n, old in renamed.items() if n.startswith(("backbone.", "rpn."))}
        state, used = {n: raw[old] for n, old in names.items()}, set(names.values())
        layout = "torchvision"
        spec = _torchvision_spec(state, architecture, norm_eps, path.name)
    if problems := spec.problems():
        raise SourceError(f"the shapes of tensors in {path.name} fit no network: {problems[0]}")
    if not untrained and not spec.constant_statistics:
        require_trained_statistics(state, path.name)
    rpn = Rpn(spec).eval()
    load_state(rpn, state, path.name)
    return rpn, _report(raw, used, layout, rpn.state_dict().keys() - state.keys())


def _report(
    raw: Mapping[str, torch.Tensor], used: Iterable[str], layout: str, missing: Iterable[str]
) -> KeyReport:
    used_names = set(used)
    unused = sorted(raw.keys() - used_names)
    return KeyReport(layout, sorted(used_names), unused, sorted(missing))


def _torchvision_spec(
    state: State, architecture: str | None, norm_eps: float | None, source: str
) -> RpnSpec:
    if not any(name.startswith("rpn.head.") for name in state):
        raise SourceError(
            f"{source} holds no proposal network: no name begins with rpn.head. (torchvision), "
            f"proposal_generator. (detectron2) or offline_proposal_generator. (RegionCLIP)"
        )
    if architecture and architecture.endswith(".json"):
        return read_spec(Path(architecture))
    backbone = architecture or _backbone_name(state)
    if backbone is None or backbone not in BACKBONES:
        raise SourceError(
            f"the backbone of {source} cannot be identified by its tensors; give its name "
            f"({', '.join(BACKBONES)}) or a model.json with --architecture"
        )
    return _spec_of_shapes(state, backbone, norm_eps)


def _backbone_name(state: State) -> str | None:
    pattern = r"backbone\.body\.layer{}\.(\d+)\."
    stages = tuple(_count(state, pattern.format(stage)) for stage in (1, 2, 3, 4))
    bottlenecks = "backbone.body.layer1.0.conv3.weight" in state
    return _BLOCKS.get((stages, bottlenecks))


def _spec_of_shapes(state: State, backbone: str, norm_eps: float | None) -> RpnSpec:
    """The spec of a torchvision detector, with the image sizes of the published ones."""
    maps = _count(state, r"backbone\.fpn\.inner_blocks\.(\d+)\.")
    stride = STRIDES[len(STRIDES) - maps] if maps else STRIDES[0]
    sizes = tuple(_FINEST_ANCHOR * 2**step for step in range(maps + 1 if maps else 5))
    return RpnSpec(
        backbone=backbone,
        neck="fpn" if maps else "c4",
        width=length(state.get("rpn.head.cls_logits.weight"), 1),
        stride=stride,
        anchor_sizes=sizes,
        head_convs=_count(state, r"rpn\.head\.conv\.(\d+)\."),
        fpn_norm="backbone.fpn.inner_blocks.0.1.weight" in state,
        norm_eps=norm_eps,
        shortest=800,
        longest=1333,
    )


def _count(state: Iterable[str], pattern: str) -> int:
    matches = (re.match(pattern, name) for name in state)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
