from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SchemaError
from schemas.table import VECTOR, Column, Table, as_matrix, vector_format

THINGS = Table(
    name="things",
    version=3,
    doc="Things: invented rows.",
    key=("name",),
    columns=(
        Column("name", "string", "unique"),
        Column("score", "float32", "any number", nullable=True),
        Column("tags", "list<string>", "may be empty"),
        Column("place", VECTOR, "where it is"),
    ),
)


def rows(count: int, width: int = 3, precision: str = "float32") -> pa.RecordBatch:
    places = np.arange(count * width).reshape(count, width).astype(precision)
    return THINGS.batch(
        {
            "name": [f"n{i}" for i in range(count)],
            "score": [None if i % 2 else float(i) for i in range(count)],
            "tags": [["a"] * i for i in range(count)],
            "place": places,
        }
    )


@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_matrix_comes_back_as_it_was_put_in(count: int, precision: str) -> None:
    matrix = as_matrix(rows(count, 7, precision), "place")
    assert matrix.dtype == precision
    assert matrix.shape == (count, 7)
    np.testing.assert_array_equal(matrix.ravel(), np.arange(count * 7).astype(precision))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    st.integers(1, 5),
    st.data(),
)
def test_a_matrix_of_chunks_and_slices_is_the_rows_in_order(
    counts: list[int], width: int, data: st.DataObject
) -> None:
    batches, expected = [], []
    for count in counts:
        whole = rows(count, width)
        start = data.draw(st.integers(0, count))
        length = data.draw(st.integers(0, count - start))
        batches.append(whole.slice(start, length))
        expected.append(as_matrix(whole, "place")[start : start + length])
    table = pa.Table.from_batches(batches)
    np.testing.assert_array_equal(as_matrix(table, "place"), np.concatenate(expected))


def test_a_matrix_is_read_only_so_that_no_stage_writes_into_its_input() -> None:
    with pytest.raises(ValueError, match="read-only"):
        as_matrix(rows(2), "place")[0, 0] = 1


def test_a_matrix_that_is_not_contiguous_is_stored_right() -> None:
    places = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]  # (2, 3)
    batch = THINGS.batch({"name": ["a", "b"], "score": [1, 2], "tags": [[], []], "place": places})
    np.testing.assert_array_equal(as_matrix(batch, "place"), places)


def test_the_format_of_vectors_is_kept_in_the_schema() -> None:
    assert vector_format(rows(1, 5, "float16").schema.field("place")) == (5, "float16")
    assert vector_format(rows(1).schema.field("score")) is None


@pytest.mark.parametrize(
    "places",
    [
        np.zeros((2, 3)),
        np.zeros((2, 3), np.int32),
        np.zeros(2, np.float32),
        np.zeros((2, 3, 1), np.float32),
    ],
)
def test_what_is_no_matrix_of_known_precision_is_refused(places: np.ndarray) -> None:
    with pytest.raises(SchemaError, match="a vector column takes"):
        THINGS.batch({"name": ["a", "b"], "score": [1, 2], "tags": [[], []], "place": places})


@pytest.mark.parametrize("names", [["name"], ["name", "score", "tags", "place", "more"], []])
def test_missing_and_unexpected_columns_are_named(names: list[str]) -> None:
    with pytest.raises(SchemaError) as said:
        THINGS.batch({name: [] for name in names})
    wanted = [c.name for c in THINGS.columns]
    assert f"missing {[n for n in wanted if n not in names]}" in str(said.value)
    assert f"unexpected {[n for n in names if n not in wanted]}" in str(said.value)


def test_rows_of_the_table_pass_the_check_and_others_are_told_apart() -> None:
    good = rows(2)
    THINGS.check(good)
    THINGS.check(pa.Table.from_batches([good]))
    THINGS.check(THINGS.empty())
    for bad, said in (
        (good.select(["name", "score", "tags"]), r"missing \['place'\]"),
        (good.select(["score", "name", "tags", "place"]), r"mistyped \[\]"),
        (good.set_column(1, "score", pa.array([1, 2])), r"mistyped \['score'\]"),
        (good.set_column(3, "place", pa.array([b"abc", b"def"])), r"mistyped \['place'\]"),
    ):
        with pytest.raises(SchemaError, match=rf"do not honour 'things' v3: .*{said}"):
            THINGS.check(bad)


def test_values_take_the_types_of_their_columns() -> None:
    batch = THINGS.batch(
        {
            "name": pa.chunked_array([["a"], ["b"]]),
            "score": np.array([1, 2], np.int64),
            "tags": np.array([["x", "y"], ["z", "w"]]),
            "place": np.zeros((2, 1), np.float16),
        }
    )
    assert batch.schema.field("score").type == pa.float32()
    assert batch.column("tags").to_pylist() == [["x", "y"], ["z", "w"]]


def test_an_empty_table_has_the_columns_and_their_nullability() -> None:
    schema = THINGS.empty().schema
    assert schema.names == ["name", "score", "tags", "place"]
    assert [field.nullable for field in schema] == [False, True, False, False]
