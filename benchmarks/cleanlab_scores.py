"""Scores of boxes by cleanlab's object detection (ObjectLab), for `benchmarks.suspicions`.

    PYTHON benchmarks/cleanlab_scores.py labels.npz scores.npz

Runs in an environment with cleanlab, and needs nothing of ours. Given labels are those that are
kept. Predictions are, for every region, its concept with its probability, at its box; see
`benchmarks.suspicions` for whose. Scores of quality, (R,): swap, badloc, and their geometric mean;
1 for labels that are not kept.
"""

from __future__ import annotations

import sys

import numpy as np
from cleanlab.object_detection import rank  # type: ignore[import-not-found]


def main(source: str, target: str) -> None:
    """Score the labels of a file."""
    with np.load(source) as file:
        rows = {name: file[name] for name in file.files}
    classes = int(max(rows["predicted_labels"].max(), rows["labels"].max())) + 1
    count = len(rows["kept"])
    scores = {name: np.ones(count) for name in ("cleanlab swap", "cleanlab badloc")}
    labels, predictions, places = [], [], []
    for image in np.unique(rows["images"]):
        here = np.flatnonzero(rows["images"] == image)
        given = here[rows["kept"][here]]
        if len(given):
            places.append(given)
            labels.append({"bboxes": rows["boxes"][given], "labels": rows["labels"][given]})
            seen = np.flatnonzero(rows["predicted_images"] == image)
            predictions.append(_predictions(rows, seen, classes))
    scored = {
        "cleanlab swap": rank.compute_swap_box_scores(labels=labels, predictions=predictions),
        "cleanlab badloc": rank.compute_badloc_box_scores(labels=labels, predictions=predictions),
    }
    for name, of_images in scored.items():
        for given, values in zip(places, of_images):  # noqa: B905 - equal by construction
            scores[name][given] = values
    tiny = 1e-12
    logs = [np.log(np.maximum(values, tiny)) for values in scores.values()]
    scores["cleanlab swap and badloc"] = np.exp((logs[0] + logs[1]) / 2)
    np.savez(target, **scores)  # type: ignore[arg-type]


def _predictions(rows: dict[str, np.ndarray], here: np.ndarray, classes: int) -> np.ndarray:
    """Boxes with scores, (P, 5), of each class."""
    found: list[list[np.ndarray]] = [[] for _ in range(classes)]
    for row in here:
        prediction = np.append(rows["predicted_boxes"][row], rows["predicted_scores"][row])
        found[rows["predicted_labels"][row]].append(prediction)
    empty = np.zeros((0, 5))
    result = np.empty(classes, dtype=object)
    for concept, boxes in enumerate(found):
        result[concept] = np.stack(boxes) if boxes else empty
    return result


if __name__ == "__main__":
    main(*sys.argv[1:])
