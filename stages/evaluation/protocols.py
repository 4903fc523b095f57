"""Protocols: the options under which the published RegionCLIP was judged, one preset each.

`-gt` names the boxes people drew, `-rpn` those of an RPN (propose with `--nms 0.9 --top-k 1000`),
both without moving boxes. `-ovd` and `-full` judge detectors (propose with `--nms 0.7 --top-k
1000`); `-ovd` evaluates base and novel categories together, `-novel` and `-base` with that
vocabulary alone. Every constant is written out: a default that changes leaves no protocol behind.

Source: RegionCLIP (arXiv:2112.09106), the configurations and scripts of its evaluation. Soft NMS
is that of its scripts for open-vocabulary detection; the fully supervised ones are not published,
so those keep class-wise NMS.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOK: Final = {
    "pooling": "roialign",
    "resize": "800x1333",
    "interpolation": "bilinear",
    "templates": "paper",
    "averaging": "reference",
    "temperature": 0.01,
    "nms": 0.5,
    "soft_nms": "none",
    "soft_nms_sigma": 0.5,
    "soft_nms_prune": 0.001,
    "bare_images": False,
}
_STILL: Final = {**_LOOK, "move_boxes": False}
_MOVED: Final = {**_LOOK, "boxes": "proposals", "move_boxes": True}
_SOFT: Final = {**_MOVED, "soft_nms": "gaussian"}

_COCO: Final = {"unlisted": "ignore", "detections_per_image": 100}
_LVIS: Final = {"unlisted": "refuse", "detections_per_image": 300}

_65: Final = {**_COCO, "categories": Path("coco-65"), "splits": Path("coco-ovd")}
_17: Final = {**_COCO, "categories": Path("coco-17"), "splits": Path("coco-novel")}
_48: Final = {**_COCO, "categories": Path("coco-48"), "splits": Path("coco-base")}
_80: Final = {**_COCO, "categories": Path("coco-80")}

_DRAWN: Final = {"boxes": "ground-truth", "score": "probability"}
_RPN: Final = {"boxes": "proposals", "score": "sqrt-logit"}
_SURE: Final = {"score": "probability", "score_threshold": 0.001}  # COCO's detectors
_FUSED: Final = {"score": "sqrt-logit", "score_threshold": 0.02}  # LVIS's detectors

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
    "coco-gt": {**_STILL, **_65, **_DRAWN, "score_threshold": 0.001},
    "coco-rpn": {**_STILL, **_65, **_RPN, "score_threshold": 0.001},
    "lvis-gt": {**_STILL, **_LVIS, **_DRAWN, "score_threshold": 0.0001},
    "lvis-rpn": {**_STILL, **_LVIS, **_RPN, "score_threshold": 0.02},
    "coco-ovd": {**_SOFT, **_65, **_SURE},
    "coco-ovd-novel": {**_SOFT, **_17, **_SURE},
    "coco-ovd-base": {**_SOFT, **_48, **_SURE},
    "lvis-ovd": {**_SOFT, **_LVIS, **_FUSED},
    "coco-full": {**_MOVED, **_80, **_SURE},
    "lvis-full": {**_MOVED, **_LVIS, **_FUSED},
}
PROPOSED: Final[Mapping[Preset, Mapping[str, Any]]] = {  # the options of rc propose
    name: {"nms": 0.9 if name.endswith("-rpn") else 0.7, "top_k": 1000, "min_size": 0.0}
    for name, values in PRESETS.items()
    if values["boxes"] == "proposals"
}
FEDERATED: Final = tuple(name for name in PRESETS if name.startswith("lvis"))


def deviations(preset: Preset | None, used: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Where the options used are not those of the preset: what it says, and what was used."""
    said = PRESETS[preset] if preset else {}
    return {
        name: {"preset": str(value), "used": str(used[name])}
        for name, value in said.items()
        if used[name] != value
    }
