"""Inputs of an evaluation: each image with its ground-truth objects and its proposals.

Shapes: N objects and R proposals of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from schemas.errors import ArtifactError
from stages.evaluation.vocabulary import names_of_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.evaluation.vocabulary import Vocabulary

_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class ImageObjects:
    """Ground-truth objects of one image. Each (N,), boxes (N, 4).

    Attributes:
        boxes: Pixels of the original image.
        category: Ids in the vocabulary.
        area: Square pixels.
        is_crowd: Whether the box surrounds a crowd.
        index: Position among all objects of the image.
        ignored: How many other objects there are, of categories outside the vocabulary.
    """

    boxes: NDArray[np.float32]
    category: NDArray[np.int64]
    area: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    index: NDArray[np.int64]
    ignored: int

    def without_crowds(self) -> ImageObjects:
        """The objects that are not crowds."""
        kept = ~self.is_crowd
        return ImageObjects(
            boxes=self.boxes[kept],
            category=self.category[kept],
            area=self.area[kept],
            is_crowd=self.is_crowd[kept],
            index=self.index[kept],
            ignored=self.ignored,
        )


@dataclass(frozen=True)
class ImageProposals:
    """Proposals of one image: boxes (R, 4), objectness (R,), logit (R,), nan if it has none."""

    boxes: NDArray[np.float32]
    objectness: NDArray[np.float32]
    logit: NDArray[np.float32]


def ground_truth_categories(part: Part) -> set[str]:
    """Categories of all objects in the images."""
    categories: set[str] = set()
    for slice_ in part.slices():
        for batch in slice_.batches("images"):
            objects = batch.column("objects").flatten()
            categories.update(pc.unique(pc.struct_field(objects, "category")).to_pylist())
    return categories


def ground_truth_names(part: Part) -> tuple[str, ...]:
    """Categories of all objects in the images as a vocabulary, sorted; perhaps none.

    Raises:
        ArtifactError: If two of them cannot be told apart.
    """
    return names_of_objects(ground_truth_categories(part))


def read_images(
    part: Part, *, with_proposals: bool
) -> Iterator[tuple[dict[str, Any], ImageProposals]]:
    """Yield each row of the images of all slices, with its proposals or with none."""
    for slice_ in part.slices():
        yield from read_slice(slice_, with_proposals=with_proposals)


def read_slice(
    part: Part, *, with_proposals: bool
) -> Iterator[tuple[dict[str, Any], ImageProposals]]:
    """Yield each row of the images of one part, with its proposals or with none.

    Raises:
        ArtifactError: If the proposals of an image are not next to each other.
    """
    table = part.table("proposals") if with_proposals else None
    ranges = {} if table is None else _row_ranges(table)
    for batch in part.batches("images"):
        for index in range(batch.num_rows):  # one by one: a packed image may weigh megabytes
            (row,) = batch.slice(index, 1).to_pylist()
            start, stop = ranges.get(row["image_id"], (0, 0))
            yield row, _proposals(table, start, stop)


def image_objects(row: Mapping[str, Any], vocabulary: Vocabulary) -> ImageObjects:
    """The objects of a row of the images whose categories are in the vocabulary."""
    indexed = [(n, o) for n, o in enumerate(row["objects"]) if o["category"] in vocabulary.ids]
    objects = [o for _, o in indexed]
    return ImageObjects(
        boxes=np.array([[o[c] for c in _CORNERS] for o in objects], np.float32).reshape(-1, 4),
        category=np.array([vocabulary.ids[o["category"]] for o in objects], np.int64),
        area=np.array([o["area"] for o in objects], np.float64),
        is_crowd=np.array([o["is_crowd"] for o in objects], np.bool_),
        index=np.array([number for number, _ in indexed], np.int64),
        ignored=len(row["objects"]) - len(objects),
    )


def _row_ranges(proposals: pa.Table) -> dict[str, tuple[int, int]]:
    """First row and end of the proposals of each image, which are neighbours in their table."""
    runs = pc.run_end_encode(proposals.column("image_id").combine_chunks())
    ends = runs.run_ends.to_pylist()
    names = runs.values.to_pylist()
    ranges = dict(zip(names, zip([0, *ends], ends, strict=False), strict=True))
    if len(ranges) != len(names):
        raise ArtifactError(
            "the proposals of an image are not next to each other; run rc propose again"
        )
    return ranges


def _proposals(table: pa.Table | None, start: int, stop: int) -> ImageProposals:
    if table is None or start == stop:
        nothing = np.zeros(0, np.float32)
        return ImageProposals(np.zeros((0, 4), np.float32), nothing, nothing)
    rows = table.slice(start, stop - start)
    corners = [rows.column(name).to_numpy() for name in _CORNERS]
    logit = rows.column("objectness_logit").to_numpy()
    return ImageProposals(
        boxes=np.stack(corners, axis=1).astype(np.float32),
        objectness=rows.column("objectness").to_numpy().astype(np.float32),
        logit=logit.astype(np.float32),
    )
