"""What labels are sorted by: quantities, sizes of boxes, concepts; and what captions say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.auditing.label_strata import label_strata
from tests.stages.test_audit_draw import labels


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def with_captions(rows: pa.Table, mentioned: list[bool | None]) -> pa.RecordBatch:
    place = rows.schema.get_field_index("in_caption")
    (batch,) = rows.set_column(place, "in_caption", pa.array(mentioned, pa.bool_())).to_batches()
    return batch


def test_labels_that_a_caption_mentions_are_apart(rng: np.random.Generator) -> None:
    mentioned = [(True, False, None)[i % 3] for i in range(600)]
    rows = with_captions(labels(rng, 600), mentioned)
    counter = label_strata("probability")
    counter.add(rows)
    strata = counter.divide(6)
    names = [strata.names[place].split(",")[0] for place in counter.strata(rows)]
    words = {True: "in a caption", False: "in no caption", None: "captions unknown"}
    assert names == [words[one] for one in mentioned]
    of_group = dict(zip(names, strata.deviations[counter.strata(rows)].tolist(), strict=True))
    assert of_group["in a caption"] > of_group["captions unknown"] > of_group["in no caption"]


def test_size_is_that_of_the_box(rng: np.random.Generator) -> None:
    rows = labels(rng, 400)
    sides = rng.uniform(1, 20, (2, 400)).astype(np.float32)
    for name, corner, side in (("x1", "x0", sides[0]), ("y1", "y0", sides[1])):
        values = pa.array(rows[corner].to_numpy() + side, pa.float32())
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    (batch,) = rows.combine_chunks().to_batches()
    counter = label_strata("size")
    counter.add(batch)
    counter.divide(4)
    places, areas = counter.strata(batch), sides[0] * sides[1]
    for h in range(3):
        assert areas[places == h].max() <= areas[places == h + 1].min() * 1.001


def test_of_concepts_the_frequent_ones_are_strata(rng: np.random.Generator) -> None:
    (rows,) = labels(rng, 500).combine_chunks().to_batches()
    counter = label_strata("concept")
    counter.add(rows)
    strata = counter.divide(3)
    places, ids = counter.strata(rows), rows.column("concept_id").to_numpy()
    most = np.argsort(-np.bincount(ids), kind="stable")[:2]
    assert list(strata.names) == [*map(str, most), "others"]
    assert (places == np.where(ids == most[0], 0, np.where(ids == most[1], 1, 2))).all()
