"""Lookup of the proposals of rows by image and region."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from schemas.proposals import PROPOSALS
from stages.labelling.region_boxes import COLUMNS, RegionBoxes


def proposals(regions_of: dict[str, list[int]]) -> pa.Table:
    """Random boxes of the given regions of each image, in random order of rows."""
    rng = np.random.default_rng(8)
    keys = [(image, region) for image, regions in regions_of.items() for region in regions]
    order = rng.permutation(len(keys))
    columns = {
        "image_id": [keys[i][0] for i in order],
        "region": [keys[i][1] for i in order],
        **{name: rng.random(len(keys)).astype(np.float32) for name in COLUMNS},
        "objectness_logit": [None] * len(keys),
    }
    return pa.Table.from_batches([PROPOSALS.batch(columns)])


def rows(*keys: tuple[str, int]) -> pa.Table:
    return pa.table(
        {
            "image_id": pa.array([image for image, _ in keys], pa.string()),
            "region": pa.array([region for _, region in keys], pa.int32()),
        }
    )


TABLE = proposals({"a": [0, 1, 2], "b": [0, 7], "": [1]})


def test_each_row_gets_the_box_and_objectness_of_its_proposal() -> None:
    keys = [("b", 7), ("a", 0), ("", 1), ("a", 0), ("a", 2)]
    columns = RegionBoxes(TABLE).of(rows(*keys))
    by_key = {(row["image_id"], row["region"]): row for row in TABLE.to_pylist()}
    assert set(columns) == set(COLUMNS)
    for name, values in columns.items():
        assert values.dtype == np.float32
        assert values.tolist() == [by_key[key][name] for key in keys]


def test_proposals_in_several_chunks_are_found_too() -> None:
    chunked = pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2)])
    expected = RegionBoxes(TABLE).of(rows(("a", 1), ("b", 0)))
    actual = RegionBoxes(chunked).of(pa.concat_tables([rows(("a", 1)), rows(("b", 0))]))
    assert {k: v.tolist() for k, v in actual.items()} == {
        k: v.tolist() for k, v in expected.items()
    }


@pytest.mark.parametrize("key", [("a", 3), ("b", 1), ("c", 0), ("", 0), ("a", -1), ("c", -1)])
def test_a_row_without_its_proposal_is_refused_with_its_name(key: tuple[str, int]) -> None:
    with pytest.raises(ArtifactError) as error:
        RegionBoxes(TABLE).of(rows(("a", 0), key))
    assert str(error.value) == (
        f"region {key[1]} of image {key[0]} was not proposed: the features were made from other "
        f"proposals; name those"
    )


def test_no_rows_have_no_boxes() -> None:
    columns = RegionBoxes(TABLE).of(rows())
    assert [len(values) for values in columns.values()] == [0] * 5


def test_a_part_without_proposals_has_a_box_for_no_row() -> None:
    boxes = RegionBoxes(proposals({}))
    assert len(boxes.of(rows())["x0"]) == 0
    with pytest.raises(ArtifactError, match="region 0 of image a was not proposed"):
        boxes.of(rows(("a", 0)))
