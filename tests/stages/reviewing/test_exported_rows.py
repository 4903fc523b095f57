"""Images of an export are found by their id, or by their file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from stages.reviewing.exported_labels import read_exported_labels
from stages.reviewing.exported_rows import SCHEMA, ExportedRows
from tests.stages.reviewing.small_export import write_export

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("image_id", "file", "number"),
    [
        ("image/7", None, 7),
        ("image/7", "000000000003.png", 7),
        ("else", "000000000003.png", None),  # of another export
        (None, "000000000003.png", 3),
        (None, "train/000000000003.png", 3),
        (None, "job_7\\train\\000000000003.png", 3),
        (None, "train2017/000000000003.png", None),
        (None, "anything\\else\\000000000003.png", None),
        (None, "3.png", None),
        (None, "", None),
        ("", None, None),
    ],
)
def test_an_image_is_found_by_its_id_and_else_by_its_file(
    tmp_path: Path, image_id: str | None, file: str | None, number: int | None
) -> None:
    exported = read_exported_labels(write_export(tmp_path / "out", "cvat"))
    image = exported.find(image_id, file)
    assert (image and image.number) == number


def test_labels_of_an_image_may_come_in_several_batches() -> None:
    rng = np.random.default_rng()
    counts = rng.integers(1, 6, 5).tolist()
    rows = [
        {
            "image_id": f"i{number}",
            "number": number + 1,
            "file": f"a/{number}.jpg",
            "width": 100,
            "height": 50,
            "region": region,
            "concept_id": region % 2,
            "concept": " dog " if region % 2 else "cat",
            "x0": 1.0,
            "y0": 2.0,
            "x1": 3.0 + region,
            "y1": 4.0,
        }
        for number, count in enumerate(counts)
        for region in range(count)
    ]
    table = pa.Table.from_pylist(rows, SCHEMA)
    gathered = ExportedRows()
    for batch in [
        *table.to_batches(max_chunksize=int(rng.integers(1, 5))),
        *table[:0].to_batches(),
    ]:
        gathered.add(batch)
    assert gathered.fault() is None
    exported = gathered.labels("", frozenset({"tree"}))
    assert [len(exported.labels(image)[0]) for image in exported.images] == counts
    for image in exported.images:
        labels, _ = exported.labels(image)
        assert labels.sides[:, 2].tolist() == [3.0 + region for region in labels.regions.tolist()]
        assert labels.names.tolist() == ["dog" if r % 2 else "cat" for r in labels.regions.tolist()]
    assert exported.offered == {"tree", "cat", *(["dog"] if max(counts) > 1 else [])}
