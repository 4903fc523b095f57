"""The page Suspicions: the most suspicious pseudo-labels of each fault, with their reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store import catalog, parts
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.suspicions import MISPLACED, OVERLOOKED, SUSPICIONS, SWAPPED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

SHOWN: Final = 500  # labels of each fault
FAULTS: Final = (SWAPPED, MISPLACED, OVERLOOKED)
_COLUMNS: Final = ("image_id", "region", "suspicion", "fault", "reasons", "instead_id")
_KEY: Final = ("image_id", "region")
_BOX: Final = ("x0", "y0", "x1", "y1")
_REGIONS: Final = f"""
SELECT l.image_id, l.region, l.concept, l.probability, {", ".join(f"l.{side}" for side in _BOX)}
FROM pseudo_labels AS l
JOIN (SELECT unnest(?::VARCHAR[]) AS image_id, unnest(?::INTEGER[]) AS region)
    USING (image_id, region)
"""
_IMAGES: Final = (
    "SELECT image_id, width, height, captions FROM images "
    "WHERE image_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY image_id"
)
_NAMES: Final = (
    "SELECT concept_id, concept FROM concept_embeddings "
    "WHERE concept_id IN (SELECT unnest(?::INTEGER[]))"
)


def suspicions(
    connections: ConnectionPool,
    parameters: Mapping[str, str],
    among: frozenset[str] | None = None,
) -> dict[str, Any]:
    """The most suspicious labels of those that are shown, `SHOWN` of each fault at most.

    Args:
        connections: The store.
        parameters: `labels`, whose suspicions; `fault`, to see one kind alone.
        among: Ids of the images that are shown; None for all.

    Returns:
        `address` of the suspicions, None without any; `labels`, the address that has the pictures;
        `regions`, the most suspicious first, with box, concept, reasons and what it may be instead;
        `images` by id: width, height, captions; `counts` of these labels by fault.
    """
    labels = connections.resolve(parameters.get("labels", ""))
    artifact = newest_suspicions(connections, labels)
    if artifact is None:
        return {"address": None, "labels": labels, "regions": [], "images": {}, "counts": {}}
    shown = connections.shown_artifact(PSEUDO_LABELS.name, labels)
    if shown is not None and not catalog.selected(shown):
        shown = None  # all of them
    rows, counts = connections.cached(
        ("suspicions", artifact.address, labels, among),
        lambda: most_suspicious(artifact, among, shown),
    )
    fault = parameters.get("fault", "")
    if fault in FAULTS:
        rows = rows.filter(pc.equal(rows["fault"], fault))
    regions, images = connections.cached(
        ("suspicions", artifact.address, labels, fault, among),
        lambda: _described(connections, rows, labels),
    )
    return {
        "address": artifact.address,
        "labels": labels,
        "regions": regions,
        "images": images,
        "counts": counts,
    }


def most_suspicious(
    artifact: Artifact, among: frozenset[str] | None = None, labels: Artifact | None = None
) -> tuple[pa.Table, dict[str, int]]:
    """The `SHOWN` most suspicious rows of each fault, and how many rows each has; in one pass.

    Of equals, the earlier image and region come first. With `among`, only rows of these images;
    with `labels`, only of these labels, which may be a selection.
    """
    images = None if among is None else pa.array(sorted(among), pa.string())
    best = {fault: SUSPICIONS.arrow.empty_table().select(_COLUMNS) for fault in FAULTS}
    counts = dict.fromkeys(FAULTS, 0)
    for number in artifact.numbers:
        keys = None if labels is None else _keys(labels, number)
        for batch in parts.batches(artifact.part(number), list(_COLUMNS)):
            table = pa.Table.from_batches([batch])
            if keys is not None:
                there = zip(*(table[name].to_pylist() for name in _KEY), strict=True)
                table = table.filter(pa.array([key in keys for key in there], pa.bool_()))
            if images is not None:
                table = table.filter(pc.is_in(table["image_id"], value_set=images))
            for fault in FAULTS:
                here = table.filter(pc.equal(table["fault"], fault))
                counts[fault] += here.num_rows
                best[fault] = _first(pa.concat_tables([best[fault], here]))
    return _sorted(pa.concat_tables(best.values())), counts


def _keys(labels: Artifact, number: int) -> set[tuple[str, int]]:
    """Image and region of the labels of a part."""
    if number not in labels.numbers:
        return set()
    batches = parts.batches(labels.part(number), list(_KEY))
    pairs = (zip(*(b.column(name).to_pylist() for name in _KEY), strict=True) for b in batches)
    return {key for some in pairs for key in some}


def _first(rows: pa.Table) -> pa.Table:
    return _sorted(rows).slice(0, SHOWN) if rows.num_rows > SHOWN else rows


def _sorted(rows: pa.Table) -> pa.Table:
    order = (("suspicion", "descending"), ("image_id", "ascending"), ("region", "ascending"))
    return rows.sort_by(list(order))


def newest_suspicions(connections: ConnectionPool, labels: str) -> Artifact | None:
    """The newest suspicions of these labels, or of those that they were selected from."""
    shown = connections.shown_artifact(PSEUDO_LABELS.name, labels)
    if shown is None:
        return None
    for artifact in connections.artifacts():
        if artifact.manifest.artifact != SUSPICIONS.name:
            continue
        source = catalog.parents(artifact).get(PSEUDO_LABELS.name)
        if source and catalog.unselected(source).path == catalog.unselected(shown).path:
            return artifact
    return None


def _described(
    connections: ConnectionPool, rows: pa.Table, labels: str
) -> tuple[list[Row], dict[str, Row]]:
    """Rows with box and concept, as far as they are among the labels; their images by id."""
    found = rows.to_pylist()
    ids, numbers = [row["image_id"] for row in found], [row["region"] for row in found]
    boxes = {
        (row["image_id"], row["region"]): row
        for row in connections.query(_REGIONS, [ids, numbers], labels)
    }
    instead = sorted({row["instead_id"] for row in found} - {None})
    names = {
        row["concept_id"]: row["concept"] for row in connections.query(_NAMES, [instead], labels)
    }
    regions = [
        {**row, **boxes[key], "instead": names.get(row["instead_id"])}
        for row in found
        if (key := (row["image_id"], row["region"])) in boxes
    ]
    images = connections.query(_IMAGES, [sorted(set(ids))], labels)
    return regions, {row["image_id"]: row for row in images}
