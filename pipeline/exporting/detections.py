"""Detections of an artifact as COCO JSON for programs, and as pictures for people."""

from __future__ import annotations

import json
import re
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from pipeline.contact_sheets import Mark, Panel, save_sheet
from pipeline.exporting.output_files import draft_file, draft_folder, with_suffix
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact

_VERB: Final = "export-detections"
_CORNERS: Final = ("x0", "y0", "x1", "y1")
_COLOURS: Final = ("#2166ac", "#1a9850", "#d73027", "#762a83", "#b35806", "#01665e", "#c51b7d")
_LARGEST: Final = 1000.0  # pixels of a picture's longest side; smaller images keep their size


def export_coco(  # each is an option
    root: Path, address: str, out: Path, min_score: float, pictures: int = 0, *, force: bool
) -> tuple[Path, int]:
    """Write a COCO JSON of images, categories and detections; return its path and their number.

    Pictures are in a folder beside it, and there before it.

    Ids count from 1, in the order of the store; images also have their `image_id`. The list
    "annotations" has the form of COCO results: category_id, bbox as x, y, width and height in
    pixels of the original image, and score.

    Args:
        root: The store.
        address: As table, table@prefix or address.
        out: File to write; .json is added if it has no suffix.
        min_score: Leave out detections with a lower score.
        pictures: How many images with detections to write as pictures, too.
        force: Whether to replace a file that exists.

    Raises:
        ArtifactError: If the artifact holds no detections, or its images were deleted.
        OptionError: If the file exists, or other files are where pictures go.
        SourceError: If an image cannot be read.
    """
    detections, images = _detections_and_images(root, address)
    names = detections.manifest.notes["protocol"]["categories"]
    image_entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (row, boxes) in enumerate(_by_image(detections, images, min_score), start=1):
        image_entries.append(
            {"id": number, "file_name": row["uri"], "image_id": row["image_id"]}
            | {side: row[side] for side in ("width", "height")}
        )
        for box in boxes:
            annotation = {"id": len(annotations) + 1, "image_id": number, **_annotation(box)}
            annotations.append(annotation)
    content = {
        "images": image_entries,
        "categories": [{"id": k, "name": name} for k, name in enumerate(names, start=1)],
        "annotations": annotations,
    }
    target = with_suffix(_VERB, out, ".json")
    with draft_file(_VERB, target, force=force) as path:
        path.write_text(json.dumps(content) + "\n", "utf-8")
        if pictures:
            _write_pictures((detections, images), target.with_suffix(""), pictures, min_score)
    return target, len(annotations)


def _write_pictures(
    artifacts: tuple[Artifact, Artifact], folder: Path, count: int, min_score: float
) -> None:
    """Write a PNG with boxes, names and scores for each of the first images with any."""
    from stages.pixels import load_image

    drawn = ((row, boxes) for row, boxes in _by_image(*artifacts, min_score) if boxes)
    with draft_folder(_VERB, folder, _is_picture, force=True) as draft:
        for number, (row, boxes) in enumerate(islice(drawn, count)):
            name = row["image_id"].replace("/", "_")
            marks = [_mark(box) for box in reversed(boxes)]  # the best is drawn last, on top
            scale = min(1.0, _LARGEST / max(row["width"], row["height"]))
            panel = Panel(load_image(row), marks, row["image_id"])
            save_sheet(draft / f"{number:04d}_{name[-80:]}.png", [[panel]], scale)


def _is_picture(name: str) -> bool:
    return re.fullmatch(r"\d{4}_.*\.png", name) is not None


def _detections_and_images(root: Path, address: str) -> tuple[Artifact, Artifact]:
    detections = catalog.find(root, address)
    if detections.manifest.artifact != "detections":
        raise ArtifactError(
            f"rc {_VERB}: {detections.address} holds no detections; give detections@… as "
            f"rc detect makes them"
        )
    images = catalog.parents(detections).get("images")
    if images is None:
        raise ArtifactError(f"the images that {detections.address} was made from were deleted")
    return detections, images


def _by_image(
    detections: Artifact, images: Artifact, min_score: float
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each image of the parts with detections, with its boxes by falling score."""
    for number in detections.numbers:
        boxes: dict[str, list[dict[str, Any]]] = {
            image_id: [row for row in rows if row["score"] >= min_score]
            for image_id, rows in groupby(_rows([detections.part(number)]), itemgetter("image_id"))
        }
        for batch in stream([images.part(number)]):
            for index in range(batch.num_rows):  # one by one: a packed image may need megabytes
                (row,) = batch.slice(index, 1).to_pylist()
                yield row, boxes.get(row["image_id"], [])


def _rows(files: list[Path]) -> Iterator[dict[str, Any]]:
    for batch in stream(files):
        yield from batch.to_pylist()


def _annotation(detection: dict[str, Any]) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(detection[corner]) for corner in _CORNERS)
    return {
        "category_id": detection["category_id"] + 1,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
        "score": float(detection["score"]),
    }


def _mark(detection: dict[str, Any]) -> Mark:
    colours: Sequence[str] = _COLOURS
    x0, y0, x1, y1 = (detection[corner] for corner in _CORNERS)
    colour = colours[detection["category_id"] % len(colours)]
    return Mark((x0, y0, x1, y1), f"{detection['category']} {detection['score']:.2f}", colour)
