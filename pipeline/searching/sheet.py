"""Sheets: what a search found, as pictures: each hit in its surroundings, with its box."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline import sql
from pipeline.contact_sheets import Mark, Panel, save_sheet
from pipeline.store import catalog
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.searching.feature_corpus import FeatureCorpus

    Row = Mapping[str, Any]

_SIDE: Final = 180  # pixels of a panel
_AROUND: Final = 0.35  # of a box's longer side is shown on each side of it
_ACROSS: Final = 6  # panels of a row
_GROUPS: Final = 8  # groups on a sheet
_SUFFIX: Final = ".png"
_IMAGE: Final = 'image_id, source, uri, member, "offset", num_bytes, width, height, orientation'


def check_sheet(path: Path) -> None:
    """Pass if a sheet can be written there, as far as can be told before there is one.

    Raises:
        OptionError: If its name is not that of a PNG, or its folder cannot be written.
    """
    if path.suffix.lower() != _SUFFIX:
        raise OptionError(f"--sheet is written to a {_SUFFIX} file, got '{path.name}'")
    there = next(at for at in (path, *path.absolute().parents) if os.access(at, os.F_OK))
    if there == path and not path.is_file():
        raise OptionError(f"--sheet {path} is no file; name another")
    if there != path and not there.is_dir():
        raise OptionError(f"--sheet {path} cannot be made: {there} is no folder")
    if not os.access(there, os.W_OK):
        raise OptionError(f"--sheet {path} cannot be written: you may not write to {there}")


def save_hits(corpus: FeatureCorpus, hits: pa.Table, path: Path) -> None:
    """Write a PNG of hits, best first, each with rank, score, concept and image.

    Raises:
        OptionError: If the file is to be no PNG, or cannot be made.
        SourceError: If there is no hit to draw, or the file cannot be written.
    """
    rows = hits.to_pylist()
    if not rows:
        raise SourceError(f"{path} was not written: nothing was found to draw")
    images = _images(corpus, rows)
    panels = [
        _panel(images, row, f"{row['rank']}   {row['score']:.3f}", _named(row)) for row in rows
    ]
    _save(path, [panels[at : at + _ACROSS] for at in range(0, len(panels), _ACROSS)])


def save_groups(corpus: FeatureCorpus, found: pa.Table, path: Path) -> tuple[int, int]:
    """Write a PNG of the largest groups of duplicates, a group a row, and at most six of each.

    Returns:
        How many groups are on it, and how many there are.

    Raises:
        OptionError: If the file is to be no PNG, or cannot be made.
        SourceError: If there is no group to draw, or the file cannot be written.
    """
    groups: dict[int, list[Row]] = {}
    for row in found.to_pylist():
        groups.setdefault(row["group"], []).append(row)
    shown = [members[:_ACROSS] for members in list(groups.values())[:_GROUPS]]
    if not shown:
        raise SourceError(f"{path} was not written: there are no duplicates to draw")
    images = _images(corpus, [row for members in shown for row in members])
    panels = [
        [_member(images, row, place) for place, row in enumerate(members, 1)] for members in shown
    ]
    _save(path, panels)
    return len(shown), len(groups)


def _save(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    check_sheet(path)
    try:
        save_sheet(path, rows, scale=1)
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(f"{path} cannot be written ({reason}); name another --sheet") from error


def _member(images: Mapping[str, Row], row: Row, place: int) -> Panel:
    """One of a group; `place` counts from 1."""
    things = "regions" if row["region"] >= 0 else "images"
    title = f"group {row['group']}: {place} of {row['size']} {things}"
    return _panel(images, row, title, f"cosine {row['cosine']:.3f}  {_named(row)}")


def _named(row: Row) -> str:
    """What a thing is called, and which it is."""
    named = "" if row["concept"] is None else f"{row['concept']} {row['probability']:.2f}"
    return f"{named}  {row['image_id']}:{row['region']}".strip()


def _panel(images: Mapping[str, Row], row: Row, title: str, text: str) -> Panel:
    from stages.pixels import load_image

    grey = np.full((_SIDE, _SIDE, 3), 200, np.uint8)
    image = images.get(row["image_id"])
    if image is None:
        return Panel(grey, [], title, f"{text} the image is not in the store")
    try:
        return Panel(*_cut(load_image(image), row), title, text)
    except SourceError as error:
        return Panel(grey, [], title, f"{text} {error}")


def _cut(pixels: NDArray[np.uint8], row: Row) -> tuple[NDArray[np.uint8], list[Mark]]:
    """The surroundings of a box as a square picture, and the box in it."""
    height, width = pixels.shape[:2]
    box = [row[name] for name in ("x0", "y0", "x1", "y1")]
    if None in box:
        box = [0, 0, width, height]
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * (0.5 + _AROUND)
    half = min(half, max(width, height) / 2) if row["region"] >= 0 else max(width, height) / 2
    left, top = (x0 + x1) / 2 - half, (y0 + y1) / 2 - half
    scale = _SIDE / (2 * half)
    canvas = Image.new("RGB", (_SIDE, _SIDE), "#e8e8e8")
    seen = (max(left, 0), max(top, 0), min(left + 2 * half, width), min(top + 2 * half, height))
    size = [max(1, round((seen[2 + i] - seen[i]) * scale)) for i in (0, 1)]
    piece = Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BICUBIC, box=seen)
    canvas.paste(piece, (round((seen[0] - left) * scale), round((seen[1] - top) * scale)))
    placed = tuple((edge - (left, top)[i % 2]) * scale for i, edge in enumerate(box))
    marks = [Mark((placed[0], placed[1], placed[2], placed[3]), "")] if row["region"] >= 0 else []
    return np.asarray(canvas), marks


def _images(corpus: FeatureCorpus, rows: Sequence[Row]) -> dict[str, Row]:
    """Rows of `images` by id; none if the images are not in the store any more."""
    if catalog.ancestor(corpus.features, ("images",)) is None:
        return {}
    names = sorted({row["image_id"] for row in rows})
    with corpus.connect() as connection:
        connection.register("_asked", pa.table({"image_id": pa.array(names, pa.string())}))
        statement = f"SELECT {_IMAGE}, content FROM _images SEMI JOIN _asked USING (image_id)"
        found = sql.batches(sql.query(connection, statement)).read_all()
    return {row["image_id"]: row for row in found.to_pylist()}
