"""Average precision as LVIS defines it: federated, nobody having looked for everything everywhere.

A detection counts only in images where its category is known to be present (it has an object) or
known to be absent (a negative). Where not every instance was drawn, one that finds nothing is
neither right nor wrong. At most 300 detections of an image are looked at. There are no crowds.

Counted here, sparsely: memory grows with objects and detections, not with images times
categories, of which the LVIS validation set has 24 million.

Shapes: T IoU thresholds, Q recall points, K categories, A sizes, M detections of a category.

Source: Gupta et al., LVIS (arXiv:1908.03195); values as those of its evaluation code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stages.evaluation.average_precision import Precision
from stages.evaluation.detection_records import RecordArrays
from stages.evaluation.matching import RECALLS, SIZES, THRESHOLDS, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.detection_records import DetectionRecords
    from stages.evaluation.federation import Federation
    from stages.evaluation.matching import ObjectMatches
    from stages.evaluation.metrics import Metric
    from stages.evaluation.vocabulary import Vocabulary

DETECTIONS = 300  # of an image, the surest
_TINY = np.spacing(1)


def count_federated(
    records: DetectionRecords, vocabulary: Vocabulary, federation: Federation
) -> Precision:
    """Match by the federated rules and count precision at each recall.

    Raises:
        ArtifactError: If an image of the ledger is not in the lists.
    """
    arrays = federated(records, vocabulary, federation)
    return tally(match(arrays, len(vocabulary.names), DETECTIONS))


def by_frequency(
    precision: Precision, vocabulary: Vocabulary, federation: Federation
) -> list[Metric]:
    """APr, APc and APf: of the categories that few, more and many training images show."""
    groups = {letter: federation.of_frequency(letter, vocabulary.names) for letter in "rcf"}
    return [m for letter, ids in groups.items() for m in precision.of_group(f"AP{letter}", ids)]


def federated(
    records: DetectionRecords, vocabulary: Vocabulary, federation: Federation
) -> RecordArrays:
    """The ledger with what the federated rules leave of the detections, and who is spared.

    Raises:
        ArtifactError: If an image of the ledger is not in the lists.
    """
    arrays, width = records.arrays(), len(vocabulary.names)
    names = [str(image["name"]) for image in records.images]
    negative = federation.keys(federation.negative, names, vocabulary.ids)
    partly = federation.keys(federation.not_exhaustive, names, vocabulary.ids)
    drawn = replace(arrays.drawn, is_crowd=np.zeros(len(arrays.drawn.area), np.bool_))
    found = arrays.found.take(_surest_of_image(arrays, DETECTIONS))
    key = found.image * width + found.category
    positive = drawn.image * width + drawn.category
    found = replace(found, spared=np.isin(key, partly))
    found = found.take(np.isin(key, positive) | np.isin(key, negative))
    return RecordArrays(drawn, found, arrays.num_images)


def tally(matches: ObjectMatches) -> Precision:
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
    order, begins = matches.surest_first()
    for k, a in np.argwhere(objects):
        own = order[begins[k] : begins[k + 1]]
        hit, ignored = matches.hit[:, a, own], matches.ignored[:, a, own]
        precision[:, :, k, a], recall[:, k, a], place = _along_recall(hit, ignored, objects[k, a])
        if a == 0:
            score[:, k] = np.append(matches.score[own], 0.0)[place[0]]
    return Precision(precision, recall, objects, score, DETECTIONS)


def _along_recall(
    hit: NDArray[np.bool_], ignored: NDArray[np.bool_], objects: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Precision at each recall (T, Q), the recall at the end (T,), and where each is reached.

    A place (T, Q) of M means never.
    """
    hits = np.cumsum(hit, axis=1)  # (T, M)
    said = np.cumsum(~ignored, axis=1)
    best = np.maximum.accumulate((hits / (said + _TINY))[:, ::-1], axis=1)[:, ::-1]
    recall = hits / objects
    place = np.stack([np.searchsorted(row, RECALLS) for row in recall])
    ended = np.append(best, np.zeros((len(best), 1)), axis=1)
    end = recall[:, -1] if recall.shape[1] else np.zeros(len(recall))
    return np.take_along_axis(ended, place, axis=1), end, place


def _surest_of_image(arrays: RecordArrays, most: int) -> NDArray[np.int64]:
    """Places of the surest detections of each image; of equals those entered first."""
    found = arrays.found
    order = np.lexsort((-found.score, found.image))
    image = found.image[order]
    rank = np.arange(len(order)) - np.searchsorted(image, image)
    return np.sort(order[rank < most])
