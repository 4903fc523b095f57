"""Artifacts by what the user called them, whatever else a name could be the beginning of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.store import catalog
from pipeline.store.artifact import open_readable
from pipeline.store.recency import recency

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from schemas.table import Table


def called(root: Path, table: Table, name: str) -> Artifact | None:
    """The newest artifact of a table that the user called so, of any version; None without one."""
    there = open_readable(catalog.committed(root, table.name))
    named = (artifact for artifact in there if catalog.selected(artifact) == name)
    return max(named, key=lambda one: recency(one.path, one.manifest.run), default=None)
