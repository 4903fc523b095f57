"""The evaluator: takes features of boxes image by image, and measures them against ground truth.

Shapes: R boxes of an image, N objects, K categories, D width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import ArtifactError
from stages.evaluation.average_precision import AR_DETECTIONS, precision_from_matches
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.lvis_precision import MAX_DETECTIONS, frequency_metrics, match_lvis
from stages.evaluation.matching import match
from stages.evaluation.metrics import Metric, accuracy
from stages.evaluation.scores import (
    Detections,
    boxes_of,
    combine,
    cosines,
    independent_probabilities,
    localizer_scores,
    probabilities,
    ranks,
    select,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.average_precision import PrecisionRecall
    from stages.evaluation.detections_file import DetectionsFile
    from stages.evaluation.image_inputs import ImageObjects, ImageProposals
    from stages.evaluation.lvis_metadata import LvisMetadata
    from stages.evaluation.matching import ObjectMatches
    from stages.evaluation.scores import Formula
    from stages.evaluation.suppression import SoftNms
    from stages.evaluation.vocabulary import Vocabulary


@dataclass(frozen=True)
class ScoringConfig:
    """How features become detections; see the options of `stages.evaluate.Evaluate`."""

    temperature: float
    score: Formula
    score_threshold: float
    nms: float
    detections_per_image: int
    soft_nms: SoftNms | None = None
    bias: float | None = None  # added before a sigmoid of each category's own; None: a softmax


@dataclass
class Evaluator:
    """Predictions and ground truth of the images so far.

    Attributes:
        vocabulary: The K categories to choose from.
        embeddings: (K, D), of any length.
        config: How features become detections.
        file: Receives every detection.
        background: (D,) embedding of the background, if learned; None: its logit is 0.
        lvis: What LVIS knows of the images; then AP is LVIS's, else COCO's.
        records: Objects and detections, for average precision.
        truth: Category ids of the classified objects, image by image.
        rank: Rank of the true category of each, likewise.
        ignored: Objects left out because their category is not in the vocabulary.
        skipped: Images left out because they have no object of the vocabulary.
    """

    vocabulary: Vocabulary
    embeddings: NDArray[np.float32]
    config: ScoringConfig
    file: DetectionsFile
    background: NDArray[np.float32] | None = None
    lvis: LvisMetadata | None = None
    records: DetectionRecords = field(default_factory=DetectionRecords)
    truth: list[NDArray[np.int64]] = field(default_factory=list)
    rank: list[NDArray[np.int64]] = field(default_factory=list)
    ignored: int = 0
    skipped: int = 0

    def begin(self, image_id: str, width: int, height: int, objects: ImageObjects) -> None:
        """Begin the next image; it may stay without predictions."""
        self.records.add_image(width, height, image_id)
        self.records.add_objects(
            objects.boxes,
            objects.category.tolist(),
            objects.area.tolist(),
            objects.is_crowd.tolist(),
        )
        self.ignored += objects.ignored

    def skip(self, objects: ImageObjects) -> None:
        """Leave an image out; the objects it has outside the vocabulary are counted as ignored."""
        self.ignored += objects.ignored
        self.skipped += 1

    def classify(self, image_id: str, objects: ImageObjects, features: NDArray[np.float32]) -> None:
        """Classify ground-truth boxes: one row each, and for AP each box under every category.

        Args:
            image_id: As in images.
            objects: N of them, without crowds.
            features: (N, D) of their boxes.
        """
        cosine, probability = self._compare(features)
        rank = ranks(cosine, objects.category)
        best = cosine.argmax(axis=1)
        score = np.take_along_axis(probability, best[:, None], axis=1)[:, 0]
        predicted = Detections(objects.index, best, score)
        self.file.add(image_id, objects.boxes, predicted, truth=objects.category, rank=rank)
        self.truth.append(objects.category)
        self.rank.append(rank)
        self._add_detections(objects.boxes, probability)

    def detect(
        self, image_id: str, proposals: ImageProposals, features: NDArray[np.float32]
    ) -> None:
        """Detect objects among proposals: one row per detection, highest score first.

        Args:
            image_id: As in images.
            proposals: R of them; boxes (R, 4), or (R, K, 4) where they were moved by category.
            features: (R, D) of their boxes.

        Raises:
            ArtifactError: If scores need a number that the proposals lack.
        """
        formula = self.config.score
        localizer = localizer_scores(image_id, proposals, formula)
        _, probability = self._compare(features)
        scores = combine(formula, probability, localizer)
        selected = self._add_detections(proposals.boxes, scores)
        ranked = Detections(np.arange(len(selected.region)), selected.category, selected.score)
        self.file.add(image_id, boxes_of(proposals.boxes, selected), ranked)

    @cached_property
    def matches(self) -> ObjectMatches:
        """Which detection found which object, by the rules of COCO or of LVIS.

        Asked for once, after the last image, as `precision` is.

        Raises:
            ArtifactError: If an image is not in LVIS's lists.
        """
        if self.lvis:
            return match_lvis(self.records, self.vocabulary, self.lvis)
        limit = max(self.config.detections_per_image, AR_DETECTIONS)
        return match(self.records.arrays(), len(self.vocabulary.names), limit)

    @cached_property
    def precision(self) -> PrecisionRecall:
        """Precision at each recall, of every category."""
        limits = MAX_DETECTIONS, MAX_DETECTIONS
        if not self.lvis:
            limits = self.config.detections_per_image, AR_DETECTIONS
        return precision_from_matches(self.matches, *limits)

    def metrics(self) -> list[Metric]:
        """All metrics: top-1 and top-5 if ground-truth boxes were classified, AP always.

        Raises:
            ArtifactError: If there is no object that could be measured.
        """
        if not any(not o["iscrowd"] for o in self.records.objects):
            raise ArtifactError(
                "no image that can be read has an object of the vocabulary; "
                "see rc sql 'FROM quarantine', or give other --categories"
            )
        metrics = self.precision.metrics(self.vocabulary, with_recall=not self.truth)
        if self.lvis:
            metrics += frequency_metrics(self.precision, self.vocabulary, self.lvis)
        if not self.truth:
            return metrics
        top = accuracy(np.concatenate(self.truth), np.concatenate(self.rank), self.vocabulary)
        return top + metrics

    def protocol(self) -> dict[str, Any]:
        """How it was measured, for the manifest."""
        names = self.vocabulary.names
        return {
            **asdict(self.config),
            "background": self._background(),
            "nms_within": "category",
            "average_precision": "LVIS, federated" if self.lvis else "COCO",
            "vocabulary": {
                "names": list(names),
                "count": len(names),
                "sha256": self.vocabulary.sha256(),
                "splits": {split: len(ids) for split, ids in self.vocabulary.splits.items()},
                "members": {split: list(ids) for split, ids in self.vocabulary.splits.items()},
            },
            "images": len(self.records.images),
            "images_skipped": self.skipped,
            "objects": sum(not o["iscrowd"] for o in self.records.objects),
            "objects_ignored": self.ignored,
        }

    def _background(self) -> str:
        """What competes with the categories, for the manifest."""
        if self.config.bias is not None:
            return "none: a sigmoid of each category's own"
        if self.background is None:
            return "logit 0 within the softmax, then left out"
        return "its learned embedding within the softmax, then left out"

    def _compare(
        self, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cosines (R, K) and probabilities (R, K) of features (R, D)."""
        cosine, temperature = cosines(features, self.embeddings), self.config.temperature
        if self.config.bias is not None:
            return cosine, independent_probabilities(cosine, temperature, self.config.bias)
        if self.background is None:
            return cosine, probabilities(cosine, temperature)
        background = cosines(features, self.background[None])
        return cosine, probabilities(cosine, temperature, background)

    def _add_detections(
        self, boxes: NDArray[np.float32], scores: NDArray[np.float64]
    ) -> Detections:
        """Select the detections of the image, and record them for AP."""
        config = self.config
        detections = select(
            scores,
            boxes,
            threshold=config.score_threshold,
            nms=config.nms,
            limit=config.detections_per_image,
            soft=config.soft_nms,
        )
        self.records.add_detections(
            boxes_of(boxes, detections), detections.category, detections.score
        )
        return detections
