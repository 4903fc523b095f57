from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest

from stages.labelling.image_tables import whole_images


def rows(owners: list[str]) -> pa.Table:
    return pa.table({"image_id": owners, "number": range(len(owners))})


def tables(table: pa.Table, batch: int, about: int, step: int = 1024) -> list[list[str]]:
    batches = table.to_batches(max_chunksize=batch)
    return [one.column("image_id").to_pylist() for one in whole_images(batches, about, step)]


def test_tables_never_end_inside_an_image() -> None:
    owners = ["a"] * 2 + ["b"] * 7 + ["c"] + ["d"] * 3
    for about in (1, 4, 100):
        for step in (1, 2, 3, 20):
            found = tables(rows(owners), 5, about, step)
            assert [image for one in found for image in one] == owners
            assert all(a[-1] != b[0] for a, b in pairwise(found))
        assert len(found) <= 2
    assert list(whole_images([], 5)) == []


def test_a_table_ends_before_the_image_that_may_go_on() -> None:
    owners = ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert tables(rows(owners), 100, about=6, step=3) == [["a"] * 3, ["b"] * 3, ["c"] * 3]
    assert tables(rows(owners), 100, about=9, step=2) == [["a"] * 3 + ["b"] * 3, ["c"] * 3]
    assert tables(rows(owners), 100, about=10, step=2) == [owners]


@pytest.mark.parametrize("seed", range(5))
def test_which_rows_are_together_does_not_depend_on_batches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, 60)
    table = rows([f"i{n:02d}" for n, count in enumerate(counts) for _ in range(count)])
    expected = tables(table, 16, about=64, step=16)  # batches as a reader of a part has them
    assert len(expected) > 5
    for batch in (1, 7, 100, len(table)):
        assert tables(table, batch, about=64, step=16) == expected
    by_image = [
        pa.RecordBatch.from_pydict({"image_id": list(own)})
        for _, own in groupby(table.column("image_id").to_pylist())
    ]
    found = whole_images([by_image[0].slice(0, 0), *by_image], 64, 16)
    assert [one.column("image_id").to_pylist() for one in found] == expected
