"""Random objects and detections, and what pycocotools counts from them."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.evaluation.average_precision import AR_DETECTIONS, precision_from_matches
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.matches_file import read_matches, write_matches
from stages.evaluation.matching import match
from stages.evaluation.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.evaluation.average_precision import PrecisionRecall
    from stages.evaluation.matches_file import StoredMatches

VOCABULARY = Vocabulary(("ant", "bee", "cat", "dog"), {"base": ("ant", "dog"), "novel": ("bee",)})


def random_boxes(rng: np.random.Generator, count: int, size: float = 120) -> NDArray[np.float32]:
    """Boxes (N, 4) of sides from 2 to `size`, near the origin, so that many overlap."""
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(2, size, (count, 2))], axis=1).astype("f4")


def random_records(
    rng: np.random.Generator, images: int = 12, *, ties: bool = True
) -> DetectionRecords:
    """Objects, some of them crowds, with detections that are near, doubled, or anywhere.

    The last category, dog, has detections but no objects.
    """
    records = DetectionRecords()
    scores = rng.permutation(100 * images) / (100 * images)  # all different
    for image in range(images):
        records.add_image(200, 200, f"image/{image:04}")
        count = int(rng.integers(0, 6))
        boxes, category = random_boxes(rng, count), rng.integers(0, 3, count)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        records.add_objects(
            boxes, category.tolist(), area.tolist(), (rng.uniform(size=count) < 0.2).tolist()
        )
        twice = np.concatenate([boxes, boxes])
        near = twice + rng.normal(0, 3, twice.shape).astype("f4")
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        detected = np.concatenate([near, random_boxes(rng, 4)])
        predicted = np.concatenate([category, category, rng.integers(0, 4, 4)])
        score = scores[image * 100 : image * 100 + len(detected)]
        records.add_detections(detected, predicted, np.round(score, 1) if ties else score)
    return records


def single_image(
    boxes: Any, category: list[int], crowds: list[bool] | None = None, side: int = 200
) -> DetectionRecords:
    """Records of one image with these objects, without detections."""
    records = DetectionRecords()
    records.add_image(side, side, "image")
    corners = np.asarray(boxes, np.float32).reshape(-1, 4)
    area = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    records.add_objects(corners, category, area.tolist(), crowds or [False] * len(category))
    return records


def detect(records: DetectionRecords, boxes: Any, category: list[int], score: list[float]) -> None:
    """Add detections to the last image."""
    corners = np.asarray(boxes, np.float32).reshape(-1, 4)
    records.add_detections(corners, np.array(category, np.int64), np.array(score))


def stored(records: DetectionRecords, folder: Path) -> StoredMatches:
    """Matches of the records, written and read."""
    names = [str(image["name"]) for image in records.images]
    paths = folder / "matches.parquet", folder / "ground_truth.parquet"
    write_matches(*paths, match(records.arrays(), len(VOCABULARY.names), 100), names)
    return read_matches(*paths)


def precision_of(
    records: DetectionRecords, num_categories: int, max_detections: int
) -> PrecisionRecall:
    """Precision and recall as COCO defines them."""
    matches = match(records.arrays(), num_categories, max(max_detections, AR_DETECTIONS))
    return precision_from_matches(matches, max_detections)


def by_pycocotools(records: DetectionRecords, max_detections: int) -> Any:
    """Precision, recall and scores as the reference implementation of COCO counts them."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    rows = np.concatenate(records.detections)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": records.images,
            "annotations": [dict(o) for o in records.objects],
            "categories": [{"id": k, "name": n} for k, n in enumerate(VOCABULARY.names)],
        }
        truth.createIndex()
        run = cocoeval.COCOeval(truth, truth.loadRes(rows), "bbox")
        run.params.maxDets = [max_detections]
        run.evaluate()
        run.accumulate()
    return run.eval
