"""What is in a store: finding artifacts by name, walking their ancestry, checking and sweeping."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from pipeline.store import manifest as manifests
from pipeline.store import parts
from pipeline.store.artifact import Artifact, open_artifact
from schemas.errors import ArtifactNotFoundError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = re.compile(r"v(\d+)-([0-9a-f]{12})")
# Results that nothing else is made from, and models that cost hours: never swept by themselves.
_KEPT_ALWAYS = ("teachers", "rpns", "students", "detectors", "metrics")


def find(root: Path, name: str, version: int | None = None) -> Artifact:
    """The newest artifact of a table, or the one that `table@prefix` (or its address) names.

    Newest is the one last committed, or last asked for by the command that makes it.

    Raises:
        ArtifactNotFoundError: If nothing committed matches.
        SchemaError: If it was written by a newer version of its table than `version`.
    """
    table, _, prefix = _split(name)
    found = [path for path in committed(root, table) if path.name.split("-")[1].startswith(prefix)]
    if not found:
        raise ArtifactNotFoundError(
            f"no artifact matches '{name}' in {root}. "
            "See what is there with 'rc status', or make it with its stage."
        )
    newest = max(found, key=lambda path: ((path / manifests.NAME).stat().st_mtime_ns, path.name))
    _refuse_newer(newest, version)
    return open_artifact(newest)


def committed(root: Path, table: str = "*") -> list[Path]:
    """Folders of all committed artifacts of a table, or of all tables."""
    return sorted(
        path.parent
        for path in root.glob(f"{table}/v*-*/{manifests.NAME}")
        if _FOLDER.fullmatch(path.parent.name)
    )


def everything(root: Path) -> list[Artifact]:
    """All committed artifacts, oldest first."""
    folders = committed(root)
    folders.sort(key=lambda path: (path / manifests.NAME).stat().st_mtime_ns)
    return [open_artifact(path) for path in folders]


def parents(artifact: Artifact) -> dict[str, Artifact]:
    """The inputs an artifact was made from, by role; those since deleted are left out."""
    found = {}
    for role, address in artifact.manifest.inputs.items():
        path = artifact.root / address
        if (path / manifests.NAME).is_file():
            found[role] = open_artifact(path)
    return found


def ancestry(artifact: Artifact) -> Iterator[Artifact]:
    """The artifact, then everything it was made from, nearest first, each once."""
    waiting, seen = [artifact], set()
    while waiting:
        current = waiting.pop(0)
        if current.path in seen:
            continue
        seen.add(current.path)
        yield current
        waiting.extend(parents(current).values())


def ancestor(artifact: Artifact, tables: tuple[str, ...]) -> Artifact | None:
    """The nearest artifact of one of `tables` in the ancestry, itself included."""
    for candidate in ancestry(artifact):
        if candidate.manifest.artifact in tables:
            return candidate
    return None


def verify(artifact: Artifact) -> list[str]:
    """Files that are missing or differ from the hash in the manifest, relative to the store."""
    folders = (
        (artifact.path, artifact.manifest.parts),
        (artifact.path / "drafts", artifact.manifest.drafts),
    )
    return [
        str((folder / name).relative_to(artifact.root))
        for folder, records in folders
        for record in records
        for name in parts.damaged(folder, record)
    ]


def sweepable(root: Path) -> dict[Path, str]:
    """Folders that nothing refers to, with the reason: unfinished runs and superseded artifacts."""
    finished = everything(root)
    newest = {artifact.manifest.artifact: artifact for artifact in finished}
    kept = [a for a in finished if a.manifest.artifact in _KEPT_ALWAYS]
    needed = {a.path for leaf in [*newest.values(), *kept] for a in ancestry(leaf)}
    found = {a.path: "superseded, and nothing refers to it" for a in finished}
    found = {path: reason for path, reason in found.items() if path not in needed}
    for path in sorted(root.glob("*/v*-*")):
        if path.is_dir() and not (path / manifests.NAME).exists():
            found[path] = "unfinished"
    return found


def sweep(folder: Path) -> int:
    """Delete an artifact or an unfinished run, manifest first; how many bytes that freed."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    (folder / manifests.NAME).unlink(missing_ok=True)
    shutil.rmtree(folder)
    return size


def _split(name: str) -> tuple[str, str, str]:
    address = re.fullmatch(r"(\w+)/v\d+-([0-9a-f]+)/?", name)
    if address:
        return address[1], "@", address[2]
    return name.partition("@")


def _refuse_newer(path: Path, version: int | None) -> None:
    match = _FOLDER.fullmatch(path.name)
    if version is not None and match and int(match[1]) > version:
        raise SchemaError(
            f"{path.parent.name}/{path.name} was written by a newer version of this program "
            f"(table version {match[1]}; this one reads up to {version}). Upgrade, or recompute it."
        )
