"""A sitting: a model looks at image after image, and what it says is entered in its exam.

Shapes: R boxes of an image, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.boxes import clip as clip_boxes
from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.evaluation.recognise import region_features
from stages.evaluation.scenes import objects_of
from stages.pixels import load_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.base import Part
    from stages.evaluation.evaluator import Evaluator
    from stages.evaluation.recognise import Model, PoolingConfig
    from stages.evaluation.scenes import Proposals


@dataclass(frozen=True)
class EvaluationLoop:
    """One model, one exam.

    Attributes:
        exam: Where everything said is entered.
        model: Who is examined.
        look: How it looks at boxes.
        proposed: Whether it is shown proposals; else the boxes that people drew, where they are.
        move_boxes: Whether a detector may move proposals.
        bare_images: Whether images without an object of the vocabulary take part.
    """

    evaluator: Evaluator
    model: Model
    look: PoolingConfig
    proposed: bool
    move_boxes: bool
    bare_images: bool

    def take(self, part: Part, row: Mapping[str, Any], proposals: Proposals) -> None:
        """Enter one image; if it cannot be read it goes to quarantine, its objects uncounted."""
        evaluator, objects = self.evaluator, objects_of(row, self.evaluator.vocabulary)
        if not self.bare_images and not len(objects.category):
            evaluator.skip(objects)
            return
        named = objects.single()
        boxes = proposals.boxes if self.proposed else named.boxes  # (R, 4)
        features = None  # (R, D)
        try:
            if len(boxes):
                features = region_features(self.model.clip, load_image(row), boxes, self.look)
        except SourceError as error:
            part.refuse(str(row["image_id"]), Reason.UNREADABLE, str(error))
            return
        evaluator.begin(row["image_id"], row["width"], row["height"], objects)
        if features is None:
            return
        if not self.proposed:
            evaluator.classify(row["image_id"], named, features)
            return
        moved = self.model.moved(features, boxes) if self.move_boxes else boxes
        inside = clip_boxes(moved, row["width"], row["height"])
        inside[~np.isfinite(moved)] = np.nan  # a box without end is dropped, not cut to fit
        evaluator.detect(row["image_id"], replace(proposals, boxes=inside), features)
