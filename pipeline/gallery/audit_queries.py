"""The page Audit: audits of the store, their regions to judge, and judgements to write down."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pipeline.analysis.audits import Progress, sample_of, told_of, write_down
from pipeline.store import catalog
from pipeline.store.journals import journal_path
from schemas.audits import AUDITS
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError
from schemas.images import IMAGES
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.auditing.journal import Journal, Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

_NAMES: Final = 20  # of concepts that are offered
_REGION: Final = ("place", "image_id", "region", "concept_id", "x0", "y0", "x1", "y1")


def audits(connections: ConnectionPool) -> list[Row]:
    """Every audit by name, the newest first, with how far it is."""
    found: dict[str, Row] = {}
    for artifact in _samples(connections):
        name = catalog.selected(artifact)
        if name not in found:
            found[name] = {"name": name, "address": artifact.address}
            try:
                found[name] |= _state(connections, artifact, "")
            except ArtifactError as error:  # of this one; the others can be judged
                found[name]["problem"] = str(error)
    return list(found.values())


def audit(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The regions of an audit in the order to judge them.

    Args:
        connections: The store.
        parameters: `name` of the audit; `reviewer`, who judges.

    Returns:
        `regions`, with concept and image; `images` by id: width, height, captions; `labels`, the
        address that has the pictures; `progress`; what the reviewer said, by place; `problem`, a
        sentence if nothing can be written.

    Raises:
        ArtifactNotFoundError: If there is no such audit.
        ArtifactError: If what it was drawn from is gone, or its journal is not of it.
    """
    artifact = _sample(connections, parameters.get("name", ""))
    labels = catalog.made_from(artifact, PSEUDO_LABELS.name).address
    catalog.made_from(artifact, IMAGES.name)
    regions, images = connections.cached(
        ("audit", artifact.address), lambda: _regions(connections, artifact, labels)
    )
    journal = Journal(journal_path(connections.root, catalog.selected(artifact)))
    return {
        "name": catalog.selected(artifact),
        "address": artifact.address,
        "labels": labels,
        "regions": regions,
        "images": images,
        "problem": unwritable(connections.root, journal.path),
        **_state(connections, artifact, parameters.get("reviewer", "")),
    }


def concept_names(connections: ConnectionPool, parameters: Mapping[str, str]) -> list[str]:
    """Names of the pool that contain `text`: those that begin with it, then the most frequent."""
    rows = connections.query(
        "SELECT concept FROM concept_embeddings WHERE contains(lower(concept), lower(?)) "
        "ORDER BY NOT starts_with(lower(concept), lower(?)), concept_id LIMIT ?",
        [parameters.get("text", ""), parameters.get("text", ""), _NAMES],
        parameters.get("labels", ""),
    )
    return [row["concept"] for row in rows]


def take_judgement(connections: ConnectionPool, name: str, body: bytes) -> dict[str, Any]:
    """Write a judgement into the journal of an audit; it is on the disk when this returns.

    Args:
        connections: The store.
        name: Of the audit.
        body: JSON: what `Judgement` has, but its time.

    Returns:
        How far the audit is, and what this reviewer said of all its labels.

    Raises:
        OptionError: If it is no judgement, or of a label that was not drawn.
        ArtifactNotFoundError: If there is no such audit.
        OSError: If it cannot be written.
    """
    artifact = _sample(connections, name)
    judgement = _judgement(body)
    drawn = connections.cached(
        ("drawn", artifact.address), lambda: _keys(_rows(connections, artifact))
    )
    if (judgement.image_id, judgement.region, judgement.concept_id) not in drawn:
        raise OptionError(
            f"this label is not of {artifact.address}: the audit was drawn anew; reload the page"
        )
    write_down(connections.root, name, judgement)
    return _state(connections, artifact, judgement.reviewer)


def _judgement(body: bytes) -> Judgement:
    try:
        content = json.loads(body)
        if "time" in content:
            raise OptionError("the time of a judgement is when it is written down")
        return Judgement(**content)
    except (ValueError, TypeError, RecursionError):
        raise OptionError("a judgement is a JSON object with its id, label and verdict") from None


def _samples(connections: ConnectionPool) -> list[Artifact]:
    """All audits, the newest first."""
    return [
        artifact
        for artifact in connections.artifacts()
        if artifact.manifest.artifact == AUDITS.name
        and artifact.manifest.version == AUDITS.version
        and catalog.selected(artifact)
    ]


def _sample(connections: ConnectionPool, name: str) -> Artifact:
    for artifact in _samples(connections):
        if catalog.selected(artifact) == name:
            return artifact
    raise ArtifactNotFoundError("there is no audit of that name")


def _rows(connections: ConnectionPool, artifact: Artifact) -> pa.Table:
    rows: pa.Table = connections.cached(("sample", artifact.address), lambda: sample_of(artifact))
    return rows


def _keys(sample: pa.Table) -> set[tuple[str, int, int]]:
    columns = (sample[name].to_pylist() for name in _REGION[1:4])
    return set(zip(*columns, strict=True))


def _regions(
    connections: ConnectionPool, artifact: Artifact, labels: str
) -> tuple[list[Row], dict[str, Row]]:
    """The regions with the names of their concepts, and their images by id."""
    regions = _rows(connections, artifact).select(_REGION).to_pylist()
    rows = connections.query(
        "SELECT image_id, width, height, captions FROM images "
        "WHERE image_id IN (SELECT unnest(?::VARCHAR[]))",
        [sorted({row["image_id"] for row in regions})],
        labels,
    )
    concepts = connections.query(
        "SELECT concept_id, concept FROM concept_embeddings "
        "WHERE concept_id IN (SELECT unnest(?::INTEGER[]))",
        [sorted({row["concept_id"] for row in regions})],
        labels,
    )
    names = {row["concept_id"]: row["concept"] for row in concepts}
    named = [{**row, "concept": names.get(row["concept_id"], "")} for row in regions]
    return named, {row["image_id"]: row for row in rows}


def _state(connections: ConnectionPool, artifact: Artifact, reviewer: str) -> dict[str, Any]:
    """How far an audit is, and the verdicts of one reviewer by place."""
    sample = _rows(connections, artifact)
    told = told_of(connections.root, artifact, sample)
    mine = {label: verdict for label, who, verdict in told if who == reviewer}
    labels = zip(*(sample[name].to_pylist() for name in ("image_id", "region")), strict=True)
    verdicts = {place: mine[label] for place, label in enumerate(labels) if label in mine}
    return {"progress": asdict(Progress.of(sample, told)), "verdicts": verdicts}


def unwritable(root: Path, journal: Path) -> str | None:
    """Why nothing can be written down, as far as is known before it is tried."""
    nearest = next(path for path in (journal, *journal.parents, root) if path.exists())
    if os.access(nearest, os.W_OK):
        return None
    return f"{nearest} cannot be written: nothing that is judged here can be kept"
