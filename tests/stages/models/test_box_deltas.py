from __future__ import annotations

import math

import pytest
import torch

from stages.models.box_deltas import decode, encode
from tests.stages.models.random_boxes import boxes

Box = list[float]


def plain_encode(box: Box, target: Box, weights: Box) -> Box:
    wide, high = box[2] - box[0], box[3] - box[1]
    return [
        weights[0] * ((target[0] + target[2]) - (box[0] + box[2])) / 2 / wide,
        weights[1] * ((target[1] + target[3]) - (box[1] + box[3])) / 2 / high,
        weights[2] * math.log((target[2] - target[0]) / wide),
        weights[3] * math.log((target[3] - target[1]) / high),
    ]


def plain_decode(box: Box, delta: Box, weights: Box) -> Box:
    wide, high = box[2] - box[0], box[3] - box[1]
    dx, dy, dw, dh = (d / w for d, w in zip(delta, weights, strict=True))
    x, y = (box[0] + box[2]) / 2 + dx * wide, (box[1] + box[3]) / 2 + dy * high
    new_wide = wide * min(math.exp(dw), 62.5)
    new_high = high * min(math.exp(dh), 62.5)
    return [x - new_wide / 2, y - new_high / 2, x + new_wide / 2, y + new_high / 2]


@pytest.mark.parametrize("weights", [(10.0, 10.0, 5.0, 5.0), (1.0, 2.0, 3.0, 4.0)])
def test_deltas_equal_the_plain_formula(weights) -> None:
    start, target = boxes(40, 0).double(), boxes(40, 1).double()
    expected = [
        plain_encode(b, t, list(weights))
        for b, t in zip(start.tolist(), target.tolist(), strict=True)
    ]
    actual = encode(start, target, weights)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


def test_moved_boxes_equal_the_plain_formula() -> None:
    start = boxes(40, 2).double()
    deltas = torch.randn(40, 4, generator=torch.Generator().manual_seed(3)).double() * 8
    weights = [10.0, 10.0, 5.0, 5.0]
    expected = [
        plain_decode(b, d, weights) for b, d in zip(start.tolist(), deltas.tolist(), strict=True)
    ]
    torch.testing.assert_close(decode(start, deltas), torch.tensor(expected, dtype=torch.float64))


def test_decode_undoes_encode_in_float32() -> None:
    start, target = boxes(100, 4), boxes(100, 5)
    torch.testing.assert_close(decode(start, encode(start, target)), target, atol=1e-3, rtol=1e-4)


def test_a_box_moved_to_itself_has_zero_deltas_and_zero_deltas_move_nothing() -> None:
    start = boxes(10, 6).double()
    assert not encode(start, start).any()
    torch.testing.assert_close(decode(start, torch.zeros(10, 8).double())[:, 4:], start)


def test_each_category_has_its_own_deltas() -> None:
    start = boxes(5, 7).double()
    deltas = torch.randn(5, 3 * 4, generator=torch.Generator().manual_seed(8)).double()
    together = decode(start, deltas)
    assert together.shape == (5, 12)
    for k in range(3):
        columns = slice(4 * k, 4 * k + 4)
        torch.testing.assert_close(together[:, columns], decode(start, deltas[:, columns]))


def test_no_side_grows_more_than_the_limit() -> None:
    moved = decode(torch.tensor([[10.0, 10.0, 12.0, 14.0]]), torch.tensor([[0.0, 0.0, 1e9, 1e9]]))
    sides = (moved[0, 2:] - moved[0, :2]).tolist()
    assert sides == pytest.approx([2 * 62.5, 4 * 62.5])


def test_no_boxes_give_no_deltas_and_no_boxes() -> None:
    none = torch.zeros(0, 4)
    assert encode(none, none).shape == (0, 4)
    assert decode(none, torch.zeros(0, 12)).shape == (0, 12)
