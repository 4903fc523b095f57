"""Files of weights: which names mean one, and what is published beside it; imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from schemas.errors import SourceError

SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin", ".pkl")
CONFIG: Final = "open_clip_config.json"  # open_clip's name of the description beside weights
SAFE_FILE: Final = "open_clip_model.safetensors"  # and of the weights themselves
_LONGEST: Final = 100  # characters of a name from a file that a message shows


def is_file(source: str) -> bool:
    """Whether `source` means a file of weights rather than one of open_clip's tags."""
    return Path(source).suffix in SUFFIXES or Path(source).exists()


def config_beside(weights: Path) -> Path | None:
    """The open_clip_config.json in the folder of some weights, if there is one."""
    config = weights.with_name(CONFIG)
    return config if config.is_file() else None


def printable(text: str) -> str:
    """Text from a file for a message: control characters escaped, and not too long."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return short if short.isprintable() else ascii(short)[1:-1]


def sha256(path: Path) -> str:
    """The hash of a file of weights, or of one given beside them.

    Raises:
        SourceError: If it cannot be read, or is a folder.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except IsADirectoryError as error:
        told = f"{path} is a folder; name the file in it, such as {path / SAFE_FILE}"
        raise SourceError(told) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check its name") from error
