"""Survey: what all kept labels are like, in one pass over them.

It has a sample of them, chosen by random numbers that follow from image and region; how often
captions mention each concept where it is given; and the shapes of boxes. Its size does not depend
on how many labels there are.

Captions are silent about much that is there, and about some concepts ("person") more than about
others. How often they mention a concept where it is, is taken from its surest labels: the twentieth
of its labels in the sample with the highest probability and objectness, by their ranks.

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
from stages.suspicion.signals import share_above

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

RANKED: Final = ("probability", "margin", "entropy", "objectness")  # known by their ranks
COLUMNS: Final = (
    *("image_id", "region", "concept_id", "kept", "in_caption", *RANKED),
    *("x0", "y0", "x1", "y1"),
)
_ROWS: Final = 65536  # about as many rows at a time
_PRIOR: Final = 5.0  # labels that the share over all concepts counts as
_SUREST: Final = 20  # one label of a concept in so many


@dataclass(frozen=True)
class LabelSurvey:
    """What kept labels are like.

    Attributes:
        sample: (N,) rows with image_id, region and concept_id.
        ranks: (N,) sorted values of the sample, by column of `RANKED`.
        mentioned: (C,) share of the labels of each concept that a caption mentions; NaN if nothing
            is known of captions.
        expected: (C,) the same of its surest labels. Both are drawn towards that of all concepts.
        boxes: Shapes of boxes by concept: of labels that a caption mentions, where that is known.
    """

    sample: pa.Table
    ranks: dict[str, NDArray[np.float64]]
    mentioned: NDArray[np.float64]
    expected: NDArray[np.float64]
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
    known, mentioned, kept_rows = np.zeros(concepts), np.zeros(concepts), 0
    for rows in whole_images(batches, _ROWS):
        kept = np.flatnonzero(rows.column("kept").to_numpy())
        box_shapes = shapes(boxes_of(rows), image_numbers(rows))[kept]
        rows = rows.take(pa.array(kept))
        kept_rows += len(kept)
        ids = concept_ids(rows, concepts)
        in_caption = as_floats(rows, "in_caption")  # NaN where unknown
        np.add.at(known, ids, ~np.isnan(in_caption))
        np.add.at(mentioned, ids, in_caption == 1)
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
    shares = _shares(mentioned, known)
    return LabelSurvey(table, ranks, shares, _expected(table, ranks, concepts), boxes)


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
    ids: NDArray[np.int64] = rows.column("concept_id").to_numpy().astype(np.int64)
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
    columns = ["image_id", "region", "concept_id", "in_caption", *RANKED]
    numbers = random_order.numbers(
        seed, rows.column("image_id").to_pylist(), rows.column("region").to_numpy()
    )
    for batch in rows.select(columns).combine_chunks().to_batches():
        sample.add(batch, np.zeros(batch.num_rows, np.int64), numbers)


def _expected(
    sample: pa.Table, ranks: dict[str, NDArray[np.float64]], concepts: int
) -> NDArray[np.float64]:
    """Share (C,) of the surest labels of each concept that a caption mentions."""
    sample = sample.filter(sample.column("in_caption").is_valid())
    less_probable, less_object_like = (
        share_above(ranks[name], as_floats(sample, name)) for name in ("probability", "objectness")
    )
    doubt = less_probable + less_object_like
    ids = concept_ids(sample, concepts)
    order = np.lexsort((doubt, ids)) if len(ids) else np.zeros(0, np.int64)
    counts = np.bincount(ids, minlength=concepts)
    firsts = np.cumsum(counts) - counts
    place = np.arange(len(ids)) - firsts[ids[order]]
    surest = order[place < -(-counts[ids[order]] // _SUREST)]
    known, mentioned = np.zeros(concepts), np.zeros(concepts)
    np.add.at(known, ids[surest], 1)
    np.add.at(mentioned, ids[surest], as_floats(sample, "in_caption")[surest])
    return _shares(mentioned, known)


def _shares(mentioned: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    if not known.sum():
        return np.full(len(known), np.nan)
    of_all = mentioned.sum() / known.sum()
    return np.asarray((mentioned + _PRIOR * of_all) / (known + _PRIOR))
