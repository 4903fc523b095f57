"""Contact sheets of search results: each hit with its surroundings and its box."""

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
_CONTEXT: Final = 0.35  # share of a box's longer side that is shown around the box
_COLUMNS: Final = 6  # panels of a row
_GROUPS: Final = 8  # groups on a sheet
_SUFFIX: Final = ".png"
_IMAGE_COLUMNS: Final = (
    'image_id, source, uri, member, "offset", num_bytes, sha256, width, height, orientation'
)


def check_sheet_path(path: Path) -> None:
    """Check, before the search, that a sheet can be written to a path.

    Raises:
        OptionError: If the name does not end in .png, or its folder is not writable.
    """
    if path.suffix.lower() != _SUFFIX:
        raise OptionError(f"--sheet is written to a {_SUFFIX} file, got '{path.name}'")
    nearest = next(at for at in (path, *path.absolute().parents) if os.access(at, os.F_OK))
    if nearest == path and not path.is_file():
        raise OptionError(f"--sheet {path} is not a file; give another name")
    if nearest != path and not nearest.is_dir():
        raise OptionError(f"--sheet {path} cannot be made: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK):
        raise OptionError(f"--sheet {path} cannot be written: {nearest} is not writable")


def save_hit_sheet(corpus: FeatureCorpus, hits: pa.Table, path: Path) -> None:
    """Write a PNG of hits, best first, each with rank, score, concept and image.

    Raises:
        OptionError: If the path is not a PNG, or not writable.
        SourceError: If there are no hits, or the file cannot be written.
    """
    rows = hits.to_pylist()
    if not rows:
        raise SourceError(f"{path} was not written: the search has no hits")
    images = _image_rows(corpus, rows)
    panels = [
        _panel(images, row, f"{row['rank']}   {row['score']:.3f}", _label_text(row)) for row in rows
    ]
    _save(path, [panels[at : at + _COLUMNS] for at in range(0, len(panels), _COLUMNS)])


def save_group_sheet(corpus: FeatureCorpus, duplicates: pa.Table, path: Path) -> tuple[int, int]:
    """Write a PNG of the largest groups of duplicates: one row per group, at most six of each.

    Returns:
        How many groups are on it, and how many there are.

    Raises:
        OptionError: If the path is not a PNG, or not writable.
        SourceError: If there are no groups, or the file cannot be written.
    """
    groups: dict[int, list[Row]] = {}
    for row in duplicates.to_pylist():
        groups.setdefault(row["group"], []).append(row)
    shown = [members[:_COLUMNS] for members in list(groups.values())[:_GROUPS]]
    if not shown:
        raise SourceError(f"{path} was not written: there are no duplicates")
    images = _image_rows(corpus, [row for members in shown for row in members])
    panels = [
        [_member_panel(images, row, number) for number, row in enumerate(members, 1)]
        for members in shown
    ]
    _save(path, panels)
    return len(shown), len(groups)


def _save(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    check_sheet_path(path)
    try:
        save_sheet(path, rows, scale=1)
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(f"{path} cannot be written ({reason}); give another --sheet") from error


def _member_panel(images: Mapping[str, Row], row: Row, number: int) -> Panel:
    """The panel of one member of a group; `number` counts from 1."""
    kind = "regions" if row["region"] >= 0 else "images"
    title = f"group {row['group']}: {number} of {row['size']} {kind}"
    return _panel(images, row, title, f"cosine {row['cosine']:.3f}  {_label_text(row)}")


def _label_text(row: Row) -> str:
    """Concept and probability, if there is a label; image and region."""
    label = "" if row["concept"] is None else f"{row['concept']} {row['probability']:.2f}"
    return f"{label}  {row['image_id']}:{row['region']}".strip()


def _panel(images: Mapping[str, Row], row: Row, title: str, text: str) -> Panel:
    from stages.pixels import load_image

    grey = np.full((_SIDE, _SIDE, 3), 200, np.uint8)
    image = images.get(row["image_id"])
    if image is None:
        return Panel(grey, [], title, f"{text} the image is not in the store")
    try:
        return Panel(*_crop_with_mark(load_image(image), row), title, text)
    except SourceError as error:
        return Panel(grey, [], title, f"{text} {error}")


def _crop_with_mark(pixels: NDArray[np.uint8], row: Row) -> tuple[NDArray[np.uint8], list[Mark]]:
    """A box with its surroundings as a square picture, and the box in it."""
    height, width = pixels.shape[:2]
    box = [row[name] for name in ("x0", "y0", "x1", "y1")]
    if None in box:
        box = [0, 0, width, height]
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * (0.5 + _CONTEXT)
    half = min(half, max(width, height) / 2) if row["region"] >= 0 else max(width, height) / 2
    left, top = (x0 + x1) / 2 - half, (y0 + y1) / 2 - half
    scale = _SIDE / (2 * half)
    canvas = Image.new("RGB", (_SIDE, _SIDE), "#e8e8e8")
    visible = (max(left, 0), max(top, 0), min(left + 2 * half, width), min(top + 2 * half, height))
    size = [max(1, round((visible[2 + i] - visible[i]) * scale)) for i in (0, 1)]
    crop = Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BICUBIC, box=visible)
    canvas.paste(crop, (round((visible[0] - left) * scale), round((visible[1] - top) * scale)))
    edges = tuple((edge - (left, top)[i % 2]) * scale for i, edge in enumerate(box))
    marks = [Mark((edges[0], edges[1], edges[2], edges[3]), "")] if row["region"] >= 0 else []
    return np.asarray(canvas), marks


def _image_rows(corpus: FeatureCorpus, rows: Sequence[Row]) -> dict[str, Row]:
    """Rows of `images` by id; empty if the images are no longer in the store."""
    if catalog.ancestor(corpus.features, ("images",)) is None:
        return {}
    ids = sorted({row["image_id"] for row in rows})
    with corpus.connect() as connection:
        connection.register("_requested", pa.table({"image_id": pa.array(ids, pa.string())}))
        columns = f"{_IMAGE_COLUMNS}, content"
        statement = f"SELECT {columns} FROM _images SEMI JOIN _requested USING (image_id)"
        images = sql.batches(sql.query(connection, statement)).read_all()
    return {row["image_id"]: row for row in images.to_pylist()}
