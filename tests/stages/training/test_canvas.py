"""Micro-batches are padded to the largest image of all, also to that of another rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from stages.training import canvas
from stages.training.canvas import padded

if TYPE_CHECKING:
    import pytest

IMAGES = [torch.full((3, high, wide), 1.0 + high) for high, wide in ((4, 2), (2, 7), (3, 3))]


def test_every_micro_batch_has_the_height_and_the_width_of_the_largest_image() -> None:
    first, second = padded([IMAGES[:2], IMAGES[2:]])
    assert first.shape == (2, 3, 4, 7)
    assert second.shape == (1, 3, 4, 7)
    assert torch.equal(second[0, :, :3, :3], IMAGES[2])
    assert second.sum() == IMAGES[2].sum()


def test_the_largest_image_may_be_that_of_another_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr(canvas, "largest", lambda numbers: said.append(numbers) or [4, 9])
    (only,) = padded([IMAGES[1:]])
    assert said == [[3, 7]]
    assert only.shape == (2, 3, 4, 9)
