"""Regions are found among streamed rows, as by looking each up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.labelling.region_index import RegionIndex


def table(keys: list[tuple[str, int]]) -> pa.Table:
    columns = [[image for image, _ in keys], [region for _, region in keys]]
    schema = pa.schema([("image_id", pa.string()), ("region", pa.int32())])
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_places_of_both_sides_are_those_of_equal_regions(count: int) -> None:
    rng = np.random.default_rng()
    every = [(f"image {i}", int(r)) for i in range(12) for r in (0, 1, 5, 2**31 - 1)]
    own = [every[n] for n in rng.permutation(len(every))[:count]]
    rows = [every[n] for n in rng.integers(0, len(every), 60)] + [("elsewhere", 0), ("", 5)]
    expected = [(own.index(key), n) for n, key in enumerate(rows) if key in own]
    streamed = table(rows)
    for form in (streamed, streamed.combine_chunks().to_batches()[0]):
        places, here = RegionIndex.of(table(own)).find(form)
        assert list(zip(places.tolist(), here.tolist(), strict=True)) == expected
