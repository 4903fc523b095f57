"""Detections of an artifact as other programs and people read them: COCO JSON, and pictures."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from pipeline.contact_sheets import Mark, Panel, save_sheet
from pipeline.exporting.target import drafts, with_suffix
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.errors import ArtifactError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact

_VERB: Final = "export-detections"
_CORNERS: Final = ("x0", "y0", "x1", "y1")
_COLOURS: Final = ("#2166ac", "#1a9850", "#d73027", "#762a83", "#b35806", "#01665e", "#c51b7d")
_LARGEST: Final = 1000.0  # pixels of a picture's longest side; smaller images are not enlarged

Rows = list[dict[str, Any]]


def export_coco(
    root: Path, address: str, out: Path, min_score: float, *, force: bool
) -> tuple[Path, int]:
    """Write a COCO JSON of images, categories and detections; where, and how many of the latter.

    Ids count from 1, in the order of the store; images also carry their `image_id`. The list under
    "annotations" is in the form of COCO's results: category_id, bbox as x, y, width and height in
    pixels of the original image, and score.

    Args:
        root: The store.
        address: As table, table@prefix or address.
        out: File to make; .json is added if it has no suffix.
        min_score: Leave out detections of a lower score.
        force: Whether to replace a file that exists.

    Raises:
        ArtifactError: If the artifact holds no detections, or its images are gone.
        OptionError: If the file exists.
    """
    detections, images = _found(root, address)
    names = detections.manifest.notes["protocol"]["categories"]
    known: Rows = []
    said: Rows = []
    for number, (row, mine) in enumerate(_by_image(detections, images, min_score), start=1):
        known.append(
            {"id": number, "file_name": row["uri"], "image_id": row["image_id"]}
            | {side: row[side] for side in ("width", "height")}
        )
        for one in mine:
            said.append({"id": len(said) + 1, "image_id": number, **_annotation(one)})
    content = {
        "images": known,
        "categories": [{"id": k, "name": name} for k, name in enumerate(names, start=1)],
        "annotations": said,
    }
    target = with_suffix(_VERB, out, ".json")
    with drafts(_VERB, [target], force=force) as (path,):
        path.write_text(json.dumps(content) + "\n", "utf-8")
    return target, len(said)


def export_pictures(
    root: Path, address: str, folder: Path, count: int, min_score: float
) -> list[Path]:
    """Draw boxes, names and scores on the first `count` images that have any, a PNG each.

    Raises:
        ArtifactError: If the artifact holds no detections, or its images are gone.
        OptionError: If the folder has files in it.
        SourceError: If an image cannot be read.
    """
    from stages.pixels import load_image

    if folder.is_dir() and any(folder.iterdir()):
        raise OptionError(f"rc {_VERB}: {folder} has files in it; give another folder")
    detections, images = _found(root, address)
    written: list[Path] = []
    for row, mine in _by_image(detections, images, min_score):
        if len(written) == count:
            break
        if mine:
            name = row["image_id"].replace("/", "_")
            path = folder / f"{len(written):04d}_{name[-80:]}.png"
            marks = [_mark(one) for one in reversed(mine)]  # the surest are drawn last, on top
            scale = min(1.0, _LARGEST / max(row["width"], row["height"]))
            save_sheet(path, [[Panel(load_image(row), marks, row["image_id"])]], scale)
            written.append(path)
    return written


def _found(root: Path, address: str) -> tuple[Artifact, Artifact]:
    detections = catalog.find(root, address)
    if detections.manifest.artifact != "detections":
        raise ArtifactError(
            f"rc {_VERB}: {detections.address} holds no detections; give detections@…, which "
            f"rc detect makes"
        )
    images = catalog.parents(detections).get("images")
    if images is None:
        raise ArtifactError(f"the images that {detections.address} was made from are gone")
    return detections, images


def _by_image(
    detections: Artifact, images: Artifact, min_score: float
) -> Iterator[tuple[dict[str, Any], Rows]]:
    """Each image of the parts that were looked at, with its detections, the surest first."""
    for number in detections.numbers:
        found: dict[str, Rows] = {
            image_id: [row for row in rows if row["score"] >= min_score]
            for image_id, rows in groupby(_rows([detections.part(number)]), itemgetter("image_id"))
        }
        for batch in stream([images.part(number)]):
            for at in range(batch.num_rows):  # one by one: a packed image may weigh megabytes
                (row,) = batch.slice(at, 1).to_pylist()
                yield row, found.get(row["image_id"], [])


def _rows(files: list[Path]) -> Iterator[dict[str, Any]]:
    for batch in stream(files):
        yield from batch.to_pylist()


def _annotation(one: dict[str, Any]) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(one[corner]) for corner in _CORNERS)
    return {
        "category_id": one["category_id"] + 1,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
        "score": float(one["score"]),
    }


def _mark(one: dict[str, Any]) -> Mark:
    colours: Sequence[str] = _COLOURS
    box = (one["x0"], one["y0"], one["x1"], one["y1"])
    colour = colours[one["category_id"] % len(colours)]
    return Mark(box, f"{one['category']} {one['score']:.2f}", colour)
