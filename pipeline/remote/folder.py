"""A folder as a remote: on a shared disk, say. It needs no library and no network."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pipeline.remote.remote import NotThereError
from pipeline.store.atomic import (
    draft_folder,
    flush_folder,
    make_folder,
    publish,
    sha256,
    sweep_drafts,
)
from pipeline.store.disk_full import room_for
from schemas.errors import ArtifactError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE: Final = 1 << 20  # bytes read at a time


class Folder:
    """See `pipeline.remote.remote.Remote`."""

    concurrency = 1  # a disk is not faster for being asked twice

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise SourceError(f"{folder} is a file; a remote is a folder, or s3://BUCKET/FOLDER")
        self.url = str(folder)
        self._folder = folder
        sweep_drafts(folder)  # of pushes that were killed

    def read(self, name: str) -> Iterator[bytes]:
        """See `Remote`."""
        try:
            with (self._folder / name).open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except (FileNotFoundError, NotADirectoryError):
            raise NotThereError(name) from None

    def send(self, name: str, file: Path, size: int, digest: str, *, again: bool) -> bool:
        """See `Remote`; what is there counts only if it has its hash."""
        target = self._folder / name
        if not again and _is_there(target, size, digest):
            flush_folder(target.parent)  # its sender may have been killed before
            return False
        with self._draft(target) as draft:
            hashed = hashlib.sha256()
            with file.open("rb") as source, draft.open("wb") as copy:
                while piece := source.read(_PIECE):
                    hashed.update(piece)
                    copy.write(piece)
            if hashed.hexdigest() != digest:
                raise ArtifactError(damaged(file))
            publish(draft, target)
        return True

    def create(self, name: str, content: bytes) -> bool:
        """See `Remote`."""
        target = self._folder / name
        with self._draft(target) as draft:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, target)  # unlike a renaming, it never replaces
            except FileExistsError:
                return False
            finally:
                flush_folder(target.parent)
        return True

    @contextmanager
    def _draft(self, target: Path) -> Iterator[Path]:
        """A path to write before it goes to `target`; all drafts lie in the folder itself."""
        with room_for(target):
            make_folder(target.parent)
            with draft_folder(self._folder / target.name) as folder:
                yield folder / target.name


def damaged(file: Path) -> str:
    """The sentence about a file that is not what its manifest says, and so not sent."""
    return (
        f"{file} differs from the hash in its manifest, so it was not sent. 'rc verify' shows "
        "what else is damaged; recompute its artifact with its stage and --force."
    )


def _is_there(target: Path, size: int, digest: str) -> bool:
    return target.is_file() and target.stat().st_size == size and sha256(target) == digest
