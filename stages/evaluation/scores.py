"""From features to scores, and from scores to detections.

Shapes: R regions of an image, N objects, K categories, D width, M detections of an image.

Source: RegionCLIP (arXiv:2112.09106), inference: a background whose logit is exactly 0 stands
beside the K categories; score, finite rows, clip (the caller's), threshold, class-wise NMS, then
the best of an image.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from schemas.errors import ArtifactError
from stages.evaluation.suppression import SoftNms, soft_nms_detections
from stages.geometry import pairwise_iou

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

Formula = Literal["probability", "sqrt-objectness", "sqrt-logit", "sqrt-sigmoid"]
LOGITS = ("sqrt-logit", "sqrt-sigmoid")  # the formulas that need the localizer's raw logit
_SORTED_FIRST = 20  # candidates sorted first, for each detection kept; NMS rarely needs more


class Detections(NamedTuple):
    """Detections of an image, highest score first. Each (M,): region, category id, score."""

    region: NDArray[np.int64]
    category: NDArray[np.int64]
    score: NDArray[np.float64]


def cosines(features: NDArray[Any], embeddings: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine of every feature and every embedding; 0 where either has length 0.

    Args:
        features: (R, D), of any length.
        embeddings: (K, D), likewise.

    Returns:
        (R, K) in [-1, 1].

    Raises:
        ArtifactError: If a feature or embedding is not finite.
    """
    cosine = np.asarray(_unit_rows(features) @ _unit_rows(embeddings).T)
    if not np.isfinite(cosine).all():
        raise ArtifactError(
            "the model gives features that are not numbers; "
            "its weights are damaged, or were trained until they diverged"
        )
    return np.clip(cosine, -1.0, 1.0)


