from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.models.preprocess import Size
from stages.pixels import load_image
from stages.proposals.box_file import LocalizerOptions
from stages.proposals.box_sources import (
    GRID_STEP,
    DumpBoxSource,
    GridBoxSource,
    LocalizerBoxSource,
    RandomBoxSource,
    RpnBoxSource,
    grid_boxes,
    random_boxes,
)
from stages.proposals.localizers import open_localizer
from stages.proposals.region_dump import DumpReader, DumpWriter
from stages.sources.record import Refusal
from tests.in_memory import InMemory
from tests.stages import squares
from tests.stages.models.tiny_rpn import raw_boxes, tiny_rpn
from tests.stages.proposals.box_files import image_rows, write_records

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("width", "height"), [(640, 480), (100, 7), (1, 1), (8, 8), (9, 17)])
def test_random_boxes_are_in_the_image_with_corners_on_the_grid(width: int, height: int) -> None:
    boxes = random_boxes(width, height, 500, np.random.default_rng(0))
    assert boxes.shape == (500, 4)
    assert boxes.dtype == np.float32
    for near, far, side in ((0, 2, width), (1, 3, height)):
        assert (boxes[:, near] < boxes[:, far]).all()
        for edge in (near, far):
            values = boxes[:, edge]
            assert ((values % GRID_STEP == 0) | (values == side)).all()
            assert ((values >= 0) & (values <= side)).all()


def test_every_pair_of_lines_is_equally_likely() -> None:
    boxes = random_boxes(24, 8, 60_000, np.random.default_rng(1))
    pairs, counts = np.unique(boxes[:, [0, 2]], axis=0, return_counts=True)
    assert pairs.tolist() == [[0, 8], [0, 16], [0, 24], [8, 16], [8, 24], [16, 24]]
    np.testing.assert_allclose(counts / 60_000, 1 / 6, atol=0.01)


def test_random_boxes_depend_on_seed_and_image_id_only() -> None:
    row: dict[str, Any] = {"image_id": "a/1", "width": 300, "height": 200}

    def sampled(seed: int, **changes: Any) -> Any:
        raw = RandomBoxSource(9, seed).boxes({**row, **changes}, None)
        assert raw is not None
        assert (raw.scores == 1).all()
        return raw.boxes.tolist()

    assert sampled(0) == sampled(0)
    assert sampled(0) != sampled(1)
    assert sampled(0) != sampled(0, image_id="a/2")


@pytest.mark.parametrize(("most", "count"), [(1, 1), (4, 1), (5, 5), (13, 5), (14, 14), (300, 285)])
def test_a_grid_has_as_many_divisions_as_fit(most: int, count: int) -> None:
    assert len(grid_boxes(640, 480, most)) == count


def test_each_division_covers_the_image_once() -> None:
    boxes = grid_boxes(7, 5, 14)
    for first, n in ((0, 1), (1, 2), (5, 3)):
        cells = boxes[first : first + n * n].astype(np.float64)
        areas = (cells[:, 2] - cells[:, 0]) * (cells[:, 3] - cells[:, 1])
        np.testing.assert_allclose(areas, 35 / n**2, rtol=1e-6)
        assert cells[-1, 2:].tolist() == [7, 5]
    raw = GridBoxSource(14).boxes({"image_id": "a", "width": 7, "height": 5}, None)
    assert raw is not None
    np.testing.assert_array_equal(raw.boxes, boxes)


