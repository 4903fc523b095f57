"""Pictures that a recipe draws for itself: `[[draw]]`, done once and then left alone.

    [[draw]]
    kind = "scenes"                            # or web, as `rc draw`
    folder = "{world}/scenes-{scenes}-{seed}"  # relative to where rc runs
    split = "scenes"
    count = "{scenes}"
    seed = "{seed}"
    seed-offset = 500000                       # added to the seed; 0 if not given

A drawing is complete when its folder is there, for it is drawn beside it and moved last; the
file drawing.json in it says what was drawn.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from schemas.errors import SourceError

NOTE = "drawing.json"


@dataclass(frozen=True)
class SyntheticData:
    """Pictures of one seed, and the folder they belong in."""

    kind: str
    folder: Path
    split: str
    count: int
    seed: int

    def told(self) -> dict[str, Any]:
        """What decides the pictures."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class _DrawEntry:
    kind: Literal["scenes", "web"]
    folder: str
    count: int
    seed: int = 0
    seed_offset: int = 0
    split: str = "scenes"


def read_drawing(written: dict[str, Any], place: str) -> SyntheticData:
    """What a filled-in `[[draw]]` asks for.

    Raises:
        SourceError: If a key is missing, unknown, or of another type.
    """
    try:
        known = TypeAdapter(_DrawEntry).validate_python(
            {key.replace("-", "_"): value for key, value in written.items()}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{place}: {where}: {first['msg']}") from None
    seed = known.seed + known.seed_offset
    return SyntheticData(known.kind, Path(known.folder), known.split, known.count, seed)


def draw(drawing: SyntheticData) -> bool:
    """Draw the pictures unless they are there; whether there was anything to do.

    Raises:
        SourceError: If the folder holds something else.
    """
    if drawing.folder.exists():
        _check(drawing)
        return False
    from stages.synthetic.dataset_writers import write_scenes, write_web_images

    drawing.folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{drawing.folder.name}.", dir=drawing.folder.parent))
    beside.chmod(0o755)
    if drawing.kind == "web":
        write_web_images(beside, drawing.count, drawing.seed)
    else:
        write_scenes(beside, drawing.split, drawing.count, drawing.seed)
    (beside / NOTE).write_text(json.dumps(drawing.told(), indent=2) + "\n")
    try:
        beside.replace(drawing.folder)
    except OSError:  # another run was sooner
        shutil.rmtree(beside)
        _check(drawing)
    return True


def _check(drawing: SyntheticData) -> None:
    note = drawing.folder / NOTE
    there = json.loads(note.read_text()) if note.is_file() else None
    if there != drawing.told():
        what = ", ".join(f"{k} {v}" for k, v in there.items()) if there else "no drawing of ours"
        raise SourceError(
            f"{drawing.folder} holds {what}, but the recipe asks for "
            f"{', '.join(f'{k} {v}' for k, v in drawing.told().items())}; delete the folder, or "
            f"name another"
        )
