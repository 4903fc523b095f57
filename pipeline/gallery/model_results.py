"""Training curves and evaluations of models, as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.store.artifact import stream
from pipeline.store.tables import models
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

_MAX_POINTS: Final = 400  # of a curve: a screen shows no more


def training_curves(connections: ConnectionPool) -> list[dict[str, Any]]:
    """The training curve of every model of the store, the newest first."""
    curves = []
    for artifact in connections.artifacts():
        if artifact.manifest.artifact in models() and artifact.manifest.rows > 1:
            rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
            log_every = artifact.manifest.stage.options.get("log_every")
            curve = {"artifact": artifact.address, "rows": thin_out(rows), "log_every": log_every}
            curves.append(curve)
    return curves


def thin_out(rows: list[Row]) -> list[Row]:
    """A few hundred evenly spaced rows of a curve, with the first and the last."""
    return [*rows[: -1 : max(1, len(rows) // _MAX_POINTS)], rows[-1]]


def list_evaluations(connections: ConnectionPool) -> list[dict[str, Any]]:
    """Every evaluation of the store, the newest first: its model, boxes and main metrics."""
    return [
        {
            "artifact": artifact.address,
            "model": artifact.manifest.inputs.get("model", ""),
            "boxes": _protocol(artifact).get("boxes", ""),
            "metrics": [row for row in _metrics(artifact) if not row["category"]],
        }
        for artifact in connections.artifacts()
        if artifact.manifest.artifact == "metrics"
    ]


def evaluation_details(
    connections: ConnectionPool, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """One evaluation: metrics by category, confusions and curves.

    Raises:
        ArtifactNotFoundError: If `artifact` is not the address of an evaluation.
    """
    for artifact in connections.artifacts():
        if artifact.manifest.artifact == "metrics" and artifact.address == parameters.get(
            "artifact"
        ):
            categories = [row for row in _metrics(artifact) if row["category"]]
            return {"categories": categories, **_attached_tables(artifact)}
    raise ArtifactNotFoundError("there is no evaluation of that name")


def _metrics(artifact: Artifact) -> list[Row]:
    return [row for batch in stream(artifact.files()) for row in batch.to_pylist()]


def _protocol(artifact: Artifact) -> dict[str, Any]:
    return dict(artifact.manifest.notes.get("protocol", {}))


def _attached_tables(artifact: Artifact) -> dict[str, Any]:
    """Confusions and curves, if they are attached to the metrics."""
    tables: dict[str, Any] = {}
    for name, limit in (("confusions", 40), ("curves", 100_000)):
        files = artifact.attachments(f"{name}.parquet")
        rows = [row for batch in stream(files) for row in batch.to_pylist()] if files else []
        if name == "curves":
            rows = [row for row in rows if not row["category"]]
        else:  # the correct ones are so frequent that they would fill the list
            rows = [row for row in rows if row["truth"] != row["called"]]
        tables[name] = rows[:limit]
    return tables
