"""Confusions: what was called what, as rows of `CONFUSIONS`.

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

NOTHING: Final = -1  # as truth: the background; as called: missed
_IOU = 0.5  # what overlaps an object less does not speak of it


def confusions(
    truth: NDArray[np.int64],
    called: NDArray[np.int64],
    score: NDArray[np.float64],
    vocabulary: Vocabulary,
) -> pa.RecordBatch:
    """Rows of `CONFUSIONS`, the commonest first; of equals by truth, then by what it is called.

    Args:
        truth: (N,) ids, or `NOTHING`.
        called: (N,) ids, or `NOTHING`.
        score: (N,) not looked at where `called` is `NOTHING`.
        vocabulary: Names.
    """
    width = len(vocabulary.names) + 1
    pairs, member, counts = np.unique(
        (truth + 1) * width + called + 1, return_inverse=True, return_counts=True
    )
    mean = np.bincount(member, weights=score, minlength=len(pairs)) / counts
    order = np.lexsort((pairs, -counts))
    names = [None, *vocabulary.names]
    said = [names[pair % width] for pair in pairs[order].tolist()]
    return CONFUSIONS.batch(
        {
            "truth": [names[pair // width] for pair in pairs[order].tolist()],
            "called": said,
            "count": counts[order],
            "mean_score": [
                float(np.float32(value)) if name is not None else None
                for name, value in zip(said, mean[order].tolist(), strict=True)
            ],
        }
    )


def what_was_said(
    arrays: RecordArrays,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Of each object and each detection of the background: truth, called, score.

    A detection speaks of the object it overlaps most. An object is called what the surest that
    speaks of it says, of equals the first. Crowds are not objects, nor background.
    """
    found, drawn = arrays.found, arrays.drawn
    speaks_of, on_crowd = _spoken_of(arrays)
    order = np.argsort(-found.score, kind="stable")
    order = order[speaks_of[order] >= 0]
    heard, first = np.unique(speaks_of[order], return_index=True)
    answer = np.full(len(drawn.category), NOTHING)
    answer[heard] = order[first]
    single = ~drawn.is_crowd
    truth, answer = drawn.category[single], answer[single]
    missed = answer == NOTHING
    called = np.where(missed, NOTHING, _at(found.category, answer))
    score = np.where(missed, 0.0, _at(found.score, answer))
    beside = (speaks_of < 0) & ~on_crowd
    return (
        np.concatenate([truth, np.full(int(beside.sum()), NOTHING)]),
        np.concatenate([called, found.category[beside]]),
        np.concatenate([score, found.score[beside]]),
    )


def _spoken_of(arrays: RecordArrays) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The object each detection overlaps most, -1 if none enough, and if it lies on a crowd."""
    found, drawn = arrays.found, arrays.drawn
    speaks_of = np.full(len(found.image), NOTHING)
    on_crowd = np.zeros(len(found.image), np.bool_)
    by_image = np.argsort(found.image, kind="stable")
    objects = np.argsort(drawn.image, kind="stable")
    bounds = np.arange(arrays.num_images + 1)
    ours = np.searchsorted(found.image[by_image], bounds)
    theirs = np.searchsorted(drawn.image[objects], bounds)
    for i in range(arrays.num_images):
        at, there = by_image[ours[i] : ours[i + 1]], objects[theirs[i] : theirs[i + 1]]
        if not len(at) or not len(there):
            continue
        crowd = drawn.is_crowd[there]
        iou = overlaps(found.boxes[at][:, None], drawn.boxes[there], crowd)  # (M, N)
        on_crowd[at] = (iou >= _IOU)[:, crowd].any(axis=1)
        single = np.where(crowd, 0.0, iou)
        best = single.argmax(axis=1)
        speaks_of[at] = np.where(single.max(axis=1) >= _IOU, there[best], NOTHING)
    return speaks_of, on_crowd


def _at(values: NDArray[Any], places: NDArray[np.int64]) -> NDArray[Any]:
    """Values at some places; anything where the place is `NOTHING`."""
    return np.append(values, 0)[places]
