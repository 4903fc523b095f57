"""Which categories a detector learns, out of a file of splits; brings no torch along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import OptionError
from stages.evaluation.vocabulary import read_splits

if TYPE_CHECKING:
    from pathlib import Path


def split_names(path: Path, split: str) -> tuple[str, ...]:
    """The names of one split of a file, or of "all" of them, each once, in the file's order.

    Raises:
        SourceError: If the file holds no splits.
        OptionError: If it has no such split.
    """
    splits = read_splits(path)
    if split == "all":
        return tuple(dict.fromkeys(name for names in splits.values() for name in names))
    if split not in splits:
        raise OptionError(f"{path} has no split '{split}'; choose {', '.join([*splits, 'all'])}")
    return splits[split]
