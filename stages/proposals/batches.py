"""From images and a source of boxes to rows of `proposals`: the inside of propose."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from schemas.errors import SourceError
from schemas.proposals import PROPOSALS
from stages.prefetching import in_order
from stages.proposals.object_boxes import object_boxes
from stages.proposals.recall import RecallCounts
from stages.proposals.selection import Selection, finite
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.models.preprocess import PreparedImage
    from stages.proposals.box_sources import Boxes, BoxSource, Row
    from stages.proposals.region_dump import DumpWriter, Kind

    _Looked = tuple[Row, NDArray[np.float32], PreparedImage | Refusal | None]

_THREADS: Final = 2  # that decode and resize; a GPU would wait for one
_AHEAD: Final = 4  # images they are ahead by


@dataclass(frozen=True, slots=True)
class ImageBoxes:
    """An image with its raw boxes.

    Attributes:
        row: Of `images`.
        raw: Boxes (R, 4) and scores (R,); None if the source does not know the image.
        objects: (G, 4) boxes people drew.
    """

    row: Row
    raw: Boxes | None
    objects: NDArray[np.float32]


class ProposalBatch:
    """Takes images with raw boxes, and turns them into a dump, rows and counts.

    Args:
        kind: Of the scores.
        select: Which boxes become proposals.
        dump: Where raw boxes go, if anywhere.
        device: Where overlaps are computed.
        within: "map": boxes suppress those of the same map of a network; "image": all others.
    """

    def __init__(
        self,
        kind: Kind,
        select: Selection,
        dump: DumpWriter | None,
        device: torch.device,
        within: str = "map",
    ) -> None:
        self._within = within
        self._kind = kind
        self._select = select
        self._dump = dump
        self._device = device
        self._recall = RecallCounts()
        self._counts = Counter({"raw_boxes": 0, "boxes_not_finite": 0, "images_without_boxes": 0})
        self._clear()

    def __len__(self) -> int:
        """Rows that wait to be taken."""
        return self._waiting

    def add(self, image: ImageBoxes) -> None:
        """Select from an image's boxes. Recall is over images that the source knows."""
        if image.raw is None:
            self._counts["images_without_boxes"] += 1
            return
        boxes, scores, levels = image.raw
        image_id, size = image.row["image_id"], (image.row["width"], image.row["height"])
        if self._dump:
            self._dump.append(image_id, boxes, scores, levels)
        apart = levels if self._within == "map" else None
        kept, places = self._select(boxes, scores, size, self._device, apart)
        self._counts["raw_boxes"] += len(boxes)
        self._counts["boxes_not_finite"] += int((~finite(boxes, scores)).sum())
        self._recall.add(kept, image.objects)
        self._ids.append(image_id)
        self._boxes.append(kept)
        self._scores.append(scores[places])
        self._waiting += len(kept)

    def take(self) -> pa.RecordBatch:
        """Rows of the images added since the last time."""
        lengths = [len(scores) for scores in self._scores]
        boxes, scores = np.concatenate(self._boxes), np.concatenate(self._scores)
        logits = self._kind == "logit"
        rows = PROPOSALS.batch(
            {
                "image_id": np.repeat(np.array(self._ids, dtype=object), lengths[1:]),
                "region": np.concatenate([np.arange(n, dtype=np.int32) for n in lengths]),
                **{name: boxes[:, k] for k, name in enumerate(("x0", "y0", "x1", "y1"))},
                "objectness": probability(scores) if logits else scores,
                "objectness_logit": scores if logits else pa.nulls(len(scores), pa.float32()),
            }
        )
        self._clear()
        return rows

    def report(self, part: Part) -> None:
        """Note the counts; recall only if people drew anything."""
        part.note("boxes", dict(self._counts))
        if self._recall.objects:
            part.note("recall", self._recall.note())

    def _clear(self) -> None:
        self._waiting = 0
        self._ids: list[str] = []
        self._boxes = [np.zeros((0, 4), np.float32)]
        self._scores = [np.zeros(0, np.float32)]


def boxed_images(part: Part, source: BoxSource) -> Iterator[ImageBoxes]:
    """Each image of a part with its raw boxes; those that cannot be read go to quarantine."""

    def look(item: tuple[Row, NDArray[np.float32]]) -> _Looked:
        row, objects = item
        try:
            return row, objects, source.look(row)
        except SourceError as error:
            return row, objects, Refusal("unreadable", str(error))

    threads = _THREADS if source.looks else 0
    for row, objects, seen in in_order(_rows(part), look, threads, _AHEAD):
        found = seen if isinstance(seen, Refusal) else _boxes(source, row, seen)
        if isinstance(found, Refusal):
            part.refuse(row["image_id"], found.reason, found.detail)
        else:
            yield ImageBoxes(row, found, objects)
        part.advance()


def _boxes(source: BoxSource, row: Row, seen: PreparedImage | None) -> Boxes | Refusal | None:
    try:
        return source.boxes(row, seen)
    except Refusal as refusal:
        return refusal


def _rows(part: Part) -> Iterator[tuple[Row, NDArray[np.float32]]]:
    """Rows of `images`, one by one, without captions; and the boxes people drew."""
    for batch in part.batches("images"):
        plain = batch.drop_columns(["captions", "objects"])
        for index, objects in enumerate(object_boxes(batch)):
            yield plain.slice(index, 1).to_pylist()[0], objects


def probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logistic function, without overflow. (R,) to (R,) in [0, 1].

    >>> probability(np.float32([-1000, 0, 1000])).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64))).astype(np.float32)


def logit(probability: float) -> float:
    """The inverse of the logistic function; infinite at 0 and 1 and beyond.

    >>> logit(0.5), logit(0), logit(2)
    (0.0, -inf, inf)
    """
    if probability <= 0:
        return -math.inf
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf
