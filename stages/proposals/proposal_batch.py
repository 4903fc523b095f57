"""From images and their raw boxes to rows of `proposals`: the work inside `rc propose`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from schemas.boxes import clip
from schemas.errors import SourceError
from schemas.proposals import PROPOSALS
from stages.models.device import in_order
from stages.prefetching import map_in_order
from stages.proposals.object_boxes import object_boxes
from stages.proposals.recall import RecallCounts
from stages.proposals.selection import Selection, finite
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.models.preprocess import NetworkInput
    from stages.proposals.box_sources import BoxSource, RawBoxes, Row
    from stages.proposals.region_dump import DumpWriter, ScoreKind

    _PreparedImage = tuple[Row, NDArray[np.float32], NetworkInput | Refusal | None]

_COUNTS: Final = (
    *("images", "images_unknown", "images_without_boxes"),
    *("raw_boxes", "boxes_not_finite", "boxes_outside", "boxes_cut"),
)
_THREADS: Final = 2  # that decode and resize; one thread alone would keep a GPU waiting
_AHEAD: Final = 4  # images that the threads prepare in advance


@dataclass(frozen=True, slots=True)
class ImageBoxes:
    """An image with its raw boxes.

    Attributes:
        row: Row of `images`.
        raw: Raw boxes and scores; None if the source does not know the image.
        objects: (G, 4) ground-truth boxes.
    """

    row: Row
    raw: RawBoxes | None
    objects: NDArray[np.float32]


class ProposalBatch:
    """Collects images with raw boxes; writes the dump, makes rows of proposals, counts recall.

    Args:
        kind: Kind of the scores.
        select: Which boxes become proposals.
        dump: Where raw boxes are written; None writes none.
        device: Where overlaps are computed.
        within: "map": boxes suppress only boxes of the same feature map; "image": all others.
    """

    def __init__(
        self,
        kind: ScoreKind,
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
        self._counts = Counter(dict.fromkeys(_COUNTS, 0))
        self._clear()

    def __len__(self) -> int:
        """Number of rows since the last `take`."""
        return self._num_rows

    def add(self, image: ImageBoxes) -> None:
        """Select proposals of an image; one that the source does not know has none."""
        self._counts["images"] += 1
        if image.raw is None:
            self._counts["images_unknown"] += 1
            self._recall.add(np.zeros((0, 4), np.float32), image.objects)
            return
        boxes, scores, levels = image.raw
        image_id, size = image.row["image_id"], (image.row["width"], image.row["height"])
        if self._dump:
            self._dump.append(image_id, boxes, scores, levels)
        nms_levels = levels if self._within == "map" else None
        kept, indices = self._select(boxes, scores, size, self._device, nms_levels)
        self._count(boxes, scores, size)
        self._recall.add(kept, image.objects)
        self._ids.append(image_id)
        self._boxes.append(kept)
        self._scores.append(scores[indices])
        self._num_rows += len(kept)

    def take(self) -> pa.RecordBatch:
        """Return the rows of the images added since the last `take`."""
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
        """Note the counts; recall only if there are ground-truth boxes."""
        part.count("boxes", dict(self._counts))
        if self._recall.objects:
            part.count("recall", self._recall.to_json())

    def _count(
        self, boxes: NDArray[np.float32], scores: NDArray[np.float32], size: tuple[int, int]
    ) -> None:
        """Count raw boxes, and those that are not used as they are."""
        self._counts["images_without_boxes"] += not len(boxes)
        self._counts["raw_boxes"] += len(boxes)
        is_finite = finite(boxes, scores)
        inside = clip(boxes[is_finite], *size)
        is_outside = (inside[:, 2:] <= inside[:, :2]).any(axis=1)
        is_cut = (inside != boxes[is_finite]).any(axis=1) & ~is_outside
        self._counts["boxes_not_finite"] += int((~is_finite).sum())
        self._counts["boxes_outside"] += int(is_outside.sum())
        self._counts["boxes_cut"] += int(is_cut.sum())

    def _clear(self) -> None:
        self._num_rows = 0
        self._ids: list[str] = []
        self._boxes = [np.zeros((0, 4), np.float32)]  # never empty, so that it can be concatenated
        self._scores = [np.zeros(0, np.float32)]


def images_with_boxes(part: Part, source: BoxSource, where: torch.device) -> Iterator[ImageBoxes]:
    """Each image of a part with its raw boxes; those that cannot be read go to quarantine.

    Args:
        part: Has the images.
        source: Has their boxes.
        where: The device that a source which needs pixels computes on.
    """

    def prepare(item: tuple[Row, NDArray[np.float32]]) -> _PreparedImage:
        row, objects = item
        try:
            return row, objects, source.prepare(row)
        except SourceError as error:
            return row, objects, Refusal.of(error)

    def boxes(image: _PreparedImage) -> tuple[Row, NDArray[np.float32], RawBoxes | Refusal | None]:
        row, objects, prepared = image
        if isinstance(prepared, Refusal):
            return row, objects, prepared
        return row, objects, _raw_boxes(source, row, prepared)

    rows = _rows_and_objects(part)
    boxed = (
        in_order(map_in_order(rows, prepare, _THREADS, _AHEAD), boxes, where)
        if source.needs_pixels
        else map(boxes, map(prepare, rows))  # one by one: a source may count whose boxes it has
    )
    for row, objects, raw in boxed:
        if isinstance(raw, Refusal):
            part.refuse(row["image_id"], raw.reason, raw.detail)
        else:
            yield ImageBoxes(row, raw, objects)
        part.advance()


def _raw_boxes(
    source: BoxSource, row: Row, prepared: NetworkInput | None
) -> RawBoxes | Refusal | None:
    try:
        return source.boxes(row, prepared)
    except Refusal as refusal:
        return refusal


def _rows_and_objects(part: Part) -> Iterator[tuple[Row, NDArray[np.float32]]]:
    """Rows of `images`, one by one, without captions; and their ground-truth boxes (G, 4)."""
    for batch in part.batches("images"):
        rows = batch.drop_columns(["captions", "objects"])
        for index, objects in enumerate(object_boxes(batch)):
            yield rows.slice(index, 1).to_pylist()[0], objects


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
