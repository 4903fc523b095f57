"""The manifest: what an artifact is, how it was made, and the hashes of its files.

It ends with a hash of all of itself but that hash. What it says must also be possible: parts in
rising order, each once, rows that add up, names that stay in the folder, text that can be printed.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.store import own_hash
from pipeline.store.atomic import whole_or_absent
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "manifest.json"
_MOST: Final = 2**63  # what counts stay below, to fit into a column
_RESERVED: Final = re.compile(r"part-\d+\.parquet|manifest\.json|recency\.json")  # no attachment

Natural = Annotated[int, Field(ge=0, lt=_MOST)]
Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
Word = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_-]+\z")]
Verb = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_-]+( [A-Za-z0-9_-]+)?\z")]
FileName = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]*\z", max_length=255)]
ADDRESS: Final = r"[A-Za-z0-9_]+/v[0-9]+-[0-9a-f]{12}"  # of an artifact
Address = Annotated[str, Field(pattern=rf"\A{ADDRESS}\z")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileRecord(_Strict):
    """One file beside the rows of a part."""

    name: FileName
    bytes: Natural
    sha256: Sha256


class PartRecord(_Strict):
    """One part: its rows and the files that belong to it, and what its task reported.

    Attributes:
        number: Which part.
        rows: How many.
        bytes: Size of the file of rows.
        sha256: Hash of it.
        files: What lies beside the rows.
        recipe: Hash of all that decides its bytes, see `pipeline.execution.reuse`; None where
            one task reads everything.
        dropped: Refused records by reason.
        counts: Numbers that it adds to the notes.
        facts: Names of the notes that it agrees with.
    """

    number: Natural
    rows: Natural
    bytes: Natural
    sha256: Sha256
    files: tuple[FileRecord, ...] = ()
    recipe: Sha256 | None = None
    dropped: dict[Word, Natural] = Field(default_factory=dict)
    counts: dict[str, Any] = Field(default_factory=dict)
    facts: tuple[str, ...] = ()


class StageRecord(_Strict):
    """Which verb made the artifact, and with which options."""

    name: Verb
    version: Natural
    options: dict[str, Any]


class Manifest(_Strict):
    """Everything about an artifact but its rows; `run` is outside the fingerprint.

    `own_sha256` is set by `write`, and comes last in the file.
    """

    artifact: Word
    version: Natural
    fingerprint: Sha256
    stage: StageRecord
    inputs: dict[Word, Address]
    sources: dict[str, str] = Field(default_factory=dict)
    parts: tuple[PartRecord, ...]
    drafts: tuple[PartRecord, ...] = ()
    rows: Natural
    dropped: dict[Word, Natural] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict)
    run: dict[str, Any] = Field(default_factory=dict)
    own_sha256: str = ""

    @field_validator("parts", "drafts")
    @classmethod
    def _each_once_in_order(cls, records: tuple[PartRecord, ...]) -> tuple[PartRecord, ...]:
        numbers = [record.number for record in records]
        if any(first >= second for first, second in pairwise(numbers)):
            raise ValueError("the parts are not in rising order, each once")
        names = Counter(file.name for record in records for file in record.files)
        if wrong := [
            name for name, times in names.items() if times > 1 or _RESERVED.fullmatch(name)
        ]:
            raise ValueError(f"{wrong[0]} is listed twice, or as what it is not")
        return records

    @field_validator("run")
    @classmethod
    def _known_types(cls, run: dict[str, Any]) -> dict[str, Any]:
        _check_run(run)
        return run

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = sum(record.rows for record in self.parts)
        if total != self.rows:
            raise ValueError(f"its parts have {total} rows together, not {self.rows}")
        return self

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
        parts = (*self.parts, *self.drafts)
        return sum(p.bytes + sum(f.bytes for f in p.files) for p in parts)


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


def why(error: Exception) -> str:
    """What is wrong with a manifest, on one line that can be printed."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, first["loc"])) or (
        "" if first["type"] == "value_error" else "its JSON"
    )
    text = f"{where}: {message}" if where else message
    return re.sub(r"[^\x20-\x7e]", "�", text)[:300]


def _check_run(run: Mapping[str, Any]) -> None:
    """Refuse circumstances whose readers would stumble over them."""
    seconds, created, engine = run.get("seconds", 0), run.get("created", ""), run.get("engine", "")
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds < _MOST
    ):
        raise ValueError("seconds is not a number of seconds")
    if not all(isinstance(text, str) and text.isprintable() for text in (created, engine)):
        raise ValueError("created and engine are not lines of text")
    origins = run.get("origins", {})
    if not isinstance(origins, dict) or not all(map(_is_texts, origins.values())):
        raise ValueError("origins are not lists of paths by option")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
