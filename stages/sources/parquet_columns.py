"""Which column of a Parquet file holds images, and what is in one of its cells.

A cell is bytes, a struct of bytes and path as Hugging Face's Image writes it, or a list of these.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import SourceError
from stages.sources.table_columns import (
    IMAGE_COLUMNS,
    caption_remarks,
    column_series,
    find_column,
    listed,
    named_column,
    unread_objects,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BYTES_COLUMNS: Final = (
    *("image", "images", "bytes", "jpg", "jpeg", "png", "webp", "image_bytes", "content"),
    *("img", "imgs", "image_data", "img_bytes", "jpeg_bytes", "jpg_bytes", "png_bytes"),
    *("picture", "photo", "data"),
)
_MOST_BYTES: Final = 512 << 20  # of paths in memory together, if each were as long as all
_LISTS: Final = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_BYTES: Final = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)


def image_column(schema: pa.Schema, wanted: str | None = None) -> str | None:
    """Name of the column with image bytes; None if there is none.

    A column with a usual name is preferred, then one of bytes and path; a single column of bytes
    is taken whatever its name, unless another column names image files.

    Args:
        schema: Of the file.
        wanted: Column that the user named.
    """
    held: list[str] = [field.name for field in schema if holds_images(field.type)]
    if wanted is not None:
        return wanted if wanted in held else find_column(held, (wanted.strip().lower(),))
    for name in BYTES_COLUMNS:
        if series := column_series(held, name):
            return series[0]
    structs = [name for name in held if not _is_bytes(schema.field(name).type)]
    if structs:
        return structs[0]
    names_files = find_column(schema.names, IMAGE_COLUMNS) is not None
    return held[0] if len(held) == 1 and not names_files else None


def holds_images(kind: pa.DataType) -> bool:
    """Whether a type is bytes, a struct of bytes and path, or a list of these."""
    if pa.types.is_dictionary(kind):
        return holds_images(kind.value_type)
    if any(is_list(kind) for is_list in _LISTS):
        return holds_images(kind.value_type)
    if pa.types.is_struct(kind):
        position = kind.get_field_index("bytes")
        if position < 0:
            return False
        of_bytes = kind.field(position).type
        is_empty = pa.types.is_null(of_bytes) and kind.get_field_index("path") >= 0
        return is_empty or _is_bytes(of_bytes)
    return _is_bytes(kind)


def images_in_cell(value: Any) -> list[Any]:
    """The images in a cell: bytes, or paths where there are no bytes.

    >>> images_in_cell([{"bytes": b"x", "path": "a.jpg"}, None, {"bytes": None, "path": "b.jpg"}])
    [b'x', 'b.jpg']
    """
    cells = value if isinstance(value, list) else [value]
    images = [_bytes_or_path(cell) if isinstance(cell, dict) else cell for cell in cells]
    return [image for image in images if image]


def paths_without_bytes(table: pq.ParquetFile, image: str) -> Iterator[str]:
    """Paths in those row groups where a cell of `image` has no bytes: other files are read."""
    metadata = table.metadata
    columns = {metadata.schema.column(n).path: n for n in range(metadata.num_columns)}
    if not {f"{image}.bytes", f"{image}.path"} <= set(columns):
        return
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(columns[f"{image}.bytes"]).statistics
        if statistics is None or not statistics.has_null_count or statistics.null_count:
            yield from _paths(table, group, f"{image}.path")


def paths_in(table: pq.ParquetFile, image: str) -> Iterator[str]:
    """The paths in all cells of `image`, those with bytes too; none if its cells have no path."""
    schema = table.metadata.schema
    paths = {schema.column(number).path for number in range(table.metadata.num_columns)}
    if f"{image}.path" in paths:
        for group in range(table.metadata.num_row_groups):
            yield from _paths(table, group, f"{image}.path")


def holds_only_paths(table: pq.ParquetFile, image: str) -> bool:
    """Whether `image` has paths and no bytes in any row: a table of images that lie elsewhere."""
    metadata = table.metadata
    columns = {metadata.schema.column(n).path: n for n in range(metadata.num_columns)}
    if not {f"{image}.bytes", f"{image}.path"} <= set(columns) or not metadata.num_rows:
        return False
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        statistics = metadata.row_group(group).column(columns[f"{image}.bytes"]).statistics
        if statistics is not None and statistics.has_null_count:
            nulls = statistics.null_count
        else:
            batches = table.iter_batches(1, [group], columns=[f"{image}.bytes"])
            cells = (batch[0][0].as_py() for batch in batches)  # mostly, the first says it
            nulls = rows if all(not cell or cell["bytes"] is None for cell in cells) else 0
        if nulls < rows:
            return False
    return True


def column_remarks(
    table: str, schema: pa.Schema, image: str, caption: str | None, is_given: bool
) -> list[str]:
    """What is to be said of the choice of columns.

    Args:
        table: Name of the file.
        schema: Its columns.
        image: Column of the images that was chosen.
        caption: Column of the captions that the user named.
        is_given: Whether the user named the column of the images.
    """
    others = [f.name for f in schema if f.name != image and holds_images(f.type)]
    names = tuple(name for name in schema.names if name not in (image, *others))
    remarks = caption_remarks(table, names, caption)
    if others and not is_given:
        remarks.append(
            f"images of {table} are read from {image!r}, not from {listed(others)}; "
            "--image-column decides"
        )
    remarks += unread_objects(table, schema.names)
    if any(is_list(schema.field(image).type) for is_list in _LISTS):
        remarks.append(f"a row of {table} has a list of images in {image!r}: the first is read")
    return remarks


def no_image_column(table: str, names: Sequence[str], wanted: str | None) -> SourceError:
    """The error of a file without images, or without the column that the user named."""
    if wanted is not None:
        named_column(table, names, wanted)
        return SourceError(f"column {wanted!r} of {table} holds no bytes of images")
    return SourceError(
        f"{table} has no column of image bytes, such as image or jpg; its columns are "
        f"{listed(names)}; name one with --image-column"
    )


def _bytes_or_path(cell: dict[str, Any]) -> bytes | str | None:
    content: bytes | str | None = cell.get("bytes")
    path = cell.get("path")
    return content if content is not None or not isinstance(path, str) else path


def _paths(table: pq.ParquetFile, group: int, column: str) -> Iterator[str]:
    """The paths in a group; of a value that is no text, none."""
    chunks = table.metadata.row_group(group)
    columns = [chunks.column(number) for number in range(chunks.num_columns)]
    size = sum(c.total_uncompressed_size for c in columns if c.path_in_schema == column)
    rows = max(1, min(10_000, _MOST_BYTES // max(size, 1)))
    for batch in table.iter_batches(rows, row_groups=[group], columns=[column]):
        for scalar in batch.column(0):
            with contextlib.suppress(ValueError):  # not UTF-8
                cell = scalar.as_py()
                if cell and isinstance(cell["path"], str) and cell["path"]:
                    yield cell["path"]


def _is_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_bytes(kind.value_type)
    return any(is_bytes(kind) for is_bytes in _BYTES)
