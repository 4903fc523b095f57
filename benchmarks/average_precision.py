"""Average precision of many detections, against other programs that count it, in the same run.

    python -m benchmarks.average_precision                  # as large as COCO's validation set
    python -m benchmarks.average_precision --images 500

Random objects and detections. Each program gets rows in the form in which it takes them and counts
precision at every threshold, recall and size; making that form is not timed. Rounds take turns, and
the medians of processor time are compared. All must have the same AP. A program that is not
installed is left out, and named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from importlib import import_module
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.evaluation.average_precision import precision_from_matches
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.matching import match

if TYPE_CHECKING:
    from collections.abc import Callable

CATEGORIES: Final = 80
OBJECTS: Final = 7  # of an image, about
DETECTIONS: Final = 100  # of an image
OURS: Final = "ours"
# package, module, names of its index and of its evaluation
PEERS: Final = (
    ("faster-coco-eval", "faster_coco_eval", "COCO", "COCOeval_faster"),
    ("hotcoco", "hotcoco", "COCO", "COCOeval"),
    ("pycocotools", "pycocotools.cocoeval", "COCO", "COCOeval"),
)


def invented_records(images: int, rng: np.random.Generator) -> DetectionRecords:
    """Objects, some of them crowds, with detections near them and anywhere."""
    records = DetectionRecords()
    for image in range(images):
        records.add_image(640, 480, f"image/{image:06}")
        count = int(rng.poisson(OBJECTS))
        boxes, category = _boxes(rng, count), rng.integers(0, CATEGORIES, count)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        crowds = (rng.uniform(size=count) < 0.02).tolist()
        records.add_objects(boxes, category.tolist(), area.tolist(), crowds)
        near = np.repeat(boxes, 4, axis=0)[: DETECTIONS // 2]
        near = near + rng.normal(0, 8, near.shape).astype(np.float32)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        own = np.repeat(category, 4)[: DETECTIONS // 2]
        right = rng.uniform(size=len(own)) < 0.7
        named = np.where(right, own, rng.integers(0, CATEGORIES, len(own)))
        rest = DETECTIONS - len(near)
        named = np.concatenate([named, rng.integers(0, CATEGORIES, rest)])
        scores = np.round(rng.uniform(size=DETECTIONS), 4)
        records.add_detections(np.concatenate([near, _boxes(rng, rest)]), named, scores)
    return records


def average_precision(records: DetectionRecords) -> float:
    """AP, by our own matching."""
    matches = match(records.arrays(), CATEGORIES, DETECTIONS)
    values = precision_from_matches(matches, DETECTIONS).precision[..., 0]
    return float(values[values > -1].mean())


def peers(records: DetectionRecords) -> dict[str, Callable[[], float]]:
    """What counts AP by each other program that is installed."""
    found: dict[str, Callable[[], float]] = {}
    for package, module, index, evaluation in PEERS:
        try:
            home = import_module(module)
            makes_index = getattr(home, index, None) or import_module("pycocotools.coco").COCO
        except ImportError:
            print(f"{package} is not installed")
            continue
        counts = _counted_by(makes_index, getattr(home, evaluation), records)
        found[f"{package} {version(package)}"] = counts
    return found


def _counted_by(index: Any, evaluation: Any, records: DetectionRecords) -> Callable[[], float]:
    rows = np.concatenate(records.detections)
    categories = [{"id": k, "name": str(k)} for k in range(CATEGORIES)]
    truth = {"images": records.images, "annotations": records.objects, "categories": categories}
    results = [
        {
            "image_id": int(image),
            "category_id": int(category),
            "bbox": [x, y, width, height],
            "score": score,
        }
        for image, x, y, width, height, score, category in rows.tolist()
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = _index_of(index, truth)
        found = known.loadRes(results) if hasattr(known, "loadRes") else known.load_res(results)

    def counted() -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            run = evaluation(known, found, "bbox")
            run.evaluate()
            run.accumulate()
            run.summarize()
        return float(run.stats[0])

    return counted


def _index_of(index: Any, content: dict[str, Any]) -> Any:
    try:
        known = index()
        known.dataset = content
        known.createIndex()
    except (AttributeError, TypeError):  # one that is made of its content
        return index(content)
    return known


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    corner = rng.uniform(0, (500, 360), (count, 2))
    size = np.exp(rng.uniform(np.log(8), np.log(300), (count, 2)))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def main(words: list[str] | None = None) -> int:
    """Time all programs in turns; print seconds, and how much longer than ours each takes."""
    parser = argparse.ArgumentParser(description="Time average precision against other programs.")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(words)
    records = invented_records(arguments.images, np.random.default_rng(0))
    programs = {OURS: lambda: average_precision(records), **peers(records)}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    values: dict[str, float] = {}
    for _ in range(arguments.rounds):
        for name, counted in programs.items():
            before = time.process_time()
            values[name] = counted()
            seconds[name].append(time.process_time() - before)
    ours = median(seconds[OURS])
    for name, taken in seconds.items():
        ratio = median(taken) / ours
        print(f"{name:<28} {median(taken):8.3f} s {ratio:7.2f} times ours   AP {values[name]:.9f}")
    if max(values.values()) - min(values.values()) > 1e-9:
        print("they do not agree")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
