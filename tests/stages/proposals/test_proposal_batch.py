from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.errors import SourceError
from schemas.proposals import PROPOSALS
from stages.proposals.box_sources import BoxSource, RawBoxes
from stages.proposals.proposal_batch import (
    ImageBoxes,
    ProposalBatch,
    images_with_boxes,
    logit,
    probability,
)
from stages.proposals.region_dump import DumpReader, DumpWriter
from stages.proposals.selection import Selection
from stages.sources.record import Refusal
from tests.in_memory import InMemory
from tests.stages import squares

if TYPE_CHECKING:
    from pathlib import Path

    from stages.proposals.region_dump import Kind

CPU = torch.device("cpu")
NO_OBJECTS = np.zeros((0, 4), np.float32)


def raw_boxes(count: int, seed: int = 0) -> RawBoxes:
    """Boxes in an image of 60 x 48 pixels, one level for each box in turn."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 20, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 20, (count, 2))], axis=1)
    levels = np.arange(count, dtype=np.uint8) % 3
    return RawBoxes(boxes.astype(np.float32), rng.normal(size=count).astype(np.float32), levels)


def image(image_id: str, raw: RawBoxes | None, objects: Any = NO_OBJECTS) -> ImageBoxes:
    return ImageBoxes({"image_id": image_id, "width": 60, "height": 48}, raw, objects)


def make_batch(kind: Kind = "score", dump: DumpWriter | None = None, **options: Any) -> Any:
    select = Selection(**{"nms": 0.5, "top_k": 4, **options.pop("select", {})})
    return ProposalBatch(kind, select, dump, CPU, **options)


def noted(batch: ProposalBatch) -> dict[str, Any]:
    part = InMemory({})
    batch.report(part)
    return part.notes


def test_rows_are_the_selected_boxes_of_each_image_in_order() -> None:
    batch, raw = make_batch(), [raw_boxes(9, 0), raw_boxes(9, 1)]
    for number, boxes in enumerate(raw):
        batch.add(image(f"image {number}", boxes))
    rows = batch.take()
    PROPOSALS.check(rows)
    assert rows["region"].to_pylist() == [0, 1, 2, 3] * 2
    for number, (boxes, scores, levels) in enumerate(raw):
        kept, indices = Selection(nms=0.5, top_k=4)(boxes, scores, (60, 48), CPU, levels)
        own = rows.slice(4 * number, 4)
        assert set(own["image_id"].to_pylist()) == {f"image {number}"}
        actual = np.stack([own[side].to_numpy() for side in ("x0", "y0", "x1", "y1")], axis=1)
        np.testing.assert_array_equal(actual, kept)
        np.testing.assert_array_equal(own["objectness"].to_numpy(), scores[indices])


def test_scores_have_no_logit_and_logits_become_probabilities() -> None:
    scores, logits = make_batch("score"), make_batch("logit")
    for batch in (scores, logits):
        batch.add(image("a", raw_boxes(1)))
    assert scores.take()["objectness_logit"].null_count == 1
    (row,) = logits.take().to_pylist()
    expected = 1 / (1 + np.exp(-np.float64(row["objectness_logit"])))
    assert row["objectness"] == pytest.approx(expected, rel=1e-6)


def test_rows_are_taken_once() -> None:
    batch = make_batch(select={"nms": 1.0})
    batch.add(image("a", raw_boxes(3)))
    assert len(batch) == 3
    assert batch.take().num_rows == 3
    assert len(batch) == 0
    assert batch.take().num_rows == 0
    batch.add(image("b", raw_boxes(2)))
    assert batch.take()["image_id"].to_pylist() == ["b", "b"]
    assert noted(batch)["boxes"]["raw_boxes"] == 5


def test_boxes_of_one_map_or_of_the_whole_image_suppress_each_other() -> None:
    boxes = np.float32([[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9]])
    raw = RawBoxes(boxes, np.float32([3, 2, 1]), np.uint8([0, 1, 1]))
    counts = {}
    for within in ("map", "image"):
        batch = make_batch(within=within)
        batch.add(image("a", raw))
        counts[within] = len(batch)
    assert counts == {"map": 2, "image": 1}


def test_every_raw_box_is_written_to_the_dump(tmp_path: Path) -> None:
    raw = [raw_boxes(5), raw_boxes(0)]
    with DumpWriter(tmp_path / "h5", "score") as dump:
        batch = make_batch(dump=dump, select={"top_k": 1})
        for number, boxes in enumerate(raw):
            batch.add(image(str(number), boxes))
        batch.add(image("unknown", None))
    with DumpReader(tmp_path / "h5") as reader:
        assert reader.image_ids == ["0", "1"]
        np.testing.assert_array_equal(reader[0][1], raw[0].boxes)
        np.testing.assert_array_equal(reader.levels(0), raw[0].levels)
        assert len(reader[1][1]) == 0


def test_counts_name_unknown_images_and_values_that_are_not_finite() -> None:
    batch = make_batch()
    boxes = np.float32([[0, 0, np.nan, 5], [0, 0, 5, 5], [0, 0, 5, 5]])
    batch.add(image("a", RawBoxes(boxes, np.float32([1, np.inf, 1]))))
    batch.add(image("b", None, np.float32([[0, 0, 5, 5]])))
    assert noted(batch) == {
        "boxes": {
            "images": 2,
            "images_unknown": 1,
            "images_without_boxes": 0,
            "raw_boxes": 3,
            "boxes_not_finite": 2,
            "boxes_outside": 0,
            "boxes_cut": 0,
        },
        "recall": {"objects": 1, "hits_50": 0, "ar100_hits": [0] * 10},
    }


def test_boxes_that_leave_their_image_are_counted() -> None:
    batch = make_batch()
    boxes = np.float32([[0, 0, 5, 5], [-1, 0, 5, 5], [0, 0, 999, 5], [-9, 0, -1, 5], [5, 5, 5, 9]])
    batch.add(image("a", RawBoxes(boxes, np.ones(5, np.float32))))
    batch.add(image("b", RawBoxes(boxes[:0], np.ones(0, np.float32))))
    counts = noted(batch)["boxes"]
    assert (counts["boxes_cut"], counts["boxes_outside"]) == (2, 2)
    assert (counts["images"], counts["images_without_boxes"]) == (2, 1)


def test_recall_is_measured_after_the_selection() -> None:
    raw = RawBoxes(np.float32([[0, 0, 9, 9], [20, 20, 29, 29]]), np.float32([2, 1]))
    for top_k, hits in ((1, 1), (2, 2)):
        batch = make_batch(select={"top_k": top_k})
        batch.add(image("a", raw, raw.boxes))
        assert noted(batch)["recall"] == {"objects": 2, "hits_50": hits, "ar100_hits": [hits] * 10}


class FakeSource(BoxSource):
    """Cannot read image 1, refuses image 2, does not know image 3."""

    def __init__(self, needs_pixels: bool) -> None:
        self.needs_pixels = needs_pixels

    def prepare(self, row: Any) -> Any:
        if row["image_id"] == "tiny/001":
            raise SourceError("the file is missing")
        return row["image_id"]

    def boxes(self, row: Any, prepared: Any) -> RawBoxes | None:
        assert prepared == row["image_id"]
        if row["image_id"] == "tiny/002":
            raise Refusal("ambiguous-id", "two images have this name")
        return None if row["image_id"] == "tiny/003" else raw_boxes(2)


@pytest.mark.parametrize("needs_pixels", [True, False])
def test_an_image_that_fails_is_refused_and_the_others_keep_their_order(needs_pixels: bool) -> None:
    images = squares.images(range(5))
    part = InMemory({"images": pa.concat_tables([images.slice(0, 2), images.slice(2)])})
    boxed = list(images_with_boxes(part, FakeSource(needs_pixels), CPU))
    assert [item.row["image_id"] for item in boxed] == ["tiny/000", "tiny/003", "tiny/004"]
    assert [item.raw is None for item in boxed] == [False, True, False]
    assert [len(item.objects) for item in boxed] == [3, 3, 3]
    assert part.refused == [
        ("tiny/001", "unreadable", "the file is missing"),
        ("tiny/002", "ambiguous-id", "two images have this name"),
    ]
    assert part.advanced == 5


def test_rows_of_images_come_without_captions_and_objects() -> None:
    part = InMemory({"images": squares.images(range(1))})
    (boxed,) = images_with_boxes(part, FakeSource(needs_pixels=False), CPU)
    assert {"captions", "objects"}.isdisjoint(boxed.row)
    assert boxed.row["width"] == 60


def test_probability_and_logit_are_inverse_and_never_overflow() -> None:
    values = np.linspace(-30, 15, 100).astype(np.float32)
    exact = 1 / (1 + np.exp(-values.astype(np.float64)))
    np.testing.assert_allclose(probability(values), exact, rtol=1e-6)
    assert [logit(p) for p in (-1, 0, 1, 2)] == [-np.inf, -np.inf, np.inf, np.inf]
    assert [float(probability(np.float32([logit(p)]))[0]) for p in (0.1, 0.9)] == [
        pytest.approx(0.1),
        pytest.approx(0.9),
    ]
