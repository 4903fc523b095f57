"""Models loaded from two files, once per process; read again when a file changed on disk."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from schemas.errors import SourceError
from stages.models.device import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def load_once(read: Callable[[Path, Path, str], T], config: Path, weights: Path, device: str) -> T:
    """What `read` makes of model.json and weights on a device; shared, so copy it to change it.

    Raises:
        SourceError: If a file is missing, and whatever `read` raises.
    """
    place, stamps = str(resolve(device)), (_stamp(config), _stamp(weights))
    model: T = _cached(read, config, weights, place, *stamps)
    return model


@lru_cache(maxsize=4)  # a teacher, a student, and one to compare each with
def _cached(
    read: Callable[[Path, Path, str], T],
    config: Path,
    weights: Path,
    device: str,
    *_stamps: tuple[int, int],
) -> T:
    return read(config, weights, device)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path} is missing: the model cannot be loaded without it") from error
    return status.st_mtime_ns, status.st_size