def probabilities(
    cosine: NDArray[np.float64],
    temperature: float,
    background: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Probability of each category, in a softmax with a background that is then left out.

    Args:
        cosine: (R, K).
        temperature: Divides the cosine.
        background: Cosine of the background, (R, 1) where a detector has learned one; else 0.

    Returns:
        (R, K) in [0, 1]; a row sums to 1 minus the probability of background.
    """
    logits, background_logit = cosine / temperature, np.asarray(background) / temperature
    top = np.maximum(logits.max(axis=1, keepdims=True, initial=-np.inf), background_logit)
    weights = np.exp(logits - top)  # the largest exponent is 0, so exp cannot overflow
    total = weights.sum(axis=1, keepdims=True) + np.exp(background_logit - top)
    return np.asarray(weights / total)


def independent_probabilities(
    cosine: NDArray[np.float64], temperature: float, bias: float
) -> NDArray[np.float64]:
    """Probability of each category by itself, a sigmoid without a background; all may be low.

    Args:
        cosine: (R, K).
        temperature: Divides the cosine.
        bias: Then added to it.

    Returns:
        (R, K) in [0, 1].
    """
    return np.asarray(np.exp(-np.logaddexp(0.0, -(cosine / temperature + bias))))


def combine(
    formula: Formula, probability: NDArray[np.float64], localizer: NDArray[Any]
) -> NDArray[np.float64]:
    """Score of each category: its probability, alone or combined with the localizer's score.

    Args:
        formula: probability; sqrt-objectness, the root of probability times objectness;
            sqrt-logit, the root of probability times the raw objectness logit, as in the
            published code: nan where the logit is negative, and possibly above 1; sqrt-sigmoid,
            with the sigmoid of the logit, which for our own networks is their objectness.
        probability: (R, K).
        localizer: (R,) objectness, or logit if the formula is in `LOGITS`; probability does not
            use it.

    Returns:
        (R, K).
    """
    if formula == "probability":
        return probability
    factor = localizer.astype(np.float64)[:, None]  # (R, 1)
    if formula == "sqrt-sigmoid":
        factor = np.exp(-np.logaddexp(0.0, -factor))
    with np.errstate(invalid="ignore"):  # the root of a negative number is nan, which drops it
        return np.sqrt(probability * factor)


def select(
    scores: NDArray[np.float64],
    boxes: NDArray[np.float32],
    *,
    threshold: float,
    nms: float,
    limit: int,
    soft: SoftNms | None = None,
) -> Detections:
    """The detections of an image: finite, above the threshold, class-wise NMS, the best of all.

    Candidates are visited by falling score, so whether one is kept depends only on those kept
    before it, and the visit ends when `limit` are kept: the result equals NMS of all candidates,
    then the best `limit`. Of equal scores the lower region comes first, then the lower category.

    Args:
        scores: (R, K); rows that are not finite throughout are dropped.
        boxes: (R, 4), or (R, K, 4) if every category has boxes of its own; a region whose boxes
            are not finite is dropped.
        threshold: Scores must be strictly above.
        nms: Of two boxes of one category with a larger IoU, that of lower score is dropped.
        limit: Detections kept, at most.
        soft: Lowers scores instead; `nms` is then not used.
    """
    finite_boxes = np.isfinite(boxes).all(axis=tuple(range(1, boxes.ndim)))  # (R,)
    finite = np.asarray(np.isfinite(scores).all(axis=1) & finite_boxes)
    passing = (scores > threshold) & finite[:, None]
    if soft is not None:
        return Detections(*soft_nms_detections(scores, passing, boxes, soft, limit))
    region, category = np.nonzero(passing)
    score = scores[region, category]
    overlaps_any = _overlap_test(boxes, nms)
    regions_of_category: dict[int, list[int]] = defaultdict(list)
    kept: list[int] = []
    for candidate in _by_falling_score(score, _SORTED_FIRST * limit):
        k = int(category[candidate])
        kept_regions = regions_of_category[k]
        if kept_regions and overlaps_any(int(region[candidate]), kept_regions, k):
            continue
        kept_regions.append(int(region[candidate]))
        kept.append(candidate)
        if len(kept) == limit:
            break
    return Detections(region[kept], category[kept], score[kept])


def boxes_of(boxes: NDArray[np.float32], detections: Detections) -> NDArray[np.float32]:
    """The box (M, 4) of each detection, from (R, 4) or (R, K, 4)."""
    if boxes.ndim == 2:
        return boxes[detections.region]
    return boxes[detections.region, detections.category]


def ranks(cosine: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of the true category among all, 0 is best; of equals the lower id comes first.

    Args:
        cosine: (N, K).
        truth: (N,) category ids.

    Returns:
        (N,) in [0, K).
    """
    own = np.take_along_axis(cosine, truth[:, None], axis=1)  # (N, 1)
    earlier = np.arange(cosine.shape[1])[None, :] < truth[:, None]
    before = (cosine > own) | ((cosine == own) & earlier)
    return np.asarray(before.sum(axis=1))


def _overlap_test(boxes: NDArray[np.float32], nms: float) -> Callable[[int, list[int], int], bool]:
    """A test whether a region overlaps any of some others by more than `nms`, for a category."""
    if boxes.ndim == 2:
        overlaps = pairwise_iou(boxes, boxes) > nms  # (R, R), once for all categories
        return lambda region, others, k: bool(overlaps[region, others].any())
    return lambda region, others, k: bool(
        (pairwise_iou(boxes[region, k][None], boxes[others, k]) > nms).any()
    )


def _by_falling_score(score: NDArray[np.float64], first: int) -> Iterator[int]:
    """Indices by falling score, of equals the lower; sorts only about `first` of them at first."""
    rest = np.arange(len(score))
    if first < len(score):
        bound = np.partition(score, -first)[-first]
        best = np.flatnonzero(score >= bound)
        yield from best[np.argsort(-score[best], kind="stable")].tolist()
        rest = np.flatnonzero(score < bound)
    yield from rest[np.argsort(-score[rest], kind="stable")].tolist()


def _unit_rows(rows: NDArray[Any]) -> NDArray[np.float64]:
    rows = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length == 0, 1.0, length))
