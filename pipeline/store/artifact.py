"""A committed artifact: its rows, its attachments, its name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from pipeline.store import manifest as manifests
from pipeline.store import parts
from pipeline.store.integrity import is_whole
from pipeline.store.tables import models
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

    @property
    def numbers(self) -> list[int]:
        """Numbers of its parts, in order."""
        return [part.number for part in self.manifest.parts]

    @property
    def is_empty(self) -> bool:
        """Whether it has no rows; a model without a training curve is not empty."""
        return not self.manifest.rows and self.manifest.artifact not in models()

    def part(self, number: int, *, drafts: bool = False) -> Path:
        """The Parquet file of one part.

        Raises:
            ArtifactError: If it is gone, or not what its manifest says.
        """
        folder = self.path / "drafts" if drafts else self.path
        return self._as_listed(folder / parts.part_name(number))

    def files(self, *, drafts: bool = False) -> list[Path]:
        """The Parquet files of all parts, in order."""
        records = self.manifest.drafts if drafts else self.manifest.parts
        return [self.part(record.number, drafts=drafts) for record in records]

    def attachments(self, suffix: str) -> list[Path]:
        """Committed files beside the rows whose names end in `suffix`, in order of part.

        Raises:
            ArtifactError: If one is gone, or not what its manifest says.
        """
        records = (*self.manifest.parts, *self.manifest.drafts)
        rows = {parts.part_name(record.number) for record in records}
        return [
            self._as_listed(path)
            for path in self.listed
            if path.name.endswith(suffix) and path.name not in rows
        ]

    def attachment(self, name: str) -> Path:
        """A committed file beside the rows.

        Raises:
            NoAttachmentError: If it was never there.
            ArtifactError: If it is gone, or not what its manifest says.
        """
        return self._as_listed(self.path / name)

    @cached_property
    def listed(self) -> dict[Path, tuple[int, str]]:
        """Bytes and hash of every file that the manifest lists, in its order."""
        folders = ((self.path, self.manifest.parts), (self.path / "drafts", self.manifest.drafts))
        listed = {}
        for folder, records in folders:
            for record in records:
                listed[folder / parts.part_name(record.number)] = record.bytes, record.sha256
                listed |= {folder / file.name: (file.bytes, file.sha256) for file in record.files}
        return listed

    def _as_listed(self, path: Path) -> Path:
        size = path.stat().st_size if path.is_file() else None
        expected, digest = self.listed.get(path, (None, ""))
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


@lru_cache(maxsize=256)
def _open(path: Path, _changed: int, _inode: int) -> Artifact:
    return Artifact(path, manifests.read(path))


def stream(files: list[Path]) -> Iterator[pa.RecordBatch]:
    """Rows of several Parquet files, one after the other."""
    for path in files:
        yield from parts.batches(path)
