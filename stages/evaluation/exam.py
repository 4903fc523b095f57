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
from stages.evaluation.ledger import Ledger
from stages.evaluation.metrics import Metric, accuracy
from stages.evaluation.scores import (
    Detections,
    combine,
    cosines,
    probabilities,
    ranks,
    select,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evaluation.detections_file import DetectionsFile
    from stages.evaluation.scenes import Objects, Proposals
    from stages.evaluation.vocabulary import Vocabulary


@dataclass(frozen=True)
class Rules:
    """How features become detections; see the options of `stages.evaluate.Evaluate`."""

    temperature: float
    score: str
    score_threshold: float
    nms: float
    detections_per_image: int


@dataclass
class Exam:
    """Everything said so far about the images, and how many of them there were.

    Attributes:
        vocabulary: The K categories to choose from.
        embeddings: (K, D), of any length.
        rules: How features become detections.
        file: Where every detection is written down.
        ignored: Objects left out, their categories not being in the vocabulary.
    """

    vocabulary: Vocabulary
    embeddings: NDArray[np.float32]
    rules: Rules
    file: DetectionsFile
    ledger: Ledger = field(default_factory=Ledger)
    truth: list[NDArray[np.int64]] = field(default_factory=list)
    rank: list[NDArray[np.int64]] = field(default_factory=list)
    ignored: int = 0

    def begin(self, width: int, height: int, objects: Objects) -> None:
        """Begin the next image; nothing need be said about it."""
        self.ledger.add_image(width, height)
        self.ledger.add_objects(
            objects.boxes,
            objects.category.tolist(),
            objects.area.tolist(),
            objects.is_crowd.tolist(),
        )
        self.ignored += objects.ignored

    def classify(self, image_id: str, objects: Objects, features: NDArray[np.float32]) -> None:
        """Name the objects of the image: a row each, and for AP whatever else each box may be.

        Args:
            image_id: As in images.
            objects: N of them.
            features: (N, D) of their boxes.
        """
        cosine = cosines(features, self.embeddings)
        probability = probabilities(cosine, self.rules.temperature)
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
            proposals: R of them.
            features: (R, D) of their boxes.

        Raises:
            ArtifactError: If the rules multiply by a number that the proposals lack.
        """
        formula = self.rules.score
        localizer = proposals.logit if formula == "sqrt-logit" else proposals.objectness
        if formula == "sqrt-logit" and np.isnan(localizer).any():
            raise ArtifactError(
                f"the proposals of {image_id} have no logits, which "
                f"--score sqrt-logit multiplies by; use --score sqrt-objectness or probability"
            )
        cosine = cosines(features, self.embeddings)
        scores = combine(formula, probabilities(cosine, self.rules.temperature), localizer)
        region, category, score = self._select(proposals.boxes, scores)
        said = Detections(np.arange(len(region)), category, score)
        self.file.add(image_id, proposals.boxes[region], said)

    def metrics(self) -> list[Metric]:
        """Everything measured: top-1 and top-5 if objects were named, AP always.

        Raises:
            ArtifactError: If there is no object that could be measured.
        """
        if not any(not o["iscrowd"] for o in self.ledger.objects):
            raise ArtifactError(
                "no image that can be read has an object of the vocabulary; "
                "see rc sql 'FROM quarantine', or give other --categories"
            )
        limit = self.rules.detections_per_image
        precision = count_precision(self.ledger, len(self.vocabulary.names), limit)
        metrics = precision.metrics(self.vocabulary, with_recall=not self.truth)
        if not self.truth:
            return metrics
        named = accuracy(np.concatenate(self.truth), np.concatenate(self.rank), self.vocabulary)
        return named + metrics

    def protocol(self) -> dict[str, Any]:
        """What was compared with what, and how, for the manifest."""
        names = self.vocabulary.names
        return {
            **asdict(self.rules),
            "background": "logit 0 within the softmax, then left out",
            "nms_within": "category",
            "average_precision": f"COCO, by faster-coco-eval {version('faster-coco-eval')}",
            "vocabulary": {
                "names": list(names),
                "count": len(names),
                "sha256": self.vocabulary.sha256(),
                "splits": {split: len(ids) for split, ids in self.vocabulary.splits.items()},
            },
            "images": len(self.ledger.images),
            "objects": sum(not o["iscrowd"] for o in self.ledger.objects),
            "objects_ignored": self.ignored,
        }

    def _select(self, boxes: NDArray[np.float32], scores: NDArray[np.float64]) -> Detections:
        """Enter the detections of the image for AP."""
        rules = self.rules
        found = select(
            scores,
            boxes,
            threshold=rules.score_threshold,
            nms=rules.nms,
            limit=rules.detections_per_image,
        )
        self.ledger.add_detections(boxes[found.region], found.category, found.score)
        return found
