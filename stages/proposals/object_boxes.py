"""Ground-truth boxes from rows of `images`, without their categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


def object_boxes(
    images: pa.Table | pa.RecordBatch, only: Collection[str] | None = None
) -> list[NDArray[np.float32]]:
    """Boxes (G, 4) of each image: all objects except crowds and empty boxes.

    Args:
        images: Rows of `images`.
        only: Categories whose boxes are taken; None takes all boxes and ignores categories.
    """
    objects = images.column("objects")
    if isinstance(objects, pa.ChunkedArray):
        objects = objects.combine_chunks()
    flat = objects.flatten()
    corners = [np.asarray(pc.struct_field(flat, name)) for name in ("x0", "y0", "x1", "y1")]
    boxes = np.stack(corners, axis=1).astype(np.float32).reshape(-1, 4)
    kept = ~np.asarray(pc.struct_field(flat, "is_crowd").cast(pa.uint8())).astype(bool)
    kept &= (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if only is not None:
        names = pa.array(sorted(only), pa.string())
        selected = pc.is_in(pc.struct_field(flat, "category"), value_set=names)
        kept &= np.asarray(selected.cast(pa.uint8())).astype(bool)
    ends = np.cumsum(np.asarray(pc.list_value_length(objects)))[:-1]
    pairs = zip(np.split(boxes, ends), np.split(kept, ends), strict=True)
    return [image_boxes[image_kept] for image_boxes, image_kept in pairs][: len(objects)]
