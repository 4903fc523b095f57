"""Matching: which detection found which object, at every threshold and size, all images at once.

COCO's rule. The detections of an image and category come surest first; each takes the object it
overlaps most, if that is enough and nobody took it before; it takes one that is not counted (a
crowd, an object of another size) only if no counted one is left. What takes an uncounted object,
and what takes nothing and is itself of another size, is neither right nor wrong.

Detections of equal rank are handled together, so the work is a few array operations for each rank
rather than a loop over images and categories; memory grows with objects and detections alone.

Shapes: M detections, N objects, T IoU thresholds, A sizes, G groups (an image and a category that
have objects and detections), P objects of a group at most.

Source: Lin et al., Microsoft COCO (arXiv:1405.0312); values as those of its evaluation code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stages.evaluation.detection_records import DetectionArrays, GroundTruth, RecordArrays

THRESHOLDS: Final = np.linspace(0.5, 0.95, 10)
RECALLS: Final = np.linspace(0.0, 1.0, 101)
SIZES: Final = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}  # of objects and detections in square pixels, both ends included
_AT_ONCE: Final = 2_000_000  # comparisons (group, threshold, size, object) in memory


@dataclass(frozen=True)
class ObjectMatches:
    """What every detection turned out to be; those of an image and category, surest first.

    Attributes:
        image: (M,) number of the image, from 0.
        category: (M,) ids.
        score: (M,).
        rank: (M,) place among those of its image and category.
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

    def surest_first(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Detections by category and falling score; (M,) places, (K + 1,) where each begins.

        Of equal scores the earlier image comes first.
        """
        order = np.lexsort((-self.score, self.category))
        begins = np.searchsorted(self.category[order], np.arange(self.num_categories + 1))
        return order, begins


def match(arrays: RecordArrays, num_categories: int, max_detections: int) -> ObjectMatches:
    """Match the detections of all images with the objects.

    Args:
        arrays: Objects and detections; what `spared` marks is not wrong if it takes nothing.
        num_categories: K.
        max_detections: Of an image and category, as many are looked at.
    """
    found = arrays.found.take(_by_group(arrays.found))
    group = found.image * num_categories + found.category  # ascending
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    found, rank = found.take(rank < max_detections), rank[rank < max_detections]
    drawn = arrays.drawn.take(np.lexsort((arrays.drawn.category, arrays.drawn.image)))
    counted = ~drawn.is_crowd & within(drawn.area)
    hit = np.zeros((len(THRESHOLDS), len(SIZES), len(rank)), np.bool_)
    spared = ~within(found.area) | found.spared
    ignored = np.repeat(spared[None], len(THRESHOLDS), axis=0)
    scene = _Scene(found, drawn, counted, hit, ignored)
    for groups in _groups(found, drawn, num_categories):
        scene.settle(groups)
    return ObjectMatches(
        image=found.image,
        category=found.category,
        score=found.score,
        rank=rank,
        hit=hit,
        ignored=ignored,
        object_image=drawn.image,
        object_category=drawn.category,
        counted=counted,
        num_images=arrays.num_images,
        num_categories=num_categories,
    )


def within(area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each area is of each size, (A, N)."""
    bounds = np.array(list(SIZES.values()))
    return np.asarray((area >= bounds[:, :1]) & (area <= bounds[:, 1:]))


def overlaps(
    found: NDArray[np.float64], drawn: NDArray[np.float64], is_crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Intersection over union of pairs of boxes; over the detection alone where it is a crowd.

    Args:
        found: (..., 4) as corner and size.
        drawn: (..., 4) likewise.
        is_crowd: (...).

    Returns:
        (...), 0 where they do not touch.
    """
    low = np.maximum(found[..., :2], drawn[..., :2])
    high = np.minimum(found[..., :2] + found[..., 2:], drawn[..., :2] + drawn[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    own = found[..., 2:].prod(axis=-1)
    union = np.where(is_crowd, own, own + drawn[..., 2:].prod(axis=-1) - shared)
    return np.asarray(np.divide(shared, union, out=np.zeros(union.shape), where=shared > 0))


@dataclass(frozen=True)
class _Groups:
    """Groups with about as many objects: where theirs begin and how many there are, each (G,).

    Those with most detections come first.
    """

    found_at: NDArray[np.int64]
    found: NDArray[np.int64]
    drawn_at: NDArray[np.int64]
    drawn: NDArray[np.int64]


@dataclass(frozen=True)
class _Scene:
    """The sorted detections and objects, and the result being filled in."""

    found: DetectionArrays
    drawn: GroundTruth
    counted: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    def settle(self, groups: _Groups) -> None:
        """Fill in the detections of some groups, rank by rank."""
        places = np.arange(groups.drawn.max())
        real = places < groups.drawn[:, None]  # (G, P)
        members = np.where(real, groups.drawn_at[:, None] + places, 0)
        is_crowd = self.drawn.is_crowd[members]
        counts = self.counted[:, members].transpose(1, 0, 2)[:, None]  # (G, 1, A, P)
        open_ = np.broadcast_to(
            real[:, None, None], (len(real), len(THRESHOLDS), len(SIZES), len(places))
        ).copy()
        for rank in range(groups.found[0]):
            num = int((groups.found > rank).sum())  # the first so many groups still have one
            at = groups.found_at[:num] + rank
            boxes = self.drawn.boxes[members[:num]]
            iou = overlaps(self.found.boxes[at][:, None], boxes, is_crowd[:num])[:, None, None]
            enough = open_[:num] & (iou >= THRESHOLDS[:, None, None])
            regular, is_hit = _most(iou, enough & counts[:num])
            other, is_ignored = _most(iou, enough & ~counts[:num])
            is_ignored &= ~is_hit
            self.hit[:, :, at] = is_hit.transpose(1, 2, 0)
            self.ignored[:, :, at] &= ~is_hit.transpose(1, 2, 0)
            self.ignored[:, :, at] |= is_ignored.transpose(1, 2, 0)
            took = np.where(is_hit, regular, other)
            g, t, a = np.nonzero((is_hit | is_ignored) & ~_at(is_crowd[:num], took))
            open_[g, t, a, took[g, t, a]] = False


def _at(is_crowd: NDArray[np.bool_], took: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the object each took is a crowd, which can be taken again. (G, P) to (G, T, A)."""
    return np.asarray(is_crowd[np.arange(len(took))[:, None, None], took])


def _most(
    iou: NDArray[np.float64], able: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The object overlapped most of those able, of equals the last, and whether there is one."""
    backwards = np.where(able, iou, -1.0)[..., ::-1]
    place = able.shape[-1] - 1 - backwards.argmax(axis=-1)
    return place, np.asarray(able.any(axis=-1))


def _by_group(found: DetectionArrays) -> NDArray[np.int64]:
    """Detections by image, category and falling score; of equal scores as they were entered."""
    return np.lexsort((-found.score, found.category, found.image))


def _groups(found: DetectionArrays, drawn: GroundTruth, num_categories: int) -> Iterator[_Groups]:
    """Groups that have both, gathered by how many objects they have (1, 2, up to 4, 8, ...)."""
    runs = [_runs(some.image * num_categories + some.category) for some in (found, drawn)]
    _, ours, theirs = np.intersect1d(runs[0][0], runs[1][0], return_indices=True)
    columns: list[NDArray[Any]] = [
        *(column[ours] for column in runs[0][1:]),
        *(column[theirs] for column in runs[1][1:]),
    ]
    if not len(ours):
        return
    bucket = np.ceil(np.log2(columns[3])).astype(np.int64)
    for size in np.unique(bucket):
        order = np.flatnonzero(bucket == size)
        order = order[np.argsort(-columns[1][order], kind="stable")]
        step = max(1, _AT_ONCE // (len(THRESHOLDS) * len(SIZES) * 2 ** int(size)))
        for start in range(0, len(order), step):
            yield _Groups(*(column[order[start : start + step]] for column in columns))


def _runs(keys: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of ascending keys: which there are, where each begins, how often it comes."""
    names, begins, counts = np.unique(keys, return_index=True, return_counts=True)
    return names, begins, counts
