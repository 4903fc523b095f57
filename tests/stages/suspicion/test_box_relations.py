"""What boxes of an image say of each other, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from stages.suspicion.box_relations import OVERLAP, BoxesOfImage, relations


def overlap(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """IoU, and share of the smaller."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    shared = wide * high
    return shared / (sum(areas) - shared), shared / min(areas)


def test_relations_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng()
    corners = rng.uniform(0, 20, (30, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 20, (30, 2))], axis=1)
    concepts, kept = rng.integers(0, 3, 30), rng.random(30) < 0.8
    chances = rng.choice([0.2, 0.5, 0.9], 30)
    differ, nested = relations(BoxesOfImage(boxes, concepts, chances, kept))
    for i in range(30):
        total = other = deepest = 0.0
        for j in range(30):
            if j == i or not kept[j]:
                continue
            iou, inside = overlap(boxes[i], boxes[j])
            if iou >= OVERLAP:
                total += iou * chances[j]
                other += iou * chances[j] * (concepts[i] != concepts[j])
            if concepts[i] == concepts[j] and (chances[j], -j) > (chances[i], -i):
                deepest = max(deepest, inside * (1 - iou))
        assert differ[i] == pytest.approx(other / total if total else np.nan, nan_ok=True)
        assert nested[i] == pytest.approx(deepest)


def test_one_region_and_no_region_have_no_relations() -> None:
    one = BoxesOfImage(np.array([[0.0, 0, 1, 1]]), np.array([0]), np.array([0.5]), np.array([True]))
    differ, nested = relations(one)
    assert np.isnan(differ).all()
    assert nested.tolist() == [0.0]
    none = BoxesOfImage(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))
    assert [len(values) for values in relations(none)] == [0, 0]


def test_a_part_inside_a_surer_whole_is_nested_and_the_whole_is_not() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 2, 2]])
    labels = BoxesOfImage(boxes, np.array([3, 3]), np.array([0.9, 0.4]), np.array([True, True]))
    _, nested = relations(labels)
    assert nested.tolist() == [0.0, pytest.approx(0.96)]
