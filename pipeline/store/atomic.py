"""Whole or absent: how anything reaches its final name on disk, and how it leaves.

What is written lies in a hidden draft folder beside its target, `.<32 digits>.<name>`, locked by
the process that writes it. It is flushed before it is renamed, and the folder it comes to after;
so a power cut, too, leaves it whole or absent. Draft folders of dead processes are swept by the
next draft of the same target.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from pipeline.store.disk_full import room_for
from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CHUNK = 1 << 22  # bytes hashed at a time
_DIGITS = "[0-9a-f]" * 32  # of a draft folder, as a pattern


@contextmanager
def whole_or_absent(target: Path) -> Iterator[Path]:
    """Yield a draft path that becomes the file `target` if the block succeeds, else vanishes.

    Raises:
        DiskFullError: If there is no room for it.
    """
    with room_for(target), draft_folder(target) as folder:
        draft = folder / target.name
        yield draft
        publish(draft, target)


@contextmanager
def new_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield the draft of a folder, which becomes `target` if the block succeeds, else vanishes.

    Args:
        target: The folder; folders above it are made.
        replace: Whether what is there gives way to it.

    Raises:
        OptionError: If something of that name is there already and is not to be replaced.
        DiskFullError: If there is no room for it.
    """
    sweep_drafts(target.parent, target.name)
    if not target.name or (not replace and (target.exists() or target.is_symlink())):
        raise OptionError(f"{target} exists; name a new folder")
    with room_for(target):
        make_folder(target.parent)
        with draft_folder(target) as folder:
            draft = folder / target.name
            draft.mkdir()
            yield draft
            flush_tree(draft)
            if replace and target.exists():
                target.rename(folder / f"{target.name}.replaced")  # no name of the draft's
            draft.rename(target)
            flush_folder(target.parent)


def publish(draft: Path, target: Path) -> None:
    """Flush `draft` to disk and give it its final name, replacing what was there."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    flush_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def remove_folder(folder: Path, first: str) -> None:
    """Remove a folder; its file `first` is gone for good before anything else goes."""
    (folder / first).unlink(missing_ok=True)
    flush_folder(folder)
    shutil.rmtree(folder)


def sweep_drafts(folder: Path, name: str = "*") -> None:
    """Remove the drafts that dead processes left in a folder, of all names or of one."""
    escaped = name if name == "*" else glob.escape(name)
    for draft in folder.glob(f".{_DIGITS}.{escaped}"):
        with suppress(OSError):  # in use, of another user, or swept by someone else
            descriptor = os.open(draft, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(draft)
            finally:
                os.close(descriptor)


def sha256(path: Path, end: int | None = None) -> str:
    """Hexadecimal digest of a file, or of its first `end` bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK if end is None else min(_CHUNK, end - file.tell())):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def exclusively(lock: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold `lock` for the block; if another process holds it, call `on_wait` once and wait.

    The kernel drops the lock when its holder dies, so a killed run never blocks the next one.
    """
    with room_for(lock):
        make_folder(lock.parent)
        file = lock.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def flush_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def draft_folder(target: Path) -> Iterator[Path]:
    """An empty hidden folder beside the target, this block's alone, removed after it."""
    folder, descriptor = _locked_folder(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _locked_folder(target: Path) -> tuple[Path, int]:
    """A new draft folder, and the descriptor that keeps it locked.

    Its path is absolute: libraries that write take the beginning of a relative one (`s3:`) for a
    URL.
    """
    while True:
        folder = target.absolute().with_name(f".{uuid4().hex}.{target.name}")
        folder.mkdir()
        with suppress(FileNotFoundError):  # swept before it could be locked
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.is_dir():
                return folder, descriptor
            os.close(descriptor)


def flush_tree(folder: Path) -> None:
    """Make all files and names in a folder survive a power cut."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            flush_tree(path)
        elif path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    flush_folder(folder)
