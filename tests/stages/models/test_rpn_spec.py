from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from stages.models.rpn_spec import RpnSpec, read_spec

if TYPE_CHECKING:
    from pathlib import Path

FPN = RpnSpec(
    backbone="resnet50",
    neck="fpn",
    width=256,
    stride=4,
    anchor_sizes=(32, 64, 128, 256, 512),
    shortest=800,
    longest=1333,
)
C4 = replace(FPN, neck="c4")


@pytest.mark.parametrize("spec", [FPN, C4, replace(FPN, channels="bgr", scale=255, norm_eps=0.0)])
def test_a_spec_survives_its_file(tmp_path: Path, spec: RpnSpec) -> None:
    spec.write(tmp_path / "model.json")
    assert read_spec(tmp_path / "model.json") == spec


def test_a_pyramid_has_one_anchor_size_per_map_and_c4_has_all_on_one() -> None:
    assert FPN.strides == (4, 8, 16, 32, 64)
    assert FPN.levels == ((32,), (64,), (128,), (256,), (512,))
    assert C4.strides == (16,)
    assert C4.levels == ((32, 64, 128, 256, 512),)
    assert (FPN.divisor, C4.divisor) == (32, 16)
    assert (FPN.pre_nms, C4.pre_nms) == (1000, 6000)  # detectron2's RPN.PRE_NMS_TOPK_TEST


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"backbone": "vgg"}, "backbone must be one of small"),
        ({"neck": "none"}, "neck must be one of"),
        ({"stride": 6}, "stride must be one of"),
        ({"anchor_sizes": (32,)}, "a pyramid from stride 4 needs 5 anchor sizes, got 1"),
        ({"neck": "c4", "anchor_sizes": ()}, "must be given"),
        ({"width": 0}, "above 0"),
        ({"std": (1.0, 0.0, 1.0)}, "above 0"),
        ({"longest": 10}, "at least shortest"),
        ({"head_convs": 0}, "head_convs"),
        ({"channels": "grb"}, "channels"),
        ({"scale": 2}, "scale"),
        ({"mean": (0.0,)}, "three numbers"),
    ],
)
def test_every_wrong_field_has_its_phrase(changes: dict[str, Any], complaint: str) -> None:
    assert any(complaint in problem for problem in replace(FPN, **changes).problems())
    assert not FPN.problems()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"backbone": "small", "surprise": 1}),
        json.dumps(
            {
                "backbone": [],
                "neck": "fpn",
                "width": "a",
                "stride": 4,
                "anchor_sizes": 3,
                "shortest": 1,
                "longest": 2,
            }
        ),
    ],
)
def test_a_file_without_a_spec_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(SourceError, match="not a proposal network of backbone"):
        read_spec(tmp_path / "model.json")


def test_a_file_with_a_wrong_value_is_refused(tmp_path: Path) -> None:
    replace(FPN, stride=5).write(tmp_path / "model.json")
    with pytest.raises(SourceError, match=r"model\.json: stride must be"):
        read_spec(tmp_path / "model.json")
