from __future__ import annotations

import numpy as np

from stages.evaluation.detection_records import DetectionRecords
from tests.stages.evaluation.records import detect, single_image


def two_images() -> DetectionRecords:
    records = single_image([[10, 20, 30, 60]], [2])
    detect(records, [[1, 2, 4, 8], [0, 0, 2, 2]], [1, 0], [0.1, 0.9])
    records.add_image(50, 40, "second")
    boxes = np.float32([[0, 0, 5, 5], [1, 1, 3, 4]])
    records.add_objects(boxes, [0, 1], [25.0, 3.5], [True, False])
    detect(records, [[5, 5, 6, 7]], [2], [0.5])
    return records


def test_objects_and_images_are_numbered_from_one_as_coco_has_them() -> None:
    records = two_images()
    assert records.images == [
        {"id": 1, "width": 200, "height": 200, "name": "image"},
        {"id": 2, "width": 50, "height": 40, "name": "second"},
    ]
    assert [(o["id"], o["image_id"]) for o in records.objects] == [(1, 1), (2, 2), (3, 2)]
    assert records.objects[0]["bbox"] == [10.0, 20.0, 20.0, 40.0]


def test_arrays_hold_objects_in_the_order_they_were_added() -> None:
    objects = two_images().arrays().ground_truth
    assert objects.image.tolist() == [0, 1, 1]
    assert objects.category.tolist() == [2, 0, 1]
    assert objects.boxes.tolist() == [[10, 20, 20, 40], [0, 0, 5, 5], [1, 1, 2, 3]]
    assert objects.area.tolist() == [800.0, 25.0, 3.5]  # as given, not width times height
    assert objects.is_crowd.tolist() == [False, True, False]


def test_arrays_hold_detections_as_corner_and_size_with_their_area() -> None:
    arrays = two_images().arrays()
    detections = arrays.detections
    assert arrays.num_images == 2
    assert detections.image.tolist() == [0, 0, 1]
    assert detections.category.tolist() == [1, 0, 2]
    assert detections.boxes.tolist() == [[1, 2, 3, 6], [0, 0, 2, 2], [5, 5, 1, 2]]
    assert detections.area.tolist() == [18.0, 4.0, 2.0]
    assert not detections.ignore_unmatched.any()


def test_scores_are_rounded_to_float32_as_in_their_table() -> None:
    score = two_images().arrays().detections.score
    assert score.dtype == np.float64
    assert score.tolist() == [float(np.float32(s)) for s in (0.1, 0.9, 0.5)]


def test_empty_records_are_empty_arrays() -> None:
    arrays = DetectionRecords().arrays()
    assert arrays.num_images == 0
    assert arrays.ground_truth.boxes.shape == arrays.detections.boxes.shape == (0, 4)
    assert arrays.detections.area.shape == (0,)


def test_rows_are_taken_by_index_and_by_mask() -> None:
    arrays = two_images().arrays()
    assert arrays.ground_truth.take(np.array([2, 0])).category.tolist() == [1, 2]
    taken = arrays.detections.take(np.array([False, True, True]))
    assert (taken.image.tolist(), taken.category.tolist()) == ([0, 1], [0, 2])
    assert len(taken.boxes) == len(taken.score) == len(taken.ignore_unmatched) == 2
