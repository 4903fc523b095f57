"""A toy for `rc detect`: boxes with scores that follow from the number of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from schemas.detections import DETECTIONS
from schemas.images import IMAGES
from stages.base import Part, Reads, Stage, each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table

NAMES = ("dog", "cat")


@dataclass(frozen=True, kw_only=True)
class ToyDetector(Stage):
    """Image n has n % 3 detections with scores 0.9, 0.4; the k-th box is k, k, k + 10, k + 20."""

    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = DETECTIONS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        part.note("protocol", {"categories": list(NAMES)})
        ids = part.table("images").column("image_id").to_pylist()
        rows = [(image_id, k) for image_id in ids for k in range(int(image_id[-6:]) % 3)]
        ks = [k for _, k in rows]
        yield DETECTIONS.batch(
            {
                "image_id": [image_id for image_id, _ in rows],
                "detection": ks,
                "category_id": ks,
                "category": [NAMES[k] for k in ks],
                "score": [0.9 - 0.5 * k for k in ks],
                "x0": ks,
                "y0": ks,
                "x1": [k + 10 for k in ks],
                "y1": [k + 20 for k in ks],
            }
        )
