"""How models were trained, and how they were judged, as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.store.artifact import stream
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.gallery.connection_pool import ConnectionPool, Row
    from pipeline.store.artifact import Artifact

_CURVES: Final = ("teachers", "rpns", "students", "detectors")
_POINTS: Final = 400  # of a curve; a screen shows no more


def training(connections: ConnectionPool) -> list[dict[str, Any]]:
    """The curves of every model of the store, the newest first."""
    found = []
    for artifact in connections.artifacts():
        if artifact.manifest.artifact in _CURVES and artifact.manifest.rows > 1:
            rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
            found.append({"artifact": artifact.address, "rows": thinned(rows)})
    return found


def thinned(rows: list[Row]) -> list[Row]:
    """At most some hundreds of the rows of a curve, evenly, with the first and the last."""
    return [*rows[: -1 : max(1, len(rows) // _POINTS)], rows[-1]]


def evaluations(connections: ConnectionPool) -> list[dict[str, Any]]:
    """Every evaluation of the store, the newest first: what it was of, and its main metrics."""
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


def evaluation(connections: ConnectionPool, asked: Mapping[str, str]) -> dict[str, Any]:
    """One evaluation: metrics by category, confusions and curves.

    Raises:
        ArtifactNotFoundError: If there is none of that address.
    """
    for artifact in connections.artifacts():
        if artifact.manifest.artifact == "metrics" and artifact.address == asked.get("artifact"):
            categories = [row for row in _metrics(artifact) if row["category"]]
            return {"categories": categories, **_beside(artifact)}
    raise ArtifactNotFoundError("there is no evaluation of that name")


def _metrics(artifact: Artifact) -> list[Row]:
    return [row for batch in stream(artifact.files()) for row in batch.to_pylist()]


def _protocol(artifact: Artifact) -> dict[str, Any]:
    return dict(artifact.manifest.notes.get("protocol", {}))


def _beside(artifact: Artifact) -> dict[str, Any]:
    """Confusions and curves, where they lie beside the metrics."""
    found: dict[str, Any] = {}
    for name, most in (("confusions", 40), ("curves", 100_000)):
        files = artifact.attachments(f"{name}.parquet")
        rows = [row for batch in stream(files) for row in batch.to_pylist()] if files else []
        if name == "curves":
            rows = [row for row in rows if not row["category"]]
        else:  # most are right, and would leave no room for those that are wrong
            rows = [row for row in rows if row["truth"] != row["called"]]
        found[name] = rows[:most]
    return found
