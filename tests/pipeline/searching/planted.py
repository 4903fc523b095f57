"""Features with vectors that a test chooses, and reference results in float64."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipeline.searching import FeatureCorpus
from schemas.features import FEATURES
from schemas.table import as_matrix
from stages.base import Part, Reads, Stage, option
from tests.pipeline.helpers import make, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from schemas.table import Table

    Key = tuple[str, int]  # image, region


@dataclass(frozen=True, kw_only=True)
class Planted(Stage):
    """Features with given vectors; image 2/0 is the first of part 2."""

    vectors: str = option("[]", "JSON: for each part, the vector of each row")
    regions: int = option(1, "rows of an image")
    lowest: int = option(0, "first region of an image; -1 is the whole image")
    precision: str = option("float32", "of the vectors")

    name: ClassVar[str] = "planted"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = FEATURES

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        return range(len(json.loads(self.vectors)))

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        vectors = np.array(json.loads(self.vectors)[part.number], self.precision)
        rows = range(len(vectors))
        if rows:
            yield FEATURES.batch(
                {
                    "image_id": [f"{part.number}/{row // self.regions}" for row in rows],
                    "region": [self.lowest + row % self.regions for row in rows],
                    "feature": vectors,
                }
            )


def plant(root: Path, *parts: Any, **options: Any) -> FeatureCorpus:
    """A corpus with these vectors in its parts, and nothing else in its store."""
    vectors = json.dumps([np.asarray(part, np.float64).tolist() for part in parts])
    return FeatureCorpus(make(Planted(vectors=vectors, **options), root, allow_empty=True))


def stored(corpus: FeatureCorpus) -> dict[Key, NDArray[np.float64]]:
    """Unit vectors of all regions that have a direction."""
    rows = rows_of(corpus.features)
    if not rows.num_rows:
        return {}
    vectors = as_matrix(rows, "feature").astype(np.float64)
    keys = zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True)
    return {
        key: vector / np.linalg.norm(vector)
        for key, vector in zip(keys, vectors, strict=True)
        if np.isfinite(vector).all() and vector.any()
    }


def cosines(corpus: FeatureCorpus, query: NDArray[Any]) -> dict[Key, float]:
    """Cosine of a query with each region that has a direction, in float64."""
    wide = np.asarray(query, np.float64)
    return {key: float(v @ wide / np.linalg.norm(wide)) for key, v in stored(corpus).items()}


def keys(rows: pa.Table) -> list[Key]:
    """Image and region of each row."""
    return list(zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True))


def groups(duplicates: pa.Table) -> list[list[Key]]:
    """Members of each group of duplicates, in order."""
    members: dict[int, list[Key]] = {}
    for number, key in zip(duplicates["group"].to_pylist(), keys(duplicates), strict=True):
        members.setdefault(number, []).append(key)
    return list(members.values())
