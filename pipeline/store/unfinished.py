"""Runs that have not committed their artifact: where they lie, what they read, why they failed."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pipeline.store import manifest as manifests
from pipeline.store import own_hash
from pipeline.store.artifact import Artifact, open_readable
from pipeline.store.warning import warn
from schemas.errors import DiskFullError, RCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

INPUTS: Final = ".inputs"  # in the folder of a run: addresses of what it reads
RANKS: Final = ".ranks"  # in the folder of a run: how many ranks it and those before it had
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
    own_hash.write(folder / INPUTS, {"inputs": [artifact.address for artifact in artifacts]})


def inputs(folder: Path) -> list[Artifact] | None:
    """What a run reads, as far as it is still there; None if the record of it is damaged."""
    try:
        addresses = own_hash.read(folder / INPUTS)["inputs"]
    except OSError:  # it had not begun
        return []
    except (ValueError, RecursionError) as error:
        warn(f"{folder / INPUTS} is damaged ({error}): what the run reads is not known")
        return None
    paths = [folder.parent.parent / address for address in addresses]
    return open_readable(path for path in paths if (path / manifests.NAME).is_file())


def record_ranks(folder: Path, ranks: int) -> list[int]:
    """How many ranks each run of an artifact had, this one last; none if none had several.

    Their number does not decide what is learned, but its last bits: so the manifest has it.
    """
    try:
        earlier: list[int] = own_hash.read(folder / RANKS)["ranks"]
    except (OSError, ValueError, RecursionError):  # none, or damaged: a fact less
        earlier = []
    if ranks == 1 and not earlier:
        return []
    own_hash.write(folder / RANKS, {"ranks": [*earlier, ranks]})
    return [*earlier, ranks]


@contextmanager
def failures_recorded(folder: Path) -> Iterator[None]:
    """Write down the error that ends a run; forget that of an earlier one.

    A run that was killed leaves nothing here: its command finishes it.
    """
    (folder / FAILED).unlink(missing_ok=True)
    try:
        yield
    except RCError as error:
        with suppress(OSError, DiskFullError):  # a full disk may be what failed
            if folder.is_dir():
                own_hash.write(folder / FAILED, {"why": str(error)})
        raise


def failure(folder: Path) -> str:
    """Why a run failed for good; empty if it was only interrupted."""
    try:
        return " ".join(own_hash.read(folder / FAILED)["why"].split())
    except OSError:
        return ""
    except (ValueError, RecursionError):
        return f"why is not known any more, {FAILED} is damaged"


def tidy(folder: Path) -> None:
    """Remove what only a run needs: drafts of files, receipts, scratch; all hidden."""
    for leftover in [*folder.glob(".*"), *folder.glob("drafts/.*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
