"""Rows of another table about the regions of labels, as both are streamed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stages.suspicion import aligned_rows
from stages.suspicion.aligned_rows import AlignedRows, image_order

if TYPE_CHECKING:
    import pytest


def rows(keys: list[tuple[str, int]]) -> pa.Table:
    return pa.table(
        {
            "image_id": pa.array([image for image, _ in keys], pa.string()),
            "region": pa.array([region for _, region in keys], pa.int32()),
            "value": [f"{image}{region}" for image, region in keys],
        }
    )


def test_each_label_finds_its_row_whatever_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng()
    monkeypatch.setattr(aligned_rows, "_ROWS", 7)
    keys = [(f"i{image:03d}", region) for image in range(60) for region in range(-1, 5)]
    others = [key for key in keys if rng.random() < 0.8 and int(key[0][1:]) % 5]
    labels = [key for key in keys if key[1] >= 0 and rng.random() < 0.7 and key[0] != "i000"]
    table = rows(labels)
    aligned = AlignedRows(
        rows(others).to_batches(max_chunksize=11), image_order(table.to_batches())
    )
    edges = [0, *(n for n in range(1, len(labels)) if labels[n][0] != labels[n - 1][0])]
    edges = [*edges[::4], len(labels)]
    for start, end in pairwise(edges):
        found, there = aligned.of(table.slice(start, end - start))
        assert there.tolist() == [key in others for key in labels[start:end]]
        if found is not None:
            values = np.array(found["value"].to_pylist())[there]
            wanted = [f"{i}{r}" for i, r in labels[start:end] if (i, r) in others]
            assert values.tolist() == wanted


def test_without_rows_nothing_is_found() -> None:
    table = rows([("a", 0), ("b", 0)])
    found, there = AlignedRows([], image_order(table.to_batches())).of(table)
    assert found is None
    assert there.tolist() == [False, False]
