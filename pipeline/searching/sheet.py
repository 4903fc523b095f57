"""Sheets: what a search found, as pictures: each hit in its surroundings, with its box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline import sql
from pipeline.pictures import Mark, Panel, save_sheet
from pipeline.store import catalog
from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.searching.ground import Ground

_SIDE: Final = 180  # pixels of a panel
_AROUND: Final = 0.35  # of a box's longer side is shown on each side of it
_ACROSS: Final = 6  # panels of a row
_GROUPS: Final = 8  # groups on a sheet
_IMAGE: Final = 'image_id, source, uri, member, "offset", num_bytes, width, height, orientation'


def save_hits(ground: Ground, hits: pa.Table, path: Path) -> None:
    """Write a PNG of hits, best first, each with rank, score, concept and image.

    Raises:
        SourceError: If there is no hit to draw.
    """
    rows = hits.to_pylist()
    if not rows:
        raise SourceError(f"{path} was not written: nothing was found to draw")
    panels = _panels(ground, rows, lambda row: f"{row['rank']}   {row['score']:.3f}")
    save_sheet(path, [panels[at : at + _ACROSS] for at in range(0, len(panels), _ACROSS)], scale=1)


def save_groups(ground: Ground, found: pa.Table, path: Path) -> None:
    """Write a PNG of the largest groups of duplicates, a group a row.

    Raises:
        SourceError: If there is no group to draw.
    """
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in found.to_pylist():
        groups.setdefault(row["group"], []).append(row)
    shown = [members[:_ACROSS] for members in list(groups.values())[:_GROUPS]]
    if not shown:
        raise SourceError(f"{path} was not written: there are no duplicates to draw")
    flat = [row for members in shown for row in members]
    panels = iter(
        _panels(ground, flat, lambda r: f"{r['group']} of {r['size']}   {r['cosine']:.3f}")
    )
    save_sheet(path, [[next(panels) for _ in members] for members in shown], scale=1)


def _panels(ground: Ground, rows: Sequence[Mapping[str, Any]], title: Any) -> list[Panel]:
    images = _images(ground, {row["image_id"] for row in rows})
    return [_panel(images.get(row["image_id"]), row, title(row)) for row in rows]


def _panel(image: Mapping[str, Any] | None, row: Mapping[str, Any], title: str) -> Panel:
    from stages.pixels import load_image

    named = "" if row["concept"] is None else f"{row['concept']} {row['probability']:.2f}"
    text = f"{named}  {row['image_id']}:{row['region']}".strip()
    grey = np.full((_SIDE, _SIDE, 3), 200, np.uint8)
    if image is None:
        return Panel(grey, [], title, f"{text} the image is not in the store")
    try:
        return Panel(*_cut(load_image(image), row), title, text)
    except SourceError as error:
        return Panel(grey, [], title, f"{text} {error}")


def _cut(pixels: NDArray[np.uint8], row: Mapping[str, Any]) -> tuple[NDArray[np.uint8], list[Mark]]:
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


def _images(ground: Ground, names: set[str]) -> dict[str, Mapping[str, Any]]:
    """Rows of `images` by id; none if the images are not in the store any more."""
    if catalog.ancestor(ground.features, ("images",)) is None:
        return {}
    with ground.connect() as connection:
        asked = pa.table({"image_id": pa.array(sorted(names), pa.string())})
        connection.register("_asked", asked)
        statement = f"SELECT {_IMAGE}, content FROM _images SEMI JOIN _asked USING (image_id)"
        found = sql.batches(sql.query(connection, statement)).read_all()
    return {row["image_id"]: row for row in found.to_pylist()}
