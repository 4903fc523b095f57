"""Bootstrap: how much a metric would vary had other images of the same kind been taken.

A resample takes as many images as there are, at random and with replacement; an image sampled
twice counts twice, with its objects and detections. Sampling does not change the matches, so a
resample is a weight for each image, and average precision a weighted count.

Shapes: B resamples, I images, M detections, N objects, K categories, T IoU thresholds,
Q recall points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stages.evaluation.matching import RECALLS, THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from stages.evaluation.matches_file import StoredMatches

_MAX_NUMBERS: Final = 4_000_000  # in memory at once
_TINY: Final = np.spacing(1)


@dataclass(frozen=True)
class Interval:
    """The middle 95 per cent of a metric over all resamples."""

    low: float
    high: float


def resample_weights(images: int, count: int, seed: int) -> NDArray[np.float64]:
    """How often each image is sampled, (B, I); in the first row each image exactly once."""
    rng = np.random.default_rng(seed)
    sampled = rng.multinomial(images, np.full(images, 1 / images), size=count)
    return np.concatenate([np.ones((1, images)), sampled]).astype(np.float64)


def interval(values: NDArray[np.float64]) -> Interval:
    """The interval of the values (B,) of a metric; nan values are left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(float(low), float(high))


def average_precision(
    matches: StoredMatches, weights: NDArray[np.float64], splits: Mapping[str, Sequence[int]]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """AP and AP50 of each split in each resample: by (metric, split), each (B,).

    The mean over the split's categories that have objects in the resample; nan if there are none.
    """
    by_category = dict(_category_precision(matches, weights))
    result = {}
    for split, ids in splits.items():
        own = [by_category[k] for k in ids if k in by_category]
        if own:
            stacked = np.stack(own)  # (K, T, B)
            result["AP", split] = _mean_of_known(stacked.mean(axis=1))
            result["AP50", split] = _mean_of_known(stacked[:, 0])
    return result


def accuracy(
    image: NDArray[np.int64],
    correct: NDArray[np.bool_],
    selected: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of the selected objects that are correct in each resample, (B,); nan without objects.

    Args:
        image: (N,) number of the image of each object.
        correct: (N,).
        selected: (N,) whether an object takes part.
        weights: (B, I).
    """
    images = weights.shape[1]
    num_selected = np.bincount(image[selected], minlength=images).astype(np.float64)
    num_correct = np.bincount(image[selected & correct], minlength=images).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ num_correct) / (weights @ num_selected))


def _category_precision(
    matches: StoredMatches, weights: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """AP (T, B) of each category that has objects."""
    images = weights.shape[1]
    for k in np.unique(matches.object_category).tolist():
        own = slice(*np.searchsorted(matches.category, (k, k + 1)))
        objects_per_image = np.bincount(
            matches.object_image[matches.object_category == k], minlength=images
        )
        step = max(1, _MAX_NUMBERS // max(1, own.stop - own.start))
        pieces = [
            _precision(matches, own, weights[start : start + step], objects_per_image)
            for start in range(0, len(weights), step)
        ]
        yield k, np.concatenate(pieces, axis=1)


def _precision(
    matches: StoredMatches,
    own: slice,
    weights: NDArray[np.float64],
    objects_per_image: NDArray[np.int64],
) -> NDArray[np.float64]:
    """AP (T, B) of the detections `own` of one category; nan in resamples without objects."""
    objects = weights @ objects_per_image  # (B,)
    counts = weights[:, matches.image[own]]  # (B, M)
    result = np.full((len(THRESHOLDS), len(weights)), np.nan)
    for t in range(len(THRESHOLDS)):
        hits = np.cumsum(counts * matches.hit[t, own], axis=1)
        judged = np.cumsum(counts * ~matches.ignored[t, own], axis=1)
        best = np.maximum.accumulate((hits / (judged + _TINY))[:, ::-1], axis=1)[:, ::-1]
        for b in np.flatnonzero(objects):
            index = np.searchsorted(hits[b] / objects[b], RECALLS)
            result[t, b] = np.append(best[b], 0.0)[index].mean()
    return result


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over categories (K, B) without nan; nan where all are nan."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(known.any(axis=0), known.sum(axis=0), np.nan))
