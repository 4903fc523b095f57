from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.evaluation.average_precision import count_precision
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.average_precision import PrecisionRecall

rng = np.random.default_rng()  # fresh every run: what is asserted holds for any numbers
NAMES = Vocabulary(("ant", "bee", "cat", "dog"), {"base": ("ant", "dog"), "novel": ("bee",)})


def random_boxes(count: int, size: float = 120) -> NDArray[np.float32]:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(2, size, (count, 2))], axis=1).astype("f4")


def a_day_of_detecting(images: int = 12) -> DetectionRecords:
    """Objects, crowds among them, with detections that hit, drift, double and invent."""
    records = DetectionRecords()
    for _ in range(images):
        records.add_image(200, 200)
        count = int(rng.integers(0, 6))
        boxes, category = random_boxes(count), rng.integers(0, 3, count)  # "dog" has no objects
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        records.add_objects(
            boxes, category.tolist(), area.tolist(), (rng.uniform(size=count) < 0.2).tolist()
        )
        twice = np.concatenate([boxes, boxes])
        drifted = twice + rng.normal(0, 3, twice.shape).astype("f4")
        drifted[:, 2:] = np.maximum(drifted[:, 2:], drifted[:, :2] + 1)
        seen = np.concatenate([drifted, random_boxes(4)])
        guess = np.concatenate([category, category, rng.integers(0, 4, 4)])
        score = np.round(rng.uniform(size=len(seen)), 1)  # with ties
        records.add_detections(seen, guess, score)
    return records


def by_pycocotools(records: DetectionRecords, max_detections: int) -> Any:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    rows = np.concatenate(records.detections)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": records.images,
            "annotations": [dict(o) for o in records.objects],
            "categories": [{"id": k, "name": n} for k, n in enumerate(NAMES.names)],
        }
        truth.createIndex()
        run = cocoeval.COCOeval(truth, truth.loadRes(rows), "bbox")
        run.params.maxDets = [max_detections]
        run.evaluate()
        run.accumulate()
    return run.eval


def value(precision: PrecisionRecall, metric: str, split: str = "all", category: str = "") -> float:
    (found,) = [
        m.value
        for m in precision.metrics(NAMES, with_recall=True)
        if (m.metric, m.split, m.category) == (metric, split, category)
    ]
    return found


def mean_of_known(numbers: NDArray[np.float64]) -> float:
    return float(numbers[numbers > -1].mean())


def test_every_number_equals_that_of_pycocotools() -> None:
    records = a_day_of_detecting()
    ours = count_precision(records, 4, max_detections=100)
    theirs = by_pycocotools(records, 100)
    np.testing.assert_allclose(ours.precision, theirs["precision"][..., 0], atol=1e-6)
    np.testing.assert_allclose(ours.recall, theirs["recall"][..., 0], atol=1e-6)
    known = theirs["precision"][:, :, :, 0, 0]
    assert value(ours, "AP") == pytest.approx(mean_of_known(known), abs=1e-6)
    assert value(ours, "AP50") == pytest.approx(mean_of_known(known[0]), abs=1e-6)
    assert value(ours, "AP75") == pytest.approx(mean_of_known(known[5]), abs=1e-6)
    recall = mean_of_known(theirs["recall"][:, :, 0, 0])
    assert value(ours, "AR100") == pytest.approx(recall, abs=1e-6)
    for size, metric in enumerate(("APs", "APm", "APl"), start=1):
        known = theirs["precision"][:, :, :, size, 0]
        if (known > -1).any():
            assert value(ours, metric) == pytest.approx(mean_of_known(known), abs=1e-6)
        else:
            assert metric not in {m.metric for m in ours.metrics(NAMES, with_recall=False)}


def test_fewer_detections_can_be_looked_at() -> None:
    records = a_day_of_detecting()
    ours = count_precision(records, 4, max_detections=2)
    expected = by_pycocotools(records, 2)["precision"][..., 0]
    np.testing.assert_allclose(ours.precision, expected, atol=1e-6)


def test_the_precision_of_a_split_is_a_mean_over_recall_points_and_its_categories() -> None:
    ours = count_precision(a_day_of_detecting(30), 4, max_detections=100)
    total, points = 0.0, 0
    for category in ("ant", "dog"):  # base
        for precision in ours.precision[0, :, NAMES.ids[category], 0]:
            if precision > -1:
                total, points = total + precision, points + 1
    assert points == 101  # "dog" has no objects
    assert value(ours, "AP50", "base") == pytest.approx(total / points)


def test_a_perfect_day_is_one_and_a_planted_mistake_costs_what_it_should() -> None:
    records = DetectionRecords()
    boxes = np.float32([[0, 0, 50, 50], [60, 60, 110, 110]])
    for guess in ([0, 1], [0, 0]):  # in the second image a bee is called an ant
        records.add_image(200, 200)
        records.add_objects(boxes, [0, 1], [2500.0, 2500.0], [False, False])
        records.add_detections(boxes, np.array(guess), np.array([0.9, 0.8]))
    ours = count_precision(records, 4, max_detections=100)
    assert value(ours, "AP", "all", "ant") == 1.0  # the mistake ranks below both hits
    assert value(ours, "AP", "all", "bee") == pytest.approx(51 / 101)  # half of the recall
    assert value(ours, "AR100", "novel") == 0.5


def test_a_detection_of_a_crowd_is_no_mistake() -> None:
    records = DetectionRecords()
    records.add_image(200, 200)
    boxes = np.float32([[0, 0, 50, 50], [60, 60, 160, 160]])
    records.add_objects(boxes, [0, 0], [2500.0, 10000.0], [False, True])
    inside = np.float32([[70, 70, 90, 90], [0, 0, 50, 50]])
    records.add_detections(inside, np.array([0, 0]), np.array([0.9, 0.8]))
    ours = count_precision(records, 4, max_detections=100)
    assert value(ours, "AP") == 1.0
    assert ours.objects[:, 0].tolist() == [1, 0, 0, 0]


def test_objects_that_nothing_was_said_about_count_as_missed() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    records.add_objects(random_boxes(2), [0, 1], [9.0, 9.0], [False, False])
    records.add_image(100, 100)
    ours = count_precision(records, 4, max_detections=100)
    assert value(ours, "AP") == 0.0
    assert {m.category for m in ours.metrics(NAMES, with_recall=False)} == {"", "ant", "bee"}


def test_without_objects_there_are_no_rows() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    records.add_detections(random_boxes(1), np.array([0]), np.array([0.5]))
    assert count_precision(records, 4, 100).metrics(NAMES, with_recall=True) == []


def test_one_category_is_enough() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    box = np.float32([[3, 3, 30, 30]])
    records.add_objects(box, [0], [729.0], [False])
    records.add_detections(box, np.array([0]), np.array([0.001]))
    metrics = count_precision(records, 1, 300).metrics(Vocabulary(("ant",), {}), with_recall=True)
    assert {(m.metric, m.value, m.objects) for m in metrics} == {
        ("AP", 1.0, 1), ("AP50", 1.0, 1), ("AP75", 1.0, 1), ("AR100", 1.0, 1), ("APs", 1.0, 1),
    }  # fmt: skip
