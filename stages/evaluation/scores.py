"""From features to scores, and from scores to detections.

Shapes: R regions of an image, N objects, K categories, D width, M detections of an image.

Source: RegionCLIP (arXiv:2112.09106), inference: a background whose logit is exactly 0 stands
beside the K categories; score, finite rows, clip (the caller's), threshold, class-wise NMS, then
the best of an image.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from schemas.errors import ArtifactError
from stages.evaluation.suppression import SoftNms, keep_softly
from stages.geometry import pairwise_iou

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

FORMULAS = ("probability", "sqrt-objectness", "sqrt-logit", "sqrt-sigmoid")
LOGITS = ("sqrt-logit", "sqrt-sigmoid")  # the formulas that need the localizer's raw logit
_FEW = 20  # candidates sorted at first, for each detection wanted; NMS rarely needs more


class Detections(NamedTuple):
    """What is said about an image, surest first. Each (M,): region, category id, score."""

    region: NDArray[np.int64]
    category: NDArray[np.int64]
    score: NDArray[np.float64]


def cosines(features: NDArray[Any], embeddings: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine of every feature and every embedding; 0 where one has no length.

    Args:
        features: (R, D), of any length.
        embeddings: (K, D), likewise.

    Returns:
        (R, K) in [-1, 1].

    Raises:
        ArtifactError: If a feature or embedding is not finite.
    """
    found = np.asarray(_unit(features) @ _unit(embeddings).T)
    if not np.isfinite(found).all():
        raise ArtifactError(
            "the model gives features that are not numbers; "
            "its weights are damaged, or were trained until they diverged"
        )
    return np.clip(found, -1.0, 1.0)


def probabilities(
    cosine: NDArray[np.float64],
    temperature: float,
    background: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Probability of each category, beside a background that takes its share and is left out.

    Args:
        cosine: (R, K).
        temperature: Divides the cosine.
        background: Cosine of the background, (R, 1) where a detector has learned one; else 0.

    Returns:
        (R, K) in [0, 1]; a row sums to 1 minus the probability of background.
    """
    logits, none = cosine / temperature, np.asarray(background) / temperature
    top = np.maximum(logits.max(axis=1, keepdims=True, initial=-np.inf), none)
    weights = np.exp(logits - top)  # the largest is 0, so exp cannot overflow
    return np.asarray(weights / (weights.sum(axis=1, keepdims=True) + np.exp(none - top)))


def combine(
    formula: str, probability: NDArray[np.float64], localizer: NDArray[Any]
) -> NDArray[np.float64]:
    """Score of each category: its probability, alone or with what the localizer said.

    Args:
        formula: probability; sqrt-objectness, the root of probability times objectness;
            sqrt-logit, the root of probability times the raw objectness logit, as the published
            code has it: nan where the logit is negative, and above 1 at will; sqrt-sigmoid, with
            the sigmoid of the logit, which for our own networks is their objectness.
        probability: (R, K).
        localizer: (R,) objectness, or logit if the formula is in `LOGITS`; not looked at by
            probability.

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

    Candidates are visited from the surest down, so whether one survives depends only on what was
    kept before it, and the visit ends when `limit` are kept: the same as NMS first and cutting
    afterwards. Of equal scores the lower region comes first, then the lower category.

    Args:
        scores: (R, K); rows that are not finite throughout are dropped.
        boxes: (R, 4), or (R, K, 4) if every category has boxes of its own; a region whose boxes
            are not finite is dropped.
        threshold: Scores must be strictly above.
        nms: Of two boxes of one category with a larger IoU, the less sure is dropped.
        limit: Detections kept, at most.
        soft: Lowers scores instead; `nms` is then not looked at.
    """
    inside = np.isfinite(boxes).all(axis=tuple(range(1, boxes.ndim)))  # (R,)
    finite = np.asarray(np.isfinite(scores).all(axis=1) & inside)
    passing = (scores > threshold) & finite[:, None]
    if soft is not None:
        return Detections(*keep_softly(scores, passing, boxes, soft, limit))
    region, category = np.nonzero(passing)
    score = scores[region, category]
    rival = _overlap_test(boxes, nms)
    kept_regions: dict[int, list[int]] = defaultdict(list)
    kept: list[int] = []
    for candidate in _surest_first(score, _FEW * limit):
        k = int(category[candidate])
        rivals = kept_regions[k]
        if rivals and rival(int(region[candidate]), rivals, k):
            continue
        rivals.append(int(region[candidate]))
        kept.append(candidate)
        if len(kept) == limit:
            break
    return Detections(region[kept], category[kept], score[kept])


def boxes_of(boxes: NDArray[np.float32], found: Detections) -> NDArray[np.float32]:
    """The box (M, 4) of each detection, from (R, 4) or (R, K, 4)."""
    if boxes.ndim == 2:
        return boxes[found.region]
    return boxes[found.region, found.category]


def ranks(cosine: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of the true category among all, 0 is best; of equals the lower id comes first.

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
    """Whether a region overlaps any of some others too much, for a category."""
    if boxes.ndim == 2:
        overlaps = pairwise_iou(boxes, boxes) > nms  # (R, R), once for all categories
        return lambda region, others, k: bool(overlaps[region, others].any())
    return lambda region, others, k: bool(
        (pairwise_iou(boxes[region, k][None], boxes[others, k]) > nms).any()
    )


def _surest_first(score: NDArray[np.float64], few: int) -> Iterator[int]:
    """Places by score, the highest first; of equals the lower. Only the first `few` cost much."""
    rest = np.arange(len(score))
    if few < len(score):
        bar = np.partition(score, -few)[-few]
        surest = np.flatnonzero(score >= bar)
        yield from surest[np.argsort(-score[surest], kind="stable")].tolist()
        rest = np.flatnonzero(score < bar)
    yield from rest[np.argsort(-score[rest], kind="stable")].tolist()


def _unit(rows: NDArray[Any]) -> NDArray[np.float64]:
    rows = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length == 0, 1.0, length))
