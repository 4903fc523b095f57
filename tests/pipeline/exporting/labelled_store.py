"""Expected labels, read with SQL, and labelled images without a store."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import api
from pipeline.exporting.labelled_images import LabelledImage

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTILE = '../../"evil": {name}\\ #1'


def labels(root: Path, where: str = "kept") -> list[dict[str, Any]]:
    rows = api.Store(root).sql(f"FROM pseudo_labels WHERE {where} ORDER BY image_id, region")
    labels: list[dict[str, Any]] = rows.to_arrow().to_pylist()
    return labels


def label_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["concept"], *(round(row[side], 3) for side in ("x0", "y0", "x1", "y1")))


def image_with_labels(
    number: int,
    labels: Sequence[tuple[int, float, Sequence[float]]],
    *,
    split: str | None = "train",
    captions: Sequence[str] = (),
    uri: str = "none.png",
) -> LabelledImage:
    """An image of 64 x 60 pixels; labels as category, score and box, region after region."""
    row: dict[str, Any] = {
        "source": "folder",
        "image_id": f"image/{number}",
        "split": split,
        "width": 64,
        "height": 60,
    }
    row |= {"orientation": 1, "format": "PNG", "captions": list(captions)}
    content = Path(uri).read_bytes() if Path(uri).exists() else b""
    row |= {"num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    row |= {"uri": uri, "member": None, "offset": None, "content": None}
    rows = [
        {
            "region": region,
            "category": category,
            "concept_id": category,
            "score": score,
            **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
        }
        for region, (category, score, box) in enumerate(labels)
    ]
    return LabelledImage(number, row, rows)
