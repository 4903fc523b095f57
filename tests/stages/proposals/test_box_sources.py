from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.proposals.box_sources import (
    GRID_STEP,
    GridBoxSource,
    LocalizerBoxSource,
    RandomBoxSource,
    grid_boxes,
    random_boxes,
)
from stages.proposals.localizers import open_localizer
from stages.sources.record import Refusal
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("width", "height"), [(640, 480), (100, 7), (1, 1), (8, 8), (9, 17)])
def test_random_boxes_lie_in_the_image_on_the_lines(width: int, height: int) -> None:
    boxes = random_boxes(width, height, 500, np.random.default_rng(0))
    assert boxes.shape == (500, 4)
    assert boxes.dtype == np.float32
    for near, far, side in ((0, 2, width), (1, 3, height)):
        assert (boxes[:, near] < boxes[:, far]).all()
        for edge in (near, far):
            values = boxes[:, edge]
            assert ((values % GRID_STEP == 0) | (values == side)).all()
            assert ((values >= 0) & (values <= side)).all()


def test_every_pair_of_lines_is_as_likely() -> None:
    boxes = random_boxes(24, 8, 60_000, np.random.default_rng(1))
    pairs, counts = np.unique(boxes[:, [0, 2]], axis=0, return_counts=True)
    assert pairs.tolist() == [[0, 8], [0, 16], [0, 24], [8, 16], [8, 24], [16, 24]]
    np.testing.assert_allclose(counts / 60_000, 1 / 6, atol=0.01)


def test_random_boxes_follow_from_seed_and_image_alone() -> None:
    row: dict[str, Any] = {"image_id": "a/1", "width": 300, "height": 200}

    def drawn(seed: int, **changes: Any) -> Any:
        found = RandomBoxSource(9, seed).boxes({**row, **changes}, None)
        assert found is not None
        assert (found[1] == 1).all()
        return found[0].tolist()

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert drawn(0) != drawn(0, image_id="a/2")


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
    found = GridBoxSource(14).boxes({"image_id": "a", "width": 7, "height": 5}, None)
    assert found is not None
    np.testing.assert_array_equal(found[0], boxes)


def test_boxes_of_one_name_are_not_given_to_two_images(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    records = [{"image_id": n, "bbox": [0, 0, 1, 1], "score": 1} for n in (7, 8)]
    path.write_text(json.dumps(records))
    source = LocalizerBoxSource(open_localizer(path))
    assert source.boxes({"image_id": "train/007"}, None) is not None
    with pytest.raises(Refusal, match=r"ambiguous-id: .* given to train/007"):
        source.boxes({"image_id": "val/007"}, None)
    assert source.boxes({"image_id": "train/009"}, None) is None
    part = InMemory({})
    source.report(part)
    assert part.notes == {"ids_matched": 1, "ids_in_file": 2}
