"""Sides: what different artifacts say is in one image, in one form, to be set side by side.

A side is the ground truth, pseudo-labels (of a teacher's features or of a student's), the
detections of an evaluation, or those of `rc detect`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store import catalog
from schemas.detections import DETECTIONS
from schemas.errors import ArtifactNotFoundError
from schemas.images import IMAGES
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

TRUTH: Final = "truth"  # the side of what people drew
_MOST: Final = 300  # boxes of a side
_MODELS: Final = ("students", "detectors", "teachers")
_CORNERS: Final = ("x0", "y0", "x1", "y1")
_WORDS: Final = {
    "pseudo_labels": "pseudo-labels",
    "metrics": "evaluation",
    "detections": "detections",
}


def sources(connections: ConnectionPool, labels: str, *, drawn: bool) -> list[Row]:
    """The sides an image has: `of`, what to ask for, and `words`, what it is.

    They are about the very images that are looked at: another set may call others the same.

    Args:
        connections: The store.
        labels: Address of the pseudo-labels, or images, that are looked at.
        drawn: Whether people drew objects in the image.
    """
    found = [{"of": TRUTH, "words": "ground truth"}] if drawn else []
    looked_at = connections.shown(IMAGES.name, labels)
    for artifact in connections.artifacts():
        images = catalog.ancestor(artifact, (IMAGES.name,)) if _files(artifact) else None
        if images is not None and looked_at is not None and images.path == looked_at.path:
            found.append({"of": artifact.address, "words": _words(artifact)})
    return found


def side(connections: ConnectionPool, asked: Mapping[str, str]) -> dict[str, Any]:
    """Boxes with a name and a score, the surest first, as `of` says for the image `id`.

    Raises:
        ArtifactNotFoundError: If there is no such side.
    """
    image_id, of = asked.get("id", ""), asked.get("of", "")
    if of == TRUTH:
        return {"of": of, "words": "ground truth", "boxes": _drawn(connections, asked)}
    artifact = next((a for a in connections.artifacts() if a.address == of), None)
    if artifact is None or not _files(artifact):
        raise ArtifactNotFoundError("nothing of that name says what is in images")
    boxes = _labelled(artifact, image_id) if _is_labels(artifact) else _detected(artifact, image_id)
    boxes.sort(key=lambda row: -row["score"])
    return {"of": of, "words": _words(artifact), "boxes": boxes[:_MOST]}


def _drawn(connections: ConnectionPool, asked: Mapping[str, str]) -> list[Row]:
    image_id = asked.get("id", "")
    found = connections.ask(
        "SELECT objects FROM images WHERE image_id = ?",
        [image_id],
        connections.home(image_id, asked.get("labels", "")),
    )
    objects = found[0]["objects"] if found else []
    return [
        {"name": one["category"], "score": None, **{edge: one[edge] for edge in _CORNERS}}
        for one in objects
    ]


def _labelled(artifact: Artifact, image_id: str) -> list[Row]:
    columns = ["concept_id", "probability", "kept", "region", *_CORNERS]
    rows = [row for row in _rows(artifact.files(), image_id, columns) if row["kept"]]
    embeddings = catalog.ancestor(artifact, ("concept_embeddings",))
    names: dict[int, str] = {}
    if embeddings and rows:
        wanted = pc.field("concept_id").isin(sorted({row["concept_id"] for row in rows}))
        found = _table(embeddings.files(), wanted, ["concept_id", "concept"])
        names = {row["concept_id"]: row["concept"] for row in found}
    return [
        {
            "name": names.get(row["concept_id"], f"concept {row['concept_id']}"),
            "score": row["probability"],
            "region": row["region"],
            **{edge: row[edge] for edge in _CORNERS},
        }
        for row in rows
    ]


def _detected(artifact: Artifact, image_id: str) -> list[Row]:
    columns = ["category", "score", "truth", *_CORNERS]
    return [
        {"name": row.pop("category"), **row} for row in _rows(_files(artifact), image_id, columns)
    ]


def _files(artifact: Artifact) -> list[Path]:
    """Where an artifact keeps what it says of images; none if it says nothing."""
    manifest = artifact.manifest
    ours = (PSEUDO_LABELS.name, PSEUDO_LABELS.version), (DETECTIONS.name, DETECTIONS.version)
    if (manifest.artifact, manifest.version) in ours:
        return artifact.files()
    return artifact.attachments("detections.parquet") if manifest.artifact == "metrics" else []


def _is_labels(artifact: Artifact) -> bool:
    return artifact.manifest.artifact == PSEUDO_LABELS.name


def _words(artifact: Artifact) -> str:
    """What an artifact is, by whom, and what the user called it."""
    model = catalog.ancestor(artifact, _MODELS)
    options, protocol = artifact.manifest.stage.options, artifact.manifest.notes.get("protocol", {})
    about = [options.get("called"), protocol.get("boxes")]
    if artifact.manifest.stage.name == "label":
        about += [f"temperature {options.get('temperature')}", f"among {options.get('among')}"]
    told = ", ".join(str(word) for word in about if word)
    by = f" by {model.address}" if model else ""
    return f"{_WORDS[artifact.manifest.artifact]}{by}" + (f" ({told})" if told else "")


def _rows(files: Sequence[Path], image_id: str, columns: list[str]) -> list[Row]:
    """The rows of one image; row groups that cannot hold it are not read."""
    return _table(files, pc.field("image_id") == image_id, columns)


def _table(files: Sequence[Path], wanted: pc.Expression, columns: list[str]) -> list[Row]:
    if not files:
        return []
    rows: list[Row] = pq.read_table(
        [str(path) for path in files], columns=columns, filters=wanted
    ).to_pylist()
    return rows
