"""What lies in the folders of a source beside the files that it reads, counted by kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.sources.file_kinds import left_out_files
from stages.sources.folder_files import list_files
from stages.sources.name_index import stem
from stages.sources.record import LeftOut

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from stages.sources.folder_files import FolderFiles


def unread_below(folders: Iterable[str], read: Collection[str]) -> list[LeftOut]:
    """Files below the folders that are not read, by kind; a file below two of them counts once.

    Args:
        folders: That the user named.
        read: Paths of the files that are read.
    """
    seen = {str(Path(path)) for path in read}
    left_out: list[LeftOut] = []
    for folder in folders:
        files = list_files(folder)
        paths = dict.fromkeys(str(Path(folder, name)) for name in _names(files))
        names = [str(Path(path).relative_to(folder)) for path in paths if path not in seen]
        left_out += left_out_files(folder, names)
        left_out += [LeftOut(kind, n) for kind, n in sorted(files.skipped.items())]
        seen |= set(paths)
    return left_out


def _names(files: FolderFiles) -> Iterator[str]:
    """All files of a folder, without hidden ones."""
    for image in files.images:
        yield image.name
        yield from (stem(image.name) + suffix for suffix in image.texts)
    yield from files.others
