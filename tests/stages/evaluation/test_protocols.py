"""The published protocols, constant by constant."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OptionError
from stages.evaluate import Evaluate
from stages.evaluation.protocols import PRESETS, PROPOSAL_OPTIONS, deviations
from stages.option import with_presets

LVIS = Path("lvis_v1_val.json")
COLUMNS = ("boxes", "score", "score_threshold", "soft_nms", "detections_per_image", "move_boxes")
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "coco-gt": ("ground-truth", "probability", 0.001, "none", 100, False),
    "lvis-gt": ("ground-truth", "probability", 0.0001, "none", 300, False),
    "coco-rpn": ("proposals", "sqrt-logit", 0.001, "none", 100, False),
    "lvis-rpn": ("proposals", "sqrt-logit", 0.02, "none", 300, False),
    "coco-ovd": ("proposals", "probability", 0.001, "gaussian", 100, True),
    "coco-ovd-novel": ("proposals", "probability", 0.001, "gaussian", 100, True),
    "coco-ovd-base": ("proposals", "probability", 0.001, "gaussian", 100, True),
    "lvis-ovd": ("proposals", "sqrt-logit", 0.02, "gaussian", 300, True),
    "coco-full": ("proposals", "probability", 0.001, "none", 100, True),
    "lvis-full": ("proposals", "sqrt-logit", 0.02, "none", 300, True),
}


def preset(name: str, **options: Any) -> Evaluate:
    lists = {"annotations": LVIS} if name.startswith("lvis") else {}
    return Evaluate(**with_presets(Evaluate, {"preset": name, **lists, **options}))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_the_published_constants(name: str) -> None:
    stage = preset(name)
    assert tuple(getattr(stage, column) for column in COLUMNS) == PUBLISHED[name]
    common = (stage.resize, stage.interpolation, stage.nms, stage.temperature, stage.templates)
    assert common == ("800x1333", "bilinear", 0.5, 0.01, "paper")
    assert (stage.averaging, stage.pooling, stage.bare_images) == ("reference", "roialign", False)
    assert (stage.soft_nms_sigma, stage.soft_nms_prune) == (0.5, 0.001)


@pytest.mark.parametrize(
    ("name", "count", "splits"),
    [
        ("coco-gt", 65, {"base": 48, "novel": 17}),
        ("coco-rpn", 65, {"base": 48, "novel": 17}),
        ("coco-ovd", 65, {"base": 48, "novel": 17}),
        ("coco-ovd-novel", 17, {"novel": 17}),
        ("coco-ovd-base", 48, {"base": 48}),
        ("coco-full", 80, {}),
    ],
)
def test_a_preset_brings_its_vocabulary(name: str, count: int, splits: dict[str, int]) -> None:
    lists = preset(name, templates="plain")._lists()
    assert lists.categories is not None
    assert len(lists.categories) == count
    assert {split: len(names) for split, names in lists.splits.items()} == splits


def test_presets_set_the_same_options_whatever_the_defaults() -> None:
    """Nothing of a protocol is left to defaults, so a changed default cannot change it."""
    first, *others = (set(values) - {"categories", "splits"} for values in PRESETS.values())
    assert all(other == first for other in others)
    speed = {"device", "threads", "limit", "preset", "crop_margin", "annotations", "pictures"}
    assert {f.name for f in fields(Evaluate) if f.name not in speed} == first | {
        "categories",
        "splits",
    }


@pytest.mark.parametrize("name", ["lvis-gt", "lvis-rpn", "lvis-ovd", "lvis-full"])
def test_presets_of_lvis_need_its_annotations(name: str) -> None:
    with pytest.raises(OptionError, match=rf"--preset {name} needs --annotations"):
        Evaluate(**with_presets(Evaluate, {"preset": name}))


def test_options_that_differ_from_the_preset_are_deviations() -> None:
    stage = preset("coco-rpn", score="sqrt-objectness", nms=0.6)
    assert deviations("coco-rpn", vars(stage)) == {
        "score": {"preset": "sqrt-logit", "used": "sqrt-objectness"},
        "nms": {"preset": "0.5", "used": "0.6"},
    }
    assert deviations(None, vars(stage)) == {}
    assert deviations("coco-rpn", vars(replace(stage, score="sqrt-logit", nms=0.5))) == {}


def test_proposals_are_published_with_nms_0_9_in_zero_shot_and_0_7_for_detectors() -> None:
    assert {name: how["nms"] for name, how in PROPOSAL_OPTIONS.items()} == {
        name: 0.9 if name in ("coco-rpn", "lvis-rpn") else 0.7
        for name in PRESETS
        if not name.endswith("-gt")
    }
    assert {how["top_k"] for how in PROPOSAL_OPTIONS.values()} == {1000}


def test_before_suppression_a_c4_localizer_has_6000_boxes_and_a_pyramid_1000_per_map() -> None:
    assert {name: how["pre_nms"] for name, how in PROPOSAL_OPTIONS.items()} == {
        **dict.fromkeys(("coco-rpn", "lvis-rpn", "lvis-ovd", "lvis-full"), 1000),
        **dict.fromkeys(("coco-ovd", "coco-ovd-novel", "coco-ovd-base", "coco-full"), 6000),
    }
