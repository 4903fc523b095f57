"""Item 26: AP50 of a split, from matching to mean, written out."""

from __future__ import annotations

import numpy as np
import pytest

from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.vocabulary import Vocabulary
from tests.parity.test_scores import iou
from tests.stages.evaluation.records import precision_of

IMAGES, CATEGORIES = 6, 5  # the last category has no object
RECALLS = np.linspace(0, 1, 101)


def world(seed: int) -> tuple[list, list]:
    """Objects (image, category, box) and detections (image, category, box, score)."""
    rng = np.random.default_rng(seed)
    objects, detections = [], []
    for image in range(IMAGES):
        for _ in range(4):
            corner, size = rng.uniform(0, 60, 2), rng.uniform(15, 40, 2)
            box = np.concatenate([corner, corner + size]).astype(np.float32)
            objects.append((image, int(rng.integers(CATEGORIES - 1)), box))
            for _ in range(3):
                near = (box + rng.normal(0, 4, 4)).astype(np.float32)
                named = objects[-1][1] if rng.random() < 0.7 else int(rng.integers(CATEGORIES))
                detections.append((image, named, near, float(rng.random())))
    return objects, detections


def precision_at_recalls(objects: list, detections: list, category: int) -> np.ndarray | None:
    """Highest precision at each recall or beyond, of 101; None without objects."""
    truths = [(i, box) for i, k, box in objects if k == category]
    if not truths:
        return None
    taken: set[int] = set()
    hits = []
    of_category = [d for d in detections if d[1] == category]
    for image, _, box, _ in sorted(of_category, key=lambda d: -d[3]):
        rivals = [
            (iou(box, other), n)
            for n, (i, other) in enumerate(truths)
            if i == image and n not in taken and iou(box, other) >= 0.5
        ]
        if rivals:
            taken.add(max(rivals)[1])
        hits.append(bool(rivals))
    right = np.cumsum(hits)
    recall, precision = right / len(truths), right / np.arange(1, len(hits) + 1)
    reached = [precision[recall >= bar] for bar in RECALLS]
    return np.array([max(values, default=0.0) for values in reached])


@pytest.mark.parametrize("seed", range(3))
def test_item_26_ap50_of_a_split_is_the_mean_over_recalls_and_its_categories(seed: int) -> None:
    objects, detections = world(seed)
    records = DetectionRecords()
    for image in range(IMAGES):
        records.add_image(100, 100, str(image))
        boxes = np.array([b for i, _, b in objects if i == image])
        kinds = [k for i, k, _ in objects if i == image]
        areas = [float((b[2] - b[0]) * (b[3] - b[1])) for b in boxes]
        records.add_objects(boxes, kinds, areas, [False] * len(boxes))
        of_image = [d for d in detections if d[0] == image]
        records.add_detections(
            np.array([d[2] for d in of_image]),
            np.array([d[1] for d in of_image]),
            np.array([d[3] for d in of_image]),
        )
    names = tuple("abcde")
    vocabulary = Vocabulary(names, {"base": ("a", "b"), "novel": ("c", "d", "e")})
    counted = precision_of(records, CATEGORIES, 100)
    actual = {
        m.split: m.value
        for m in counted.metrics(vocabulary, with_recall=False)
        if m.metric == "AP50" and not m.category
    }
    for split, ids in {"all": range(5), "base": (0, 1), "novel": (2, 3, 4)}.items():
        curves = [precision_at_recalls(objects, detections, k) for k in ids]
        known = np.concatenate([c for c in curves if c is not None])  # e, without objects, is -1
        assert actual[split] == pytest.approx(known.mean(), abs=1e-9)
