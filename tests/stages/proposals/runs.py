"""Runs of `rc propose` over small pictures, and a check of the rows they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.proposals import PROPOSALS
from stages.propose import Propose
from tests.in_memory import InMemory
from tests.stages import squares
from tests.stages.models.tiny_rpn import saved, tiny_rpn
from tests.stages.proposals.box_files import write_records

if TYPE_CHECKING:
    from pathlib import Path


def pictures(folder: Path, count: int = 5, dump: Path | None = None) -> InMemory:
    """A part of pictures, 60 x 48 pixels; with an earlier dump, if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {("dump", "h5"): dump} if dump else {}
    return InMemory({"images": squares.images(range(count))}, folder, files=files)


def pictures_and_network(folder: Path, count: int = 5) -> InMemory:
    """The same with a tiny network."""
    part = pictures(folder, count)
    config, weights = saved(tiny_rpn(), folder)
    part.files[("rpn", "model.json")] = config
    part.files[("rpn", "weights.safetensors")] = weights
    return part


def run(part: InMemory, **options: Any) -> pa.Table:
    """All proposals of a part; checked."""
    batches = list(Propose(device="cpu", threads=1, **options).run(part))
    for batch in batches:
        PROPOSALS.check(batch)
    proposals = pa.Table.from_batches(batches)
    check_rows(proposals, part.tables["images"])
    return proposals


def check_rows(proposals: pa.Table, images: pa.Table) -> None:
    """What every reader of proposals relies on: order, ranks, boxes inside the image."""
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in images.to_pylist()}
    rows = proposals.to_pylist()
    keys = [(row["image_id"], row["region"]) for row in rows]
    assert keys == sorted(keys)
    for image_id in set(proposals["image_id"].to_pylist()):
        of_image = [row for row in rows if row["image_id"] == image_id]
        assert [row["region"] for row in of_image] == list(range(len(of_image)))
        scores = [row["objectness"] for row in of_image]
        assert scores == sorted(scores, reverse=True)
    for row in rows:
        width, height = sizes[row["image_id"]]
        assert 0 <= row["x0"] < row["x1"] <= width
        assert 0 <= row["y0"] < row["y1"] <= height


def write_results(path: Path, boxes: dict[str, list[list[float]]]) -> Path:
    """COCO results: x, y, width, height, score of each box of each image."""
    records = [
        {"image_id": image_id, "bbox": box[:4], "score": box[4]}
        for image_id, boxes_of_image in boxes.items()
        for box in boxes_of_image
    ]
    return write_records(path, records)
