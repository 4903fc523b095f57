"""Where the journals of a store are: what people told, which nothing can compute again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER: Final = "journals"


def journal_path(root: Path, name: str) -> Path:
    """Where what is told of an audit is written, beside the artifacts of a store."""
    return root / _FOLDER / f"{name}.jsonl"
