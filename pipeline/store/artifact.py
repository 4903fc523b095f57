"""A committed artifact: its rows, its attachments, its name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from pipeline.store import manifest as manifests
from pipeline.store import part_records, parts
from pipeline.store.integrity import is_whole
from pipeline.store.part_records import PartRecords
from pipeline.store.tables import may_be_empty
from pipeline.store.warning import warn
from schemas.errors import ArtifactError, NoAttachmentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.manifest import Manifest


@dataclass(frozen=True)
class Artifact:
    """A folder of parts with a manifest."""

    path: Path
    manifest: Manifest

    @property
    def address(self) -> str:
        """Name within the store: features/v1-3f9c2a7e01bd."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def root(self) -> Path:
        """The store it lies in."""
        return self.path.parent.parent

    @cached_property
    def parts(self) -> PartRecords:
        """Records of its parts, in order.

        Raises:
            ArtifactError: If the list of them is not what its manifest says.
        """
        return part_records.read(self.path, self.manifest.parts)

    @cached_property
    def drafts(self) -> PartRecords:
        """Records of its drafts, in order; none if it was not merged from any.

        Raises:
            ArtifactError: If the list of them is not what its manifest says.
        """
        drafts = self.manifest.drafts
        return part_records.read(self.path / "drafts", drafts) if drafts else PartRecords(())

    @property
    def numbers(self) -> list[int]:
        """Numbers of its parts, in order."""
        return self.parts.numbers

    @property
    def is_empty(self) -> bool:
        """Whether it lacks rows: a model needs no training curve, nor is it wrong to be unique."""
        return not self.manifest.rows and not may_be_empty(self.manifest.artifact)

    def part(self, number: int, *, drafts: bool = False) -> Path:
        """The Parquet file of one part.

        Raises:
            ArtifactError: If it is gone, or not what its manifest says.
        """
        folder = self.path / "drafts" if drafts else self.path
        return self._as_listed(folder / parts.part_name(number))

    def files(self, *, drafts: bool = False) -> list[Path]:
        """The Parquet files of all parts, in order."""
        records = self.drafts if drafts else self.parts
        return [self.part(record.number, drafts=drafts) for record in records]

    def attachments(self, suffix: str) -> list[Path]:
        """Committed files beside the rows whose names end in `suffix`, in order of part.

        Raises:
            ArtifactError: If one is gone, or not what its manifest says.
        """
        rows = {parts.part_name(record.number) for record in (*self.parts, *self.drafts)}
        return [
            self._as_listed(self.path / name)
            for name in self.listed
            if name.endswith(suffix) and name.rpartition("/")[2] not in rows
            if not name.endswith(part_records.NAME)
        ]

    def attachment(self, name: str) -> Path:
        """A committed file beside the rows.

        Raises:
            NoAttachmentError: If it was never there.
            ArtifactError: If it is gone, or not what its manifest says.
        """
        return self._as_listed(self.path / name)

    def records(self) -> dict[Path, PartRecords]:
        """Records of its parts and of its drafts, if it was merged from any, by their folders.

        Raises:
            ArtifactError: If a list is not what its manifest says.
        """
        folders = self.manifest.lists(self.path)
        return dict(zip(folders, (self.parts, self.drafts), strict=False))

    @cached_property
    def listed(self) -> dict[str, tuple[int, str]]:
        """Bytes and hash of every file but the manifest, by its path in the folder.

        The lists of parts come first, the others in order of part.
        """
        listed = {}
        for folder, summary in self.manifest.lists(self.path).items():
            listed[self._name(folder, part_records.NAME)] = summary.list_bytes, summary.list_sha256
        for folder, records in self.records().items():
            for record in records:
                rows = self._name(folder, parts.part_name(record.number))
                listed[rows] = record.bytes, record.sha256
                for file in record.files:
                    listed[self._name(folder, file.name)] = file.bytes, file.sha256
        return listed

    def _name(self, folder: Path, name: str) -> str:
        """Path of a file in the folder of this artifact."""
        return name if folder == self.path else f"{folder.name}/{name}"

    def _as_listed(self, path: Path) -> Path:
        size = path.stat().st_size if path.is_file() else None
        expected, digest = self.listed.get(self._name(path.parent, path.name), (None, ""))
        if expected is None:
            harm = "is not in its manifest"
        elif size is None:
            harm = "is missing although its manifest lists it"
        elif size != expected:
            harm = f"has {size} bytes, and {expected} in its manifest"
        elif not is_whole(path, digest):
            harm = "differs from the hash in its manifest"
        else:
            return path
        kind = ArtifactError if expected is not None else NoAttachmentError
        raise kind(
            f"{path} {harm}. 'rc verify' shows what else is damaged; recompute with "
            f"'rc {self.manifest.stage.name} --force'."
        )


def open_artifact(path: Path) -> Artifact:
    """The artifact committed in a folder; its manifest is read once per process.

    Its path is absolute: libraries take the beginning of a relative one (`~`, `s3:`) for more.
    """
    stamp = (path / manifests.NAME).stat()
    return _open(path.absolute(), stamp.st_mtime_ns, stamp.st_ino)


def open_readable(paths: Iterable[Path]) -> list[Artifact]:
    """The artifacts whose manifests can be read; the others are left out, with a warning."""
    artifacts = []
    for path in paths:
        try:
            artifacts.append(open_artifact(path))
        except ArtifactError as error:
            warn(f"{path.parent.name}/{path.name} is left out: {error}")
        except OSError:  # deleted at this moment
            continue
    return artifacts


def with_readable_parts(artifacts: Iterable[Artifact]) -> Iterator[Artifact]:
    """Those whose lists of parts can be read; the others are left out, with a warning."""
    for artifact in artifacts:
        try:
            artifact.records()
        except ArtifactError as error:
            if (artifact.path / manifests.NAME).exists():  # else it was deleted at this moment
                warn(f"{artifact.address} is left out: {error}")
        else:
            yield artifact


@lru_cache(maxsize=256)
def _open(path: Path, _changed: int, _inode: int) -> Artifact:
    return Artifact(path, manifests.read(path))


def stream(files: list[Path]) -> Iterator[pa.RecordBatch]:
    """Rows of several Parquet files, one after the other."""
    for path in files:
        yield from parts.batches(path)
