"""Runs that have not committed their artifact: where they lie, and what they read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipeline.store import manifest as manifests
from pipeline.store.artifact import Artifact, open_artifact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

INPUTS: Final = ".inputs"  # in the folder of a run: addresses of what it reads
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
    return [open_artifact(path) for path in paths if (path / manifests.NAME).is_file()]
