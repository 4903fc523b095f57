from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.evaluation.average_precision import count_objects
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.matching import match
from stages.evaluation.vocabulary import Vocabulary
from tests.stages.evaluation.records import (
    VOCABULARY,
    by_pycocotools,
    detect,
    precision_of,
    random_boxes,
    random_records,
    single_image,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.average_precision import PrecisionRecall

rng = np.random.default_rng(17)


def value(precision: PrecisionRecall, metric: str, split: str = "all", category: str = "") -> float:
    (number,) = [
        m.value
        for m in precision.metrics(VOCABULARY, with_recall=True)
        if (m.metric, m.split, m.category) == (metric, split, category)
    ]
    return number


def mean_of_known(numbers: NDArray[np.float64]) -> float:
    return float(numbers[numbers > -1].mean())


def test_every_number_equals_that_of_pycocotools() -> None:
    records = random_records(rng)
    precision = precision_of(records, 4, max_detections=100)
    expected = by_pycocotools(records, 100)
    np.testing.assert_allclose(precision.precision, expected["precision"][..., 0], atol=1e-9)
    np.testing.assert_allclose(precision.recall, expected["recall"][..., 0], atol=1e-9)
    known = expected["precision"][:, :, :, 0, 0]
    assert value(precision, "AP") == pytest.approx(mean_of_known(known), abs=1e-9)
    assert value(precision, "AP50") == pytest.approx(mean_of_known(known[0]), abs=1e-9)
    assert value(precision, "AP75") == pytest.approx(mean_of_known(known[5]), abs=1e-9)
    recall = mean_of_known(expected["recall"][:, :, 0, 0])
    assert value(precision, "AR100") == pytest.approx(recall, abs=1e-9)
    for size, metric in enumerate(("APs", "APm", "APl"), start=1):
        known = expected["precision"][:, :, :, size, 0]
        if (known > -1).any():
            assert value(precision, metric) == pytest.approx(mean_of_known(known), abs=1e-9)
        else:
            assert metric not in {
                m.metric for m in precision.metrics(VOCABULARY, with_recall=False)
            }


def test_the_number_of_detections_of_an_image_can_be_limited() -> None:
    records = random_records(rng)
    for limit in (100, 3, 2):
        precision, expected = precision_of(records, 4, limit), by_pycocotools(records, limit)
        np.testing.assert_allclose(precision.precision, expected["precision"][..., 0], atol=1e-9)
        reached = expected["scores"][0, :, :, 0, 0]
        np.testing.assert_allclose(precision.score, np.maximum(reached, 0), atol=1e-9)
        same = precision_of(records, 4, 100).recall  # of 100 detections, whatever the limit of AP
        np.testing.assert_array_equal(precision.recall, same)


def test_the_precision_of_a_split_is_a_mean_over_recall_points_and_its_categories() -> None:
    precision = precision_of(random_records(rng, 30), 4, max_detections=100)
    total, points = 0.0, 0
    for category in ("ant", "dog"):  # base
        for at_recall in precision.precision[0, :, VOCABULARY.ids[category], 0]:
            if at_recall > -1:
                total, points = total + at_recall, points + 1
    assert points == 101  # "dog" has no objects
    assert value(precision, "AP50", "base") == pytest.approx(total / points)


def test_perfect_detections_have_ap_one_and_a_wrong_category_costs_half_of_the_recall() -> None:
    records = DetectionRecords()
    boxes = np.float32([[0, 0, 50, 50], [60, 60, 110, 110]])
    for predicted in ([0, 1], [0, 0]):  # in the second image a bee is called an ant
        records.add_image(200, 200)
        records.add_objects(boxes, [0, 1], [2500.0, 2500.0], [False, False])
        records.add_detections(boxes, np.array(predicted), np.array([0.9, 0.8]))
    precision = precision_of(records, 4, max_detections=100)
    assert value(precision, "AP", "all", "ant") == 1.0  # the mistake ranks below both hits
    assert value(precision, "AP", "all", "bee") == pytest.approx(51 / 101)  # half of the recall
    assert value(precision, "AR100", "novel") == 0.5


def test_a_detection_of_a_crowd_is_no_mistake() -> None:
    records = single_image([[0, 0, 50, 50], [60, 60, 160, 160]], [0, 0], [False, True])
    detect(records, [[70, 70, 90, 90], [0, 0, 50, 50]], [0, 0], [0.9, 0.8])
    precision = precision_of(records, 4, max_detections=100)
    assert value(precision, "AP") == 1.0
    assert precision.objects[:, 0].tolist() == [1, 0, 0, 0]


def test_objects_are_counted_by_category_and_size_without_crowds() -> None:
    sides = [10, 32, 50, 96, 150]  # 32 and 96 are bounds, which belong to both sizes
    boxes = [[0, 0, side, side] for side in [*sides, 150]]
    records = single_image(boxes, [0, 0, 1, 1, 2, 2], [False] * 5 + [True])
    expected = [[2, 2, 1, 0], [2, 0, 2, 1], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert count_objects(match(records.arrays(), 4, 100)).tolist() == expected


def test_ap_of_a_group_of_categories_has_its_own_name() -> None:
    records = single_image([[0, 0, 50, 50]], [1])
    detect(records, [[0, 0, 50, 50]], [1], [0.9])
    precision = precision_of(records, 4, max_detections=100)
    ((name, split, category, number, objects),) = precision.group_metric("APr", [0, 1])
    assert (name, split, category, number, objects) == ("APr", "all", "", 1.0, 1)
    assert precision.group_metric("APc", [2, 3]) == []


def test_objects_without_detections_count_as_missed() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    records.add_objects(random_boxes(rng, 2), [0, 1], [9.0, 9.0], [False, False])
    records.add_image(100, 100)
    precision = precision_of(records, 4, max_detections=100)
    assert value(precision, "AP") == 0.0
    assert {m.category for m in precision.metrics(VOCABULARY, with_recall=False)} == {
        "",
        "ant",
        "bee",
    }


def test_without_objects_there_are_no_rows() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    records.add_detections(random_boxes(rng, 1), np.array([0]), np.array([0.5]))
    assert precision_of(records, 4, 100).metrics(VOCABULARY, with_recall=True) == []


def test_one_category_is_enough() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    box = np.float32([[3, 3, 30, 30]])
    records.add_objects(box, [0], [729.0], [False])
    records.add_detections(box, np.array([0]), np.array([0.001]))
    metrics = precision_of(records, 1, 300).metrics(Vocabulary(("ant",), {}), with_recall=True)
    assert {(m.metric, m.value, m.objects) for m in metrics} == {
        ("AP", 1.0, 1), ("AP50", 1.0, 1), ("AP75", 1.0, 1), ("AR100", 1.0, 1), ("APs", 1.0, 1),
    }  # fmt: skip
