"""The numbers of labels that people or rules changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from schemas.pseudo_labels import PSEUDO_LABELS, REVIEWED
from stages.selecting.changed_labels import called_otherwise, given, replaced

if TYPE_CHECKING:
    from stages.selecting.changed_labels import Row

COUNT = 30  # concepts of the pool


def row_of(chances: np.ndarray, keep: int) -> Row:
    """The pseudo-label of a distribution (C,) over all concepts."""
    order = np.argsort(-chances, kind="stable")
    top = order[:keep]
    return {
        "image_id": "a",
        "region": 0,
        "concept_id": int(order[0]),
        "cosine": 0.5,
        "probability": float(chances[order[0]]),
        "margin": float(chances[order[0]] - chances[order[1]]),
        "entropy": float(-sum(p * math.log(p) for p in chances if p > 0)),
        "kept": True,
        "in_caption": True,
        "top_ids": top.tolist(),
        "top_probabilities": chances[top].tolist(),
        "residual": float(1 - chances[top].sum()),
        **dict(zip(("x0", "y0", "x1", "y1"), (1.0, 2.0, 3.0, 4.0), strict=True)),
        "objectness": 0.5,
        "reviewed": None,
    }


def random_row(keep: int = 8) -> tuple[Row, np.ndarray]:
    chances = np.random.default_rng().dirichlet(np.full(COUNT, 0.3))
    return row_of(chances, keep), chances


@pytest.mark.parametrize("keep", [1, 2, 8])
@pytest.mark.parametrize("place", ["first", "among", "beyond"])
def test_what_a_person_gives_is_certain(keep: int, place: str) -> None:
    row, chances = random_row(keep)
    order = np.argsort(-chances, kind="stable")
    concept = int(order[{"first": 0, "among": keep - 1, "beyond": keep + 3}[place]])
    new = given(row, concept, (0.0, 0.0, 9.0, 8.0))
    assert new["concept_id"] == new["top_ids"][0] == concept
    assert new["top_probabilities"] == [1.0] + [0.0] * (keep - 1)
    assert len(set(new["top_ids"])) == len(new["top_ids"]) == keep
    assert set(new["top_ids"]) <= {concept, *row["top_ids"]}
    assert (new["probability"], new["margin"], new["entropy"], new["residual"]) == (1, 1, 0, 0)
    assert new["cosine"] is None
    assert [new[side] for side in ("x0", "y0", "x1", "y1")] == [0, 0, 9, 8]
    assert new["reviewed"] in REVIEWED
    assert new["in_caption"] is (None if concept != row["concept_id"] else True)
    PSEUDO_LABELS.check(pa.Table.from_pylist([new], schema=PSEUDO_LABELS.arrow))


def test_a_label_that_is_only_renamed_keeps_its_box() -> None:
    row, _ = random_row()
    new = given(row, (row["concept_id"] + 1) % COUNT, None)
    assert (new["x0"], new["y1"], new["reviewed"]) == (1.0, 4.0, "renamed")
    assert given(row, row["concept_id"], (0.0, 0.0, 1.0, 1.0))["reviewed"] == "moved"


def test_another_name_has_the_probability_of_both_as_if_they_were_one_concept() -> None:
    for _ in range(50):
        row, chances = random_row(COUNT)  # all concepts are kept, so that all is exact
        old = row["concept_id"]
        other = int(np.random.default_rng().choice([c for c in range(COUNT) if c != old]))
        merged = chances.copy()
        merged[other] += merged[old]
        merged[old] = 0
        expected = row_of(merged, COUNT)
        new = called_otherwise(row, other, exclusive=True)
        assert new["concept_id"] == other
        for name in ("probability", "margin", "entropy"):
            assert new[name] == pytest.approx(expected[name], abs=1e-9)
        assert new["top_probabilities"] == pytest.approx(expected["top_probabilities"])
        assert new["top_ids"][:-1] == expected["top_ids"][:-1]  # of equals, zeros, any order
        assert sorted(new["top_ids"]) == list(range(COUNT))
        assert new["residual"] == row["residual"]


def test_a_name_that_is_not_among_the_most_similar_takes_the_place_of_the_old_one() -> None:
    row, _ = random_row(4)
    other = next(c for c in range(COUNT) if c not in row["top_ids"])
    new = called_otherwise(row, other, exclusive=True)
    assert new["top_ids"] == [other, *row["top_ids"][1:]]
    assert new["top_probabilities"] == row["top_probabilities"]
    assert new["entropy"] == pytest.approx(row["entropy"])


def test_independent_probabilities_do_not_add_up() -> None:
    row, _ = random_row()
    row |= {"top_probabilities": [0.9, 0.8, *row["top_probabilities"][2:]], "probability": 0.9}
    new = called_otherwise(row, row["top_ids"][1], exclusive=False)
    assert new["probability"] == 0.9
    assert new["entropy"] == row["entropy"]


@pytest.mark.parametrize(("known", "after"), [(True, True), (False, None), (None, None)])
def test_a_caption_that_mentions_the_old_name_means_the_new_one(
    known: bool | None, after: bool | None
) -> None:
    row, _ = random_row()
    new = called_otherwise(row | {"in_caption": known}, row["top_ids"][1], exclusive=True)
    assert new["in_caption"] is after


def test_replaced_rows_stand_where_the_old_ones_were() -> None:
    rng = np.random.default_rng()
    rows = pa.RecordBatch.from_pylist(
        [random_row()[0] | {"region": n} for n in range(20)], schema=PSEUDO_LABELS.arrow
    )
    for _ in range(20):
        places = rng.choice(20, rng.integers(0, 21), replace=False).tolist()
        left = set(rng.choice(places, len(places) // 2, replace=False).tolist()) if places else ()
        content = rows.to_pylist()
        changed = {p: None if p in left else content[p] | {"reviewed": "right"} for p in places}
        expected = [changed.get(n, row) for n, row in enumerate(content)]
        result = replaced(rows, changed)
        assert result.to_pylist() == [row for row in expected if row is not None]
        assert result.schema == rows.schema


@pytest.mark.parametrize("keep", [1, 2])
def test_a_short_list_does_not_make_a_margin_larger_than_it_may_be(keep: int) -> None:
    for _ in range(30):
        row, chances = random_row(keep)
        other = int(np.argsort(-chances, kind="stable")[1])  # the runner-up
        merged = chances.copy()
        merged[other] += merged[row["concept_id"]]
        merged[row["concept_id"]] = 0
        exact = row_of(merged, keep)["margin"]
        new = called_otherwise(row, other, exclusive=True)
        assert new["margin"] <= exact + 1e-9
