from __future__ import annotations

import numpy as np

from stages.geometry import pairwise_intersection, pairwise_iou


def boxes(count: int, seed: int) -> np.ndarray:
    corner = np.random.default_rng(seed).uniform(0, 50, (count, 4))
    return np.sort(corner.reshape(count, 2, 2), axis=1).reshape(count, 4)


def test_iou_is_intersection_over_union() -> None:
    a, b = boxes(7, 0), boxes(5, 1)
    iou, intersection = pairwise_iou(a, b), pairwise_intersection(a, b)
    assert iou.shape == (7, 5)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            width = max(0.0, min(p[2], q[2]) - max(p[0], q[0]))
            height = max(0.0, min(p[3], q[3]) - max(p[1], q[1]))
            union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - width * height
            np.testing.assert_allclose(intersection[i, j], width * height)
            np.testing.assert_allclose(iou[i, j], width * height / union, rtol=1e-14)


def test_iou_is_one_with_itself_and_symmetric() -> None:
    a, b = boxes(6, 2), boxes(4, 3)
    np.testing.assert_allclose(np.diag(pairwise_iou(a, a)), 1)
    np.testing.assert_array_equal(pairwise_iou(a, b), pairwise_iou(b, a).T)


def test_an_empty_box_has_iou_zero_even_with_itself() -> None:
    empty = np.array([[5.0, 5, 5, 9], [9, 9, 3, 3], [9, 3, 3, 9], [99, 0, 0, 99], [0, 0, 0, 0]])
    whole = np.array([[0.0, 0, 20, 20]])
    assert pairwise_iou(empty, whole).tolist() == [[0], [0], [0], [0], [0]]
    assert not pairwise_iou(empty, empty).any()


def test_touching_boxes_have_iou_zero() -> None:
    assert pairwise_iou(np.array([[0.0, 0, 2, 2]]), np.array([[2.0, 0, 4, 2]])).item() == 0


def test_no_boxes_give_an_empty_matrix() -> None:
    assert pairwise_iou(np.zeros((0, 4)), boxes(3, 0)).shape == (0, 3)


def test_boxes_may_be_integers() -> None:
    assert pairwise_iou(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 1]])).item() == 0.5


def test_float32_boxes_give_float32() -> None:
    assert (
        pairwise_iou(boxes(2, 0).astype(np.float32), boxes(2, 1).astype(np.float32)).dtype
        == np.float32
    )


def test_a_box_with_nan_has_no_iou_with_any_box() -> None:
    broken = np.array([[0.0, 0, np.nan, 2]])
    assert pairwise_iou(broken, np.array([[0.0, 0, 2, 2]])).tolist() == [[0]]


def test_intersections_of_large_coordinates_are_exact_in_float64() -> None:
    a = np.array([[1e8, 0, 1e8 + 1, 1]])
    assert pairwise_intersection(a, a).item() == 1
    assert pairwise_intersection(a, a + np.array([0.5, 0, 0.5, 0])).item() == 0.5
