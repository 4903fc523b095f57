"""Detection records: objects and detections of all images, gathered image by image.

Shapes: N objects and M detections, of one image when they are added, of all when they are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.boxes import to_xywh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class GroundTruthArrays:
    """Objects, boxes (N, 4) as corner and size, the rest (N,); images are numbered from 0."""

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    boxes: NDArray[np.float64]
    area: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]

    def take(self, selected: NDArray[Any]) -> GroundTruthArrays:
        """Some of them, by index or by a mask."""
        columns = (getattr(self, name)[selected] for name in self.__dataclass_fields__)
        return GroundTruthArrays(*columns)


@dataclass(frozen=True)
class DetectionArrays:
    """Detections, boxes (M, 4) as corner and size, the rest (M,).

    `ignore_unmatched` marks those that are not wrong when they match no object.
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    boxes: NDArray[np.float64]
    score: NDArray[np.float64]
    ignore_unmatched: NDArray[np.bool_]

    @property
    def area(self) -> NDArray[np.float64]:
        """Square pixels, (M,)."""
        return np.asarray(self.boxes[:, 2] * self.boxes[:, 3])

    def take(self, selected: NDArray[Any]) -> DetectionArrays:
        """Some of them, by index or by a mask."""
        columns = (getattr(self, name)[selected] for name in self.__dataclass_fields__)
        return DetectionArrays(*columns)


@dataclass(frozen=True)
class RecordArrays:
    """Objects and detections of all images as arrays."""

    ground_truth: GroundTruthArrays
    detections: DetectionArrays
    num_images: int


@dataclass
class DetectionRecords:
    """Objects and detections of all images.

    Attributes:
        images: As COCO has them, numbered from 1; `name` is our image id.
        objects: As COCO has them.
        detections: Of each image (M, 7): image, corner, size, score, category. Scores are
            rounded to float32 as in their table, so that metrics follow from the table alone.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)
    detections: list[NDArray[np.float64]] = field(default_factory=list)

    def add_image(self, width: int, height: int, name: str = "") -> None:
        """Begin the next image; what is added afterwards belongs to it."""
        number = len(self.images) + 1
        self.images.append({"id": number, "width": width, "height": height, "name": name})

    def add_objects(
        self,
        boxes: NDArray[np.float32],
        category: Sequence[int],
        area: Sequence[float],
        is_crowd: Sequence[bool],
    ) -> None:
        """Add ground truth; a crowd is neither missed nor mistaken. Boxes (N, 4), the rest (N,)."""
        for box, k, size, crowd in zip(to_xywh(boxes), category, area, is_crowd, strict=True):
            self.objects.append(
                {
                    "id": len(self.objects) + 1,  # 0 would read as "matched with nothing"
                    "image_id": len(self.images),
                    "category_id": int(k),
                    "bbox": [float(value) for value in box],
                    "area": float(size),
                    "iscrowd": int(crowd),
                }
            )

    def add_detections(
        self, boxes: NDArray[np.float32], category: NDArray[np.int64], score: NDArray[Any]
    ) -> None:
        """Add detections of the image. Boxes (M, 4), the rest (M,)."""
        image = np.full((len(boxes), 1), len(self.images), dtype=np.float64)
        stored = score.astype(np.float32)
        self.detections.append(np.column_stack([image, to_xywh(boxes), stored, category]))

    def arrays(self) -> RecordArrays:
        """All objects and detections as arrays, in the order they were added."""
        rows = np.concatenate([np.zeros((0, 7)), *self.detections])
        return RecordArrays(
            ground_truth=GroundTruthArrays(
                image=self._object_column("image_id", np.int64) - 1,
                category=self._object_column("category_id", np.int64),
                boxes=self._object_column("bbox", np.float64).reshape(-1, 4),
                area=self._object_column("area", np.float64),
                is_crowd=self._object_column("iscrowd", np.bool_),
            ),
            detections=DetectionArrays(
                image=rows[:, 0].astype(np.int64) - 1,
                category=rows[:, 6].astype(np.int64),
                boxes=rows[:, 1:5],
                score=rows[:, 5],
                ignore_unmatched=np.zeros(len(rows), np.bool_),
            ),
            num_images=len(self.images),
        )

    def _object_column(self, name: str, dtype: Any) -> NDArray[Any]:
        return np.array([o[name] for o in self.objects], dtype=dtype)
