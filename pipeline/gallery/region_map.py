"""The page Map: regions in a plane, as numbers for a canvas, and one region by its place.

Shapes: N regions on the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.gallery.suspicion_queries import newest_suspicions
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.errors import ArtifactNotFoundError, OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.region_maps import REGION_MAPS
from stages.labelling.region_index import RegionIndex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

    Label = tuple[str, int, int]  # image_id, region, concept_id

_SECONDS: Final = 120.0  # to find the labels of a map, once
_KEY: Final = ("image_id", "region")
_LABELS: Final = """
SELECT p.place, l.concept_id, l.concept, l.probability
FROM pseudo_labels AS l
JOIN (SELECT unnest(?::VARCHAR[]) AS image_id, unnest(?::INTEGER[]) AS region,
    unnest(?::INTEGER[]) AS place) AS p USING (image_id, region)
ORDER BY p.place
"""
_REGION: Final = (
    "SELECT image_id, region, concept, probability, in_caption, kept, x0, y0, x1, y1 "
    "FROM pseudo_labels WHERE image_id = ? AND region = ?"
)


@dataclass(frozen=True)
class RegionMap:
    """The regions of a map that are among some labels, by place.

    Attributes:
        address: Of the region_maps.
        labels: Address of the pseudo-labels.
        keys: (N,) image_id and region.
        concept_ids: (N,) of the labels.
        concepts: Names, those with the most regions first.
        numbers: (5, N) float32: x, y, probability, suspicion (NaN if unknown), and the number of
            the concept among `concepts`.
        left_out: Regions of the map that are not among the labels.
    """

    address: str
    labels: str
    keys: pa.Table
    concept_ids: NDArray[np.int64]
    concepts: Sequence[str]
    numbers: NDArray[np.float32]
    left_out: int

    def label(self, place: int) -> Label:
        """The label of a region by its place.

        Raises:
            OptionError: If there is no such place.
        """
        if not 0 <= place < len(self.concept_ids):
            raise OptionError("there is no such place on the map; reload the page")
        image_id, region = (self.keys[name][place].as_py() for name in _KEY)
        return image_id, region, int(self.concept_ids[place])

    def labels_at(self, places: Sequence[int]) -> list[Label]:
        """The labels of regions by their places, each once.

        Raises:
            OptionError: If there is no such place.
        """
        if not all(type(place) is int and 0 <= place < len(self.concept_ids) for place in places):
            raise OptionError("there is no such place on the map; reload the page")
        chosen = np.unique(np.array(places, np.int64))
        rows = self.keys.take(pa.array(chosen))
        ids = self.concept_ids[chosen].tolist()
        return list(zip(*(rows[name].to_pylist() for name in _KEY), ids, strict=True))


def map_page(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """What the page needs besides the points.

    Returns:
        `address` of the map, None without any; `labels`, the address that has the pictures;
        `regions`, how many; `left_out`; `concepts`, names in the order of their numbers;
        `suspicions`, whether they are known.
    """
    labels = connections.resolve(parameters.get("labels", ""))
    artifact = _newest(connections, labels)
    if artifact is None:
        return {"address": None, "labels": labels}
    found = _read(connections, artifact, labels)
    return {
        "address": found.address,
        "labels": labels,
        "regions": found.numbers.shape[1],
        "left_out": found.left_out,
        "concepts": found.concepts,
        "suspicions": bool(np.isfinite(found.numbers[3]).any()),
    }


def points(connections: ConnectionPool, parameters: Mapping[str, str]) -> bytes:
    """`RegionMap.numbers` in the order of bytes of nearly all processors, little-endian."""
    return region_map(connections, parameters).numbers.astype("<f4").tobytes()


def map_region(connections: ConnectionPool, parameters: Mapping[str, str]) -> Row:
    """One region with box, concept and captions, by its `place`."""
    found = region_map(connections, parameters)
    image_id, region, _ = found.label(int(parameters.get("place", "-1")))
    (row,) = connections.query(_REGION, [image_id, region], found.labels)
    captions = "SELECT captions FROM images WHERE image_id = ? LIMIT 1"
    images = connections.query(captions, [image_id], found.labels)
    return {**row, "captions": images[0]["captions"] if images else []}


def region_map(connections: ConnectionPool, parameters: Mapping[str, str]) -> RegionMap:
    """The map that `map` names, with what `labels` say of it.

    Raises:
        ArtifactNotFoundError: If there is none.
    """
    labels, address = parameters.get("labels", ""), parameters.get("map", "")
    if labels in connections.label_addresses():
        for artifact in _maps(connections, labels):
            if artifact.address == address:
                return _read(connections, artifact, labels)
    raise ArtifactNotFoundError("this map of these labels is gone; reload the page")


def _newest(connections: ConnectionPool, labels: str) -> Artifact | None:
    return next(iter(_maps(connections, labels)), None)


def _maps(connections: ConnectionPool, labels: str) -> list[Artifact]:
    """Maps of these labels, or of those that they were selected from, the newest first."""
    shown = connections.shown_artifact(PSEUDO_LABELS.name, labels)
    if shown is None:
        return []
    whole = catalog.unselected(shown).path
    return [
        artifact
        for artifact in connections.artifacts()
        if artifact.manifest.artifact == REGION_MAPS.name
        and artifact.manifest.version == REGION_MAPS.version
        and (source := catalog.parents(artifact).get(PSEUDO_LABELS.name))
        and catalog.unselected(source).path == whole
    ]


def _read(connections: ConnectionPool, artifact: Artifact, labels: str) -> RegionMap:
    found: RegionMap = connections.cached(
        ("map", artifact.address, labels), lambda: _compute(connections, artifact, labels)
    )
    return found


def _compute(connections: ConnectionPool, artifact: Artifact, labels: str) -> RegionMap:
    rows = pa.concat_tables(pq.read_table(file) for file in artifact.files())
    ids, regions = rows["image_id"].to_pylist(), rows["region"].to_pylist()
    values = [ids, regions, list(range(len(ids)))]
    found = connections.query(_LABELS, values, labels, _SECONDS)
    rows = rows.take(pa.array([row["place"] for row in found], pa.int64()))
    names = pa.array([row["concept"] or "" for row in found], pa.string())
    counted = sorted(
        pc.value_counts(names).to_pylist(), key=lambda row: (-row["counts"], row["values"])
    )
    concepts = [row["values"] for row in counted]
    numbers = pc.index_in(names, value_set=pa.array(concepts, pa.string()))
    columns = [
        *(rows[name].to_numpy() for name in ("x", "y")),
        np.array([row["probability"] for row in found], np.float32),
        _suspicion(connections, rows, labels),
        numbers.to_numpy(zero_copy_only=False),
    ]
    return RegionMap(
        address=artifact.address,
        labels=labels,
        keys=rows.select(list(_KEY)).combine_chunks(),
        concept_ids=np.array([row["concept_id"] for row in found], np.int64),
        concepts=concepts,
        numbers=np.stack([np.asarray(column, np.float32) for column in columns]),
        left_out=len(ids) - len(found),
    )


def _suspicion(connections: ConnectionPool, rows: pa.Table, labels: str) -> NDArray[np.float32]:
    """Suspicion (N,) of each region, NaN where it is not known."""
    suspicion = np.full(rows.num_rows, np.nan, np.float32)
    artifact = newest_suspicions(connections, labels)
    if artifact is None or not rows.num_rows:
        return suspicion
    index = RegionIndex.of(rows)
    for batch in stream(artifact.files()):
        places, here = index.find(batch)
        suspicion[places] = batch.column("suspicion").to_numpy()[here]
    return suspicion
