"""RPN training: images with boxes, their views, and the weighted loss."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from stages.models.preprocess import Size
from stages.models.rpn_targets import AnchorTargetConfig
from stages.training.rpn_training import (
    BoxBatch,
    BoxedImages,
    BoxSample,
    BoxTransform,
    RpnTraining,
    collate_boxes,
)
from tests.in_memory import InMemory
from tests.stages.models.tiny_rpn import tiny_rpn
from tests.stages.training import tiny_scenes
from tests.stages.training.terms import terms_of


def part(**changes: Any) -> InMemory:
    return InMemory({"images": tiny_scenes.images(range(5), **changes)}, number=6)


def test_images_without_a_box_are_left_out() -> None:
    samples = BoxedImages(part(bare=(0, 3)))
    assert [s.image["image_id"] for s in samples] == ["tiny/001", "tiny/002", "tiny/004"]
    assert len(samples) == 3
    assert samples[-1].image["image_id"] == "tiny/004"
    assert [s.image["image_id"] for s in samples[:2]] == ["tiny/001", "tiny/002"]


def test_a_sample_has_its_boxes_and_neither_captions_nor_objects() -> None:
    rows = part().table("images").to_pylist()
    for row, sample in zip(rows, BoxedImages(part()), strict=True):
        expected = [[o[side] for side in ("x0", "y0", "x1", "y1")] for o in row["objects"]]
        assert sample.boxes.tolist() == expected
        assert sample.part == 6
        assert {"captions", "objects"}.isdisjoint(sample.image)


def test_only_the_given_categories_give_boxes() -> None:
    name = tiny_scenes.NAMES[0]
    rows = part().table("images").to_pylist()
    counts = {row["image_id"]: sum(o["category"] == name for o in row["objects"]) for row in rows}
    samples = BoxedImages(part(), only={name})
    actual = {sample.image["image_id"]: len(sample.boxes) for sample in samples}
    assert actual == {image: count for image, count in counts.items() if count}


class FakeRpn:
    """Prepares images as ones of the chosen size, and remembers the size."""

    def prepare(self, image: Any, size: Size) -> Any:
        side = size.shortest
        scale = (side / image.shape[1], side / image.shape[0])
        pixels = torch.arange(float(side)).expand(3, side, side)
        return SimpleNamespace(pixels=pixels, scale=scale)


def transform(flip: bool = True, seed: int = 0) -> BoxTransform:
    sizes = tuple(Size(side) for side in (20, 30, 40))
    return BoxTransform(lambda image: np.zeros((40, 80, 3), np.uint8), FakeRpn(), sizes, flip, seed)


SAMPLE = BoxSample(1, {"image_id": "a"}, np.float32([[8, 4, 40, 20]]))


def test_boxes_follow_the_size_and_the_flip_of_their_view() -> None:
    views = set()
    for epoch in range(40):
        pixels, boxes = transform()(SAMPLE, epoch)
        side = pixels.shape[2]
        flipped = bool(pixels[0, 0, 0] > 0)
        left, right = (side / 2, 0.9 * side) if flipped else (0.1 * side, side / 2)
        expected = torch.tensor([[left, 0.1 * side, right, 0.5 * side]])
        torch.testing.assert_close(boxes, expected)
        views.add((side, flipped))
    assert views == {(side, flipped) for side in (20, 30, 40) for flipped in (True, False)}


def test_without_flip_no_view_is_flipped() -> None:
    assert all(transform(flip=False)(SAMPLE, epoch)[0][0, 0, 0] == 0 for epoch in range(10))


def test_a_view_follows_from_seed_and_epoch() -> None:
    first, again = (transform()(SAMPLE, 3) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    shapes = {transform(seed=seed)(SAMPLE, 3)[0].shape for seed in range(20)}
    assert len(shapes) == 3


def test_a_batch_pads_images_and_keeps_the_boxes_of_each() -> None:
    views = [
        (torch.ones(3, 4, 6), torch.ones(2, 4)),
        (torch.ones(3, 5, 3), torch.zeros(1, 4)),
    ]
    (batch,) = collate_boxes([views])
    assert len(batch) == 2
    assert batch.pixels.shape == (2, 3, 5, 6)
    assert batch.pixels[0].sum() == 3 * 24
    assert batch.pixels[1].sum() == 3 * 15
    assert [len(boxes) for boxes in batch.boxes] == [2, 1]


BATCH = BoxBatch(
    torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)),
    [torch.tensor([[5.0, 5, 30, 30]]), torch.tensor([[10.0, 20, 50, 60], [0.0, 0, 20, 20]])],
)


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0])
def test_the_loss_is_objectness_plus_the_weighted_box_loss(weight: float) -> None:
    learner = RpnTraining(
        tiny_rpn(), AnchorTargetConfig(box_weight=weight), "float32", hold_norms=True
    )
    torch.manual_seed(0)
    terms = terms_of(learner, BATCH)
    expected = terms["objectness_loss"] + weight * terms["box_loss"]
    assert terms["loss"].item() == pytest.approx(expected.item())
    terms["loss"].backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in learner.module.parameters())
    assert learner.after_step() == {}


@pytest.mark.parametrize("hold_norms", [True, False])
def test_statistics_of_batch_norms_move_only_if_norms_are_trained(hold_norms: bool) -> None:
    rpn = tiny_rpn()
    before = {name: value.clone() for name, value in rpn.named_buffers() if "running" in name}
    learner = RpnTraining(rpn, AnchorTargetConfig(), "float32", hold_norms=hold_norms)
    terms_of(learner, BATCH)
    after = dict(rpn.named_buffers())
    moved = [name for name, value in before.items() if not torch.equal(value, after[name])]
    assert before
    assert bool(moved) is not hold_norms
