"""The benchmark of RoIAlign's gradient runs, and compares equal gradients."""

import re

import torch
from torchvision import ops

from benchmarks.roialign import Case, compare, random_boxes
from stages.models.roialign_gradient import map_gradient

CASE = Case("tiny", images=2, channels=3, size=(5, 7), cells=2, regions=4)


def test_both_gradients_are_equal() -> None:
    torch.manual_seed(0)
    boxes = random_boxes(CASE)
    maps = torch.randn(2, 3, 5, 7, requires_grad=True)
    crops = ops.roi_align(maps, boxes, 2, 1.0, -1, aligned=True)
    gradient = torch.randn(crops.shape)
    crops.backward(gradient)
    ours = map_gradient(gradient[4:], boxes[1], CASE.size)
    torch.testing.assert_close(ours.permute(2, 0, 1), maps.grad[1])


def test_prints_a_line_of_each_case(capsys) -> None:
    compare(CASE, rounds=1)
    line = capsys.readouterr().out
    assert line.startswith("tiny")
    assert float(re.findall(r"ratio (\d+\.\d)", line)[0]) > 0
