"""Duplicates: images, or regions, whose features point nearly the same way, in groups.

Every pair is compared, so the time grows with the square of their number; memory does not, but
for a few numbers a row. Two things are in one group if a chain of near pairs leads from one to the
other.

Shapes: N rows compared, R rows of a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.progress import Silent
from pipeline.searching.feature_corpus import SHOWN
from pipeline.searching.grouping import Groups
from pipeline.searching.pairs import Chosen, near_pairs
from pipeline.store.vectors import directions, own_columns, vector_column
from schemas.errors import ArtifactError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.progress import Reporter
    from pipeline.searching.feature_corpus import FeatureCorpus


@dataclass(frozen=True, kw_only=True)
class Alike:
    """When two things are duplicates.

    Attributes:
        min_cosine: Of a pair, in [-1, 1].
        regions: Compare regions; else whole images, region -1.
        same_image: Let two regions of one image be a pair too.
        where: SQL predicate over the columns of `FeatureCorpus.regions`: what is compared.
    """

    min_cosine: float = 0.95
    regions: bool = False
    same_image: bool = False
    where: str | None = None

    def __post_init__(self) -> None:
        if not -1 <= self.min_cosine <= 1:
            raise OptionError(f"--min-cosine is in [-1, 1], got {self.min_cosine}")


def duplicates(corpus: FeatureCorpus, alike: Alike, reporter: Reporter | None = None) -> pa.Table:
    """Groups of things that look the same, largest first.

    Args:
        corpus: What is compared.
        alike: When two things are duplicates.
        reporter: Told of progress.

    Returns:
        Columns group (from 1), size, cosine (to the most similar other of the group), image_id,
        region, x0, y0, x1, y1, objectness, concept and probability.

    Raises:
        ArtifactError: If whole images are to be compared and the features have none.
        QueryError: If the predicate is none, or fails.
    """
    with corpus.connect() as connection:
        chosen = _chosen(corpus, connection, alike)
        groups = _grouped(corpus, chosen, alike, reporter or Silent())
        return _told(corpus, connection, chosen, groups)


def _chosen(corpus: FeatureCorpus, connection: Any, alike: Alike) -> Chosen:
    """The rows to compare.

    Raises:
        ArtifactError: If there are no whole images at all.
    """
    part, row, image = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    whole, images = 0, 0
    for record in corpus.features.manifest.parts:
        keys = corpus.keys(record.number)
        region = keys.column("region").to_numpy()
        whole += int((region < 0).sum())
        fine = (region >= 0 if alike.regions else region < 0) & _pointing(corpus, record.number)
        if alike.where is not None and fine.any():
            fine &= corpus.allowed(connection, record.number, alike.where)
        codes = keys.column("image_id").combine_chunks().dictionary_encode().indices.to_numpy()
        rows = np.flatnonzero(fine)
        part.append(np.full(len(rows), record.number))
        row.append(rows)
        image.append(codes[rows].astype(np.int64) + images)
        images += int(codes.max(initial=-1)) + 1
    if not alike.regions and not whole and corpus.features.manifest.rows:
        raise ArtifactError(
            f"{corpus.features.address} has no whole images (region -1), which rc featurize "
            "--whole-image adds; or compare regions, with --regions"
        )
    return Chosen(*(np.concatenate(column) for column in (part, row, image)))


def _pointing(corpus: FeatureCorpus, number: int) -> NDArray[np.bool_]:
    """Which rows of a part have a direction, (R,)."""
    path = corpus.features.part(number)
    rows = next(r.rows for r in corpus.features.manifest.parts if r.number == number)
    found = np.zeros(rows, np.bool_)
    for ids, _ in directions(path, vector_column(corpus.features, path)[0]):
        found[ids] = True
    return found


def _grouped(corpus: FeatureCorpus, chosen: Chosen, alike: Alike, reporter: Reporter) -> Groups:
    groups, count = Groups(len(chosen)), len(chosen)
    reporter.start("duplicates", count * count // 2, "pairs")
    try:
        for a, b, cosine in near_pairs(corpus.features, chosen, alike.min_cosine, reporter):
            pair = np.full(len(a), alike.same_image) | (chosen.image[a] != chosen.image[b])
            groups.join(a[pair], b[pair], np.minimum(cosine[pair], np.float32(1)))
    finally:
        reporter.stop()
    return groups


def _told(corpus: FeatureCorpus, connection: Any, chosen: Chosen, groups: Groups) -> pa.Table:
    members = groups.of_several()
    sizes = np.array([len(group) for group in members], np.int32)
    place = np.concatenate([np.zeros(0, np.int64), *members])
    hits = pa.table(
        {
            "group": np.repeat(np.arange(1, len(members) + 1, dtype=np.int32), sizes),
            "size": np.repeat(sizes, sizes),
            "cosine": groups.best[place],
            "part": chosen.part[place],
            "row": chosen.row[place],
        }
    )
    named = own_columns(corpus.features, hits)
    known = corpus.regions(connection, named.select(["image_id", "region"]))
    columns = {name: named.column(name) for name in ("group", "size", "cosine")}
    return pa.table({**columns, **{name: known.column(name) for name in SHOWN}})
