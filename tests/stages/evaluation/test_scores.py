from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from schemas.errors import ArtifactError
from stages.evaluation.scores import (
    combine,
    cosines,
    independent_probabilities,
    probabilities,
    ranks,
    select,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

rng = np.random.default_rng(46)


def random_boxes(count: int) -> NDArray[np.float32]:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 60, (count, 2))], axis=1).astype("f4")


def test_cosines_are_those_of_the_plain_formula() -> None:
    features, embeddings = rng.normal(size=(4, 6)).astype("f4"), rng.normal(size=(3, 6))
    cosine = cosines(features, embeddings)
    for r, feature in enumerate(features.astype("f8")):
        for k, embedding in enumerate(embeddings):
            lengths = math.sqrt(feature @ feature) * math.sqrt(embedding @ embedding)
            assert cosine[r, k] == pytest.approx(feature @ embedding / lengths, abs=1e-12)


def test_a_feature_of_length_zero_has_cosine_zero() -> None:
    assert cosines(np.zeros((1, 3)), np.ones((2, 3))).tolist() == [[0.0, 0.0]]


def test_a_feature_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ArtifactError, match="features that are not numbers"):
        cosines(np.array([[1.0, np.nan]]), np.ones((2, 2)))


def test_probabilities_are_a_softmax_with_a_background_of_logit_zero() -> None:
    cosine = rng.uniform(-1, 1, (5, 4))
    probability = probabilities(cosine, temperature=0.5)
    for row, expected in zip(probability, cosine / 0.5, strict=True):
        total = 1.0 + sum(math.exp(logit) for logit in expected)
        assert row.tolist() == pytest.approx([math.exp(v) / total for v in expected], abs=1e-15)


def test_probabilities_stay_finite_at_the_sharpest_temperature() -> None:
    probability = probabilities(np.array([[1.0, -1.0], [-1.0, -1.0]]), temperature=1e-4)
    assert probability.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_independent_probabilities_are_sigmoids_that_overflow_nowhere() -> None:
    cosine = rng.uniform(-1, 1, (5, 4))
    actual = independent_probabilities(cosine, 0.1, -3.0)
    expected = [[1 / (1 + math.exp(3 - c / 0.1)) for c in row] for row in cosine.tolist()]
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    extreme = independent_probabilities(np.array([[1.0, -1.0]]), 1e-4, 5000.0)
    assert extreme.tolist() == [[1.0, 0.0]]


def test_background_takes_half_from_a_single_category_of_cosine_zero() -> None:
    assert probabilities(np.zeros((1, 1)), 0.01).tolist() == [[0.5]]


def test_the_score_is_the_root_of_probability_times_objectness() -> None:
    probability, objectness = rng.uniform(size=(3, 2)), rng.uniform(size=3).astype("f4")
    scores = combine("sqrt-objectness", probability, objectness)
    for r in range(3):
        for k in range(2):
            assert scores[r, k] == pytest.approx(math.sqrt(probability[r, k] * objectness[r]))
    assert combine("probability", probability, objectness) is probability


def test_a_negative_logit_drops_its_region_and_a_large_one_exceeds_one() -> None:
    scores = combine("sqrt-logit", np.array([[0.5], [0.5]]), np.float32([-1.0, 8.0]))
    kept = select(scores, random_boxes(2), threshold=0.001, nms=0.5, limit=10)
    assert kept.region.tolist() == [1]
    assert kept.score.tolist() == [2.0]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_selection_is_class_wise_nms_and_then_the_best(limit: int) -> None:
    scores, boxes = rng.uniform(size=(30, 4)), random_boxes(30)
    detections = select(scores, boxes, threshold=0.3, nms=0.4, limit=limit)

    region, category = np.nonzero(scores > 0.3)
    flat = torch.from_numpy(scores[region, category])
    candidates = torch.from_numpy(boxes[region])
    kept = batched_nms(candidates, flat.float(), torch.from_numpy(category), 0.4)[:limit].numpy()
    assert detections.region.tolist() == region[kept].tolist()
    assert detections.category.tolist() == category[kept].tolist()
    assert detections.score.tolist() == flat.numpy()[kept].tolist()


