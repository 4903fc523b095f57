"""An exam: what a model says of boxes, entered image by image, and the metrics of all of it.

Shapes: R boxes of an image, N objects, K categories, D width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import ArtifactError
from stages.evaluation.average_precision import count_precision
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.lvis_precision import by_frequency, count_federated
from stages.evaluation.metrics import Metric, accuracy
from stages.evaluation.scores import (
    LOGITS,
    Detections,
    boxes_of,
    combine,
    cosines,
    probabilities,
    ranks,
    select,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.detections_file import DetectionsFile
    from stages.evaluation.federation import Federation
    from stages.evaluation.scenes import Objects, Proposals
    from stages.evaluation.suppression import SoftNms
    from stages.evaluation.vocabulary import Vocabulary


@dataclass(frozen=True)
class ScoringConfig:
    """How features become detections; see the options of `stages.evaluate.Evaluate`."""

    temperature: float
    score: str
    score_threshold: float
    nms: float
    detections_per_image: int
    soft_nms: SoftNms | None = None


@dataclass
class Evaluator:
    """Everything said so far about the images, and how many of them there were.

    Attributes:
        vocabulary: The K categories to choose from.
        embeddings: (K, D), of any length.
        rules: How features become detections.
        file: Where every detection is written down.
        background: (D,) what a detector has learned to be nothing; None: its logit is 0.
        federation: What LVIS knows of the images; then AP is LVIS's, else COCO's.
        ignored: Objects left out, their categories not being in the vocabulary.
        skipped: Images left out, having no object of the vocabulary.
    """

    vocabulary: Vocabulary
    embeddings: NDArray[np.float32]
    config: ScoringConfig
    file: DetectionsFile
    background: NDArray[np.float32] | None = None
    federation: Federation | None = None
    records: DetectionRecords = field(default_factory=DetectionRecords)
    truth: list[NDArray[np.int64]] = field(default_factory=list)
    rank: list[NDArray[np.int64]] = field(default_factory=list)
    ignored: int = 0
    skipped: int = 0

    def begin(self, image_id: str, width: int, height: int, objects: Objects) -> None:
        """Begin the next image; nothing need be said about it."""
        self.records.add_image(width, height, image_id)
        self.records.add_objects(
            objects.boxes,
            objects.category.tolist(),
            objects.area.tolist(),
            objects.is_crowd.tolist(),
        )
        self.ignored += objects.ignored

    def skip(self, objects: Objects) -> None:
        """Leave an image out; the objects it has outside the vocabulary are counted as ignored."""
        self.ignored += objects.ignored
        self.skipped += 1

    def classify(self, image_id: str, objects: Objects, features: NDArray[np.float32]) -> None:
        """Name the objects of the image: a row each, and for AP whatever else each box may be.

        Args:
            image_id: As in images.
            objects: N of them.
            features: (N, D) of their boxes.
        """
        cosine, probability = self._compare(features)
        rank = ranks(cosine, objects.category)
        best = cosine.argmax(axis=1)
        sure = np.take_along_axis(probability, best[:, None], axis=1)[:, 0]
        said = Detections(objects.index, best, sure)
        self.file.add(image_id, objects.boxes, said, truth=objects.category, rank=rank)
        self.truth.append(objects.category)
        self.rank.append(rank)
        self._select(objects.boxes, probability)

    def detect(self, image_id: str, proposals: Proposals, features: NDArray[np.float32]) -> None:
        """Say what is in the image: a row per detection, surest first.

        Args:
            image_id: As in images.
            proposals: R of them; boxes (R, 4), or (R, K, 4) where they were moved by category.
            features: (R, D) of their boxes.

        Raises:
            ArtifactError: If the rules multiply by a number that the proposals lack.
        """
        formula = self.config.score
        localizer = proposals.logit if formula in LOGITS else proposals.objectness
        if formula in LOGITS and np.isnan(localizer).any():
            raise ArtifactError(
                f"the proposals of {image_id} have no logits, which "
                f"--score {formula} multiplies by; use --score sqrt-objectness or probability"
            )
        _, probability = self._compare(features)
        found = self._select(proposals.boxes, combine(formula, probability, localizer))
        said = Detections(np.arange(len(found.region)), found.category, found.score)
        self.file.add(image_id, boxes_of(proposals.boxes, found), said)

    def metrics(self) -> list[Metric]:
        """Everything measured: top-1 and top-5 if objects were named, AP always.

        Raises:
            ArtifactError: If there is no object that could be measured.
        """
        if not any(not o["iscrowd"] for o in self.records.objects):
            raise ArtifactError(
                "no image that can be read has an object of the vocabulary; "
                "see rc sql 'FROM quarantine', or give other --categories"
            )
        metrics = self._precision()
        if not self.truth:
            return metrics
        named = accuracy(np.concatenate(self.truth), np.concatenate(self.rank), self.vocabulary)
        return named + metrics

    def protocol(self) -> dict[str, Any]:
        """What was compared with what, and how, for the manifest."""
        names = self.vocabulary.names
        coco = f"COCO, by faster-coco-eval {version('faster-coco-eval')}"
        zero = "logit 0 within the softmax, then left out"
        learned = "its learned embedding within the softmax, then left out"
        return {
            **asdict(self.config),
            "background": zero if self.background is None else learned,
            "nms_within": "category",
            "average_precision": "LVIS, federated" if self.federation else coco,
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

    def _compare(
        self, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cosines (R, K) and probabilities (R, K) of features (R, D)."""
        cosine, temperature = cosines(features, self.embeddings), self.config.temperature
        if self.background is None:
            return cosine, probabilities(cosine, temperature)
        background = cosines(features, self.background[None])
        return cosine, probabilities(cosine, temperature, background)

    def _precision(self) -> list[Metric]:
        """AP by the rules of COCO or of LVIS."""
        with_recall = not self.truth
        if self.federation is None:
            limit = self.config.detections_per_image
            counted = count_precision(self.records, len(self.vocabulary.names), limit)
            return counted.metrics(self.vocabulary, with_recall=with_recall)
        counted = count_federated(self.records, self.vocabulary, self.federation)
        metrics = counted.metrics(self.vocabulary, with_recall=with_recall)
        return metrics + by_frequency(counted, self.vocabulary, self.federation)

    def _select(self, boxes: NDArray[np.float32], scores: NDArray[np.float64]) -> Detections:
        """Enter the detections of the image for AP."""
        config = self.config
        found = select(
            scores,
            boxes,
            threshold=config.score_threshold,
            nms=config.nms,
            limit=config.detections_per_image,
            soft=config.soft_nms,
        )
        self.records.add_detections(boxes_of(boxes, found), found.category, found.score)
        return found
