"""Small files of boxes, in every format that localizers write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.proposals.region_dump import DumpWriter

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    {"image_id": 139, "bbox": [10, 20, 30, 40], "score": 0.5, "category_id": 7},
    {"image_id": "dog", "bbox": [0, 0, 1.5, 2], "score": 0.25},
    {"image_id": 139, "bbox": [1, 2, 3, 4], "score": 0.75},
]
CORNERS = [[10, 20, 40, 60], [1, 2, 4, 6]]  # of 139, in the order of the file
SCORES = [0.5, 0.75]


def write_records(path: Path, records: list[dict[str, Any]]) -> Path:
    """COCO results."""
    path.write_text(json.dumps(records, indent=1))
    return path


def write_ids(path: Path, ids: list[Any]) -> Path:
    """COCO results with one unit box for each id."""
    return write_records(path, [{"image_id": i, "bbox": [0, 0, 1, 1], "score": 1} for i in ids])


def write_columns(path: Path, ids: list[str], group: int = 3, **changes: Any) -> Path:
    """Parquet with rows k of box (k, k, k, k) and score k; `changes` replace or drop columns."""
    row_numbers = np.arange(len(ids), dtype=float)
    columns = {"image_id": ids, **dict.fromkeys(("x0", "y0", "x1", "y1", "score"), row_numbers)}
    columns = {name: value for name, value in {**columns, **changes}.items() if value is not None}
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def image_rows(
    names: list[str], source_ids: list[str | None] | None = None, **changes: Any
) -> pa.Table:
    """What is matched of `images`, 100 x 80 pixels: a folder's, unless `changes` say otherwise."""
    count = len(names)
    columns: dict[str, Any] = {
        "image_id": names,
        "source": ["folder"] * count,
        "source_id": pa.array(source_ids or [None] * count, pa.string()),
        "uri": [f"/data/{name}" for name in names],
        "member": pa.array([None] * count, pa.string()),
        "width": [100] * count,
        "height": [80] * count,
    }
    return pa.table({**columns, **changes})


def in_json(folder: Path) -> Path:
    """`RECORDS` as JSON."""
    return write_records(folder / "boxes.json", RECORDS)


def in_parquet(folder: Path) -> Path:
    """`RECORDS` as Parquet with a column `bbox`."""
    rows = [{**record, "image_id": str(record["image_id"])} for record in RECORDS]
    pq.write_table(pa.Table.from_pylist(rows), folder / "boxes.parquet")
    return folder / "boxes.parquet"


def in_parquet_corners(folder: Path) -> Path:
    """The boxes of 139 as Parquet with columns of corners and whole-number ids."""
    corners = np.array([*CORNERS, [0, 0, 1, 1]])
    columns = dict(zip(("x0", "y0", "x1", "y1"), corners.T, strict=True))
    table = pa.table({"image_id": [139, 139, 7], **columns, "objectness": [*SCORES, 0.0]})
    pq.write_table(table, folder / "boxes.parquet", row_group_size=1)
    return folder / "boxes.parquet"


def in_hdf5(folder: Path) -> Path:
    """The boxes of 139 as a region dump."""
    with DumpWriter(folder / "boxes.h5", "score") as dump:
        dump.append("139", np.float32(CORNERS), np.float32(SCORES))
    return folder / "boxes.h5"
