"""Lists the files of a folder and its subfolders: images, the texts beside them, all others.

A linked subfolder is read where its link stands, unless it is read elsewhere: so loops end, and no
folder is read twice. Hidden folders and those of thumbnails are not read; their images are counted.
What comes out depends on names alone, never on the order in which the disk has them.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stages.sources.files import is_image
from stages.sources.name_index import stem

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT_SUFFIXES: Final = (".txt", ".caption", ".json")  # in the order in which they are read
_THUMBNAIL_FOLDERS: Final = frozenset(
    ("@eadir", "thumbs", "thumbnails", "_thumbs", "_thumbnails", ".thumbs", ".thumbnails")
)
_TRASH: Final = frozenset(("__macosx", "#recycle", "$recycle.bin", "lost+found"))
_ARTIFACT: Final = re.compile(r"v\d+-[0-9a-f]{12}")  # of a store that lies in the folder
_APPLE_DOUBLE: Final = "._ file of macOS"  # attributes of the file that is called the same


class ImageFile(NamedTuple):
    """An image file.

    Attributes:
        name: Path below the folder.
        size: Bytes; -1 for a link that leads nowhere.
        texts: Suffixes of the texts beside it that have its name, as they are written.
    """

    name: str
    size: int
    texts: tuple[str, ...] = ()


@dataclass(slots=True)
class FolderFiles:
    """Files of a folder, each kind sorted by name; names are paths below it.

    Attributes:
        images: Image files.
        others: All other files, without hidden ones and the texts of images.
        skipped: What was seen and is never read, by kind.
        linked_again: Links to folders that are read elsewhere.
        closed: Folders that may not be opened.
    """

    images: list[ImageFile] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    linked_again: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


def list_files(root: str) -> FolderFiles:
    """The files of the folder `root` and its subfolders."""
    walk = _Walk(root)
    walk.run()
    files = walk.files
    for names in (files.images, files.others, files.linked_again, files.closed):
        names.sort()
    return files


class _Walk:
    """Folders first, then the links found in them, then the links found behind those."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.real_root = Path(os.path.realpath(root))
        self.files = FolderFiles()
        self.links: list[str] = []
        self.read: set[tuple[int, int]] = set()  # device and inode

    def run(self) -> None:
        self._read_tree("")
        while self.links:
            links, self.links = sorted(self.links), []
            for link in links:
                target = Path(os.path.realpath(self.root / link))
                if self.real_root.is_relative_to(target) or _identity(target) in self.read:
                    self.files.linked_again.append(link)
                else:
                    self._read_tree(link)

    def _read_tree(self, top: str) -> None:
        folders = [top]
        while folders:
            name = folders.pop()
            identity = _identity(self.root / name)
            if identity in self.read:
                continue
            self.read.add(identity)
            try:
                with os.scandir(self.root / name) as entries:
                    folders += self._read_folder(f"{name}/" if name else "", list(entries))
            except OSError:
                self.files.closed.append(name)

    def _read_folder(self, prefix: str, entries: list[os.DirEntry[str]]) -> list[str]:
        """Take the files of one folder; returns its subfolders that are to be read."""
        subfolders: list[str] = []
        files: list[os.DirEntry[str]] = []
        for entry in entries:
            if not _is_folder(entry):
                files.append(entry)
            elif kind := _kind_of_unread(entry.name):
                self.files.skipped.update(_images_inside(entry.path, kind))
            elif not _ARTIFACT.fullmatch(entry.name):
                (self.links if entry.is_symlink() else subfolders).append(prefix + entry.name)
        self._take_files(prefix, files)
        return subfolders

    def _take_files(self, prefix: str, entries: Iterable[os.DirEntry[str]]) -> None:
        images: list[os.DirEntry[str]] = []
        others: dict[str, list[str]] = {}  # by stem
        for entry in entries:
            if entry.name.startswith("._"):
                self.files.skipped[_APPLE_DOUBLE] += 1
            elif is_image(entry.name):
                images.append(entry)
            elif not entry.name.startswith(".") and _is_file(entry):
                start = stem(entry.name)
                others.setdefault(start, []).append(entry.name[len(start) :])
        texts: dict[str, tuple[str, ...]] = {stem(entry.name): () for entry in images}
        for start in texts.keys() & others.keys():
            found = [suffix for suffix in others[start] if suffix.lower() in TEXT_SUFFIXES]
            texts[start] = _shared(found)
            others[start] = [suffix for suffix in others[start] if suffix not in found]
        self.files.images += [
            ImageFile(prefix + entry.name, _size(entry), texts[stem(entry.name)])
            for entry in images
        ]
        self.files.others += [
            prefix + start + suffix for start, suffixes in others.items() for suffix in suffixes
        ]


_KNOWN_SIDECARS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}


def _shared(suffixes: list[str]) -> tuple[str, ...]:
    """The suffixes in the order in which they are read; equal ones are one object in memory."""
    order = tuple(sorted(suffixes, key=lambda s: (TEXT_SUFFIXES.index(s.lower()), s)))
    return _KNOWN_SIDECARS.setdefault(order, order)


def _kind_of_unread(name: str) -> str | None:
    if name.lower() in _THUMBNAIL_FOLDERS:
        return "image of thumbnail folders"
    return "image of hidden folders" if name.startswith(".") or name.lower() in _TRASH else None


def _images_inside(folder: str, kind: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, _, names in os.walk(folder):
        for name in filter(is_image, names):
            counts[_APPLE_DOUBLE if name.startswith("._") else kind] += 1
    return counts


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, hash(path)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size if entry.is_file() else -1
    except OSError:
        return -1
