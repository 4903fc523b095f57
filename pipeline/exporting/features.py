"""Features of an artifact with the boxes they were pooled from, as files for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline import sql
from pipeline.exporting import feature_file
from pipeline.exporting.output_files import draft_file, draft_folder, folder_name, with_suffix
from pipeline.store import catalog, parts
from schemas.errors import ArtifactError
from schemas.table import as_matrix, vector_format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.exporting.feature_file import FeatureFile
    from pipeline.store.artifact import Artifact

FORMATS: Final = {"npy": "", "h5": ".h5", "parquet": ".parquet"}  # "": a folder
_VERB: Final = "export-features"
_CHOSEN_ROWS: Final = """
SELECT rank, {keys} FROM (
    SELECT
        rank, image_id, region, width, height, split, objectness, feature,
        CASE WHEN region < 0 THEN 0 ELSE x0 END AS x0,
        CASE WHEN region < 0 THEN 0 ELSE y0 END AS y0,
        CASE WHEN region < 0 THEN width ELSE x1 END AS x1,
        CASE WHEN region < 0 THEN height ELSE y1 END AS y1
    FROM (SELECT *, row_number() OVER () - 1 AS rank FROM _features)
    JOIN _images USING (image_id)
    LEFT JOIN _proposals USING (image_id, region)
) AS features
WHERE (
{where}
) ORDER BY rank
"""


def export_features(
    root: Path, address: str, out: Path, form: str, where: str | None, *, force: bool
) -> tuple[Path, int]:
    """Write the features of an artifact; return the path and the number of rows.

    Args:
        root: The store.
        address: As table, table@prefix or address.
        out: File to write; the suffix of the format is added if it has none. For npy, a folder.
        form: One of `FORMATS`.
        where: SQL predicate over image_id, region, x0, y0, x1, y1, objectness, width, height,
            split and feature; its subqueries see the rows of the same part only.
        force: Whether to replace files that exist.

    Raises:
        ArtifactError: If the artifact holds no features, or its images or boxes were deleted.
        OptionError: If it exists.
        QueryError: If the predicate is refused.
    """
    features = catalog.find(root, address)
    if features.manifest.artifact != "features":
        raise ArtifactError(f"rc {_VERB}: {features.address} holds no features; give features@…")
    joined = {role: _input(features, role) for role in ("images", "proposals")}
    if form == "npy":
        target = folder_name(_VERB, out, (".npy", ".parquet"))
        drafted = draft_folder(_VERB, target, feature_file.NPY_NAMES.__contains__, force=force)
    else:
        target = with_suffix(_VERB, out, FORMATS[form])
        drafted = draft_file(_VERB, target, force=force)
    count = 0
    with drafted as draft, _feature_file(form, draft, _width(features)) as file:
        for number in features.numbers:
            chosen = _chosen_rows(features, joined, number, where)
            for keys, vectors in _keys_and_features(features.part(number), chosen):
                file.append(keys, vectors)
                count += len(vectors)
    return target, count


def _input(features: Artifact, role: str) -> Artifact:
    artifact = catalog.parents(features).get(role)
    if artifact is None:
        raise ArtifactError(
            f"{features.address} was made from {features.manifest.inputs.get(role, role)}, which "
            f"was deleted; make it again and run rc featurize"
        )
    return artifact


def _feature_file(form: str, draft: Path, width: int) -> FeatureFile:
    if form == "npy":
        return feature_file.NpyFile(draft, width)
    if form == "h5":
        return feature_file.Hdf5File(draft, width)
    return feature_file.ParquetFile(draft, width)


def _width(features: Artifact) -> int:
    """Width D; 0 if there are no rows, because then it is unknown."""
    for path in features.files():
        vector = vector_format(parts.schema(path).field("feature")) if parts.count(path) else None
        if vector:
            return vector[0]
    return 0


def _chosen_rows(
    features: Artifact, joined: dict[str, Artifact], number: int, where: str | None
) -> pa.Table:
    """Position in the part, and keys, of the rows that `where` chooses, in their order."""
    files = {"features": [features.part(number)]}
    files |= {role: [artifact.part(number)] for role, artifact in joined.items()}
    keys = ", ".join(feature_file.KEYS.names)
    with sql.open_locked(sql.Relations(files), threads=1) as connection:
        if where is not None:
            sql.check_predicate(connection, where)
        statement = _CHOSEN_ROWS.format(keys=keys, where="true" if where is None else where)
        return sql.chosen(connection, statement).read_all()


def _keys_and_features(
    path: Path, chosen: pa.Table
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.float32]]]:
    """Keys and features of the chosen rows of a part, about a thousand at a time."""
    ranks = chosen.column("rank").to_numpy()
    keys = chosen.drop_columns(["rank"]).cast(feature_file.KEYS)
    start = 0
    for batch in parts.batches(path, ["feature"]):
        first, last = np.searchsorted(ranks, [start, start + batch.num_rows])
        if last > first:
            vectors = as_matrix(batch, "feature")[ranks[first:last] - start]
            (rows,) = keys.slice(first, last - first).combine_chunks().to_batches()
            yield rows, vectors.astype(np.float32)
        start += batch.num_rows
