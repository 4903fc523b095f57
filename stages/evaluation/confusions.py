"""Confusions: how often each category is predicted as each other, as rows of `CONFUSIONS`.

Shapes: N objects, M detections, of an image or of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.confusions import CONFUSIONS
from stages.evaluation.matching import overlaps

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.evaluation.detection_records import RecordArrays
    from stages.evaluation.vocabulary import Vocabulary

NOTHING: Final = -1  # as truth: the background; as prediction: missed
_IOU = 0.5  # a detection that overlaps an object less is not assigned to it


def confusion_rows(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    score: NDArray[np.float64],
    vocabulary: Vocabulary,
) -> pa.RecordBatch:
    """Rows of `CONFUSIONS`, the most frequent first; of equals by truth, then by prediction.

    Args:
        truth: (N,) ids, or `NOTHING`.
        predicted: (N,) ids, or `NOTHING`.
        score: (N,) ignored where `predicted` is `NOTHING`.
        vocabulary: Names.
    """
    width = len(vocabulary.names) + 1
    pairs, member, counts = np.unique(
        (truth + 1) * width + predicted + 1, return_inverse=True, return_counts=True
    )
    mean = np.bincount(member, weights=score, minlength=len(pairs)) / counts
    order = np.lexsort((pairs, -counts))
    names = [None, *vocabulary.names]
    called = [names[pair % width] for pair in pairs[order].tolist()]
    return CONFUSIONS.batch(
        {
            "truth": [names[pair // width] for pair in pairs[order].tolist()],
            "called": called,
            "count": counts[order],
            "mean_score": [
                float(np.float32(value)) if name is not None else None
                for name, value in zip(called, mean[order].tolist(), strict=True)
            ],
        }
    )


def predicted_categories(
    arrays: RecordArrays,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Truth, prediction and score of each object, and of each detection of the background.

    A detection is assigned to the object it overlaps most. The prediction for an object is the
    category of the assigned detection of highest score, of equals the first. Crowds are neither
    objects nor background.
    """
    detections, objects = arrays.detections, arrays.ground_truth
    assigned, on_crowd = _assigned_objects(arrays)
    order = np.argsort(-detections.score, kind="stable")
    order = order[assigned[order] >= 0]
    detected, first = np.unique(assigned[order], return_index=True)
    best = np.full(len(objects.category), NOTHING)
    best[detected] = order[first]
    single = ~objects.is_crowd
    truth, best = objects.category[single], best[single]
    missed = best == NOTHING
    predicted = np.where(missed, NOTHING, _take(detections.category, best))
    score = np.where(missed, 0.0, _take(detections.score, best))
    background = (assigned < 0) & ~on_crowd
    return (
        np.concatenate([truth, np.full(int(background.sum()), NOTHING)]),
        np.concatenate([predicted, detections.category[background]]),
        np.concatenate([score, detections.score[background]]),
    )


def _assigned_objects(arrays: RecordArrays) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The object each detection overlaps most, -1 if none enough, and if it lies on a crowd."""
    detections, objects = arrays.detections, arrays.ground_truth
    assigned = np.full(len(detections.image), NOTHING)
    on_crowd = np.zeros(len(detections.image), np.bool_)
    detection_order = np.argsort(detections.image, kind="stable")
    object_order = np.argsort(objects.image, kind="stable")
    bounds = np.arange(arrays.num_images + 1)
    detection_begins = np.searchsorted(detections.image[detection_order], bounds)
    object_begins = np.searchsorted(objects.image[object_order], bounds)
    for i in range(arrays.num_images):
        own = detection_order[detection_begins[i] : detection_begins[i + 1]]
        candidates = object_order[object_begins[i] : object_begins[i + 1]]
        if not len(own) or not len(candidates):
            continue
        crowd = objects.is_crowd[candidates]
        iou = overlaps(detections.boxes[own][:, None], objects.boxes[candidates], crowd)  # (M, N)
        on_crowd[own] = (iou >= _IOU)[:, crowd].any(axis=1)
        single = np.where(crowd, 0.0, iou)
        best = single.argmax(axis=1)
        assigned[own] = np.where(single.max(axis=1) >= _IOU, candidates[best], NOTHING)
    return assigned, on_crowd


def _take(values: NDArray[Any], indices: NDArray[np.int64]) -> NDArray[Any]:
    """Values at some indices; 0 where the index is `NOTHING`."""
    return np.append(values, 0)[indices]
