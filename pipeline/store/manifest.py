"""The manifest: what an artifact is, how it was made, and the hashes of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.store.atomic import whole_or_absent
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "manifest.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Strict):
    """One file beside the rows of a part."""

    name: str
    bytes: int
    sha256: str


class PartRecord(_Strict):
    """One part: its rows and the files that belong to it."""

    number: int
    rows: int
    bytes: int
    sha256: str
    files: tuple[FileRecord, ...] = ()


class StageRecord(_Strict):
    """Which verb made the artifact, and with which options."""

    name: str
    version: int
    options: dict[str, Any]


class Manifest(_Strict):
    """Everything about an artifact but its rows; `run` is outside the fingerprint."""

    artifact: str
    version: int
    fingerprint: str
    stage: StageRecord
    inputs: dict[str, str]
    sources: dict[str, str] = Field(default_factory=dict)
    parts: tuple[PartRecord, ...]
    drafts: tuple[PartRecord, ...] = ()
    rows: int
    dropped: dict[str, int] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict)
    run: dict[str, Any] = Field(default_factory=dict)

    def recipe(self) -> dict[str, Any]:
        """What is left when the circumstances of the run are taken away."""
        return self.model_dump(exclude={"run"})

    def bytes(self) -> int:
        """Size of all parts, drafts and attachments."""
        parts = (*self.parts, *self.drafts)
        return sum(p.bytes + sum(f.bytes for f in p.files) for p in parts)


def write(folder: Path, manifest: Manifest) -> None:
    """Publish an artifact; until this returns, it does not exist."""
    with whole_or_absent(folder / NAME) as draft:
        draft.write_text(manifest.model_dump_json(indent=2) + "\n")


def read(folder: Path) -> Manifest:
    """The manifest of a committed artifact.

    Raises:
        ArtifactError: If it is not one this version understands.
    """
    try:
        return Manifest.model_validate_json((folder / NAME).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "its JSON"
        raise ArtifactError(
            f"{folder / NAME} cannot be read: {where}: {first['msg']}. It was damaged, or written "
            "by another version; recompute it with its stage and --force, or delete its folder."
        ) from None
