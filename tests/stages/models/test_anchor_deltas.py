from __future__ import annotations

import pytest
import torch
from torchvision.models.detection._utils import BoxCoder

from stages.models.anchor_deltas import LARGEST_STEP, decode, encode
from tests.stages.models.random_boxes import boxes


def test_decode_undoes_encode() -> None:
    anchors, expected = boxes(200, 0), boxes(200, 1)
    decoded = decode(encode(expected, anchors), anchors)
    torch.testing.assert_close(decoded, expected, atol=1e-3, rtol=1e-4)


def test_deltas_equal_torchvisions() -> None:
    anchors, expected = boxes(200, 2), boxes(200, 3)
    coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    torch.testing.assert_close(encode(expected, anchors), coder.encode_single(expected, anchors))
    deltas = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) * 3
    torch.testing.assert_close(decode(deltas, anchors), coder.decode_single(deltas, anchors))


def test_growth_is_limited() -> None:
    anchor = torch.tensor([[0.0, 0.0, 16.0, 16.0]])
    decoded = decode(torch.tensor([[0.0, 0.0, 1e9, LARGEST_STEP]]), anchor)
    assert (decoded[0, 2:] - decoded[0, :2]).tolist() == pytest.approx([1000, 1000], rel=1e-5)
