"""One cache of loaded models: each is read once per process, and again after a file changed."""

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
    """The model that `read` makes of two files on a device; shared, so copy it to change it.

    Args:
        read: Takes model.json, the weights file and the name of a device.
        config: model.json.
        weights: The weights file.
        device: As `device.resolve` takes it; "auto" and its meaning share one model.

    Raises:
        SourceError: If a file is missing, and whatever `read` raises.
    """
    resolved, stamps = str(resolve(device)), (_stamp(config), _stamp(weights))
    model: T = _read_cached(read, config, weights, resolved, *stamps)
    return model


@lru_cache(maxsize=4)  # such as a teacher, a student, an RPN and a detector
def _read_cached(
    read: Callable[[Path, Path, str], T],
    config: Path,
    weights: Path,
    device: str,
    *_stamps: tuple[int, int],
) -> T:
    return read(config, weights, device)


def _stamp(path: Path) -> tuple[int, int]:
    """Time of the last change, ns, and size, bytes: they differ after a file was written again."""
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path} is missing: the model cannot be loaded without it") from error
    return status.st_mtime_ns, status.st_size
