"""Losses of a detector against loops in float64, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from stages.training.detector_losses import box_regression, classification

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def logits(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64) * 3


def plain_classification(
    scores: np.ndarray, classes: list[int], background_weight: float, gamma: float
) -> float:
    """Region by region; the last column is background."""
    total = weight_sum = 0.0
    for row, label in zip(scores, classes, strict=True):
        p = math.exp(row[label]) / sum(math.exp(value) for value in row)
        weight = background_weight if label == len(row) - 1 else 1.0
        total += weight * -math.log(p) * ((1 - p) ** gamma if gamma else 1.0)
        weight_sum += weight
    return total / (len(classes) if gamma else weight_sum)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_classification_equals_a_loop_over_regions(gamma: float, weight: float) -> None:
    scores, classes = logits(12, 5, 1), torch.arange(12) % 5
    loss = classification(scores, classes, weight, gamma)
    weight = float(np.float32(weight))  # as the loss has it
    expected = plain_classification(scores.numpy(), classes.tolist(), weight, gamma)
    assert loss.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_the_gradient_of_classification_is_right_and_finite_for_certain_regions(
    gamma: float,
) -> None:
    classes = torch.tensor([0, 2, 1, 2])
    scores = logits(4, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: classification(x, classes, 0.2, gamma), (scores,))
    certain = torch.zeros(4, 3)
    certain[torch.arange(4), classes] = 500.0
    certain.requires_grad_()
    loss = classification(certain, classes, 0.2, gamma)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert certain.grad is not None
    assert torch.isfinite(certain.grad).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_classification_of_no_region_is_zero_with_a_gradient(gamma: float) -> None:
    scores = torch.zeros(0, 4, requires_grad=True)
    loss = classification(scores, torch.zeros(0, dtype=torch.int64), 0.2, gamma)
    loss.backward()
    assert loss.item() == 0
    assert scores.grad is not None


def random_boxes(count: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (count, 2))
    return torch.from_numpy(np.concatenate([corners, corners + rng.uniform(5, 30, (count, 2))], 1))


def plain_deltas(box: list[float], target: list[float]) -> list[float]:
    """R-CNN's deltas, times the weights."""
    width, height = box[2] - box[0], box[3] - box[1]
    target_width, target_height = target[2] - target[0], target[3] - target[1]
    shift_x = (target[0] + target_width / 2 - box[0] - width / 2) / width
    shift_y = (target[1] + target_height / 2 - box[1] - height / 2) / height
    scales = [math.log(target_width / width), math.log(target_height / height)]
    return [w * d for w, d in zip(WEIGHTS, [shift_x, shift_y, *scales], strict=True)]


@pytest.mark.parametrize("specific", [False, True])
def test_box_regression_equals_a_loop_over_objects(specific: bool) -> None:
    boxes, targets = random_boxes(7, 1), random_boxes(7, 2)
    classes = torch.tensor([0, 3, 1, 3, 2, 0, 3])  # 3 is background
    targets[classes == 3] = 0
    deltas = logits(7, 12 if specific else 4, 3)
    expected = 0.0
    for r, label in enumerate(classes.tolist()):
        if label < 3:
            column = 4 * label if specific else 0
            predicted = deltas[r, column : column + 4].tolist()
            wanted = plain_deltas(boxes[r].tolist(), targets[r].tolist())
            expected += sum(abs(a - b) for a, b in zip(predicted, wanted, strict=True)) / 7
    loss = box_regression(deltas, boxes, targets, classes, WEIGHTS)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_box_regression_without_objects_is_zero_with_a_gradient() -> None:
    deltas = logits(3, 4, 1).requires_grad_()
    targets = torch.zeros(3, 4, dtype=torch.float64)
    loss = box_regression(deltas, random_boxes(3, 1), targets, torch.full((3,), 5), WEIGHTS)
    loss.backward()
    assert loss.item() == 0
    assert deltas.grad is not None
    assert not deltas.grad.any()


def test_deltas_of_background_and_of_other_classes_get_no_gradient() -> None:
    boxes, targets = random_boxes(2, 1), random_boxes(2, 2)
    targets[1] = 0
    deltas = logits(2, 12, 3).requires_grad_()
    box_regression(deltas, boxes, targets, torch.tensor([1, 3]), WEIGHTS).backward()
    assert deltas.grad is not None
    assert deltas.grad[0].nonzero().flatten().tolist() == [4, 5, 6, 7]
    assert not deltas.grad[1].any()
