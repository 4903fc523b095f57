from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from pipeline.store import parts
from pipeline.store.vectors import check_width, directions, own_columns, unit, vector_column
from schemas.errors import ArtifactError
from schemas.table import as_matrix
from tests.pipeline.helpers import make_all

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture
def made(root: Path) -> dict[str, Artifact]:
    return make_all(root)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unit_rows_are_those_of_float64(dtype: type) -> None:
    vectors = np.random.default_rng(0).normal(size=(7, 5)).astype(dtype)
    rows, kept = unit(vectors)
    exact = vectors.astype(np.float64)
    np.testing.assert_allclose(rows, exact / np.linalg.norm(exact, axis=1)[:, None], rtol=1e-6)
    assert rows.dtype == np.float32
    assert kept.all()


def test_rows_without_direction_are_left_out() -> None:
    vectors = np.array([[0, 0], [3, 4], [np.nan, 1], [np.inf, 1], [0, -2]], np.float32)
    rows, kept = unit(vectors)
    assert kept.tolist() == [False, True, False, False, True]
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, -1]])


@pytest.mark.parametrize(("dtype", "large"), [(np.float16, 60_000), (np.float32, 3e38)])
def test_lengths_beyond_the_range_of_the_numbers_are_no_problem(dtype: type, large: float) -> None:
    rows, kept = unit(np.array([[large, large]], dtype))
    assert kept.tolist() == [True]
    np.testing.assert_allclose(rows, [[np.sqrt(0.5)] * 2], rtol=1e-6)


def test_no_rows_have_no_directions() -> None:
    rows, kept = unit(np.zeros((0, 4), np.float32))
    assert rows.shape == (0, 4)
    assert kept.shape == (0,)


def test_directions_of_a_part_come_with_the_numbers_of_their_rows(
    made: dict[str, Artifact],
) -> None:
    path = made["features"].files()[0]
    matrix = as_matrix(pa.Table.from_batches(list(parts.batches(path))), "feature")
    expected, kept = unit(matrix)
    numbers, rows = zip(*directions(path, "feature"), strict=True)
    assert np.concatenate(numbers).tolist() == np.flatnonzero(kept).tolist()
    np.testing.assert_array_equal(np.concatenate(rows), expected)


def test_the_vector_column_is_found_by_its_format(made: dict[str, Artifact]) -> None:
    features, embeddings = made["features"], made["concept_embeddings"]
    assert vector_column(features, features.files()[0]) == ("feature", 6)
    assert vector_column(embeddings, embeddings.files()[0])[0] == "embedding"


def test_a_table_without_vectors_is_named(made: dict[str, Artifact]) -> None:
    images = made["images"]
    with pytest.raises(ArtifactError, match=f"{images.address} has no vectors to search"):
        vector_column(images, images.files()[0])


def test_a_query_as_wide_as_the_vectors_passes_and_no_other(made: dict[str, Artifact]) -> None:
    features = made["features"]
    assert check_width(features, 6, 6) is None
    with pytest.raises(ArtifactError, match="holds vectors of 6 numbers, the query has 7"):
        check_width(features, 6, 7)


def test_hits_get_the_columns_of_their_rows_in_their_own_order(made: dict[str, Artifact]) -> None:
    features = made["features"]
    stored = {
        number: pa.Table.from_batches(list(parts.batches(features.part(number))))
        for number in features.numbers
    }
    rng = np.random.default_rng(3)
    numbers = rng.choice(features.numbers, 12)
    rows = np.array([rng.integers(stored[number].num_rows) for number in numbers])
    hits = pa.table({"part": pa.array(numbers, pa.int32()), "row": rows, "score": np.arange(12.0)})
    known = own_columns(features, hits)
    assert "feature" not in known.column_names
    assert known.column("score").to_pylist() == list(range(12))
    for column in ("image_id", "region"):
        expected = [
            stored[number].column(column)[row].as_py()
            for number, row in zip(numbers.tolist(), rows.tolist(), strict=True)
        ]
        assert known.column(column).to_pylist() == expected


def test_no_hit_still_has_the_columns(made: dict[str, Artifact]) -> None:
    hits = pa.table({"part": pa.array([], pa.int32()), "row": pa.array([], pa.int64())})
    known = own_columns(made["features"], hits)
    assert known.num_rows == 0
    assert {"part", "row", "image_id", "region"} <= set(known.column_names)
