from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.errors import ArtifactError
from stages.evaluation.average_precision import precision_from_matches
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.lvis_metadata import LvisMetadata
from stages.evaluation.lvis_precision import (
    MAX_DETECTIONS,
    frequency_metrics,
    lvis_arrays,
    match_lvis,
)
from stages.evaluation.vocabulary import Vocabulary
from tests.stages.evaluation.records import (
    detect,
    random_boxes,
    single_image,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stages.evaluation.average_precision import PrecisionRecall

rng = np.random.default_rng(23)
VOCABULARY = Vocabulary(
    tuple("abcdefgh"), {"base": ("c", "d", "e", "f", "g", "h"), "novel": ("a", "b")}
)
FREQUENCY = dict(zip("abcdefgh", "rrrcccff", strict=True))


def random_lvis_records(images: int = 25) -> tuple[DetectionRecords, LvisMetadata]:
    """Objects, negatives, categories not annotated exhaustively; in one image 400 detections."""
    records, negative, not_exhaustive = DetectionRecords(), {}, {}
    for number in range(images):
        records.add_image(200, 200, f"val/{number:06}")
        count = int(rng.integers(0, 6))
        boxes, category = random_boxes(rng, count), rng.integers(0, 7, count)  # "h" has no objects
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        records.add_objects(boxes, category.tolist(), area.tolist(), [False] * count)
        near = np.concatenate([boxes, boxes]) + rng.normal(0, 3, (2 * count, 4)).astype("f4")
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        extra = 400 if number == 0 else 12
        detected = np.concatenate([near, random_boxes(rng, extra)])
        predicted = np.concatenate([category, category, rng.integers(0, 8, extra)])
        records.add_detections(
            detected, predicted, np.round(rng.uniform(size=len(detected)), 2)
        )  # with ties
        absent = sorted(set(range(8)) - set(category.tolist()))
        negative[f"{number:06}"] = [VOCABULARY.names[k] for k in absent if rng.uniform() < 0.4]
        present = sorted(set(category.tolist()))
        not_exhaustive[f"{number:06}"] = [
            VOCABULARY.names[k] for k in present if rng.uniform() < 0.4
        ]
    return records, LvisMetadata(FREQUENCY, negative, not_exhaustive)


def as_json(records: DetectionRecords, lists: LvisMetadata) -> dict[str, Any]:
    ids = {name: k + 1 for k, name in enumerate(VOCABULARY.names)}
    return {
        "images": [
            {
                "id": image["id"], "width": 200, "height": 200,
                "coco_url": f"http://images.cocodataset.org/val2017/{image['name'][4:]}.jpg",
                "neg_category_ids": [ids[n] for n in lists.negative[image["name"][4:]]],
                "not_exhaustive_category_ids": [
                    ids[n] for n in lists.not_exhaustive[image["name"][4:]]
                ],
            }
            for image in records.images
        ],
        "annotations": [{**o, "category_id": o["category_id"] + 1} for o in records.objects],
        "categories": [{"id": k, "name": n, "frequency": FREQUENCY[n]} for n, k in ids.items()],
    }  # fmt: skip


def by_the_official_package(
    records: DetectionRecords, lists: LvisMetadata, path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    lvis = pytest.importorskip("lvis")
    monkeypatch.setattr(np, "float", float, raising=False)  # it was written for an older numpy
    path.write_text(json.dumps(as_json(records, lists)))
    rows = np.concatenate(records.detections).tolist()
    results = [
        {"image_id": int(i), "category_id": int(k) + 1, "bbox": [x, y, w, h], "score": s}
        for i, x, y, w, h, s, k in rows
    ]
    truth = lvis.LVIS(str(path))
    run = lvis.LVISEval(truth, lvis.LVISResults(truth, results), "bbox")
    run.run()
    return run


def lvis_precision(records: DetectionRecords, lists: LvisMetadata) -> PrecisionRecall:
    matches = match_lvis(records, VOCABULARY, lists)
    return precision_from_matches(matches, MAX_DETECTIONS, MAX_DETECTIONS)


def values(precision: PrecisionRecall, lists: LvisMetadata) -> dict[tuple[str, str], float]:
    metrics = precision.metrics(VOCABULARY, with_recall=True) + frequency_metrics(
        precision, VOCABULARY, lists
    )
    return {(m.metric, m.split): m.value for m in metrics if not m.category}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
def test_every_number_equals_that_of_the_official_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, lists = random_lvis_records()
    official = by_the_official_package(records, lists, tmp_path / "lvis.json", monkeypatch)
    precision = lvis_precision(records, lists)
    np.testing.assert_allclose(precision.precision, official.eval["precision"], atol=1e-9)
    np.testing.assert_allclose(precision.recall, official.eval["recall"], atol=1e-9)
    metrics = values(precision, lists)
    for metric in ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf"):
        expected = official.results[metric]
        assert metrics.get((metric, "all"), -1) == pytest.approx(expected, abs=1e-9), metric
    assert metrics["AR300", "all"] == pytest.approx(official.results["AR@300"], abs=1e-9)


def test_a_detection_of_a_category_that_is_not_annotated_in_the_image_does_not_count() -> None:
    box, area = np.float32([[0, 0, 50, 50]]), [2500.0]
    records = DetectionRecords()
    records.add_image(100, 100, "a")
    records.add_objects(box, [0], area, [False])
    records.add_image(100, 100, "b")
    records.add_detections(box, np.array([0]), np.array([0.9]))  # b says nothing of category 0
    records.detections.append(np.array([[1, 0, 0, 50, 50, 0.5, 0]]))
    unknown = LvisMetadata(FREQUENCY, {"a": [], "b": []}, {"a": [], "b": []})
    absent = LvisMetadata(FREQUENCY, {"a": [], "b": ["a"]}, {"a": [], "b": []})
    tolerant = LvisMetadata(FREQUENCY, {"a": [], "b": ["a"]}, {"a": [], "b": ["a"]})
    scores = [values(lvis_precision(records, f), f)["AP", "all"] for f in
              (unknown, absent, tolerant)]  # fmt: skip
    assert scores == pytest.approx([1.0, 0.5, 1.0])


def test_an_image_without_lists_is_refused() -> None:
    records, lists = random_lvis_records(3)
    records.add_image(10, 10, "val/stranger")
    with pytest.raises(ArtifactError, match="nothing of image val/stranger"):
        lvis_precision(records, lists)


def test_only_the_300_detections_of_highest_score_of_an_image_count() -> None:
    records = single_image([[0, 0, 50, 50]], [0])
    records.images[0]["name"] = "a"
    wrong = [[100, 100, 150, 150]] * MAX_DETECTIONS
    detect(records, [*wrong, [0, 0, 50, 50]], [1] * MAX_DETECTIONS + [0], [0.9] * 300 + [0.1])
    lists = LvisMetadata(FREQUENCY, {"a": ["b"]}, {"a": []})
    assert len(lvis_arrays(records, VOCABULARY, lists).detections.image) == MAX_DETECTIONS
    assert values(lvis_precision(records, lists), lists)["AP", "all"] == 0.0


def test_crowds_are_objects_like_others_for_lvis() -> None:
    records = single_image([[0, 0, 50, 50]], [0], [True])
    records.images[0]["name"] = "a"
    arrays = lvis_arrays(records, VOCABULARY, LvisMetadata(FREQUENCY, {"a": []}, {"a": []}))
    assert records.arrays().ground_truth.is_crowd.tolist() == [True]
    assert arrays.ground_truth.is_crowd.tolist() == [False]
