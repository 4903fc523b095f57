"""Why a run failed for good: kept beside its finished parts until it is started again.

A run that was killed leaves nothing here: it is unfinished, and its command finishes it. A run that
failed says why, for running it again without a change would fail again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = ".failed"


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Record the error that ends a run; forget that of an earlier one."""
    (folder / _NAME).unlink(missing_ok=True)
    try:
        yield
    except RCError as error:
        if folder.is_dir():
            (folder / _NAME).write_text(str(error))
        raise


def failure_of(folder: Path) -> str | None:
    """Why the last run in a folder failed; None if it did not."""
    try:
        return (folder / _NAME).read_text()
    except OSError:
        return None
