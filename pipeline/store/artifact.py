"""A committed artifact: its rows, its attachments, its name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.store import manifest as manifests
from pipeline.store import parts
from pipeline.store.tables import models
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator
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
            ArtifactError: If it is gone.
        """
        folder = self.path / "drafts" if drafts else self.path
        path = folder / parts.part_name(number)
        if not path.is_file():
            raise ArtifactError(
                f"{path} is missing although its manifest lists it. 'rc verify' shows what else "
                f"is damaged; recompute with 'rc {self.manifest.stage.name} --force'."
            )
        return path

    def files(self, *, drafts: bool = False) -> list[Path]:
        """The Parquet files of all parts, in order."""
        records = self.manifest.drafts if drafts else self.manifest.parts
        return [self.part(record.number, drafts=drafts) for record in records]

    def attachments(self, suffix: str) -> list[Path]:
        """Committed files beside the rows whose names end in `suffix`, in order of part."""
        folders = ((self.path, self.manifest.parts), (self.path / "drafts", self.manifest.drafts))
        return [
            folder / file.name
            for folder, records in folders
            for record in records
            for file in record.files
            if file.name.endswith(suffix)
        ]


def open_artifact(path: Path) -> Artifact:
    """The artifact committed in a folder; its manifest is read once per process."""
    stamp = (path / manifests.NAME).stat()
    return _open(path, stamp.st_mtime_ns, stamp.st_ino)


@lru_cache(maxsize=256)
def _open(path: Path, _changed: int, _inode: int) -> Artifact:
    return Artifact(path, manifests.read(path))


def stream(files: list[Path]) -> Iterator[pa.RecordBatch]:
    """Rows of several Parquet files, one after the other."""
    for path in files:
        yield from parts.batches(path)
