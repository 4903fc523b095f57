from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.evaluation import matching
from stages.evaluation.matching import SIZES, THRESHOLDS, is_of_size, match, overlaps
from tests.stages.evaluation.records import detect, random_records, single_image

if TYPE_CHECKING:
    from stages.evaluation.detection_records import RecordArrays
    from stages.evaluation.matching import ObjectMatches

Outcome = tuple[int, int, float, bool, bool]  # image, category, score, hit, ignored


def plain_match(
    arrays: RecordArrays, threshold: float, size: tuple[float, float], limit: int
) -> list[Outcome]:
    """COCO's rule at one threshold and size, detection by detection."""
    truth, detections = arrays.ground_truth, arrays.detections
    outcomes: list[Outcome] = []
    for image, category in sorted(set(zip(detections.image, detections.category, strict=True))):
        objects = np.flatnonzero((truth.image == image) & (truth.category == category))
        own = np.flatnonzero((detections.image == image) & (detections.category == category))
        own = own[np.argsort(-detections.score[own], kind="stable")][:limit]
        counts = {
            int(o): not truth.is_crowd[o] and size[0] <= truth.area[o] <= size[1] for o in objects
        }
        taken: set[int] = set()
        for d in own:
            iou = {
                o: float(overlaps(detections.boxes[d], truth.boxes[o], truth.is_crowd[o]))
                for o in counts
            }
            free = [o for o in counts if iou[o] >= threshold and o not in taken]
            candidates = [o for o in free if counts[o]] or free
            best = max(reversed(candidates), key=lambda o: iou[o], default=None)
            if best is not None and not truth.is_crowd[best]:
                taken.add(best)
            outside = not size[0] <= detections.area[d] <= size[1]
            hit = best is not None and counts[best]
            ignored = outside if best is None else not counts[best]
            score = float(detections.score[d])
            outcomes.append((int(image), int(category), score, hit, ignored))
    return outcomes


def outcomes_of(matches: ObjectMatches, t: int, a: int) -> list[Outcome]:
    return [
        (int(i), int(k), float(s), bool(h), bool(g))
        for i, k, s, h, g in zip(
            matches.image,
            matches.category,
            matches.score,
            matches.hit[t, a],
            matches.ignored[t, a],
            strict=True,
        )
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [2, 100])
def test_outcomes_are_those_of_the_plain_rule_at_every_threshold_and_size(
    seed: int, limit: int
) -> None:
    arrays = random_records(np.random.default_rng(seed), 6).arrays()
    matches = match(arrays, 4, limit)
    for t, threshold in enumerate(THRESHOLDS):
        for a, size in enumerate(SIZES.values()):
            assert outcomes_of(matches, t, a) == plain_match(arrays, threshold, size, limit)


def test_outcomes_do_not_depend_on_how_many_groups_are_matched_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrays = random_records(np.random.default_rng(9), 30).arrays()
    together = match(arrays, 4, 100)
    monkeypatch.setattr(matching, "_MAX_COMPARISONS", 1)
    one_by_one = match(arrays, 4, 100)
    np.testing.assert_array_equal(together.hit, one_by_one.hit)
    np.testing.assert_array_equal(together.ignored, one_by_one.ignored)


def test_an_object_is_taken_once_and_the_second_detection_is_wrong() -> None:
    records = single_image([[0, 0, 50, 50]], [0])
    detect(records, [[0, 0, 50, 49], [0, 0, 50, 50]], [0, 0], [0.4, 0.9])
    matches = match(records.arrays(), 1, 100)
    assert matches.score.tolist() == [pytest.approx(0.9), pytest.approx(0.4)]
    assert matches.rank.tolist() == [0, 1]
    assert matches.hit[0, 0].tolist() == [True, False]
    assert matches.ignored[0, 0].tolist() == [False, False]


def test_a_crowd_is_taken_by_many_detections_and_none_of_them_is_wrong() -> None:
    records = single_image([[0, 0, 100, 100]], [0], [True])
    detect(records, [[0, 0, 20, 20], [50, 50, 80, 80]], [0, 0], [0.9, 0.8])
    matches = match(records.arrays(), 1, 100)
    assert not matches.hit.any()
    assert matches.ignored[:, 0].all()
    assert not matches.counted.any()


def test_an_object_of_the_same_category_is_preferred_to_a_crowd_that_overlaps_more() -> None:
    records = single_image([[0, 0, 100, 100], [0, 0, 50, 50]], [0, 0], [True, False])
    detect(records, [[0, 0, 50, 40]], [0], [0.9])  # lies wholly in the crowd
    matches = match(records.arrays(), 1, 100)
    assert matches.hit[0, 0].tolist() == [True]


def test_detections_that_may_stay_unmatched_are_ignored_but_still_hit() -> None:
    records = single_image([[0, 0, 50, 50]], [0])
    detect(records, [[0, 0, 50, 50], [80, 80, 99, 99]], [0, 0], [0.9, 0.8])
    arrays = records.arrays()
    arrays.detections.ignore_unmatched[:] = True
    matches = match(arrays, 1, 100)
    assert matches.hit[0, 0].tolist() == [True, False]
    assert matches.ignored[0, 0].tolist() == [False, True]


def test_records_without_objects_or_without_detections_match_nothing() -> None:
    without_objects = single_image([], [])
    detect(without_objects, [[0, 0, 50, 50]], [0], [0.9])
    matches = match(without_objects.arrays(), 1, 100)
    assert (matches.hit.any(), matches.ignored[:, 0].any()) == (False, False)
    without_detections = match(single_image([[0, 0, 50, 50]], [0]).arrays(), 1, 100)
    assert without_detections.hit.shape == (len(THRESHOLDS), len(SIZES), 0)
    assert without_detections.counted[0].tolist() == [True]


def test_ranked_detections_come_by_category_and_falling_score() -> None:
    matches = match(random_records(np.random.default_rng(1)).arrays(), 4, 100)
    order, begins = matches.ranked()
    assert len(begins) == 5
    for k in range(4):
        own = order[begins[k] : begins[k + 1]]
        assert (matches.category[own] == k).all()
        assert (np.diff(matches.score[own]) <= 0).all()
        equal = np.diff(matches.score[own]) == 0
        assert (np.diff(matches.image[own])[equal] >= 0).all()


def test_both_bounds_belong_to_a_size() -> None:
    area = np.array([0.0, 32.0**2, 32.0**2 + 1, 96.0**2])
    assert is_of_size(area).tolist() == [
        [True, True, True, True],
        [True, True, False, False],
        [False, True, True, True],
        [False, False, False, True],
    ]


def test_overlap_is_iou_or_the_share_in_a_crowd_and_zero_apart() -> None:
    box, half = np.array([0.0, 0, 10, 10]), np.array([0.0, 5, 10, 10])
    single, crowd = np.array(False), np.array(True)
    assert overlaps(box, half, single) == pytest.approx(50 / 150)
    assert overlaps(box, half, crowd) == pytest.approx(50 / 100)
    assert overlaps(box, np.array([10.0, 0, 5, 5]), single) == 0.0  # they touch
    empty = np.array([3.0, 3, 0, 0])
    assert overlaps(empty, empty, single) == overlaps(empty, box, crowd) == 0.0


def test_an_iou_equal_to_the_threshold_is_enough() -> None:
    records = single_image([[0, 0, 10, 10]], [0])
    detect(records, [[0, 0, 10, 5]], [0], [0.9])  # IoU 0.5
    assert match(records.arrays(), 1, 100).hit[:, 0, 0].tolist() == [True] + [False] * 9
