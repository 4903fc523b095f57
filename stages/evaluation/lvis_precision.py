"""Average precision as LVIS defines it: federated, each image being annotated for some categories.

A detection counts only in images where its category is known to be present (it has an object) or
known to be absent (a negative). In images that are not annotated exhaustively for its category, a
detection that matches nothing is neither right nor wrong. At most 300 detections of an image
count. There are no crowds.

It is counted sparsely: memory grows with objects and detections, not with images times
categories, of which the LVIS validation set has 24 million.

Shapes: T IoU thresholds, Q recall points, K categories, A sizes, M detections of a category.

Source: Gupta et al., LVIS (arXiv:1908.03195); values as those of its evaluation code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stages.evaluation.average_precision import PrecisionRecall
from stages.evaluation.detection_records import RecordArrays
from stages.evaluation.lvis_metadata import image_category_keys
from stages.evaluation.matching import RECALLS, SIZES, THRESHOLDS, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.detection_records import DetectionArrays, DetectionRecords
    from stages.evaluation.lvis_metadata import LvisMetadata
    from stages.evaluation.matching import ObjectMatches
    from stages.evaluation.metrics import Metric
    from stages.evaluation.vocabulary import Vocabulary

MAX_DETECTIONS = 300  # of an image, those of the highest score
_TINY = np.spacing(1)


def count_lvis_precision(
    records: DetectionRecords, vocabulary: Vocabulary, lvis: LvisMetadata
) -> PrecisionRecall:
    """Match by LVIS's rules and count precision at each recall.

    Raises:
        ArtifactError: If an image of the records is not in LVIS's lists.
    """
    arrays = lvis_arrays(records, vocabulary, lvis)
    return precision_from_matches(match(arrays, len(vocabulary.names), MAX_DETECTIONS))


def frequency_metrics(
    precision: PrecisionRecall, vocabulary: Vocabulary, lvis: LvisMetadata
) -> list[Metric]:
    """APr, APc and APf: of rare, common and frequent categories."""
    groups = {letter: lvis.ids_of_frequency(letter, vocabulary.names) for letter in "rcf"}
    return [m for letter, ids in groups.items() for m in precision.group_metric(f"AP{letter}", ids)]


def lvis_arrays(
    records: DetectionRecords, vocabulary: Vocabulary, lvis: LvisMetadata
) -> RecordArrays:
    """Objects and those detections that count by LVIS's rules.

    Raises:
        ArtifactError: If an image of the records is not in LVIS's lists.
    """
    arrays, num_categories = records.arrays(), len(vocabulary.names)
    image_ids = [str(image["name"]) for image in records.images]
    negative = image_category_keys(lvis.negative, image_ids, vocabulary.ids)
    not_exhaustive = image_category_keys(lvis.not_exhaustive, image_ids, vocabulary.ids)
    objects = arrays.ground_truth
    objects = replace(objects, is_crowd=np.zeros(len(objects.area), np.bool_))
    detections = arrays.detections
    detections = detections.take(_best_of_each_image(detections, MAX_DETECTIONS))
    key = detections.image * num_categories + detections.category
    positive = objects.image * num_categories + objects.category
    detections = replace(detections, ignore_unmatched=np.isin(key, not_exhaustive))
    detections = detections.take(np.isin(key, positive) | np.isin(key, negative))
    return RecordArrays(objects, detections, arrays.num_images)


def precision_from_matches(matches: ObjectMatches) -> PrecisionRecall:
    """Precision at each recall, from matches."""
    shape = (len(THRESHOLDS), len(RECALLS), matches.num_categories, len(SIZES))
    precision, recall = -np.ones(shape), -np.ones((shape[0], *shape[2:]))
    score = np.zeros(shape[1:3])
    objects = np.stack(
        [
            np.bincount(matches.object_category[own], minlength=matches.num_categories)
            for own in matches.counted
        ],
        axis=1,
    )
    order, begins = matches.ranked()
    for k, a in np.argwhere(objects):
        own = order[begins[k] : begins[k + 1]]
        hit, ignored = matches.hit[:, a, own], matches.ignored[:, a, own]
        curve, recall[:, k, a], reached_at = _precision_curve(hit, ignored, objects[k, a])
        precision[:, :, k, a] = curve
        if a == 0:
            score[:, k] = np.append(matches.score[own], 0.0)[reached_at[0]]
    return PrecisionRecall(precision, recall, objects, score, MAX_DETECTIONS)


def _precision_curve(
    hit: NDArray[np.bool_], ignored: NDArray[np.bool_], objects: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Precision at each recall (T, Q), the final recall (T,), and where each recall is reached.

    The latter are indices (T, Q) of detections; M means never.
    """
    hits = np.cumsum(hit, axis=1)  # (T, M)
    judged = np.cumsum(~ignored, axis=1)
    best = np.maximum.accumulate((hits / (judged + _TINY))[:, ::-1], axis=1)[:, ::-1]
    recall = hits / objects
    reached_at = np.stack([np.searchsorted(row, RECALLS) for row in recall])
    padded = np.append(best, np.zeros((len(best), 1)), axis=1)
    final_recall = recall[:, -1] if recall.shape[1] else np.zeros(len(recall))
    return np.take_along_axis(padded, reached_at, axis=1), final_recall, reached_at


def _best_of_each_image(detections: DetectionArrays, limit: int) -> NDArray[np.int64]:
    """Indices of the detections of highest score of each image; of equals those added first."""
    order = np.lexsort((-detections.score, detections.image))
    image = detections.image[order]
    rank = np.arange(len(order)) - np.searchsorted(image, image)
    return np.sort(order[rank < limit])
