"""Checkpoints: written atomically, and without code in them."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import ArtifactError
from stages.late_errors import late_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and lists; a killed process leaves either the old or the new file.

    Raises:
        OSError: If it cannot be written; the old file stays.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with late_errors(draft) as file:
            torch.save(dict(state), file)
    except OSError:
        draft.unlink()
        raise
    with draft.open("rb") as flushed:
        os.fsync(flushed.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> dict[str, Any] | None:
    """The saved state, on the CPU; None if there is no file.

    Raises:
        ArtifactError: If the file cannot be read as a checkpoint.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ArtifactError(
            f"checkpoint {path} is damaged or holds more than numbers; delete it to start over"
        ) from error
    return state


def trainable_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state that training can change: trained parameters and all buffers, by name."""
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}
