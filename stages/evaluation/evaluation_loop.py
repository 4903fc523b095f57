"""The evaluation loop: features of the boxes of image after image, handed to the evaluator.

Shapes: R boxes of an image, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.boxes import clip as clip_boxes
from schemas.errors import SourceError
from stages.evaluation.image_inputs import image_objects
from stages.evaluation.region_features import region_features
from stages.pixels import load_image
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stages.base import Part
    from stages.evaluation.evaluated_model import EvaluatedModel
    from stages.evaluation.evaluator import Evaluator
    from stages.evaluation.image_inputs import ImageObjects, ImageProposals
    from stages.evaluation.region_features import PoolingConfig


@dataclass(frozen=True)
class EvaluationLoop:
    """One model and its evaluator.

    Attributes:
        evaluator: Receives the features.
        model: The evaluated model.
        pooling: How the features of boxes are made.
        with_proposals: Whether boxes are proposals; else ground-truth boxes, which never move.
        move_boxes: Whether a detector may move proposals.
        bare_images: Whether images without an object of the vocabulary take part.
    """

    evaluator: Evaluator
    model: EvaluatedModel
    pooling: PoolingConfig
    with_proposals: bool
    move_boxes: bool
    bare_images: bool

    def encode(self, image: tuple[Mapping[str, Any], ImageProposals]) -> EncodedImage:
        """The features of an image that is evaluated; pure, so it may run in threads."""
        row, proposals = image
        objects = image_objects(row, self.evaluator.vocabulary)
        if not self.bare_images and not len(objects.category):
            return EncodedImage(row, proposals, objects, skipped=True)
        boxes = self._boxes(proposals, objects)
        if not len(boxes):
            return EncodedImage(row, proposals, objects)
        try:
            pixels = load_image(row)
        except SourceError as error:
            return EncodedImage(row, proposals, objects, refusal=Refusal.of(error))
        features = region_features(self.model.clip, pixels, boxes, self.pooling)  # (R, D)
        return EncodedImage(row, proposals, objects, features)

    def evaluate(self, part: Part, image: EncodedImage) -> None:
        """Evaluate an image; one that cannot be read is refused, and its objects do not count."""
        evaluator, row, objects = self.evaluator, image.row, image.objects
        if image.skipped:
            evaluator.skip(objects)
            return
        if image.refusal:
            part.refuse(str(row["image_id"]), image.refusal.reason, image.refusal.detail)
            return
        evaluator.begin(row["image_id"], row["width"], row["height"], objects)
        if image.features is None:
            return
        if not self.with_proposals:
            evaluator.classify(row["image_id"], objects.without_crowds(), image.features)
            return
        boxes = image.proposals.boxes
        moved = self.model.move_boxes(image.features, boxes) if self.move_boxes else boxes
        clipped = clip_boxes(moved, row["width"], row["height"])
        clipped[~np.isfinite(moved)] = np.nan  # a box without end is dropped, not clipped
        proposals = replace(image.proposals, boxes=clipped)
        evaluator.detect(row["image_id"], proposals, image.features)

    def _boxes(self, proposals: ImageProposals, objects: ImageObjects) -> NDArray[np.float32]:
        """The boxes (R, 4) that are encoded."""
        return proposals.boxes if self.with_proposals else objects.without_crowds().boxes


@dataclass(frozen=True)
class EncodedImage:
    """An image with the features of its boxes.

    Attributes:
        row: Of images.
        proposals: Of the image.
        objects: Those of the vocabulary.
        features: (R, D); None if the image has no boxes, or was not encoded.
        skipped: Whether it does not take part.
        refusal: Why it cannot be evaluated.
    """

    row: Mapping[str, Any]
    proposals: ImageProposals
    objects: ImageObjects
    features: NDArray[np.float32] | None = None
    skipped: bool = False
    refusal: Refusal | None = None
