"""The parts of an artifact: a record of each, a line of JSON, in a list beside the rows.

So the manifest is small however many parts there are, and who only asks what is in a store reads no
list. The chain of hashes holds: the manifest has a hash of itself and that of the list, the list
has those of the files. What a list says must also be possible: parts in rising order, each once,
sums as in the manifest, names that stay in the folder.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pipeline.store.atomic import make_folder, whole_or_absent
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

NAME: Final = "parts.jsonl"
MOST: Final = 2**63  # what counts stay below, to fit into a column
_RESERVED: Final = re.compile(
    r"part-\d+\.parquet|manifest\.json|recency\.json|parts\.jsonl|drafts", re.IGNORECASE
)  # not every file system tells A from a

Natural = Annotated[int, Field(ge=0, lt=MOST)]
Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
Word = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_-]+\z")]
FileName = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]*\z", max_length=255)]

STRICT: Final = ConfigDict(extra="forbid", frozen=True, strict=True)
_STRICT: Final = ConfigDict(extra="forbid", strict=True)  # of a dataclass, which says frozen itself


@dataclass(frozen=True, slots=True, config=_STRICT)
class FileRecord:
    """One file beside the rows of a part."""

    name: FileName
    bytes: Natural
    sha256: Sha256


@dataclass(frozen=True, slots=True, config=_STRICT)
class PartRecord:
    """One part: its rows and the files that belong to it, and what its task reported.

    Attributes:
        number: Which part.
        rows: How many.
        bytes: Size of the file of rows.
        sha256: Hash of it.
        files: What lies beside the rows.
        recipe: Hash of all that decides its bytes, see `pipeline.execution.part_recipes`; None
            where one task reads everything.
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
    dropped: dict[Word, Natural] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    facts: tuple[str, ...] = ()


class PartList(BaseModel):
    """What a manifest says of a list of parts.

    Attributes:
        count: How many parts.
        rows: Of all of them.
        bytes: Of all their files.
        list_bytes: Size of the list.
        list_sha256: Hash of it.
    """

    model_config = STRICT

    count: Natural
    rows: Natural
    bytes: Natural
    list_bytes: Natural
    list_sha256: Sha256


_RECORD: Final = TypeAdapter(PartRecord)


class PartRecords:
    """Records in rising order of part, each made of its line when it is asked for.

    So 100,000 parts are some 50 MB of text, and not as many objects.
    """

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    @cached_property
    def numbers(self) -> list[int]:
        """Numbers of the parts."""
        return [record.number for record in self]

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, place: int) -> PartRecord:
        return _RECORD.validate_json(self._lines[place])

    def __iter__(self) -> Iterator[PartRecord]:
        return map(_RECORD.validate_json, self._lines)


def write(folder: Path, records: Iterable[PartRecord]) -> PartList:
    """List the parts that lie in a folder.

    Raises:
        ValueError: If nobody could read the list.
    """
    lines = [_RECORD.dump_json(record, exclude_defaults=True) + b"\n" for record in records]
    content = b"".join(lines)
    count, rows, size = _sums(PartRecords(lines))  # what nobody could read is not published
    make_folder(folder)  # of no parts at all, nobody else has made it
    with whole_or_absent(folder / NAME) as draft:
        draft.write_bytes(content)
    return PartList(
        count=count,
        rows=rows,
        bytes=size,
        list_bytes=len(content),
        list_sha256=hashlib.sha256(content).hexdigest(),
    )


def read(folder: Path, expected: PartList) -> PartRecords:
    """The parts that lie in a folder, by the list of them there.

    Raises:
        ArtifactError: If it is not the list that the manifest means.
    """
    try:
        return parse((folder / NAME).read_bytes(), expected)
    except (ValueError, OSError) as error:
        raise ArtifactError(
            f"{folder / NAME} cannot be read: {why(error)}. It was damaged; recompute the artifact "
            "with its stage and --force, or delete its folder."
        ) from None


def parse(content: bytes, expected: PartList) -> PartRecords:
    """The parts in a list, if it is the one that a manifest means.

    Raises:
        ValueError: If not, or if it contradicts itself.
    """
    if hashlib.sha256(content).hexdigest() != expected.list_sha256:
        raise ValueError("it differs from the hash in its manifest")
    if len(content) != expected.list_bytes:  # a push, and a pull of it, would go by this number
        raise ValueError(f"it has {len(content)} bytes, and {expected.list_bytes} in its manifest")
    records = PartRecords(content.splitlines())
    said = expected.count, expected.rows, expected.bytes
    for what, total, should in zip(("parts", "rows", "bytes"), _sums(records), said, strict=True):
        if total != should:
            raise ValueError(f"it has {total} {what} together, not {should}")
    return records


def _sums(records: Iterable[PartRecord]) -> tuple[int, int, int]:
    """How many parts, rows and bytes there are.

    Raises:
        ValueError: If a line is no record, or records contradict each other.
    """
    count, rows, size, before, names = 0, 0, 0, -1, set[str]()
    for record in records:
        if record.number <= before:
            raise ValueError("the parts are not in rising order, each once")
        for file in record.files:
            if file.name in names or _RESERVED.fullmatch(file.name):
                raise ValueError(f"{file.name} is listed twice, or as what it is not")
            names.add(file.name)
        count, before, rows = count + 1, record.number, rows + record.rows
        size += record.bytes + sum(file.bytes for file in record.files)
    return count, rows, size


def why(error: Exception) -> str:
    """What is wrong with a manifest or list, on one line that can be printed."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    text = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        where = ".".join(map(str, first["loc"])) or (
            "" if first["type"] == "value_error" else "its JSON"
        )
        text = f"{where}: {message}" if where else message
    return re.sub(r"[^\x20-\x7e]", "�", text)[:300]
