"""Recency: which artifact was made, or asked for, last. It is recorded, so that copies keep it.

Beside each manifest lies `recency.json`, outside the fingerprint. Times of files say nothing:
copying a store changes them.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pipeline.store import own_hash
from pipeline.store.warning import warn

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "recency.json"


def record(folder: Path) -> None:
    """Make the artifact in `folder` the newest of its store."""
    others = (_recorded(path.parent) or 0 for path in folder.parent.parent.glob(f"*/v*-*/{NAME}"))
    at = max(time.time_ns(), max(others, default=0) + 1)  # a clock may have been set back
    own_hash.write(folder / NAME, {"at": at})


def recency(folder: Path, run: dict[str, Any]) -> tuple[int, str]:
    """A key that orders artifacts by recency, the newest last; equal ones by name.

    Args:
        folder: Of the artifact.
        run: From its manifest: where nothing is recorded, the time when it was made counts.
    """
    at = _recorded(folder)
    return (_made(run) if at is None else at), folder.name


def _recorded(folder: Path) -> int | None:
    path = folder / NAME
    try:
        return int(own_hash.read(path)["at"])
    except OSError:  # deleted: not recorded
        return None
    except (ValueError, RecursionError) as error:
        warn(
            f"{path} is damaged ({error}): the artifact counts as used last when it was "
            "made; delete the file, or run the command that made it again"
        )
        return None


def _made(run: dict[str, Any]) -> int:
    """Nanoseconds since 1970 when a run ended; 0 if the manifest does not say."""
    try:
        return int(datetime.fromisoformat(str(run.get("created"))).timestamp() * 1e9)
    except ValueError:
        return 0
