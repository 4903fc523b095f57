"""What a table is: named, versioned columns, and the check that rows honour them.

A column is a type of Arrow, by its name, with one line of meaning; pyarrow itself is imported when
rows are made, since commands that only list artifacts need none. A vector column (`VECTOR`) holds
one unit-agnostic vector a row; its width and precision are known only when rows are made, and are
kept in the schema: `fixed_size_binary`, with the number format in the field's metadata.
Fixed-size binary reads and writes about nine times faster than a list of float16.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray


class VectorType:
    """Marks a column of vectors; there is one instance, `VECTOR`."""

    def __repr__(self) -> str:
        return "vector"


VECTOR: Final = VectorType()
_FORMAT: Final = b"vector"  # field metadata: the number format of a vector column
_FORMATS: Final = ("float16", "float32")


@dataclass(frozen=True, slots=True)
class Structs:
    """A type: lists of structs; name and type of each field, none of which is null."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Of the column.
        type: As `arrow_type` takes it, or `VECTOR`.
        doc: One line with unit, range and origin.
        nullable: Whether it may be null.
    """

    name: str
    type: str | Structs | VectorType
    doc: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A contract of rows: what a stage promises to write and may expect to read.

    Attributes:
        name: Of the table, its folder in the store, and its SQL view.
        version: Raised when an old reader would misread new rows.
        doc: What the rows are, in one line.
        key: Columns that tell rows apart.
        columns: In order.
        is_model: Whether the rows are a training curve, with the weights of a model beside them.
        has_language: Whether that model compares regions with texts.
        may_be_empty: Whether no rows are a result like any other, such as no duplicates.
    """

    name: str
    version: int
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    is_model: bool = False
    has_language: bool = False
    may_be_empty: bool = False

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema; vector columns appear as zero-width binary placeholders."""
        return self.schema({})

    def schema(self, vectors: Mapping[str, tuple[int, str]]) -> pa.Schema:
        """The Arrow schema with vector columns of given (width, number format)."""
        import pyarrow as pa

        return pa.schema(
            [
                _vector_field(c, *vectors.get(c.name, (1, "float16")))
                if isinstance(c.type, VectorType)
                else pa.field(c.name, arrow_type(c.type), nullable=c.nullable)
                for c in self.columns
            ]
        )

    def batch(self, values: Mapping[str, Any]) -> pa.RecordBatch:
        """Rows from one array (or list) per column; vector columns are (R, D) float arrays.

        Raises:
            SchemaError: If columns are missing, unexpected or of another type.
        """
        if set(values) != {c.name for c in self.columns}:
            raise SchemaError(self._complaint(list(values), []))
        import pyarrow as pa

        vectors = {
            c.name: _width(values[c.name]) for c in self.columns if isinstance(c.type, VectorType)
        }
        schema = self.schema(vectors)
        arrays = [_as_arrow(values[field.name], field.type) for field in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def empty(self) -> pa.RecordBatch:
        """No rows, with this table's columns."""
        import pyarrow as pa

        return pa.RecordBatch.from_pylist([], schema=self.arrow)

    def check(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Pass if `batch` has exactly this table's columns and types.

        Raises:
            SchemaError: Naming the columns missing, unexpected and mistyped.
        """
        mistyped = [
            c.name
            for c in self.columns
            if c.name in batch.schema.names and not _honours(c, batch.schema.field(c.name))
        ]
        if batch.schema.names != [c.name for c in self.columns] or mistyped:
            raise SchemaError(self._complaint(batch.schema.names, mistyped))

    def _complaint(self, given: list[str], mistyped: list[str]) -> str:
        names = [c.name for c in self.columns]
        missing = [name for name in names if name not in given]
        unexpected = [name for name in given if name not in names]
        return (
            f"rows do not honour '{self.name}' v{self.version}: "
            f"missing {missing}, unexpected {unexpected}, mistyped {mistyped}"
        )


def arrow_type(kind: str | Structs) -> pa.DataType:
    """A type of Arrow by its name: as pyarrow calls it, `list<NAME>` or `timestamp[UNIT, ZONE]`.

    >>> arrow_type("list<int32>"), arrow_type("timestamp[ms, UTC]")
    (ListType(list<item: int32>), TimestampType(timestamp[ms, tz=UTC]))
    """
    import pyarrow as pa

    if isinstance(kind, Structs):
        named = ((name, arrow_type(inner)) for name, inner in kind.fields)
        return pa.list_(pa.struct([pa.field(*field, nullable=False) for field in named]))
    if kind.startswith("list<"):
        return pa.list_(arrow_type(kind[len("list<") : -1]))
    if kind.startswith("timestamp["):
        return pa.timestamp(*kind[len("timestamp[") : -1].split(", "))
    return pa.type_for_alias(kind)


def as_matrix(rows: pa.RecordBatch | pa.Table, column: str) -> NDArray[Any]:
    """The (R, D) array of a vector column, in the precision it was stored in; a read-only view."""
    import numpy as np
    import pyarrow as pa

    field = rows.schema.field(column)
    dtype = np.dtype((field.metadata or {})[_FORMAT].decode())
    width = field.type.byte_width // dtype.itemsize
    array = rows.column(column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if len(array) == 0:
        return np.zeros((0, width), dtype)
    flat = np.frombuffer(array.buffers()[1], dtype=dtype)
    return flat.reshape(-1, width)[array.offset : array.offset + len(array)]


def vector_format(field: pa.Field) -> tuple[int, str] | None:
    """The (width, number format) of a vector column's field; None for any other column."""
    if _FORMAT not in (field.metadata or {}):
        return None
    import numpy as np

    name = field.metadata[_FORMAT].decode()
    return field.type.byte_width // np.dtype(name).itemsize, name


def _vector_field(column: Column, width: int, number_format: str) -> pa.Field:
    import numpy as np
    import pyarrow as pa

    size = width * np.dtype(number_format).itemsize
    return pa.field(column.name, pa.binary(size), column.nullable, {_FORMAT: number_format})


def _width(matrix: NDArray[Any]) -> tuple[int, str]:
    import numpy as np

    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.dtype.name not in _FORMATS:
        raise SchemaError(f"a vector column takes (R, D) {_FORMATS}, got {matrix.dtype.name}")
    return matrix.shape[1], matrix.dtype.name


def _as_arrow(values: Any, kind: pa.DataType) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return array if array.type == kind else array.cast(kind)
    if isinstance(values, np.ndarray) and values.ndim == 2 and pa.types.is_fixed_size_binary(kind):
        buffer = pa.py_buffer(np.ascontiguousarray(values).tobytes())
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, buffer])
    if isinstance(values, np.ndarray) and values.ndim == 2:
        values = list(values)
    return pa.array(values, type=kind)


def _honours(column: Column, field: pa.Field) -> bool:
    if isinstance(column.type, VectorType):
        return vector_format(field) is not None
    return bool(field.type == arrow_type(column.type))
