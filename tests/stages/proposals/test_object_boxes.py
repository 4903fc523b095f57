from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.proposals.object_boxes import object_boxes
from tests.stages import squares

OBJECTS = {
    0: [squares.drawn([0, 0, 5, 5], "dog"), squares.drawn([1, 1, 9, 9], "dogs", is_crowd=True)],
    1: [],
    2: [squares.drawn([2, 2, 2, 8], "line"), squares.drawn([3, 3, 4, 4], "cat")],
    3: [squares.drawn([0, 0, 1, 1], "dog")],
}
TABLE = squares.images(range(4), OBJECTS.__getitem__)


def as_lists(boxes_of_images: list[np.ndarray]) -> list[list[list[float]]]:
    return [boxes.tolist() for boxes in boxes_of_images]


def test_crowds_and_empty_boxes_are_left_out() -> None:
    expected = [[[0, 0, 5, 5]], [], [[3, 3, 4, 4]], [[0, 0, 1, 1]]]
    assert as_lists(object_boxes(TABLE)) == expected
    assert all(boxes.dtype == np.float32 and boxes.shape[1] == 4 for boxes in object_boxes(TABLE))


def test_only_boxes_of_the_named_categories_are_taken() -> None:
    assert as_lists(object_boxes(TABLE, {"dog"})) == [[[0, 0, 5, 5]], [], [], [[0, 0, 1, 1]]]
    assert as_lists(object_boxes(TABLE, set())) == [[], [], [], []]


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (1, 3), (3, 4), (1, 2), (2, 2)])
def test_a_slice_or_a_batch_gives_the_boxes_of_its_own_rows(start: int, stop: int) -> None:
    expected = as_lists(object_boxes(TABLE))[start:stop]
    rows = TABLE.slice(start, stop - start)
    assert as_lists(object_boxes(rows)) == expected
    for batch in rows.to_batches():
        assert as_lists(object_boxes(batch)) == expected


def test_a_table_of_two_chunks_gives_the_boxes_of_both() -> None:
    two_chunks = pa.concat_tables([TABLE.slice(1, 2), TABLE.slice(2)])
    assert as_lists(object_boxes(two_chunks)) == [
        [],
        [[3, 3, 4, 4]],
        [[3, 3, 4, 4]],
        [[0, 0, 1, 1]],
    ]
