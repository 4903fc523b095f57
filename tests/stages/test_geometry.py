from __future__ import annotations

import numpy as np

from stages.geometry import pairwise_intersection, pairwise_iou


def boxes(count: int, seed: int) -> np.ndarray:
    corner = np.random.default_rng(seed).uniform(0, 50, (count, 4))
    return np.sort(corner.reshape(count, 2, 2), axis=1).reshape(count, 4)


def test_iou_is_shared_area_over_joint_area() -> None:
    a, b = boxes(7, 0), boxes(5, 1)
    iou, shared = pairwise_iou(a, b), pairwise_intersection(a, b)
    assert iou.shape == (7, 5)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            wide = max(0.0, min(p[2], q[2]) - max(p[0], q[0]))
            high = max(0.0, min(p[3], q[3]) - max(p[1], q[1]))
            union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - wide * high
            np.testing.assert_allclose(shared[i, j], wide * high)
            np.testing.assert_allclose(iou[i, j], wide * high / union)


def test_a_box_overlaps_itself_fully_and_is_symmetric() -> None:
    a, b = boxes(6, 2), boxes(4, 3)
    np.testing.assert_allclose(np.diag(pairwise_iou(a, a)), 1)
    np.testing.assert_array_equal(pairwise_iou(a, b), pairwise_iou(b, a).T)


def test_empty_boxes_overlap_nothing_not_even_themselves() -> None:
    odd = np.array([[5.0, 5, 5, 9], [9, 9, 3, 3], [0, 0, 0, 0]])
    whole = np.array([[0.0, 0, 20, 20]])
    assert pairwise_iou(odd, whole).tolist() == [[0], [0], [0]]
    assert not pairwise_iou(odd, odd).any()


def test_touching_boxes_share_nothing() -> None:
    assert pairwise_iou(np.array([[0.0, 0, 2, 2]]), np.array([[2.0, 0, 4, 2]])).item() == 0


def test_no_boxes_make_an_empty_matrix() -> None:
    assert pairwise_iou(np.zeros((0, 4)), boxes(3, 0)).shape == (0, 3)


def test_whole_numbers_may_be_boxes() -> None:
    assert pairwise_iou(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 1]])).item() == 0.5


def test_single_precision_stays_single() -> None:
    assert (
        pairwise_iou(boxes(2, 0).astype(np.float32), boxes(2, 1).astype(np.float32)).dtype
        == np.float32
    )
