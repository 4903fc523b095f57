"""Protocols: the options under which the published RegionCLIP was evaluated, one preset each.

`-gt` classifies ground-truth boxes, `-rpn` those of an RPN (propose with `--nms 0.9 --top-k
1000`), both without moving boxes. `-ovd` and `-full` evaluate detectors (propose with `--nms 0.7
--top-k 1000`); `-ovd` evaluates base and novel categories together, `-novel` and `-base` with that
vocabulary alone. Every constant is written out, so a changed default cannot change a protocol.

Source: RegionCLIP (arXiv:2112.09106), the configurations and scripts of its evaluation. Soft NMS
is that of its scripts for open-vocabulary detection; the fully supervised ones are not published,
so those keep class-wise NMS.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMON: Final = {
    "pooling": "roialign",
    "dense": "auto",
    "resize": "800x1333",
    "interpolation": "bilinear",
    "templates": "paper",
    "averaging": "reference",
    "precision": "float32",
    "temperature": 0.01,
    "probability": "softmax",
    "nms": 0.5,
    "soft_nms": "none",
    "soft_nms_sigma": 0.5,
    "soft_nms_prune": 0.001,
    "bare_images": False,
}
_FIXED_BOXES: Final = {**_COMMON, "move_boxes": False}
_MOVED_BOXES: Final = {**_COMMON, "boxes": "proposals", "move_boxes": True}
_SOFT_NMS: Final = {**_MOVED_BOXES, "soft_nms": "gaussian"}

_COCO: Final = {"unlisted": "ignore", "detections_per_image": 100}
_LVIS: Final = {"unlisted": "refuse", "detections_per_image": 300}

_COCO_65: Final = {**_COCO, "categories": Path("coco-65"), "splits": Path("coco-ovd")}
_COCO_17: Final = {**_COCO, "categories": Path("coco-17"), "splits": Path("coco-novel")}
_COCO_48: Final = {**_COCO, "categories": Path("coco-48"), "splits": Path("coco-base")}
_COCO_80: Final = {**_COCO, "categories": Path("coco-80")}

_GROUND_TRUTH: Final = {"boxes": "ground-truth", "score": "probability"}
_RPN_BOXES: Final = {"boxes": "proposals", "score": "sqrt-logit"}
_COCO_DETECTOR: Final = {"score": "probability", "score_threshold": 0.001}
_LVIS_DETECTOR: Final = {"score": "sqrt-logit", "score_threshold": 0.02}

Preset = Literal[
    "coco-gt",
    "coco-rpn",
    "lvis-gt",
    "lvis-rpn",
    "coco-ovd",
    "coco-ovd-novel",
    "coco-ovd-base",
    "lvis-ovd",
    "coco-full",
    "lvis-full",
]
PRESETS: Final[Mapping[Preset, Mapping[str, Any]]] = {
    "coco-gt": {**_FIXED_BOXES, **_COCO_65, **_GROUND_TRUTH, "score_threshold": 0.001},
    "coco-rpn": {**_FIXED_BOXES, **_COCO_65, **_RPN_BOXES, "score_threshold": 0.001},
    "lvis-gt": {**_FIXED_BOXES, **_LVIS, **_GROUND_TRUTH, "score_threshold": 0.0001},
    "lvis-rpn": {**_FIXED_BOXES, **_LVIS, **_RPN_BOXES, "score_threshold": 0.02},
    "coco-ovd": {**_SOFT_NMS, **_COCO_65, **_COCO_DETECTOR},
    "coco-ovd-novel": {**_SOFT_NMS, **_COCO_17, **_COCO_DETECTOR},
    "coco-ovd-base": {**_SOFT_NMS, **_COCO_48, **_COCO_DETECTOR},
    "lvis-ovd": {**_SOFT_NMS, **_LVIS, **_LVIS_DETECTOR},
    "coco-full": {**_MOVED_BOXES, **_COCO_80, **_COCO_DETECTOR},
    "lvis-full": {**_MOVED_BOXES, **_LVIS, **_LVIS_DETECTOR},
}
_OF_C4: Final = ("coco-ovd", "coco-ovd-novel", "coco-ovd-base", "coco-full")  # others: FPN
PROPOSAL_OPTIONS: Final[Mapping[Preset, Mapping[str, Any]]] = {  # the options of rc propose
    name: {
        "pre_nms": 6000 if name in _OF_C4 else 1000,  # from each map of the published localizer
        "nms": 0.9 if name.endswith("-rpn") else 0.7,
        "top_k": 1000,
        "min_size": 0.0,
    }
    for name, values in PRESETS.items()
    if values["boxes"] == "proposals"
}
LVIS_PRESETS: Final = tuple(name for name in PRESETS if name.startswith("lvis"))


def deviations(preset: Preset | None, used: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Options that differ from the preset: its value, and the value used."""
    values = PRESETS[preset] if preset else {}
    return {
        name: {"preset": str(value), "used": str(used[name])}
        for name, value in values.items()
        if used[name] != value
    }
