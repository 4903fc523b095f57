"""Crop features of an image: boxes, and what a frozen tower sees in the crop of each.

`rc featurize --pooling crop` makes them once, so a step of training needs no second network.

Shapes: Q boxes of an image that have a feature, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import ArtifactError
from schemas.table import as_matrix
from stages.training.dataset import rows_by_key
from stages.training.regions import boxes_of, proposed_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.base import Part


@dataclass(frozen=True, slots=True)
class CropFeatures:
    """Boxes of an image with the features of their crops.

    Attributes:
        boxes: (Q, 4) float32, pixels of the original image.
        features: (Q, D) of their crops, not normalised, in the precision they are stored in.
    """

    boxes: NDArray[np.float32]
    features: NDArray[Any]

    def sampled(self, count: int, rng: np.random.Generator) -> CropFeatures:
        """At most `count` of them, at random, without replacement; in their order."""
        picked = np.sort(rng.permutation(len(self.boxes))[:count])
        return CropFeatures(self.boxes[picked], self.features[picked])


class PartCropFeatures:
    """Proposals and features of a part as arrays, with the rows of each image."""

    def __init__(self, part: Part, width: int) -> None:
        """Read `proposals` and `features` of a part; features of whole images are left out.

        Args:
            part: The part.
            width: Of the features that the student has.

        Raises:
            ArtifactError: If the features are of another width.
        """
        proposals, features = part.table("proposals"), part.table("features")
        self._boxes = boxes_of(proposals)
        self._proposed = rows_by_key(proposals["image_id"])
        self._proposal_regions = proposals["region"].to_numpy()
        self._regions = features["region"].to_numpy()
        self._features = as_matrix(features, "feature")
        self.rows = {
            image: own
            for image, rows in rows_by_key(features["image_id"]).items()
            if len(own := rows[self._regions[rows] >= 0])
        }
        if len(features) and self._features.shape[1] != width:
            raise ArtifactError(
                f"features are {self._features.shape[1]} wide, the student's are {width} wide: "
                f"name features that were made with this teacher"
            )

    def of(self, image_id: str) -> CropFeatures:
        """The crop features of an image; none (Q = 0) if it has none.

        Raises:
            ArtifactError: If a feature is of a region that was not proposed.
        """
        nothing = np.zeros(0, dtype=np.int64)
        proposed = self._proposed.get(image_id, nothing)
        rows = self.rows.get(image_id, nothing)
        positions = proposed_positions(
            image_id, self._regions[rows], self._proposal_regions[proposed], "feature"
        )
        return CropFeatures(self._boxes[proposed[positions]], self._features[rows])
