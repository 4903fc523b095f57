"""Scenes: each image with what a person drew on it and what a localizer proposed.

Shapes: N objects and R proposals of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.evaluation.vocabulary import Vocabulary

_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class Objects:
    """What a person drew. Each (N,), boxes (N, 4).

    Attributes:
        boxes: Pixels of the original image.
        category: Ids in the vocabulary.
        area: Square pixels.
        is_crowd: Whether the box surrounds a crowd.
        index: Place among all objects of the image.
        ignored: How many more there were, of categories outside the vocabulary.
    """

    boxes: NDArray[np.float32]
    category: NDArray[np.int64]
    area: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    index: NDArray[np.int64]
    ignored: int

    def single(self) -> Objects:
        """Those that are not crowds."""
        kept = ~self.is_crowd
        return Objects(
            boxes=self.boxes[kept],
            category=self.category[kept],
            area=self.area[kept],
            is_crowd=self.is_crowd[kept],
            index=self.index[kept],
            ignored=self.ignored,
        )


@dataclass(frozen=True)
class Proposals:
    """What a localizer proposed for an image: boxes (R, 4), objectness (R,), logit (R,) or nan."""

    boxes: NDArray[np.float32]
    objectness: NDArray[np.float32]
    logit: NDArray[np.float32]


def found_categories(part: Part) -> set[str]:
    """Categories of all objects in the images."""
    found: set[str] = set()
    for piece in part.slices():
        for batch in piece.batches("images"):
            objects = batch.column("objects").flatten()
            found.update(pc.unique(pc.struct_field(objects, "category")).to_pylist())
    return found


def images(part: Part, *, proposed: bool) -> Iterator[tuple[dict[str, Any], Proposals]]:
    """Yield each row of the images with its proposals; with none if they are not asked for."""
    for piece in part.slices():
        yield from images_of(piece, proposed=proposed)


def images_of(piece: Part, *, proposed: bool) -> Iterator[tuple[dict[str, Any], Proposals]]:
    """The same for one part of the images."""
    proposals = piece.table("proposals") if proposed else None
    places = {} if proposals is None else _places(proposals)
    for batch in piece.batches("images"):
        for at in range(batch.num_rows):  # one by one: a packed image may weigh megabytes
            (row,) = batch.slice(at, 1).to_pylist()
            start, stop = places.get(row["image_id"], (0, 0))
            yield row, _proposals(proposals, start, stop)


def objects_of(row: Mapping[str, Any], vocabulary: Vocabulary) -> Objects:
    """The objects of a row of the images whose categories are in the vocabulary."""
    listed = [(n, o) for n, o in enumerate(row["objects"]) if o["category"] in vocabulary.ids]
    known = [o for _, o in listed]
    return Objects(
        boxes=np.array([[o[c] for c in _CORNERS] for o in known], np.float32).reshape(-1, 4),
        category=np.array([vocabulary.ids[o["category"]] for o in known], np.int64),
        area=np.array([o["area"] for o in known], np.float64),
        is_crowd=np.array([o["is_crowd"] for o in known], np.bool_),
        index=np.array([number for number, _ in listed], np.int64),
        ignored=len(row["objects"]) - len(known),
    )


def _places(proposals: pa.Table) -> dict[str, tuple[int, int]]:
    """Where the proposals of each image begin and end; they are neighbours in their table."""
    runs = pc.run_end_encode(proposals.column("image_id").combine_chunks())
    ends = runs.run_ends.to_pylist()
    names = runs.values.to_pylist()
    places = dict(zip(names, zip([0, *ends], ends, strict=False), strict=True))
    if len(places) != len(names):
        raise ArtifactError("proposals of one image are not neighbours; make them anew")
    return places


def _proposals(table: pa.Table | None, start: int, stop: int) -> Proposals:
    if table is None or start == stop:
        nothing = np.zeros(0, np.float32)
        return Proposals(np.zeros((0, 4), np.float32), nothing, nothing)
    rows = table.slice(start, stop - start)
    corners = [rows.column(name).to_numpy() for name in _CORNERS]
    logit = rows.column("objectness_logit").to_numpy()
    return Proposals(
        boxes=np.stack(corners, axis=1).astype(np.float32),
        objectness=rows.column("objectness").to_numpy().astype(np.float32),
        logit=logit.astype(np.float32),
    )
