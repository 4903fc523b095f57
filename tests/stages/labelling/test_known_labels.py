"""Whether labels are among others, by looking each up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.labelling.known_labels import first_unknown


def found(labels: list[tuple[str, int, int]], batches: list[pa.RecordBatch]) -> int | None:
    names = sorted({image for image, _, _ in labels})
    places, regions, concepts = (
        np.array([values[n] for values in labels], dtype=object if n == 0 else np.int64)
        for n in range(3)
    )
    where = np.array([names.index(name) for name in places], np.int64)
    return first_unknown(pa.array(names, pa.string()), where, regions, concepts, batches)


def test_the_first_label_that_is_not_there_is_found() -> None:
    rng = np.random.default_rng()
    there = [(f"image {i}", r, int(rng.integers(5))) for i in range(12) for r in range(5)]
    schema = pa.schema(
        [("image_id", pa.string()), ("region", pa.int32()), ("concept_id", pa.int32())]
    )
    order = rng.permutation(len(there))
    rows = [dict(zip(schema.names, there[place], strict=True)) for place in order]
    batches = [pa.RecordBatch.from_pylist(rows[a : a + 11], schema) for a in range(0, 60, 11)]
    for _ in range(40):
        labels = [there[place] for place in rng.integers(0, len(there), 8)]
        for place in range(8):
            image, region, concept = labels[place]
            odd = rng.integers(10)
            if odd < 3:
                other = (image + "x", region, concept), (image, 9, concept), (image, region, 7)
                labels[place] = other[odd]
        expected = next((n for n, label in enumerate(labels) if label not in there), None)
        assert found(labels, batches) == expected
    assert found([], batches) is None
    assert found([("a", 1, 1)], []) == 0
