from __future__ import annotations

import numpy as np

from stages.labelling.usable_features import usable_features
from tests.in_memory import InMemory
from tests.stages.test_label import features


def test_regions_without_a_direction_are_refused_and_whole_images_left_out() -> None:
    rows = features(
        [("a", -1, [1, 0]), ("a", 0, [0, 2]), ("a", 1, [0, 0]), ("b", 0, [np.nan, 1])], "float32"
    )
    part = InMemory({})
    usable, vectors = usable_features(rows, part)
    assert usable.column("region").to_pylist() == [0]
    assert vectors.tolist() == [[0, 2]]
    assert [(record, reason) for record, reason, _ in part.refused] == [
        ("a#1", "zero-feature"),
        ("b#0", "nan-feature"),
    ]
