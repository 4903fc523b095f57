from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference

from stages.sources.coco_segmentation import box_of_segmentation


def test_the_box_of_polygons_surrounds_all_of_them() -> None:
    assert box_of_segmentation([[5, 5, 25, 5, 25, 25], ["1", "30.5", "2", "7", 3, 8]]) == (
        *(1, 5),
        *(24, 25.5),
    )
    assert box_of_segmentation([5, 5, 25, 5, 25, 25]) == (5, 5, 20, 20)  # one polygon, not nested


@pytest.mark.parametrize("seed", range(20))
def test_boxes_of_masks_are_those_of_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = np.asfortranarray(rng.random((rng.integers(1, 40), rng.integers(1, 60))) < 0.03)
    if seed % 2:
        pixels[3:30, 5:9] = True
    compressed: Any = reference.encode(pixels.astype(np.uint8, order="F"))
    if not pixels.any():
        return
    expected = tuple(reference.toBbox(compressed).tolist())
    code = {"size": compressed["size"], "counts": compressed["counts"].decode()}
    assert box_of_segmentation(code) == expected
    runs = [0] if pixels.ravel("F")[0] else []
    edges = np.flatnonzero(np.diff(pixels.ravel("F"))) + 1
    runs += np.diff([0, *edges, pixels.size]).tolist()
    assert box_of_segmentation({"size": list(pixels.shape), "counts": runs}) == expected


def test_a_mask_without_pixels_has_an_empty_box() -> None:
    assert box_of_segmentation({"size": [2, 3], "counts": [6]}) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "segmentation",
    [
        *(None, [], [[]], "mask", [[1, 2, 3]], [[1, "x"]], [[1, float("nan")]], [[1, 2], 3], {}),
        {"size": [2, 3], "counts": [1, 2]},  # not all pixels
        {"size": [2, 3], "counts": [9, -3]},
        {"size": [0, 0], "counts": [0]},
        {"size": [2], "counts": [2]},
        {"size": [2, 3], "counts": "\x00\xff"},
        {"size": [2, 3], "counts": "oooo"},  # ends within a number
        {"size": [2, 3], "counts": "o" * 1000},
        {"size": [2, 3], "counts": [1e400, 2]},
        {"counts": [6]},
    ],
)
def test_what_is_no_mask_has_no_box(segmentation: Any) -> None:
    assert box_of_segmentation(segmentation) is None
