"""The manifest: what an artifact is, how it was made, and the hash of the list of its parts.

It ends with a hash of all of itself but that hash. What it says must also be possible: counts that
fit into a column, addresses that stay in the store, text that can be printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, field_validator

from pipeline.store import own_hash
from pipeline.store.atomic import whole_or_absent
from pipeline.store.part_records import MOST, STRICT, Natural, PartList, Sha256, Word, why
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: Final = "manifest.json"
SCHEMA_VERSION: Final = 2  # of manifests; in 1 they had all that is in lists of parts now
Verb = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_-]+( [A-Za-z0-9_-]+)?\z")]
ADDRESS: Final = r"[A-Za-z0-9_]+/v[0-9]+-[0-9a-f]{12}"  # of an artifact
Address = Annotated[str, Field(pattern=rf"\A{ADDRESS}\z")]


class _Strict(BaseModel):
    model_config = STRICT


class StageRecord(_Strict):
    """Which verb made the artifact, and with which options."""

    name: Verb
    version: Natural
    options: dict[str, Any]


class Manifest(_Strict):
    """Everything about an artifact but its rows; `run` is outside the fingerprint.

    `own_sha256` is set by `write`, and comes last in the file.
    """

    schema_version: Literal[2]
    artifact: Word
    version: Natural
    fingerprint: Sha256
    stage: StageRecord
    inputs: dict[Word, Address]
    sources: dict[str, str] = Field(default_factory=dict)
    parts: PartList
    drafts: PartList | None = None
    dropped: dict[Word, Natural] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict)
    run: dict[str, Any] = Field(default_factory=dict)
    own_sha256: str = ""

    @field_validator("run")
    @classmethod
    def _known_types(cls, run: dict[str, Any]) -> dict[str, Any]:
        _check_run(run)
        return run

    @property
    def rows(self) -> int:
        """Of all parts."""
        return self.parts.rows

    def lists(self, folder: Path) -> dict[Path, PartList]:
        """The folders of its parts and of its drafts, if it has any, below its own."""
        drafts = {folder / "drafts": self.drafts} if self.drafts else {}
        return {folder: self.parts, **drafts}

    def recipe(self) -> dict[str, Any]:
        """What is left when the circumstances of the run are taken away."""
        return self.model_dump(exclude={"run", "own_sha256"})

    def check_place(self, folder: Path) -> None:
        """Pass if this is the manifest of the artifact in a folder.

        Raises:
            ValueError: If it is that of another.
        """
        address = f"{self.artifact}/v{self.version}-{self.fingerprint[:12]}"
        if f"{folder.parent.name}/{folder.name}" != address:
            raise ValueError(f"it is that of {address}")

    def bytes(self) -> int:
        """Size of all parts, drafts and attachments."""
        return sum(one.bytes for one in (self.parts, self.drafts) if one)


def write(folder: Path, manifest: Manifest) -> None:
    """Publish an artifact; until this returns, it does not exist."""
    text = manifest.model_copy(update={"own_sha256": ""}).model_dump_json(indent=2) + "\n"
    Manifest.model_validate_json(text)  # what nobody could read is not published
    with whole_or_absent(folder / NAME) as draft:
        draft.write_text(own_hash.sealed(text), "utf-8")


def read(folder: Path) -> Manifest:
    """The manifest of a committed artifact.

    Raises:
        ArtifactError: If it is not one this version understands, not as it was written, or that
            of another artifact.
    """
    try:
        manifest = parse((folder / NAME).read_bytes(), folder)
    except (ValueError, OSError) as error:
        raise ArtifactError(
            f"{folder / NAME} cannot be read: {why(error)}. It was damaged, or written "
            "by another version; recompute it with its stage and --force, or delete its folder."
        ) from None
    return manifest


def parse(content: bytes, folder: Path) -> Manifest:
    """The manifest in these bytes, if it is that of the artifact in a folder, and as written.

    Raises:
        ValueError: If not.
    """
    manifest = Manifest.model_validate_json(content)
    own_hash.check(content.decode(), manifest.own_sha256)
    manifest.check_place(folder)
    return manifest


def _check_run(run: Mapping[str, Any]) -> None:
    """Refuse circumstances whose readers would stumble over them."""
    seconds, created, engine = run.get("seconds", 0), run.get("created", ""), run.get("engine", "")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < MOST:
        raise ValueError("seconds is not a number of seconds")
    if not all(isinstance(text, str) and text.isprintable() for text in (created, engine)):
        raise ValueError("created and engine are not lines of text")
    origins = run.get("origins", {})
    if not isinstance(origins, dict) or not all(map(_is_texts, origins.values())):
        raise ValueError("origins are not lists of paths by option")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
