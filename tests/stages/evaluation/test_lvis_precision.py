from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.errors import ArtifactError, SourceError
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.lvis_metadata import LvisMetadata, read_lvis_metadata
from stages.evaluation.lvis_precision import (
    count_lvis_precision,
    frequency_metrics,
    precision_from_matches,
)
from stages.evaluation.matching import match
from stages.evaluation.vocabulary import Vocabulary
from tests.stages.evaluation.test_average_precision import a_day_of_detecting, by_pycocotools

if TYPE_CHECKING:
    from pathlib import Path

    from stages.evaluation.average_precision import PrecisionRecall

rng = np.random.default_rng()  # fresh every run: what is asserted holds for any numbers
NAMES = Vocabulary(tuple("abcdefgh"), {"base": ("c", "d", "e", "f", "g", "h"), "novel": ("a", "b")})
FREQUENCY = dict(zip("abcdefgh", "rrrcccff", strict=True))


def boxes_of(count: int) -> Any:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(2, 120, (count, 2))], axis=1).astype("f4")


def an_lvis_day(images: int = 25) -> tuple[DetectionRecords, LvisMetadata]:
    """Objects, negatives, categories not drawn exhaustively; in one image 400 detections."""
    records, negative, partly = DetectionRecords(), {}, {}
    for number in range(images):
        records.add_image(200, 200, f"val/{number:06}")
        count = int(rng.integers(0, 6))
        boxes, category = boxes_of(count), rng.integers(0, 7, count)  # "h" has no objects
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        records.add_objects(boxes, category.tolist(), area.tolist(), [False] * count)
        drift = np.concatenate([boxes, boxes]) + rng.normal(0, 3, (2 * count, 4)).astype("f4")
        drift[:, 2:] = np.maximum(drift[:, 2:], drift[:, :2] + 1)
        invented = 400 if number == 0 else 12
        seen = np.concatenate([drift, boxes_of(invented)])
        guess = np.concatenate([category, category, rng.integers(0, 8, invented)])
        records.add_detections(seen, guess, np.round(rng.uniform(size=len(seen)), 2))  # with ties
        absent = sorted(set(range(8)) - set(category.tolist()))
        negative[f"{number:06}"] = [NAMES.names[k] for k in absent if rng.uniform() < 0.4]
        present = sorted(set(category.tolist()))
        partly[f"{number:06}"] = [NAMES.names[k] for k in present if rng.uniform() < 0.4]
    return records, LvisMetadata(FREQUENCY, negative, partly)


def as_json(records: DetectionRecords, lists: LvisMetadata) -> dict[str, Any]:
    ids = {name: k + 1 for k, name in enumerate(NAMES.names)}
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


def values(precision: PrecisionRecall, lists: LvisMetadata) -> dict[tuple[str, str], float]:
    found = precision.metrics(NAMES, with_recall=True) + frequency_metrics(precision, NAMES, lists)
    return {(m.metric, m.split): m.value for m in found if not m.category}


def test_every_number_equals_that_of_the_official_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, lists = an_lvis_day()
    official = by_the_official_package(records, lists, tmp_path / "lvis.json", monkeypatch)
    ours = count_lvis_precision(records, NAMES, lists)
    np.testing.assert_allclose(ours.precision, official.eval["precision"], atol=1e-9)
    np.testing.assert_allclose(ours.recall, official.eval["recall"], atol=1e-9)
    found = values(ours, lists)
    for metric in ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf"):
        expected = official.results[metric]
        assert found.get((metric, "all"), -1) == pytest.approx(expected, abs=1e-9), metric
    assert found["AR300", "all"] == pytest.approx(official.results["AR@300"], abs=1e-9)


def test_the_lists_are_read_from_the_json_of_lvis(tmp_path: Path) -> None:
    records, lists = an_lvis_day(4)
    (tmp_path / "lvis.json").write_text(json.dumps(as_json(records, lists)))
    read = read_lvis_metadata(tmp_path / "lvis.json")
    assert read == lists


def test_a_detection_of_a_category_nobody_looked_for_does_not_count() -> None:
    box, area = np.float32([[0, 0, 50, 50]]), [2500.0]
    records = DetectionRecords()
    records.add_image(100, 100, "a")
    records.add_objects(box, [0], area, [False])
    records.add_image(100, 100, "b")
    records.add_detections(box, np.array([0]), np.array([0.9]))  # b says nothing of category 0
    records.detections.append(np.array([[1, 0, 0, 50, 50, 0.5, 0]]))
    unknown = LvisMetadata(FREQUENCY, {"a": [], "b": []}, {"a": [], "b": []})
    absent = LvisMetadata(FREQUENCY, {"a": [], "b": ["a"]}, {"a": [], "b": []})
    spared = LvisMetadata(FREQUENCY, {"a": [], "b": ["a"]}, {"a": [], "b": ["a"]})
    scores = [values(count_lvis_precision(records, NAMES, f), f)["AP", "all"] for f in
              (unknown, absent, spared)]  # fmt: skip
    assert scores == pytest.approx([1.0, 0.5, 1.0])


def test_an_image_without_lists_is_refused() -> None:
    records, lists = an_lvis_day(3)
    records.add_image(10, 10, "val/stranger")
    with pytest.raises(ArtifactError, match="nothing of image val/stranger"):
        count_lvis_precision(records, NAMES, lists)


@pytest.mark.parametrize(
    "content", ["[", "[]", '{"images": [], "categories": [{"id": 1, "name": "a"}]}']
)
def test_a_file_that_is_not_lvis_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"x\.json"):
        read_lvis_metadata(path)


def test_two_images_of_one_file_name_are_refused(tmp_path: Path) -> None:
    image = {
        "id": 1,
        "file_name": "a.jpg",
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
    }
    (tmp_path / "x.json").write_text(json.dumps({"images": [image, image], "categories": []}))
    with pytest.raises(SourceError, match="same file name"):
        read_lvis_metadata(tmp_path / "x.json")


def test_counted_from_matches_coco_is_what_pycocotools_says() -> None:
    records = a_day_of_detecting(20)
    for most in (100, 3):
        ours = precision_from_matches(match(records.arrays(), 4, most))
        theirs = by_pycocotools(records, most)
        np.testing.assert_allclose(ours.precision, theirs["precision"][..., 0], atol=1e-9)
        np.testing.assert_allclose(ours.recall, theirs["recall"][..., 0], atol=1e-9)
        reached = theirs["scores"][0, :, :, 0, 0]
        np.testing.assert_allclose(ours.score, np.maximum(reached, 0), atol=1e-9)
