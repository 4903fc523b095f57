"""The evaluation loop: features of the boxes of image after image, handed to the evaluator.

Shapes: R boxes of an image, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.boxes import clip as clip_boxes
from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.evaluation.image_inputs import image_objects
from stages.evaluation.region_features import region_features
from stages.pixels import load_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.base import Part
    from stages.evaluation.evaluated_model import EvaluatedModel
    from stages.evaluation.evaluator import Evaluator
    from stages.evaluation.image_inputs import ImageProposals
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

    def evaluate_image(self, part: Part, row: Mapping[str, Any], proposals: ImageProposals) -> None:
        """Evaluate one image; one that cannot be read is refused, and its objects do not count."""
        evaluator, objects = self.evaluator, image_objects(row, self.evaluator.vocabulary)
        if not self.bare_images and not len(objects.category):
            evaluator.skip(objects)
            return
        singles = objects.without_crowds()
        boxes = proposals.boxes if self.with_proposals else singles.boxes  # (R, 4)
        try:
            image = load_image(row) if len(boxes) else None
        except SourceError as error:
            part.refuse(str(row["image_id"]), Reason.UNREADABLE, str(error))
            return
        evaluator.begin(row["image_id"], row["width"], row["height"], objects)
        if image is None:
            return
        features = region_features(self.model.clip, image, boxes, self.pooling)  # (R, D)
        if not self.with_proposals:
            evaluator.classify(row["image_id"], singles, features)
            return
        moved = self.model.move_boxes(features, boxes) if self.move_boxes else boxes
        clipped = clip_boxes(moved, row["width"], row["height"])
        clipped[~np.isfinite(moved)] = np.nan  # a box without end is dropped, not clipped
        evaluator.detect(row["image_id"], replace(proposals, boxes=clipped), features)
