"""The images below a folder, found by the names that annotations have for them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.files import is_image, is_safe_name
from stages.sources.name_index import NameIndex, NameMatch
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_ORIENTATION = 0x0112  # EXIF tag


class ImageFolder:
    """Names of all files below a folder, listed once; their content is not read.

    Attributes:
        path: The folder.
        excluded: Folders below it whose files belong to others; a file in them is found only by
            a name that has its folder.
    """

    def __init__(self, path: str, excluded: Collection[str] = ()) -> None:
        self.path = path
        self.excluded = tuple(f"{os.path.relpath(folder, path)}/" for folder in excluded)
        self._names = frozenset(names_below(path))

    def images(self) -> Iterator[str]:
        """Names of the images."""
        return (name for name in self._names if is_image(name) and not _is_hidden(name))

    def find_all(self, written: Collection[str]) -> dict[str, NameMatch | Refusal]:
        """The file that each name means, or why there is none."""
        if self._names.issuperset(written):
            return {name: NameMatch(name, "exact") for name in written}
        others = self._names.intersection(written)
        index = NameIndex(sorted({*self.images(), *others}))
        matches = index.find_all(written)
        owned = {match.name for match in matches.values() if isinstance(match, NameMatch)}
        return {
            name: match
            if isinstance(match, NameMatch) and not self._belongs_to_others(match)
            else self._refusal(name, match, index, owned)
            for name, match in matches.items()
        }

    def _belongs_to_others(self, match: NameMatch) -> bool:
        is_weak = match.way in ("base name", "stem")
        return is_weak and bool(self.excluded) and match.name.startswith(self.excluded)

    def _refusal(
        self, name: str, match: NameMatch | Refusal | None, index: NameIndex, owned: set[str]
    ) -> Refusal:
        """Why a name has no file; a file that another name means better is not its file."""
        if isinstance(match, Refusal) and not _is_owned(name, index, owned):
            return match
        if not is_safe_name(name):
            return Refusal(Reason.UNSAFE_NAME, "the name is absolute, holds '..', or is not UTF-8")
        return Refusal(Reason.MISSING_IMAGE, f"no file {name} in {self.path}")


def names_below(folder: str, skipped: Collection[str] = ()) -> Iterator[str]:
    """Names of the files below a folder, with slashes; each folder once, even if links lead back.

    Args:
        folder: Where to begin.
        skipped: Folders that are passed over.

    Raises:
        SourceError: If a folder cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [("", folder)]
    while waiting:
        prefix, path = waiting.pop()
        try:
            status = os.stat(path)  # noqa: PTH116 - of a folder among a hundred thousand files
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                for entry in entries:
                    if not entry.is_dir():
                        yield prefix + entry.name
                    elif not entry.name.startswith(".") and entry.path not in skipped:
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
        except OSError as error:
            raise SourceError(f"cannot list {path}: {error.strerror}") from error


def has_images(folder: str, skipped: Collection[str] = ()) -> bool:
    """Whether any image lies below a folder, outside the folders that are skipped."""
    return any(is_image(name) and not _is_hidden(name) for name in names_below(folder, skipped))


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height of an image file after its EXIF orientation; None if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a huge or damaged image is refused when it is loaded
            with Image.open(path) as image:
                orientation = image.getexif().get(_ORIENTATION, 1)
                return image.size[::-1] if orientation in (5, 6, 7, 8) else image.size
    except Exception:  # Pillow raises many kinds; the image is refused when it is loaded
        return None


def _is_owned(name: str, index: NameIndex, owned: set[str]) -> bool:
    try:
        match = index.find(name)
    except Refusal:
        return False
    return match is not None and match.name in owned


def _is_hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")
