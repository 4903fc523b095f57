"""Whole or absent: how anything reaches its final name on disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CHUNK = 1 << 22  # bytes hashed at a time


@contextmanager
def whole_or_absent(target: Path) -> Iterator[Path]:
    """Yield a draft path that becomes `target` if the block succeeds, and vanishes if not."""
    draft = draft_of(target)
    try:
        yield draft
        publish(draft, target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield the draft of a folder, which becomes `target` if the block succeeds, else vanishes.

    Raises:
        OptionError: If something of that name is there already.
    """
    if target.exists() or target.is_symlink() or not target.name:
        raise OptionError(f"{target} exists; name a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(target)
    draft.mkdir()
    try:
        yield draft
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, target: Path) -> None:
    """Flush `draft` to disk and give it its final name, replacing what was there."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    _flush_folder(target.parent)


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
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def draft_of(target: Path) -> Path:
    """An absolute path beside the target, nobody else's, whoever else runs.

    A relative one may begin like a URL (`s3:`), for which libraries that write would take it.
    """
    return target.absolute().with_name(f".{uuid4().hex}.{target.name}")


def _flush_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
