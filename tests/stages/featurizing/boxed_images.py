"""Small images with boxes, as parts of a store hold them, and their features."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from stages.featurize import Featurize

if TYPE_CHECKING:
    from tests.in_memory import InMemory

SMALL = {"device": "cpu", "resize": "64x120"}


def image_row(image_id: str, size: tuple[int, int] = (90, 70), seed: int = 0) -> dict[str, Any]:
    """A packed PNG of `size` (width, height)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    content = stream.getvalue()
    row = dict.fromkeys(column.name for column in IMAGES.columns)
    row |= {"image_id": image_id, "source": "folder", "uri": f"{image_id}.png", "format": "PNG"}
    row |= {"num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    row |= {"width": size[0], "height": size[1], "orientation": 1, "content": content}
    return row | {"captions": ["a picture"], "objects": []}


def images(*rows: dict[str, Any]) -> pa.Table:
    columns = {column.name: [row[column.name] for row in rows] for column in IMAGES.columns}
    return pa.Table.from_batches([IMAGES.batch(columns)])


def proposals(*rows: tuple[str, int, list[float]]) -> pa.Table:
    if not rows:
        return pa.Table.from_batches([PROPOSALS.empty()])
    names, regions, boxes = zip(*rows, strict=True)
    columns = dict(zip(("x0", "y0", "x1", "y1"), np.array(boxes, np.float32).T, strict=True))
    columns |= {"image_id": names, "region": regions, "objectness": [0.5] * len(rows)}
    columns["objectness_logit"] = [None] * len(rows)
    return pa.Table.from_batches([PROPOSALS.batch(columns)])


def featurize(part: InMemory, **options: Any) -> pa.Table:
    """All features of a part; every batch is checked against the table."""
    batches = list(Featurize(**(SMALL | options)).run(part))
    for batch in batches:
        Featurize.writes.check(batch)
    return pa.Table.from_batches(batches or [Featurize.writes.empty()])
