"""Bootstrap: how far a metric could be from what it is, had other images of their kind been taken.

Images are drawn with replacement, as often as there are images; an image drawn twice counts
twice, its objects and detections with it. What matched what does not change with the drawing, so
a resample is a weight for each image, and average precision a weighted count.

Shapes: B resamples, I images, M detections, K categories, T IoU thresholds, Q recall points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stages.evaluation.matching import RECALLS, THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from stages.evaluation.matches_file import Judged

_AT_ONCE: Final = 4_000_000  # numbers in memory
_TINY: Final = np.spacing(1)


@dataclass(frozen=True)
class Interval:
    """The middle 95 per cent of a metric over all resamples."""

    low: float
    high: float


def resamples(images: int, count: int, seed: int) -> NDArray[np.float64]:
    """How often each image is drawn, (B, I); the first row is each once, as it was."""
    draw = np.random.default_rng(seed)
    drawn = draw.multinomial(images, np.full(images, 1 / images), size=count)
    return np.concatenate([np.ones((1, images)), drawn]).astype(np.float64)


def interval(values: NDArray[np.float64]) -> Interval:
    """Of the values (B,) of a metric, nan where it could not be measured."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(float(low), float(high))


def average_precision(
    judged: Judged, weights: NDArray[np.float64], splits: Mapping[str, Sequence[int]]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """AP and AP50 of each split in each resample: by (metric, split), each (B,).

    The mean over the split's categories that have objects in the resample; nan if none has.
    """
    found = dict(_categories(judged, weights))
    result = {}
    for split, ids in splits.items():
        own = [found[k] for k in ids if k in found]
        if own:
            stacked = np.stack(own)  # (K, T, B)
            result["AP", split] = _mean(stacked.mean(axis=1))
            result["AP50", split] = _mean(stacked[:, 0])
    return result


def accuracy(
    image: NDArray[np.int64],
    right: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of the chosen objects that are right in each resample, (B,); nan without objects.

    Args:
        image: (N,) of each object.
        right: (N,).
        chosen: (N,) those the share is of.
        weights: (B, I).
    """
    images = weights.shape[1]
    total = np.bincount(image[chosen], minlength=images).astype(np.float64)
    good = np.bincount(image[chosen & right], minlength=images).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ good) / (weights @ total))


def _categories(
    judged: Judged, weights: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """AP (T, B) of each category that has objects."""
    images = weights.shape[1]
    for k in np.unique(judged.object_category).tolist():
        own = slice(*np.searchsorted(judged.category, (k, k + 1)))
        of_image = np.bincount(judged.object_image[judged.object_category == k], minlength=images)
        step = max(1, _AT_ONCE // max(1, own.stop - own.start))
        pieces = [
            _precision(judged, own, weights[start : start + step], of_image)
            for start in range(0, len(weights), step)
        ]
        yield k, np.concatenate(pieces, axis=1)


def _precision(
    judged: Judged, own: slice, weights: NDArray[np.float64], of_image: NDArray[np.int64]
) -> NDArray[np.float64]:
    """AP (T, B) of one category; nan where no image with an object of it was drawn."""
    objects = weights @ of_image  # (B,)
    counts = weights[:, judged.image[own]]  # (B, M)
    result = np.full((len(THRESHOLDS), len(weights)), np.nan)
    for t in range(len(THRESHOLDS)):
        hits = np.cumsum(counts * judged.hit[t, own], axis=1)
        said = np.cumsum(counts * ~judged.ignored[t, own], axis=1)
        best = np.maximum.accumulate((hits / (said + _TINY))[:, ::-1], axis=1)[:, ::-1]
        for b in np.flatnonzero(objects):
            place = np.searchsorted(hits[b] / objects[b], RECALLS)
            result[t, b] = np.append(best[b], 0.0)[place].mean()
    return result


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over categories (K, B) that are known; nan where none is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(known.any(axis=0), known.sum(axis=0), np.nan))