def test_a_file_gives_each_image_its_own_boxes_and_reports_the_rest_once(tmp_path: Path) -> None:
    rows = image_rows(["train/7.jpg", "val/7.jpg", "val/8.jpg", "val/9.jpg"])
    records = [{"image_id": i, "bbox": [5, 5, 9, 9], "score": 1} for i in ("7", "8.jpg", "0")]
    path = write_records(tmp_path / "boxes.json", [*records, {"image_id": 9}])
    localizer = open_localizer(LocalizerOptions(path), "", rows.to_batches)
    source = LocalizerBoxSource(localizer, "boxes.json")
    train_7, val_7, val_8, val_9 = rows.to_pylist()
    for row in (train_7, val_7):
        with pytest.raises(Refusal, match="ambiguous-id: the boxes of '7' could be those of"):
            source.boxes(row, None)
    raw = source.boxes(val_8, None)
    assert raw is not None
    assert raw.boxes.tolist() == [[5, 5, 14, 14]]
    assert source.boxes(val_9, None) is None
    parts = [InMemory({}, number=number) for number in (0, 1)]
    for part in parts:
        source.report(part)
    assert parts[0].notes == parts[1].notes
    assert parts[0].notes["matched_by"] == {"file name": 1}
    assert parts[0].notes["localizer"] == {
        "file": "boxes.json",
        "ids": 3,
        "ids_matched": 1,
        "ids_ambiguous": 1,
        "example": ["0", "train/7.jpg"],
        "boxes": 3,
        "bad_records": 1,
        "has_scores": True,
    }
    assert [record for record, _, _ in parts[0].refused] == ["boxes.json: record 3"]
    assert parts[1].refused == []


def test_a_dump_gives_the_boxes_scores_and_levels_of_an_image(tmp_path: Path) -> None:
    boxes = np.float32([[0, 0, 1, 1], [0, 0, 2, 2]])
    levels = np.uint8([3, 1])
    with DumpWriter(tmp_path / "h5", "logit") as writer:
        writer.append("empty", boxes[:0], np.zeros(0, np.float32), levels[:0])
        writer.append("a", boxes, np.float32([0.5, -2]), levels)
    with DumpReader(tmp_path / "h5") as reader:
        source = DumpBoxSource(reader)
        assert (source.kind, source.needs_pixels) == ("logit", False)
        raw = source.boxes({"image_id": "a"}, None)
        assert raw is not None
        assert raw.levels is not None
        assert (raw.boxes.tolist(), raw.scores.tolist()) == (boxes.tolist(), [0.5, -2])
        assert raw.levels.tolist() == [3, 1]
        assert source.boxes({"image_id": "unknown"}, None) is None


def test_a_network_reads_pixels_in_advance_and_gives_its_raw_boxes() -> None:
    rpn = tiny_rpn()
    source = RpnBoxSource(rpn, Size(64, 96), pre_nms=11)
    (row,) = squares.images(range(1)).to_pylist()
    assert (source.kind, source.needs_pixels) == ("logit", True)
    raw = source.boxes(row, source.prepare(row))
    assert raw is not None
    assert raw.levels is not None
    ((boxes, logits),) = raw_boxes(rpn, [load_image(row)], pre_nms=11)
    np.testing.assert_array_equal(raw.boxes, boxes)
    np.testing.assert_array_equal(raw.scores, logits)
    assert raw.levels.shape == logits.shape
    assert source.boxes(row, None) is None
    part = InMemory({})
    source.report(part)
    assert part.notes == {"network": {"neck": "fpn", "maps": 4, "pre_nms": 11}}


@pytest.mark.parametrize(
    ("neck", "sizes", "maps", "pre_nms"),
    [("fpn", (16, 32, 48, 64), 4, 1000), ("c4", (16, 32), 1, 6000)],
)
def test_how_many_boxes_a_network_gives_is_noted_by_its_neck(
    neck: str, sizes: tuple[int, ...], maps: int, pre_nms: int
) -> None:
    part = InMemory({})
    RpnBoxSource(tiny_rpn(neck=neck, anchor_sizes=sizes), Size(64, 96)).report(part)
    assert part.notes == {"network": {"neck": neck, "maps": maps, "pre_nms": pre_nms}}


def test_a_source_without_pixels_prepares_nothing(tmp_path: Path) -> None:
    part = InMemory({})
    source = GridBoxSource(1)
    assert source.prepare({"image_id": "a", "uri": "/nowhere"}) is None
    source.report(part)
    assert part.notes == {}
