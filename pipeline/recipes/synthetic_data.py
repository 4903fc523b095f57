"""Synthetic images of a recipe: `[[draw]]`; written once, then kept.

    [[draw]]
    kind = "scenes"                            # or web or pictures, as `rc draw`
    folder = "{world}/scenes-{scenes}-{seed}"  # relative to where rc runs
    split = "scenes"
    count = "{scenes}"
    seed = "{seed}"
    seed-offset = 500000                       # added to the seed; default 0

Images are written to a temporary folder, which is renamed at the end, so an existing folder is
complete. Its file drawing.json records what decided the images.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pipeline.store.atomic import new_folder, sweep_drafts
from schemas.errors import SourceError

NOTE = "drawing.json"


@dataclass(frozen=True)
class SyntheticData:
    """Synthetic images of one seed, and their folder."""

    kind: str
    folder: Path
    split: str
    count: int
    seed: int

    def description(self) -> dict[str, Any]:
        """What decides the images."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class _DrawEntry:
    kind: Literal["scenes", "pictures", "web"]
    folder: str
    count: int
    seed: int = 0
    seed_offset: int = 0
    split: str = "scenes"


def read_synthetic_data(written: dict[str, Any], location: str) -> SyntheticData:
    """The images of a `[[draw]]` whose placeholders are replaced.

    Raises:
        SourceError: If a key is missing, unknown, or of another type.
    """
    try:
        entry = TypeAdapter(_DrawEntry).validate_python(
            {key.replace("-", "_"): value for key, value in written.items()}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{location}: {where}: {first['msg']}") from None
    seed = entry.seed + entry.seed_offset
    return SyntheticData(entry.kind, Path(entry.folder), entry.split, entry.count, seed)


def write_synthetic_data(data: SyntheticData) -> bool:
    """Write the images if their folder does not exist; return whether they were written.

    Raises:
        SourceError: If the folder has other content.
    """
    sweep_drafts(data.folder.parent, data.folder.name)
    if data.folder.exists():
        _check(data)
        return False
    from stages.synthetic.dataset_writers import write_pictures, write_scenes, write_web_images

    try:
        with new_folder(data.folder) as draft:
            if data.kind == "web":
                write_web_images(draft, data.count, data.seed)
            else:
                write = write_scenes if data.kind == "scenes" else write_pictures
                write(draft, data.split, data.count, data.seed)
            (draft / NOTE).write_text(json.dumps(data.description(), indent=2) + "\n")
    except OSError:
        if not data.folder.is_dir():
            raise
        _check(data)  # another run was faster
    return True


def _check(data: SyntheticData) -> None:
    note = data.folder / NOTE
    recorded = json.loads(note.read_text()) if note.is_file() else None
    if recorded != data.description():
        content = "no synthetic data of a recipe"
        if recorded:
            content = ", ".join(f"{k} {v}" for k, v in recorded.items())
        needed = ", ".join(f"{k} {v}" for k, v in data.description().items())
        raise SourceError(
            f"{data.folder} has {content}, but the recipe needs {needed}; delete the folder, or "
            f"name another"
        )
