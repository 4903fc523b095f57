"""Image regions: every image of a part with the proposals that are on it.

Shapes: R proposals of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part

WHOLE_IMAGE: Final = -1  # the region that is the image itself
_BESIDE_PIXELS: Final = ("captions", "objects")  # columns of images that are not looked at


@dataclass(frozen=True, slots=True)
class ImageRegions:
    """An image and its proposals: a row of `images`, region numbers (R,), boxes (R, 4)."""

    row: Mapping[str, Any]
    regions: NDArray[np.int32]
    boxes: NDArray[np.float32]

    @property
    def image_id(self) -> str:
        """The id of the image."""
        return str(self.row["image_id"])


def images_with_regions(part: Part, *, limited: bool) -> Iterator[ImageRegions]:
    """Every image with its proposals, which come in the same order but may be missing.

    Args:
        part: Has `images` and `proposals`.
        limited: Whether later images than those of the part may have proposals too.

    Raises:
        ArtifactError: If the proposals do not follow the order of the images.
    """
    groups = _by_image(part.batches("proposals"))
    waiting = next(groups, None)
    passed: set[str] = set()
    for row in _rows_of(part.batches("images")):
        if waiting is not None and waiting[0] == row["image_id"]:
            yield ImageRegions(row, waiting[1], waiting[2])
            waiting = next(groups, None)
        else:
            yield ImageRegions(row, np.zeros(0, np.int32), np.zeros((0, 4), np.float32))
        passed.add(row["image_id"])
    if waiting is not None and (not limited or waiting[0] in passed):
        raise ArtifactError(
            f"proposals of {waiting[0]} do not follow the order of the images; "
            f"run rc propose again over the same images"
        )


def _rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Mapping[str, Any]]:
    """One mapping per image; encoded bytes become Python objects one image at a time."""
    for batch in batches:
        needed = batch.drop_columns(list(_BESIDE_PIXELS))
        for index in range(needed.num_rows):
            yield needed.slice(index, 1).to_pylist()[0]


def _by_image(
    batches: Iterable[pa.RecordBatch],
) -> Iterator[tuple[str, NDArray[np.int32], NDArray[np.float32]]]:
    """Image, region numbers (R,) and boxes (R, 4) of each image, across batches."""
    name = ""
    regions: list[NDArray[np.int32]] = []
    boxes: list[NDArray[np.float32]] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        images = batch.column("image_id").to_numpy(zero_copy_only=False)
        numbers = batch.column("region").to_numpy()
        corners = np.stack([batch.column(c).to_numpy() for c in ("x0", "y0", "x1", "y1")], axis=1)
        starts = np.flatnonzero(np.concatenate([[True], images[1:] != images[:-1]]))
        for first, last in zip(starts, [*starts[1:], len(images)], strict=True):
            if regions and images[first] != name:
                yield name, np.concatenate(regions), np.concatenate(boxes)
                regions, boxes = [], []
            name = str(images[first])
            regions.append(numbers[first:last])
            boxes.append(corners[first:last])
    if regions:
        yield name, np.concatenate(regions), np.concatenate(boxes)
