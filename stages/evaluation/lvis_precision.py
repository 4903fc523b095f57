"""Average precision as LVIS defines it: federated, each image being annotated for some categories.

A detection counts only in images where its category is known to be present (it has an object) or
known to be absent (a negative). In images that are not annotated exhaustively for its category, a
detection that matches nothing is neither right nor wrong. At most 300 detections of an image
count. There are no crowds.

It is counted sparsely: memory grows with objects and detections, not with images times
categories, of which the LVIS validation set has 24 million.

Source: Gupta et al., LVIS (arXiv:1908.03195); values as those of its evaluation code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stages.evaluation.detection_records import RecordArrays
from stages.evaluation.lvis_metadata import image_category_keys
from stages.evaluation.matching import match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.average_precision import PrecisionRecall
    from stages.evaluation.detection_records import DetectionArrays, DetectionRecords
    from stages.evaluation.lvis_metadata import LvisMetadata
    from stages.evaluation.matching import ObjectMatches
    from stages.evaluation.metrics import Metric
    from stages.evaluation.vocabulary import Vocabulary

MAX_DETECTIONS = 300  # of an image, those of the highest score


def match_lvis(
    records: DetectionRecords, vocabulary: Vocabulary, lvis: LvisMetadata
) -> ObjectMatches:
    """Match by LVIS's rules.

    Raises:
        ArtifactError: If an image of the records is not in LVIS's lists.
    """
    return match(lvis_arrays(records, vocabulary, lvis), len(vocabulary.names), MAX_DETECTIONS)


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


def _best_of_each_image(detections: DetectionArrays, limit: int) -> NDArray[np.int64]:
    """Indices of the detections of highest score of each image; of equals those added first."""
    order = np.lexsort((-detections.score, detections.image))
    image = detections.image[order]
    rank = np.arange(len(order)) - np.searchsorted(image, image)
    return np.sort(order[rank < limit])
