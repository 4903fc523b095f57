"""Rows of images, objects and proposals, and a part that reads them."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from pathlib import Path

CORNERS = ("x0", "y0", "x1", "y1")
_rng = np.random.default_rng(11)


def image_row(
    folder: Path, name: str, objects: list[dict[str, Any]], side: int = 96
) -> dict[str, Any]:
    """A row of `IMAGES`, and a PNG of noise in the folder."""
    path = folder / f"{name}.png"
    Image.fromarray(_rng.integers(0, 255, (side, side, 3)).astype("u1")).save(path)
    content = path.read_bytes()
    return {
        "image_id": name, "source": "folder", "split": None, "uri": str(path), "member": None,
        "offset": None, "num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        "format": "PNG", "width": side, "height": side, "orientation": 1, "captions": [],
        "objects": objects, "content": None,
    }  # fmt: skip


def object_row(
    category: str, box: list[float] | None = None, is_crowd: bool = False
) -> dict[str, Any]:
    """A ground-truth object; its box is random if none is given."""
    if box is None:
        x, y = _rng.uniform(0, 50, 2)
        box = [x, y, x + _rng.uniform(10, 40), y + _rng.uniform(10, 40)]
    corners = dict(zip(CORNERS, map(float, np.float32(box)), strict=True))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return {"category": category, **corners, "area": area, "is_crowd": is_crowd}


def proposal_row(image_id: str, region: int, box: list[float], objectness: float) -> dict[str, Any]:
    """A row of `PROPOSALS`, with the logit of its objectness."""
    corners = dict(zip(CORNERS, box, strict=True))
    logit = math.log(objectness / (1 - objectness))
    scores = {"objectness": objectness, "objectness_logit": logit}
    return {"image_id": image_id, "region": region, **corners, **scores}


def set_proposals(part: InMemory, rows: list[dict[str, Any]]) -> None:
    part.tables["proposals"] = pa.Table.from_pylist(rows, schema=PROPOSALS.arrow)


def part_of(
    folder: Path, files: dict[tuple[str, str], Path], rows: list[dict[str, Any]]
) -> InMemory:
    """A part with these rows of images and these attachments."""
    images = pa.Table.from_pylist(rows, schema=IMAGES.arrow)
    return InMemory({"images": images}, folder=folder, files=files)
