"""Sides of a comparison: the boxes of one image from different artifacts, in one format.

A side is the ground truth, pseudo-labels (from the features of a teacher or a student), the
detections of an evaluation, or those of `rc detect`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store import catalog
from pipeline.store.tables import models
from schemas.detections import DETECTIONS
from schemas.errors import ArtifactNotFoundError
from schemas.evaluated_detections import EVALUATED_DETECTIONS
from schemas.images import IMAGES
from schemas.metrics import METRICS
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

GROUND_TRUTH: Final = "truth"  # the side of the annotated objects
_MAX_BOXES: Final = 300  # of a side
_CORNERS: Final = ("x0", "y0", "x1", "y1")
_TITLES: Final = {
    "pseudo_labels": "pseudo-labels",
    "metrics": "evaluation",
    "detections": "detections",
}


def available_sides(connections: ConnectionPool, labels: str, *, annotated: bool) -> list[Row]:
    """The sides of an image: `of`, the address to load, and `words`, its description.

    Only artifacts of the images that are shown count: another set may use the same ids.

    Args:
        connections: The store.
        labels: Address of the pseudo-labels, or images, that are shown.
        annotated: Whether the image has ground-truth objects.
    """
    sides = [{"of": GROUND_TRUTH, "words": "ground truth"}] if annotated else []
    shown = connections.shown_artifact(IMAGES.name, labels)
    for artifact in connections.artifacts():
        images = catalog.ancestor(artifact, (IMAGES.name,)) if _box_files(artifact) else None
        if images is not None and shown is not None and images.path == shown.path:
            sides.append({"of": artifact.address, "words": _description(artifact)})
    return sides


def load_side(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Boxes of the image `id` from the side `of`, with name and score, highest score first.

    Raises:
        ArtifactNotFoundError: If there is no such side.
    """
    image_id, of = parameters.get("id", ""), parameters.get("of", "")
    if of == GROUND_TRUTH:
        return {
            "of": of,
            "words": "ground truth",
            "boxes": _annotated_boxes(connections, parameters),
        }
    artifact = next((a for a in connections.artifacts() if a.address == of), None)
    if artifact is None or not _box_files(artifact):
        raise ArtifactNotFoundError("there is no artifact with boxes of that name")
    load = _labelled_boxes if artifact.manifest.artifact == PSEUDO_LABELS.name else _detected_boxes
    boxes = load(artifact, image_id)
    boxes.sort(key=lambda row: -row["score"])
    return {"of": of, "words": _description(artifact), "boxes": boxes[:_MAX_BOXES]}


def _annotated_boxes(connections: ConnectionPool, parameters: Mapping[str, str]) -> list[Row]:
    image_id = parameters.get("id", "")
    rows = connections.query(
        "SELECT objects FROM images WHERE image_id = ?",
        [image_id],
        connections.address_with_image(image_id, parameters.get("labels", "")),
    )
    objects = rows[0]["objects"] if rows else []
    return [
        {"name": item["category"], "score": None, **{edge: item[edge] for edge in _CORNERS}}
        for item in objects
    ]


def _labelled_boxes(artifact: Artifact, image_id: str) -> list[Row]:
    columns = ["concept_id", "probability", "kept", "region", *_CORNERS]
    rows = [row for row in _rows_of_image(artifact.files(), image_id, columns) if row["kept"]]
    embeddings = catalog.ancestor(artifact, ("concept_embeddings",))
    names: dict[int, str] = {}
    if embeddings and rows:
        used = pc.field("concept_id").isin(sorted({row["concept_id"] for row in rows}))
        concepts = _read_rows(embeddings.files(), used, ["concept_id", "concept"])
        names = {row["concept_id"]: row["concept"] for row in concepts}
    return [
        {
            "name": names.get(row["concept_id"], f"concept {row['concept_id']}"),
            "score": row["probability"],
            "region": row["region"],
            **{edge: row[edge] for edge in _CORNERS},
        }
        for row in rows
    ]


def _detected_boxes(artifact: Artifact, image_id: str) -> list[Row]:
    is_evaluation = artifact.manifest.artifact == METRICS.name
    columns = ["category", "score", *_CORNERS, *(["truth"] if is_evaluation else [])]
    rows = _rows_of_image(_box_files(artifact), image_id, columns)
    return [{"name": row.pop("category"), "truth": None, **row} for row in rows]


def _box_files(artifact: Artifact) -> list[Path]:
    """The files of an artifact that hold boxes of images; empty if there are none."""
    manifest = artifact.manifest
    with_boxes = (PSEUDO_LABELS.name, PSEUDO_LABELS.version), (DETECTIONS.name, DETECTIONS.version)
    if (manifest.artifact, manifest.version) in with_boxes:
        return artifact.files()
    if manifest.artifact != METRICS.name:
        return []
    return artifact.attachments(f"{EVALUATED_DETECTIONS.name}.parquet")


def _description(artifact: Artifact) -> str:
    """The kind of an artifact, its model, its name, and the options that tell it from others."""
    model = catalog.ancestor(artifact, models(with_language=True))
    options, protocol = artifact.manifest.stage.options, artifact.manifest.notes.get("protocol", {})
    details = [options.get("called"), protocol.get("boxes")]
    if artifact.manifest.stage.name == "label":
        used = artifact.manifest.notes.get("similarity", options)
        details += [f"temperature {used.get('temperature')}", f"among {options.get('among')}"]
    detail = ", ".join(str(word) for word in details if word)
    by = f" by {model.address}" if model else ""
    return f"{_TITLES[artifact.manifest.artifact]}{by}" + (f" ({detail})" if detail else "")


def _rows_of_image(files: Sequence[Path], image_id: str, columns: list[str]) -> list[Row]:
    """The rows of one image; row groups without it are skipped."""
    return _read_rows(files, pc.field("image_id") == image_id, columns)


def _read_rows(files: Sequence[Path], condition: pc.Expression, columns: list[str]) -> list[Row]:
    if not files:
        return []
    rows: list[Row] = pq.read_table(
        [str(path) for path in files],
        columns=columns,
        filters=condition,
        partitioning=None,  # a folder image_id=7 on the way to the store is no column
        page_checksum_verification=True,
    ).to_pylist()
    return rows
