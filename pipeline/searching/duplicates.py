"""Duplicates: images, or regions, whose features point in nearly the same direction, in groups.

Every pair is compared, so the time grows with the square of the number of rows; memory holds only
a few numbers per row. Two rows are in one group if a chain of similar pairs connects them.

Shapes: N rows compared, R rows of a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.progress import Silent
from pipeline.searching.feature_corpus import RESULT_COLUMNS
from pipeline.searching.similar_pairs import ComparedRows, similar_pairs
from pipeline.searching.union_find import UnionFind
from pipeline.store.vectors import directions, own_columns, vector_column
from schemas.errors import ArtifactError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.progress import Reporter
    from pipeline.searching.feature_corpus import FeatureCorpus
    from pipeline.store.part_records import PartRecord


@dataclass(frozen=True, kw_only=True)
class DuplicateCriteria:
    """When two images, or two regions, are duplicates.

    Attributes:
        min_cosine: Lowest cosine of a pair, in [-1, 1].
        regions: Compare regions; otherwise whole images, region -1.
        same_image: Two regions of one image may be a pair too.
        where: SQL predicate over the columns of `FeatureCorpus.regions`: which rows are compared.
    """

    min_cosine: float = 0.95
    regions: bool = False
    same_image: bool = False
    where: str | None = None

    def __post_init__(self) -> None:
        if not -1 <= self.min_cosine <= 1:
            raise OptionError(f"--min-cosine is in [-1, 1], got {self.min_cosine}")


def find_duplicates(
    corpus: FeatureCorpus, criteria: DuplicateCriteria, reporter: Reporter | None = None
) -> pa.Table:
    """Groups of rows that look the same, largest group first.

    Args:
        corpus: The features to compare.
        criteria: When two rows are duplicates.
        reporter: Receives the progress.

    Returns:
        Columns group (from 1), size, cosine (to the most similar other of the group), image_id,
        region, x0, y0, x1, y1, objectness, concept and probability.

    Raises:
        ArtifactError: If whole images are to be compared and the features have none.
        QueryError: If the predicate is not valid, or fails.
    """
    with corpus.connect() as connection:
        compared = _select_rows(corpus, connection, criteria)
        groups = _group_rows(corpus, compared, criteria, reporter or Silent())
        return _group_table(corpus, connection, compared, groups)


def _select_rows(
    corpus: FeatureCorpus, connection: Any, criteria: DuplicateCriteria
) -> ComparedRows:
    """The rows to compare.

    Raises:
        ArtifactError: If there are no whole images at all.
    """
    part, row, image = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    num_whole, num_images = 0, 0
    for record in corpus.features.parts:
        keys = corpus.keys(record.number)
        region = keys.column("region").to_numpy()
        num_whole += int((region < 0).sum())
        selected = region >= 0 if criteria.regions else region < 0
        selected &= _has_direction(corpus, record)
        if criteria.where is not None and selected.any():
            selected &= corpus.allowed(connection, record.number, criteria.where)
        codes = keys.column("image_id").combine_chunks().dictionary_encode().indices.to_numpy()
        rows = np.flatnonzero(selected)
        part.append(np.full(len(rows), record.number))
        row.append(rows)
        image.append(codes[rows].astype(np.int64) + num_images)
        num_images += int(codes.max(initial=-1)) + 1
    if not criteria.regions and not num_whole and corpus.features.manifest.rows:
        raise ArtifactError(
            f"{corpus.features.address} has no whole images (region -1), which rc featurize "
            "--whole-image adds; or compare regions, with --regions"
        )
    return ComparedRows(*(np.concatenate(column) for column in (part, row, image)))


def _has_direction(corpus: FeatureCorpus, record: PartRecord) -> NDArray[np.bool_]:
    """Which rows of a part have a vector that is finite and not zero, (R,)."""
    path = corpus.features.part(record.number)
    mask = np.zeros(record.rows, np.bool_)
    for ids, _ in directions(path, vector_column(corpus.features, path)[0]):
        mask[ids] = True
    return mask


def _group_rows(
    corpus: FeatureCorpus,
    compared: ComparedRows,
    criteria: DuplicateCriteria,
    reporter: Reporter,
) -> UnionFind:
    groups, count = UnionFind(len(compared)), len(compared)
    reporter.start("duplicates", count * count // 2, "pairs")
    try:
        pairs = similar_pairs(corpus.features, compared, criteria.min_cosine, reporter)
        for a, b, cosine in pairs:
            other_image = compared.image[a] != compared.image[b]
            valid = np.full(len(a), criteria.same_image) | other_image
            groups.join(a[valid], b[valid], np.minimum(cosine[valid], np.float32(1)))
    finally:
        reporter.stop()
    return groups


def _group_table(
    corpus: FeatureCorpus, connection: Any, compared: ComparedRows, groups: UnionFind
) -> pa.Table:
    members = groups.groups()
    sizes = np.array([len(group) for group in members], np.int32)
    positions = np.concatenate([np.zeros(0, np.int64), *members])
    rows = pa.table(
        {
            "group": np.repeat(np.arange(1, len(members) + 1, dtype=np.int32), sizes),
            "size": np.repeat(sizes, sizes),
            "cosine": groups.best[positions],
            "part": compared.part[positions],
            "row": compared.row[positions],
        }
    )
    keyed = own_columns(corpus.features, rows)
    regions = corpus.regions(connection, keyed.select(["image_id", "region"]))
    columns = {name: keyed.column(name) for name in ("group", "size", "cosine")}
    return pa.table({**columns, **{name: regions.column(name) for name in RESULT_COLUMNS}})
