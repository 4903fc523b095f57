from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from stages.models.rpn_anchors import anchors_at_origin, anchors_on
from stages.models.rpn_spec import RpnSpec

SPEC = RpnSpec(
    backbone="small",
    neck="fpn",
    width=8,
    stride=8,
    anchor_sizes=(16, 32, 48, 64),
    ratios=(0.5, 1.0, 1.7),
    shortest=64,
    longest=96,
)


def maps_of(*sizes: tuple[int, int]) -> list[torch.Tensor]:
    return [torch.zeros(1, 2, *size) for size in sizes]


@pytest.mark.parametrize("padded", [(96, 128), (100, 131)])
def test_torchvisions_rule_gives_torchvisions_anchors(padded: tuple[int, int]) -> None:
    maps = maps_of(*[(-(-padded[0] // s), -(-padded[1] // s)) for s in SPEC.strides])
    generator = AnchorGenerator(tuple((s,) for s in SPEC.anchor_sizes), (SPEC.ratios,) * 4)
    (expected,) = generator(ImageList(torch.zeros(1, 3, *padded), [padded]), maps)
    assert torch.equal(torch.cat(anchors_on(SPEC, maps, padded)), expected)


def test_detectron2s_rule_equals_a_plain_loop() -> None:
    spec = replace(SPEC, neck="c4", anchor_sizes=(32, 64), anchors="detectron2")
    expected = [
        [
            column * 16 - math.sqrt(size**2 / ratio) / 2,
            row * 16 - math.sqrt(size**2 / ratio) * ratio / 2,
            column * 16 + math.sqrt(size**2 / ratio) / 2,
            row * 16 + math.sqrt(size**2 / ratio) * ratio / 2,
        ]
        for row in range(3)
        for column in range(2)
        for size in (32, 64)
        for ratio in SPEC.ratios
    ]
    (anchors,) = anchors_on(spec, maps_of((3, 2)), (1000, 1000))
    assert anchors.dtype == torch.float32
    torch.testing.assert_close(anchors, torch.tensor(expected))


def test_detectron2s_step_is_the_stride_and_torchvisions_depends_on_the_padded_image() -> None:
    steps = {}
    for rule in ("detectron2", "torchvision"):
        spec = replace(SPEC, neck="c4", anchor_sizes=(32,), ratios=(1.0,), anchors=rule)
        (anchors,) = anchors_on(spec, maps_of((4, 5)), (61, 64))  # 61 / 4 = 15.25, 64 / 5 = 12.8
        grid = anchors.view(4, 5, 4)
        steps[rule] = (grid[1, 0] - grid[0, 0])[1].item(), (grid[0, 1] - grid[0, 0])[0].item()
    assert steps == {"detectron2": (16, 16), "torchvision": (15, 12)}


@pytest.mark.parametrize("rule", ["detectron2", "torchvision"])
def test_anchors_have_the_area_of_their_size_and_the_ratio_of_their_sides(rule: str) -> None:
    sizes, ratios = (32, 128), (0.5, 1.0, 2.0)
    anchors = anchors_at_origin(sizes, ratios, rule)
    pairs = [(s, r) for s in sizes for r in ratios]
    if rule == "torchvision":
        pairs = [(s, r) for r in ratios for s in sizes]
    rounding = 0 if rule == "detectron2" else 2.0  # pixels, of two rounded corners
    for (x0, y0, x1, y1), (size, ratio) in zip(anchors.tolist(), pairs, strict=True):
        assert x1 - x0 == pytest.approx(size / math.sqrt(ratio), abs=rounding + 1e-3)
        assert y1 - y0 == pytest.approx(size * math.sqrt(ratio), abs=rounding + 1e-3)
        assert (x0, y0) == (-x1, -y1)
        assert rule == "detectron2" or all(side == int(side) for side in (x0, y0))


def test_a_spec_needs_a_map_for_each_stride() -> None:
    with pytest.raises(ValueError, match="shorter"):
        anchors_on(SPEC, maps_of((4, 4)), (32, 32))
