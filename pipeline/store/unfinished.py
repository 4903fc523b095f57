"""Runs that have not committed their artifact: where they lie, what they read, why they failed."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pipeline.store import manifest as manifests
from pipeline.store.artifact import Artifact, open_readable
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

INPUTS: Final = ".inputs"  # in the folder of a run: addresses of what it reads
FAILED: Final = ".failed"  # in the folder of a run that failed for good: why
_FOLDER: Final = re.compile(r"v\d+-[0-9a-f]{12}")


def folders(root: Path) -> list[Path]:
    """Folders of a store without a manifest, of runs under way or not."""
    return [
        path
        for path in sorted(root.glob("*/v*-*"))
        if path.is_dir() and _FOLDER.fullmatch(path.name) and not (path / manifests.NAME).exists()
    ]


def record_inputs(folder: Path, artifacts: Iterable[Artifact]) -> None:
    """Write down what a run reads, so that nothing of it is swept before the run is finished."""
    (folder / INPUTS).write_text("".join(f"{artifact.address}\n" for artifact in artifacts))


def inputs(folder: Path) -> list[Artifact]:
    """What a run reads, as far as it is still there."""
    try:
        addresses = (folder / INPUTS).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    paths = [folder.parent.parent / address for address in addresses]
    return open_readable(path for path in paths if (path / manifests.NAME).is_file())


@contextmanager
def failures_recorded(folder: Path) -> Iterator[None]:
    """Write down the error that ends a run; forget that of an earlier one.

    A run that was killed leaves nothing here: its command finishes it.
    """
    (folder / FAILED).unlink(missing_ok=True)
    try:
        yield
    except RCError as error:
        with suppress(OSError):  # a full disk may be what failed
            (folder / FAILED).write_text(str(error))
        raise


def failure(folder: Path) -> str:
    """Why a run failed for good; empty if it was only interrupted."""
    try:
        return " ".join((folder / FAILED).read_text(errors="replace").split())
    except OSError:
        return ""
