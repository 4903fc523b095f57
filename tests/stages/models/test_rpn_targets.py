from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from stages.geometry import pairwise_iou
from stages.models.rpn import LevelPredictions
from stages.models.rpn_targets import (
    BACKGROUND,
    IGNORED,
    OBJECT,
    AnchorTargetConfig,
    assign_anchors,
    losses,
    sample_anchors,
)
from tests.stages.models.random_boxes import boxes

USUAL = AnchorTargetConfig()


@pytest.mark.parametrize("seed", range(10))
def test_assignment_equals_a_plain_loop(seed: int) -> None:
    anchors, objects = boxes(150, seed), boxes(6, seed + 100)
    kinds, owner = assign_anchors(anchors, objects, USUAL)
    iou = pairwise_iou(objects.numpy(), anchors.numpy())
    for a in range(150):
        best = iou[:, a].max()
        nearest = any(iou[g, a] == iou[g].max() and iou[g, a] > 0 for g in range(6))
        expected = OBJECT if best >= 0.7 or nearest else BACKGROUND if best < 0.3 else IGNORED
        assert kinds[a] == expected
        assert owner[a] == iou[:, a].argmax()


@pytest.mark.parametrize("seed", range(5))
def test_assignment_equals_torchvisions(seed: int) -> None:
    anchors, objects = boxes(300, seed), boxes(5, seed + 50)
    kinds, owner = assign_anchors(anchors, objects, USUAL)
    theirs = Matcher(0.7, 0.3, allow_low_quality_matches=True)(box_iou(objects, anchors))
    assert torch.equal(kinds == BACKGROUND, theirs == -1)
    assert torch.equal(kinds == IGNORED, theirs == -2)
    assert torch.equal(owner[kinds == OBJECT], theirs[theirs >= 0])


def test_without_objects_all_anchors_are_background() -> None:
    kinds, _ = assign_anchors(boxes(7, 0), torch.zeros(0, 4), USUAL)
    assert (kinds == BACKGROUND).all()


def test_an_object_that_overlaps_no_anchor_has_none() -> None:
    kinds, _ = assign_anchors(boxes(7, 0), torch.tensor([[900.0, 900, 910, 910]]), USUAL)
    assert (kinds == BACKGROUND).all()


def test_the_anchor_with_the_highest_iou_of_an_object_belongs_to_it() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 11, 11]])
    kinds, owner = assign_anchors(anchors, torch.tensor([[8.0, 8, 30, 30]]), USUAL)
    assert kinds.tolist() == [BACKGROUND, BACKGROUND, OBJECT]
    assert owner[2] == 0


@pytest.mark.parametrize(
    ("objects", "background", "expected"),
    [(300, 300, (128, 128)), (10, 300, (10, 246)), (0, 300, (0, 256)), (300, 5, (128, 5))],
)
def test_at_most_half_of_the_sampled_anchors_are_objects(
    objects: int, background: int, expected: tuple[int, int]
) -> None:
    kinds = torch.tensor([OBJECT] * objects + [BACKGROUND] * background + [IGNORED] * 9)
    positive, negative = sample_anchors(kinds, USUAL)
    assert (len(positive), len(negative)) == expected
    assert (kinds[positive] == OBJECT).all()
    assert (kinds[negative] == BACKGROUND).all()
    assert len(set(positive.tolist() + negative.tolist())) == sum(expected)


def test_sampled_anchors_follow_from_the_seed() -> None:
    kinds = torch.tensor([OBJECT] * 300 + [BACKGROUND] * 300)
    torch.manual_seed(3)
    first = sample_anchors(kinds, USUAL)
    torch.manual_seed(3)
    again = sample_anchors(kinds, USUAL)
    other = sample_anchors(kinds, USUAL)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def predictions(images: int, seed: int) -> list[LevelPredictions]:
    make = torch.Generator().manual_seed(seed)
    return [
        LevelPredictions(
            torch.randn(images, count, generator=make) * 5,
            torch.randn(images, count, 4, generator=make),
            boxes(count, seed + count),
        )
        for count in (40, 15)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_losses_equal_a_plain_loop_in_float64(seed: int) -> None:
    """All anchors are sampled, so the result is not random."""
    everything = AnchorTargetConfig(anchors_per_image=1000, positive_share=1.0)
    levels = predictions(3, seed)
    objects = [boxes(4, seed), torch.zeros(0, 4), boxes(1, seed + 7)]
    objectness, box = losses(levels, objects, everything)
    expected_objectness = expected_box = 0.0
    anchors = torch.cat([level.anchors for level in levels])
    for i, of_image in enumerate(objects):
        kinds, owner = assign_anchors(anchors, of_image, everything)
        logits = torch.cat([level.logits[i] for level in levels]).tolist()
        deltas = torch.cat([level.deltas[i] for level in levels]).tolist()
        for a, kind in enumerate(kinds.tolist()):
            if kind == OBJECT:
                expected_objectness += math.log1p(math.exp(-logits[a]))
                expected = encoded(of_image[owner[a]].tolist(), anchors[a].tolist())
                expected_box += sum(abs(d - w) for d, w in zip(deltas[a], expected, strict=True))
            if kind == BACKGROUND:
                expected_objectness += math.log1p(math.exp(logits[a]))
    assert objectness.item() == pytest.approx(expected_objectness / 3000, rel=1e-5)
    assert box.item() == pytest.approx(expected_box / 3000, rel=1e-5)


def encoded(box: list[float], anchor: list[float]) -> list[float]:
    width, height = anchor[2] - anchor[0], anchor[3] - anchor[1]
    return [
        ((box[0] + box[2]) / 2 - (anchor[0] + anchor[2]) / 2) / width,
        ((box[1] + box[3]) / 2 - (anchor[1] + anchor[3]) / 2) / height,
        math.log((box[2] - box[0]) / width),
        math.log((box[3] - box[1]) / height),
    ]


def test_losses_are_finite_for_certain_predictions_and_have_gradients() -> None:
    levels = [
        LevelPredictions(
            (level.logits * 1e4).requires_grad_(), level.deltas.requires_grad_(), level.anchors
        )
        for level in predictions(2, 0)
    ]
    objectness, box = losses(levels, [boxes(3, 0), torch.zeros(0, 4)], USUAL)
    (objectness + box).backward()  # type: ignore[no-untyped-call]
    gradients: list[Any] = [g for level in levels for g in (level.logits.grad, level.deltas.grad)]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert torch.isfinite(objectness)


def test_images_without_objects_have_no_box_loss() -> None:
    objectness, box = losses(predictions(2, 1), [torch.zeros(0, 4)] * 2, USUAL)
    assert objectness > 0
    assert box == 0
