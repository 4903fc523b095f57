"""Checkpoints: written atomically, without code in them, and with a hash of themselves at the end.

`torch.load` would not see a flipped bit in a tensor. The hash is of the place too, from the table
on, so that the checkpoint of another run is no checkpoint here.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from typing import TYPE_CHECKING, Any, Final

import torch

from schemas.errors import ArtifactError
from stages.late_errors import late_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HASH_BYTES: Final = 32  # behind a checkpoint
_CHUNK: Final = 1 << 22  # bytes hashed at a time


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and lists; a killed process leaves either the old or the new file.

    Raises:
        OSError: If it cannot be written; the old file stays.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with late_errors(draft) as file:
            torch.save(dict(state), file)
        with draft.open("ab") as end:
            end.write(_digest(draft, end.tell(), path))
            end.flush()
            os.fsync(end.fileno())
    except OSError:
        draft.unlink()
        raise
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> dict[str, Any] | None:
    """The saved state, on the CPU; None if there is no file.

    Raises:
        ArtifactError: If the file is not as it was written.
    """
    if not path.exists():
        return None
    size = path.stat().st_size - _HASH_BYTES
    try:
        if size < 0 or _digest(path, size, path) != _end(path, size):
            raise ValueError("its hash differs")  # noqa: TRY301 - said as all that is below
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ArtifactError(
            f"checkpoint {path} is damaged, or of another run or version; delete it to start over"
        ) from error
    return state


def _digest(path: Path, size: int, place: Path) -> bytes:
    """SHA-256 of where a file is to be in a store, and of its first bytes."""
    digest = hashlib.sha256("/".join(place.absolute().parts[-5:]).encode())
    with path.open("rb") as file:
        while chunk := file.read(min(_CHUNK, size - file.tell())):
            digest.update(chunk)
    return digest.digest()


def _end(path: Path, size: int) -> bytes:
    """What is behind the first bytes of a file."""
    with path.open("rb") as file:
        file.seek(size)
        return file.read()


def trainable_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state that training can change: trained parameters and all buffers, by name."""
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}
