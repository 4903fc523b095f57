from __future__ import annotations

import numpy as np
import pytest

from schemas.confusions import CONFUSIONS
from stages.evaluation.confusions import NOTHING, confusion_rows, predicted_categories
from tests.stages.evaluation.records import VOCABULARY, detect, random_records, single_image

Outcome = tuple[int, int, float]  # truth, predicted, score


def outcomes(truth: np.ndarray, predicted: np.ndarray, score: np.ndarray) -> list[Outcome]:
    rows = zip(truth.tolist(), predicted.tolist(), score.tolist(), strict=True)
    return [(t, p, round(s, 3)) for t, p, s in rows]


def iou(a: list[float], b: list[float], crowd: bool) -> float:
    """Of two boxes as corner and size; over the first alone if the second is a crowd."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    return shared / (a[2] * a[3] if crowd else a[2] * a[3] + b[2] * b[3] - shared)


def test_rows_are_what_a_loop_counts() -> None:
    rng = np.random.default_rng(3)
    truth, predicted = rng.integers(-1, 4, 200), rng.integers(-1, 4, 200)
    score = rng.uniform(size=200)
    batch = confusion_rows(truth, predicted, score, VOCABULARY)
    CONFUSIONS.check(batch)
    names = [*VOCABULARY.names, None]  # index -1 is NOTHING
    for row in batch.to_pylist():
        own = [
            s
            for t, p, s in zip(truth, predicted, score, strict=True)
            if names[t] == row["truth"] and names[p] == row["called"]
        ]
        assert row["count"] == len(own)
        expected = None if row["called"] is None else pytest.approx(np.mean(own), rel=1e-5)
        assert row["mean_score"] == expected
    assert sum(row["count"] for row in batch.to_pylist()) == 200


def test_the_most_frequent_come_first_and_of_equals_the_lower_ids() -> None:
    truth, predicted = np.array([2, 1, 1, 0, 2]), np.array([2, 0, 0, 3, NOTHING])
    rows = confusion_rows(truth, predicted, np.full(5, 0.5), VOCABULARY).to_pylist()
    pairs = [(row["truth"], row["called"]) for row in rows]
    assert pairs == [("bee", "ant"), ("ant", "dog"), ("cat", None), ("cat", "cat")]


def test_no_outcomes_give_no_rows() -> None:
    nothing = np.zeros(0, np.int64)
    assert confusion_rows(nothing, nothing, np.zeros(0), VOCABULARY).num_rows == 0


def test_an_object_has_the_category_of_the_best_detection_assigned_to_it() -> None:
    boxes = [[0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]]
    records = single_image(boxes, [0, 1, 2], [False, False, True])
    detected = [[0, 0, 10, 9], [0, 0, 10, 10], [20, 20, 30, 30], [81, 81, 90, 90]]
    detect(records, detected, [3, 0, 1, 2], [0.9, 0.4, 0.8, 0.7])
    assert set(outcomes(*predicted_categories(records.arrays()))) == {
        (0, 3, 0.9),  # the box of score 0.9 overlaps it enough, the better box has 0.4
        (1, NOTHING, 0.0),  # missed
        (NOTHING, 1, 0.8),  # background; the detection on the crowd is neither
    }


def test_a_detection_is_assigned_to_one_object_only() -> None:
    records = single_image([[0, 0, 10, 10], [0, 0, 10, 12]], [0, 1])
    detect(records, [[0, 0, 10, 12]], [2], [0.9])
    assert outcomes(*predicted_categories(records.arrays())) == [(0, NOTHING, 0.0), (1, 2, 0.9)]


@pytest.mark.parametrize(("height", "is_background"), [(5, False), (4.9, True)])
def test_an_iou_of_one_half_is_enough(height: float, is_background: bool) -> None:
    records = single_image([[0, 0, 10, 10]], [0])
    detect(records, [[0, 0, 10, height]], [1], [0.5])
    truth, _, _ = predicted_categories(records.arrays())
    assert (NOTHING in truth.tolist()) == is_background


def test_of_equal_scores_the_first_detection_decides() -> None:
    records = single_image([[0, 0, 10, 10]], [0])
    detect(records, [[0, 0, 10, 9], [0, 0, 10, 10]], [2, 3], [0.5, 0.5])
    assert outcomes(*predicted_categories(records.arrays())) == [(0, 2, 0.5)]


def test_records_without_objects_or_detections_have_no_outcomes() -> None:
    assert outcomes(*predicted_categories(single_image([], []).arrays())) == []


@pytest.mark.parametrize("seed", range(3))
def test_outcomes_are_those_of_a_loop_over_images(seed: int) -> None:
    records = random_records(np.random.default_rng(seed))
    expected: list[Outcome] = []
    for image, rows in zip(records.images, records.detections, strict=True):
        objects = [o for o in records.objects if o["image_id"] == image["id"]]
        best: dict[int, tuple[float, int]] = {}
        for *box, score, category in rows[:, 1:].tolist():
            overlaps = [iou(box, o["bbox"], bool(o["iscrowd"])) for o in objects]
            on_crowd = any(
                v >= 0.5 and o["iscrowd"] for v, o in zip(overlaps, objects, strict=True)
            )
            singles = [(v, n) for n, v in enumerate(overlaps) if not objects[n]["iscrowd"]]
            overlap, number = max(singles, key=lambda pair: pair[0], default=(0.0, -1))
            if overlap >= 0.5:
                if number not in best or score > best[number][0]:
                    best[number] = score, int(category)
            elif not on_crowd:
                expected.append((NOTHING, int(category), round(score, 3)))
        for number, o in enumerate(objects):
            if not o["iscrowd"]:
                score, category = best.get(number, (0.0, NOTHING))
                expected.append((o["category_id"], category, round(score, 3)))
    assert sorted(outcomes(*predicted_categories(records.arrays()))) == sorted(expected)