def test_selection_reaches_beyond_the_candidates_sorted_at_first() -> None:
    """Each of three boxes is there fifty times: the second and third are far down the ranking."""
    boxes = np.repeat(np.float32([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]]), 50, axis=0)
    scores = np.repeat([0.9, 0.8, 0.7], 50)[:, None]
    kept = select(scores, boxes, threshold=0, nms=0.5, limit=3)
    assert kept.region.tolist() == [0, 50, 100]


def test_the_threshold_is_strict() -> None:
    kept = select(np.array([[0.5], [0.25]]), random_boxes(2), threshold=0.25, nms=0.5, limit=9)
    assert kept.score.tolist() == [0.5]


def test_a_box_may_have_two_categories_but_a_category_not_two_equal_boxes() -> None:
    boxes = np.float32([[0, 0, 9, 9], [0, 0, 9, 9]])
    kept = select(np.array([[0.9, 0.8], [0.7, 0.6]]), boxes, threshold=0, nms=0.5, limit=9)
    assert list(zip(kept.region.tolist(), kept.category.tolist(), strict=True)) == [(0, 0), (0, 1)]


def test_of_equal_scores_the_lower_region_comes_first() -> None:
    boxes = np.float32([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]])
    kept = select(np.full((3, 1), 0.5), boxes, threshold=0, nms=0.5, limit=2)
    assert kept.region.tolist() == [0, 1]


def test_no_regions_give_no_detections() -> None:
    kept = select(np.zeros((0, 3)), np.zeros((0, 4), "f4"), threshold=0, nms=0.5, limit=9)
    assert len(kept.region) == len(kept.category) == len(kept.score) == 0


def test_the_rank_is_the_position_of_the_true_category_by_falling_cosine() -> None:
    cosine = rng.normal(size=(20, 6))
    truth = rng.integers(0, 6, 20)
    for row, own, rank in zip(cosine, truth, ranks(cosine, truth), strict=True):
        assert np.argsort(-row, kind="stable").tolist().index(own) == rank


def test_of_equal_categories_the_lower_id_ranks_first() -> None:
    cosine = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1]])
    assert ranks(cosine, np.array([0, 1])).tolist() == [0, 1]


def test_the_only_category_is_always_first() -> None:
    assert ranks(np.array([[-0.3]]), np.array([0])).tolist() == [0]


def test_a_learned_background_takes_its_share_by_its_own_cosine() -> None:
    cosine, background = rng.uniform(-1, 1, (5, 3)), rng.uniform(-1, 1, (5, 1))
    probability = probabilities(cosine, 0.3, background)
    for row, own, background_cosine in zip(probability, cosine, background, strict=True):
        total = math.exp(background_cosine[0] / 0.3) + sum(math.exp(c / 0.3) for c in own)
        assert row.tolist() == pytest.approx([math.exp(c / 0.3) / total for c in own], abs=1e-14)


def test_the_raw_logit_drops_proposals_and_exceeds_one_and_the_sigmoid_does_neither() -> None:
    probability, logit = np.array([[0.9, 0.1], [0.9, 0.1]]), np.float32([-0.5, 4.0])
    raw = combine("sqrt-logit", probability, logit)
    assert np.isnan(raw[0]).all()
    assert raw[1].tolist() == pytest.approx([math.sqrt(3.6), math.sqrt(0.4)])
    boxes = random_boxes(2)
    assert set(select(raw, boxes, threshold=0.02, nms=0.5, limit=9).region.tolist()) == {1}
    safe = combine("sqrt-sigmoid", probability, logit)
    expected = [math.sqrt(0.9 / (1 + math.exp(-x))) for x in (-0.5, 4.0)]
    assert safe[:, 0].tolist() == pytest.approx(expected)


def test_the_sigmoid_of_an_extreme_logit_is_finite() -> None:
    scores = combine("sqrt-sigmoid", np.full((2, 1), 1.0), np.float32([-1e4, 1e4]))
    assert scores.ravel().tolist() == [0.0, 1.0]
