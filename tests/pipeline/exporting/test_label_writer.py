"""Boxes as COCO writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.exporting.label_writer import xywh
from pipeline.exporting.yolo_format import YoloFormat
from schemas.boxes import from_xywh
from tests.pipeline.exporting.labelled_store import image_with_labels

if TYPE_CHECKING:
    from pathlib import Path


def test_corner_and_size_are_the_inverse_of_reading_them() -> None:
    rng = np.random.default_rng(1)
    boxes = np.sort(rng.integers(0, 500, (20, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32)
    written = [xywh(dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))) for box in boxes]
    np.testing.assert_array_equal(from_xywh(np.array(written, np.float32)), boxes)


def test_a_format_calls_images_and_categories_as_they_are_unless_it_must_not(
    tmp_path: Path,
) -> None:
    writer = YoloFormat(tmp_path, ["a\x00b"], "none")
    assert writer.image_name(image_with_labels(7, [])) == "000000000007.png"
    assert writer.concept_name(0) == "a\x00b"
    assert not writer.comes_back
