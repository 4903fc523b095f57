"""One pass over all labels: a sample of those kept, shares and shapes by concept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from stages.suspicion.label_survey import (
    COLUMNS,
    as_floats,
    concept_ids,
    image_numbers,
    survey,
)
from tests.stages.test_audit_draw import labels


def made(rng: np.random.Generator, count: int) -> pa.Table:
    """Labels, some of which are kept; of some it is known whether they are mentioned."""
    rows = labels(rng, count)
    told = pa.array(rng.choice([True, False], count), mask=rng.random(count) < 0.3)
    kept = pa.array(rng.random(count) < 0.8)
    for name, column in (("in_caption", told), ("kept", kept)):
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def test_a_survey_counts_what_is_kept() -> None:
    rng = np.random.default_rng()
    rows = made(rng, 600)
    found = survey(rows.select(COLUMNS).to_batches(max_chunksize=50), 41, 100, 0)
    kept = rows.filter(rows["kept"])
    assert found.sample.num_rows == 100
    keys = set(zip(*(kept[n].to_pylist() for n in ("image_id", "region")), strict=True))
    chosen = list(zip(*(found.sample[n].to_pylist() for n in ("image_id", "region")), strict=True))
    assert len(set(chosen)) == 100
    assert set(chosen) <= keys
    assert found.ranks["margin"].tolist() == sorted(found.sample["margin"].to_pylist())
    known = kept.filter(kept["in_caption"].is_valid())
    ids, told = known["concept_id"].to_numpy(), known["in_caption"].to_numpy()
    of_all = np.mean(told)
    for concept in range(41):
        mine = told[ids == concept]
        expected = (mine.sum() + 5 * of_all) / (len(mine) + 5)
        assert found.mentioned[concept] == pytest.approx(expected)


def test_what_captions_mention_where_it_is_comes_from_the_surest_labels() -> None:
    rng = np.random.default_rng()
    rows = made(rng, 600)
    found = survey(rows.select(COLUMNS).to_batches(), 41, 1000, 0)  # all of them
    kept = rows.filter(rows["kept"])
    doubt = np.zeros(kept.num_rows)
    for name in ("probability", "objectness"):
        values = kept[name].to_numpy()
        doubt += [np.mean((values > v) + 0.5 * (values == v)) for v in values]
    ids, told = kept["concept_id"].to_numpy(), kept["in_caption"].to_pylist()
    surest = []
    for concept in range(41):
        mine = [n for n in np.argsort(doubt) if ids[n] == concept and told[n] is not None]
        surest += mine[: int(np.ceil(len(mine) / 20))]
    of_all = np.mean([told[n] for n in surest])
    for concept in range(41):
        mine = [told[n] for n in surest if ids[n] == concept]
        expected = (sum(mine) + 5 * of_all) / (len(mine) + 5)
        assert found.expected[concept] == pytest.approx(expected)


def test_the_survey_does_not_depend_on_batches() -> None:
    rows = made(np.random.default_rng(), 300).select(COLUMNS)
    one, many = (survey(rows.to_batches(max_chunksize=n), 41, 50, 3) for n in (300, 7))
    assert one.sample.equals(many.sample)
    shapes = np.zeros((41, 3))
    np.testing.assert_array_equal(
        one.boxes.unlikeness(np.arange(41), shapes), many.boxes.unlikeness(np.arange(41), shapes)
    )


def test_without_captions_nothing_is_known_of_mentions() -> None:
    rows = labels(np.random.default_rng(), 50).select(COLUMNS)
    found = survey(rows.to_batches(), 41, 10, 0)
    assert np.isnan(found.mentioned).all()
    assert np.isnan(found.expected).all()


def test_labels_of_another_pool_and_none_that_is_kept_are_refused() -> None:
    rows = labels(np.random.default_rng(), 50).select(COLUMNS)
    with pytest.raises(ArtifactError, match="have concepts that the embeddings lack"):
        survey(rows.to_batches(), 1, 10, 0)
    none = rows.set_column(3, "kept", pa.array([False] * 50))
    with pytest.raises(ArtifactError, match="no label is kept"):
        survey(none.to_batches(), 41, 10, 0)
    assert concept_ids(rows.slice(0, 0), 1).tolist() == []


def test_columns_become_numbers() -> None:
    rows = pa.table({"image_id": ["b", "b", "a"], "in_caption": [True, None, False]})
    assert image_numbers(rows).tolist() == [0, 0, 1]
    np.testing.assert_array_equal(as_floats(rows, "in_caption"), [1.0, np.nan, 0.0])
