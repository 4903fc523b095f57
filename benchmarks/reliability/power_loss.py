"""What a power cut leaves of a folder: only what was flushed is sure.

A file system may lose the content of a file until the file was flushed, and a name (made, renamed,
removed) until the folder that holds it was flushed. `Flushed` follows a process by its calls.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ZEROS: Final = "zeros"
EMPTY: Final = "empty"


@dataclass(frozen=True)
class _Entry:
    """What a name stands for: a file or folder by its number, or the target of a link."""

    mode: int
    number: int
    target: str = ""


@dataclass
class Flushed:
    """Content and names of a folder that a power cut would leave.

    Args:
        folder: All that is in it now counts as flushed.
    """

    folder: Path
    _content: dict[int, bytes] = field(default_factory=dict)  # by number of the file
    _names: dict[int, dict[str, _Entry]] = field(default_factory=dict)  # by number of the folder
    _held: dict[int, int] = field(default_factory=dict)  # open, so that no number is used again

    def __post_init__(self) -> None:
        for path in (self.folder, *self.folder.rglob("*")):
            if not path.is_symlink():
                self.flush(path)

    def flush(self, path: Path) -> None:
        """Take note that a file or folder is being flushed."""
        about = path.stat()
        if stat.S_ISREG(about.st_mode):
            self._content[about.st_ino] = path.read_bytes()
            self._hold(path, about.st_ino)
        elif stat.S_ISDIR(about.st_mode):
            self._names[about.st_ino] = self._entries(path)
            self._hold(path, about.st_ino)

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def cut(self, copy: Path, *, names_kept: bool, filling: str) -> None:
        """Write to a new folder what a power cut would leave now.

        Args:
            copy: The folder to write.
            names_kept: Whether all names are as they are; else as they were flushed.
            filling: What unflushed files hold: `ZEROS` or nothing, `EMPTY`.
        """
        number = self.folder.stat().st_ino
        if names_kept:
            self._copy_as_is(self.folder, copy, filling)
        else:
            self._copy_as_flushed(number, copy, filling)

    def _copy_as_is(self, folder: Path, copy: Path, filling: str) -> None:
        copy.mkdir()
        for name, entry in self._entries(folder).items():
            if stat.S_ISDIR(entry.mode):
                self._copy_as_is(folder / name, copy / name, filling)
            else:
                size = (folder / name).lstat().st_size
                self._write(entry, copy / name, size if filling == ZEROS else 0)

    def _copy_as_flushed(self, number: int, copy: Path, filling: str) -> None:
        copy.mkdir()
        for name, entry in self._names.get(number, {}).items():
            if stat.S_ISDIR(entry.mode):
                self._copy_as_flushed(entry.number, copy / name, filling)
            else:
                self._write(entry, copy / name, 100 if filling == ZEROS else 0)

    def _write(self, entry: _Entry, path: Path, zeros: int) -> None:
        if stat.S_ISLNK(entry.mode):
            path.symlink_to(entry.target)
        else:
            path.write_bytes(self._content.get(entry.number, bytes(zeros)))

    def _entries(self, folder: Path) -> dict[str, _Entry]:
        entries = {}
        with os.scandir(folder) as found:
            for each in found:
                about = each.stat(follow_symlinks=False)
                target = str((folder / each.name).readlink()) if each.is_symlink() else ""
                entries[each.name] = _Entry(about.st_mode, about.st_ino, target)
                self._hold(folder / each.name, about.st_ino)
        return entries

    def _hold(self, path: Path, number: int) -> None:
        if number not in self._held:
            self._held[number] = os.open(path, os.O_PATH | os.O_NOFOLLOW)
