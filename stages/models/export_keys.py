"""Keys of tensors on export: from ours (open_clip's, torchvision's) to the names of others.

Source: RegionCLIP (arXiv:2112.09106), names of the modules in its `clip_rcnn.py` and
`fast_rcnn.py`; detectron2, names of the modules of `build_resnet_backbone`, `FPN`, `RPN`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from stages.models.import_keys import VISUAL, language_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from stages.models.weights import State

CLIP_PREFIX: Final = "clip."  # of the CLIP inside a detector
_COUNTERS: Final = ("num_batches_tracked",)  # frozen batch norms do not have them
_BOX: Final = "roi_heads.box_predictor."
_OFFLINE: Final = {
    "backbone.": "offline_backbone.",
    "proposal_generator.": "offline_proposal_generator.",
}
# patterns of torchvision's names and detectron2's names; applied one after another
_RENAMES: Final = (
    (r"^backbone\.body\.", "backbone.{bottom_up}"),
    (r"\blayer(\d)\.", "res{stage}."),
    (r"^(backbone\.(?:bottom_up\.)?)conv1\.", r"\1stem.conv1."),
    (r"^(backbone\.(?:bottom_up\.)?)bn1\.", r"\1stem.conv1.norm."),
    (r"\.bn(\d)\.", r".conv\1.norm."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"\.fpn\.inner_blocks\.(\d)\.0\.", ".fpn_lateral{level}."),
    (r"\.fpn\.inner_blocks\.(\d)\.1\.", ".fpn_lateral{level}.norm."),
    (r"\.fpn\.layer_blocks\.(\d)\.0\.", ".fpn_output{level}."),
    (r"\.fpn\.layer_blocks\.(\d)\.1\.", ".fpn_output{level}.norm."),
    (r"^rpn\.head\.", "proposal_generator.rpn_head."),
    (r"\.cls_logits\.", ".objectness_logits."),
    (r"\.bbox_pred\.", ".anchor_deltas."),
    (r"\.rpn_head\.conv\.(\d+)\.0\.", ".rpn_head.conv.{conv}"),
)


def regionclip_clip(state: Mapping[str, torch.Tensor], visual: str) -> State:
    """A CLIP's tensors: image tower with the prefix `visual`, language encoder `lang_encoder.`.

    The logit scale is left out: RegionCLIP divides by its own temperature.
    """
    tower = {
        visual + name.removeprefix(VISUAL): value
        for name, value in state.items()
        if name.startswith(VISUAL)
    }
    texts = {"lang_encoder." + name: value for name, value in language_tensors(state).items()}
    return {n: v for n, v in (tower | texts).items() if not n.endswith(_COUNTERS)}


def regionclip_head(state: Mapping[str, torch.Tensor]) -> State:
    """A detector's head: category embeddings, background embedding, box layer if there is one."""
    boxes = {
        _BOX + name.removeprefix("head."): value
        for name, value in state.items()
        if name.startswith("head.bbox_pred.")
    }
    background = state["head.background"].reshape(1, -1)
    return {
        _BOX + "cls_score.weight": state["head.embeddings"],
        _BOX + "cls_bg_score.weight": background,
        **boxes,
    }


def regionclip_rpn(state: Mapping[str, torch.Tensor]) -> State:
    """A proposal network with detectron2's names, renamed to RegionCLIP's offline network."""
    return {
        new + name.removeprefix(old): value
        for name, value in state.items()
        for old, new in _OFFLINE.items()
        if name.startswith(old)
    }


def detectron2_rpn(state: Mapping[str, torch.Tensor]) -> State:
    """A proposal network's tensors with detectron2's names, without counters."""
    pyramid = any(name.startswith("backbone.fpn.") for name in state)
    convs = sum(name.startswith("rpn.head.conv.") and name.endswith("weight") for name in state)
    return {
        _detectron2_name(name, pyramid=pyramid, convs=convs): value
        for name, value in state.items()
        if not name.endswith(_COUNTERS)
    }


def _detectron2_name(name: str, *, pyramid: bool, convs: int) -> str:
    for pattern, new in _RENAMES:
        if match := re.search(pattern, name):
            number = int(match[1]) if match.re.groups and match[1].isdigit() else 0
            parts = {
                "bottom_up": "bottom_up." if pyramid else "",
                "stage": number + 1,  # layer1 is res2
                "level": number + 2,  # the finest map has a stride of 2 ** 2
                "conv": f"conv{number}." if convs > 1 else "",
            }
            name = re.sub(pattern, new.format(**parts), name)
    return name
