"""Matching: which detection matches which object, at every threshold and size, all images at once.

COCO's rule. The detections of an image and category are taken by falling score; each takes the
object it overlaps most, if the IoU is enough and the object is free; it takes one that does not
count (a crowd, an object of another size) only if it can take none that counts. A detection that
takes an uncounted object, and one that takes nothing and is itself of another size, is neither
right nor wrong.

Detections of equal rank are handled together, so the work is a few array operations for each rank
rather than a loop over images and categories; memory grows with objects and detections alone.

Shapes: M detections, N objects, T IoU thresholds, A sizes, G groups (an image and a category that
have objects and detections), P objects of a group at most.

Source: Lin et al., Microsoft COCO (arXiv:1405.0312); values as those of its evaluation code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stages.evaluation.detection_records import (
        DetectionArrays,
        GroundTruthArrays,
        RecordArrays,
    )

THRESHOLDS: Final = np.linspace(0.5, 0.95, 10)
RECALLS: Final = np.linspace(0.0, 1.0, 101)
SIZES: Final = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}  # of objects and detections in square pixels, both ends included
_MAX_COMPARISONS: Final = 2_000_000  # (group, threshold, size, object) in memory at once


@dataclass(frozen=True)
class ObjectMatches:
    """The outcome of every detection; those of an image and category by falling score.

    Attributes:
        image: (M,) number of the image, from 0.
        category: (M,) ids.
        score: (M,).
        rank: (M,) position among those of its image and category.
        hit: (T, A, M) took an object that counts.
        ignored: (T, A, M) neither right nor wrong.
        object_image: (N,).
        object_category: (N,).
        counted: (A, N) whether an object counts.
        num_images: How many there are, empty ones included.
        num_categories: K.
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    score: NDArray[np.float64]
    rank: NDArray[np.int64]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    object_image: NDArray[np.int64]
    object_category: NDArray[np.int64]
    counted: NDArray[np.bool_]
    num_images: int
    num_categories: int

    def first(self, limit: int) -> ObjectMatches:
        """Those of the `limit` detections of highest score of each image and category.

        What a detection takes does not depend on those below it.
        """
        own = self.rank < limit
        if own.all():
            return self
        return replace(
            self,
            image=self.image[own],
            category=self.category[own],
            score=self.score[own],
            rank=self.rank[own],
            hit=self.hit[..., own],
            ignored=self.ignored[..., own],
        )

    def ranked(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Detections by category and falling score: indices (M,), and each first one (K + 1,).

        Of equal scores the earlier image comes first.
        """
        order = np.lexsort((-self.score, self.category))
        begins = np.searchsorted(self.category[order], np.arange(self.num_categories + 1))
        return order, begins


def match(arrays: RecordArrays, num_categories: int, max_detections: int) -> ObjectMatches:
    """Match the detections of all images with the objects.

    Args:
        arrays: Objects and detections.
        num_categories: K.
        max_detections: Of each image and category, only so many of the highest score count.
    """
    detections = arrays.detections.take(_order_by_group(arrays.detections))
    group = detections.image * num_categories + detections.category  # ascending
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    detections, rank = detections.take(rank < max_detections), rank[rank < max_detections]
    truth = arrays.ground_truth
    truth = truth.take(np.lexsort((truth.category, truth.image)))
    counted = ~truth.is_crowd & is_of_size(truth.area)
    hit = np.zeros((len(THRESHOLDS), len(SIZES), len(rank)), np.bool_)
    ignored_unmatched = ~is_of_size(detections.area) | detections.ignore_unmatched
    ignored = np.repeat(ignored_unmatched[None], len(THRESHOLDS), axis=0)
    matcher = _Matcher(detections, truth, counted, hit, ignored)
    for groups in _groups(detections, truth, num_categories):
        matcher.match_groups(groups)
    return ObjectMatches(
        image=detections.image,
        category=detections.category,
        score=detections.score,
        rank=rank,
        hit=hit,
        ignored=ignored,
        object_image=truth.image,
        object_category=truth.category,
        counted=counted,
        num_images=arrays.num_images,
        num_categories=num_categories,
    )


def is_of_size(area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each area (N,) is of each size, (A, N)."""
    bounds = np.array(list(SIZES.values()))
    return np.asarray((area >= bounds[:, :1]) & (area <= bounds[:, 1:]))


def overlaps(
    detected: NDArray[np.float64], truth: NDArray[np.float64], is_crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """IoU of pairs of boxes; with a crowd, the share of the detection that lies in it.

    Args:
        detected: (..., 4) as corner and size.
        truth: (..., 4) likewise.
        is_crowd: (...) whether the object is a crowd.

    Returns:
        (...), 0 where they do not touch.
    """
    low = np.maximum(detected[..., :2], truth[..., :2])
    high = np.minimum(detected[..., :2] + detected[..., 2:], truth[..., :2] + truth[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    own = detected[..., 2:].prod(axis=-1)
    union = np.where(is_crowd, own, own + truth[..., 2:].prod(axis=-1) - shared)
    return np.asarray(np.divide(shared, union, out=np.zeros(union.shape), where=shared > 0))


@dataclass(frozen=True)
class _Groups:
    """Groups with about as many objects, each (G,): first index and number of rows.

    Groups with most detections come first.
    """

    first_detection: NDArray[np.int64]
    num_detections: NDArray[np.int64]
    first_object: NDArray[np.int64]
    num_objects: NDArray[np.int64]


@dataclass(frozen=True)
class _Matcher:
    """The sorted detections and objects, and the outcomes `hit` and `ignored` to be filled in."""

    detections: DetectionArrays
    ground_truth: GroundTruthArrays
    counted: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    def match_groups(self, groups: _Groups) -> None:
        """Fill in the outcomes of the detections of some groups, rank by rank."""
        offsets = np.arange(groups.num_objects.max())
        exists = offsets < groups.num_objects[:, None]  # (G, P)
        members = np.where(exists, groups.first_object[:, None] + offsets, 0)
        is_crowd = self.ground_truth.is_crowd[members]
        counts = self.counted[:, members].transpose(1, 0, 2)[:, None]  # (G, 1, A, P)
        free = np.broadcast_to(
            exists[:, None, None], (len(exists), len(THRESHOLDS), len(SIZES), len(offsets))
        ).copy()
        for rank in range(groups.num_detections[0]):
            num = int((groups.num_detections > rank).sum())  # the first `num` groups have this rank
            index = groups.first_detection[:num] + rank
            boxes = self.ground_truth.boxes[members[:num]]
            detected = self.detections.boxes[index][:, None]
            iou = overlaps(detected, boxes, is_crowd[:num])[:, None, None]
            enough = free[:num] & (iou >= THRESHOLDS[:, None, None])
            regular, is_hit = _best_match(iou, enough & counts[:num])
            uncounted, is_ignored = _best_match(iou, enough & ~counts[:num])
            is_ignored &= ~is_hit
            self.hit[:, :, index] = is_hit.transpose(1, 2, 0)
            self.ignored[:, :, index] &= ~is_hit.transpose(1, 2, 0)
            self.ignored[:, :, index] |= is_ignored.transpose(1, 2, 0)
            taken = np.where(is_hit, regular, uncounted)
            g, t, a = np.nonzero((is_hit | is_ignored) & ~_takes_crowd(is_crowd[:num], taken))
            free[g, t, a, taken[g, t, a]] = False


def _takes_crowd(is_crowd: NDArray[np.bool_], taken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the object taken is a crowd, which can be taken again. (G, P) to (G, T, A)."""
    return np.asarray(is_crowd[np.arange(len(taken))[:, None, None], taken])


def _best_match(
    iou: NDArray[np.float64], available: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The available object of largest IoU, the last of equals, and whether there is any."""
    backwards = np.where(available, iou, -1.0)[..., ::-1]
    index = available.shape[-1] - 1 - backwards.argmax(axis=-1)
    return index, np.asarray(available.any(axis=-1))


def _order_by_group(detections: DetectionArrays) -> NDArray[np.int64]:
    """Indices by image, category and falling score; of equal scores as they were added."""
    return np.lexsort((-detections.score, detections.category, detections.image))


def _groups(
    detections: DetectionArrays, ground_truth: GroundTruthArrays, num_categories: int
) -> Iterator[_Groups]:
    """Groups with detections and objects, batched by number of objects (1, 2, up to 4, 8, ...)."""
    (detection_keys, *detection_runs), (object_keys, *object_runs) = (
        _runs(rows.image * num_categories + rows.category) for rows in (detections, ground_truth)
    )
    _, with_objects, with_detections = np.intersect1d(
        detection_keys, object_keys, return_indices=True
    )
    columns: list[NDArray[Any]] = [
        *(column[with_objects] for column in detection_runs),
        *(column[with_detections] for column in object_runs),
    ]
    if not len(with_objects):
        return
    bucket = np.ceil(np.log2(columns[3])).astype(np.int64)
    for size in np.unique(bucket):
        order = np.flatnonzero(bucket == size)
        order = order[np.argsort(-columns[1][order], kind="stable")]
        step = max(1, _MAX_COMPARISONS // (len(THRESHOLDS) * len(SIZES) * 2 ** int(size)))
        for start in range(0, len(order), step):
            yield _Groups(*(column[order[start : start + step]] for column in columns))


def _runs(keys: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Distinct values of ascending keys, the first index of each, and how often it occurs."""
    values, begins, counts = np.unique(keys, return_index=True, return_counts=True)
    return values, begins, counts
