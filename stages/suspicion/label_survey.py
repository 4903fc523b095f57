"""Survey: what all kept labels are like, in one pass over them.

It has a sample of them, chosen by random numbers that follow from image and region; how many each
concept has, and how many of these a caption mentions; and the shapes of their boxes. Its size does
not depend on how many labels there are.

Shapes: R labels, N of the sample, C concepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from schemas.errors import ArtifactError
from stages.auditing import random_order
from stages.auditing.sample import StratifiedSample
from stages.labelling.image_tables import whole_images
from stages.suspicion.box_shapes import ShapeStatistics, boxes_of, shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

RANKED: Final = ("probability", "margin", "entropy", "objectness")  # known by their ranks
COLUMNS: Final = (
    *("image_id", "region", "concept_id", "kept", "in_caption", *RANKED),
    *("x0", "y0", "x1", "y1"),
)
_ROWS: Final = 65536  # about as many rows at a time
_PRIOR: Final = 20.0  # labels that the share over all concepts counts as


@dataclass(frozen=True)
class LabelSurvey:
    """What kept labels are like.

    Attributes:
        sample: (N,) rows with image_id, region and concept_id.
        ranks: (N,) sorted values of the sample, by column of `RANKED`.
        attracts: (C,) share of the labels of each concept that no caption mentions, drawn towards
            that of all; NaN if nothing is known of captions.
        boxes: Shapes of boxes by concept: of labels that a caption mentions, where that is known.
    """

    sample: pa.Table
    ranks: dict[str, NDArray[np.float64]]
    attracts: NDArray[np.float64]
    boxes: ShapeStatistics


def survey(batches: Iterable[pa.RecordBatch], concepts: int, size: int, seed: int) -> LabelSurvey:
    """Survey all labels.

    Args:
        batches: Rows with `COLUMNS`, those of an image one after the other.
        concepts: C: ids are below.
        size: N, at most.
        seed: Of the sample.

    Raises:
        ArtifactError: If no label is kept, or one has another concept.
    """
    sample, boxes = StratifiedSample(np.array([size])), ShapeStatistics(concepts)
    known, unmentioned, kept_rows = np.zeros(concepts), np.zeros(concepts), 0
    for rows in whole_images(batches, _ROWS):
        kept = np.flatnonzero(rows.column("kept").to_numpy())
        box_shapes = shapes(boxes_of(rows), image_numbers(rows))[kept]
        rows = rows.take(pa.array(kept))
        kept_rows += len(kept)
        ids = concept_ids(rows, concepts)
        in_caption = as_floats(rows, "in_caption")  # NaN where unknown
        np.add.at(known, ids, ~np.isnan(in_caption))
        np.add.at(unmentioned, ids, in_caption == 0)
        trusted = np.flatnonzero(in_caption != 0)
        boxes.add(ids[trusted], box_shapes[trusted])
        _offer(sample, rows, seed)
    if not kept_rows:
        raise ArtifactError(
            "no label is kept, so there is nothing to compare labels with; lower "
            "--min-probability of rc label"
        )
    table, _ = sample.rows()
    ranks = {name: np.sort(as_floats(table, name)) for name in RANKED}
    return LabelSurvey(table, ranks, _shares(unmentioned, known), boxes)


def image_numbers(rows: pa.Table) -> NDArray[np.int64]:
    """A number (R,) of the image of each row, from 0 in the order of the rows."""
    images = rows.column("image_id").to_pylist()
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(image, len(numbers)) for image in images], np.int64)


def concept_ids(rows: pa.Table, concepts: int) -> NDArray[np.int64]:
    """Ids (R,) of labels.

    Raises:
        ArtifactError: If one is not of a pool with ids below `concepts`.
    """
    ids = rows.column("concept_id").to_numpy().astype(np.int64)
    if len(ids) and not 0 <= ids.min() <= ids.max() < concepts:
        raise ArtifactError(
            "the labels have concepts that the embeddings lack; name the embeddings that they "
            "were made with"
        )
    return ids


def as_floats(rows: pa.Table, column: str) -> NDArray[np.float64]:
    """A column (R,) of numbers or truth values as float64, NaN where it is null."""
    values = rows.column(column).cast(pa.float64() if column != "in_caption" else pa.int8())
    return np.asarray(values.to_numpy().astype(np.float64))


def _offer(sample: StratifiedSample, rows: pa.Table, seed: int) -> None:
    columns = ["image_id", "region", "concept_id", *RANKED]
    numbers = random_order.numbers(
        seed, rows.column("image_id").to_pylist(), rows.column("region").to_numpy()
    )
    for batch in rows.select(columns).combine_chunks().to_batches():
        sample.add(batch, np.zeros(batch.num_rows, np.int64), numbers)


def _shares(unmentioned: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    if not known.sum():
        return np.full(len(known), np.nan)
    of_all = unmentioned.sum() / known.sum()
    return np.asarray((unmentioned + _PRIOR * of_all) / (known + _PRIOR))
