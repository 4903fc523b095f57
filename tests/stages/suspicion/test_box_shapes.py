"""Shapes of boxes against a plain loop in float64."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.suspicion.box_shapes import FEWEST, ShapeStatistics, boxes_of, shapes


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corners = rng.uniform(0, 100, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(1, 50, (count, 2))], axis=1)


def test_shapes_are_relative_to_how_far_the_boxes_of_the_image_reach() -> None:
    rng = np.random.default_rng()
    rows, images = boxes(rng, 40), np.sort(rng.integers(0, 5, 40))
    found = shapes(rows, images)
    for (x0, y0, x1, y1), image, one in zip(rows, images, found, strict=True):
        wide, high = rows[images == image, 2].max(), rows[images == image, 3].max()
        size = np.log((x1 - x0) * (y1 - y0) / (wide * high)) / 2
        expected = [size, np.log((x1 - x0) / (y1 - y0)), (y0 + y1) / 2 / high]
        np.testing.assert_allclose(one, expected)


def test_an_empty_box_has_a_shape_and_no_box_has_none() -> None:
    assert np.isfinite(shapes(np.zeros((1, 4)), np.zeros(1, int))).all()
    assert shapes(np.zeros((0, 4)), np.zeros(0, int)).shape == (0, 3)


def test_unlikeness_is_that_of_a_normal_distribution_with_a_spread_drawn_to_that_of_all() -> None:
    rng = np.random.default_rng()
    concepts, rows = rng.integers(0, 3, 100), rng.normal(size=(100, 3))
    statistics = ShapeStatistics(3)
    for first in range(0, 100, 7):
        statistics.add(concepts[first : first + 7], rows[first : first + 7])
    inside = np.stack([rows[concepts == c].var(axis=0) for c in range(3)])
    counts = np.bincount(concepts, minlength=3)
    spread = (inside * counts[:, None]).sum(axis=0) / 100
    found = statistics.unlikeness(concepts, rows)
    for row, concept, one in zip(rows, concepts, found, strict=True):
        variance = (inside[concept] * counts[concept] + 5 * spread) / (counts[concept] + 5)
        distance = ((row - rows[concepts == concept].mean(axis=0)) ** 2 / variance).sum()
        assert one == pytest.approx(1 - np.exp(-distance / 6))


def test_of_few_boxes_nothing_is_known() -> None:
    statistics = ShapeStatistics(2)
    statistics.add(np.array([0] * FEWEST + [1] * (FEWEST - 1)), np.zeros((2 * FEWEST - 1, 3)))
    found = statistics.unlikeness(np.array([0, 1]), np.array([[9.0, 0, 0]] * 2))
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])


def test_boxes_come_from_their_columns() -> None:
    rows = pa.table({name: [float(n)] for n, name in enumerate(("x0", "y0", "x1", "y1"))})
    assert boxes_of(rows).tolist() == [[0.0, 1.0, 2.0, 3.0]]
