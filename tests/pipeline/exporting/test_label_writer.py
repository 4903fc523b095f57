"""Boxes as COCO writes them."""

from __future__ import annotations

import numpy as np

from pipeline.exporting.label_writer import xywh
from schemas.boxes import from_xywh


def test_corner_and_size_are_the_inverse_of_reading_them() -> None:
    rng = np.random.default_rng(1)
    boxes = np.sort(rng.integers(0, 500, (20, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32)
    written = [xywh(dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))) for box in boxes]
    np.testing.assert_array_equal(from_xywh(np.array(written, np.float32)), boxes)
