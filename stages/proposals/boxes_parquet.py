"""Boxes from Parquet: image_id; x0, y0, x1, y1 or bbox [x, y, width, height]; score or objectness.

One pass over the column of ids tells which rows belong to each image; the boxes themselves are
read later, one row group at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.boxes import from_xywh
from schemas.errors import SourceError
from stages.proposals.box_arrays import BoxArrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.proposals.box_arrays import ScoredBoxes

_CORNERS: Final = ("x0", "y0", "x1", "y1")
_SCORES: Final = ("score", "objectness")


def open_parquet(path: Path) -> BoxArrays | GroupedBoxes:
    """The boxes of a file: read when needed if rows are grouped by image, else all at once.

    Raises:
        SourceError: If the file is not Parquet, or a column is missing.
    """
    try:
        table = _BoxTable(path)
        runs = [_runs(table.ids(g)) for g in range(table.num_groups)]
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: not a readable Parquet file of boxes ({error})") from error
    spans: dict[str, tuple[int, int]] = {}
    row = 0
    for image_id, length in (run for group in runs for run in group):
        start, stop = spans.get(image_id, (row, row))
        if stop != row:
            return _read_all(table)
        row += length
        spans[image_id] = (start, row)
    return GroupedBoxes(table, spans)


class GroupedBoxes:
    """Boxes in a file whose rows are grouped by image; one row group is in memory.

    Attributes:
        ids: Image ids, each once, in the order of the file.
    """

    def __init__(self, table: _BoxTable, spans: dict[str, tuple[int, int]]) -> None:
        self.ids = list(spans)
        self._table = table
        self._spans = list(spans.values())
        self._cached: tuple[int, ScoredBoxes] | None = None

    def boxes(self, index: int) -> ScoredBoxes:
        """Boxes (R, 4) and scores (R,) of ids[index]."""
        start, stop = self._spans[index]
        edges = self._table.edges
        first, last = np.searchsorted(edges, [start, stop - 1], side="right") - 1
        pieces = []
        for group in range(int(first), int(last) + 1):
            boxes, scores = self._group_boxes(group)
            rows = slice(max(start - int(edges[group]), 0), stop - int(edges[group]))
            pieces.append((boxes[rows], scores[rows]))
        return np.concatenate([b for b, _ in pieces]), np.concatenate([s for _, s in pieces])

    def _group_boxes(self, group: int) -> ScoredBoxes:
        if self._cached is None or self._cached[0] != group:
            self._cached = group, self._table.boxes(group)
        return self._cached[1]


class _BoxTable:
    """A Parquet file with checked columns; `edges` are the first rows of its groups and the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = pq.ParquetFile(path)
        schema = self._file.schema_arrow
        self._has_bbox = "bbox" in schema.names and not set(_CORNERS) <= set(schema.names)
        self._score_column = next((name for name in _SCORES if name in schema.names), "score")
        self._check_columns(schema)
        metadata = self._file.metadata
        self.num_groups: int = metadata.num_row_groups
        sizes = [metadata.row_group(g).num_rows for g in range(self.num_groups)]
        self.edges: NDArray[np.int64] = np.cumsum([0, *sizes])

    def ids(self, group: int) -> pa.Array:
        """Image ids of the rows of a group, as text."""
        column = self._read(group, ["image_id"]).column(0)
        if column.null_count:
            raise SourceError(f"{self._path}: image_id is null in row group {group}")
        return pc.cast(column, pa.string()).combine_chunks()

    def boxes(self, group: int) -> ScoredBoxes:
        """Boxes and scores of the rows of a group; null values are NaN."""
        try:
            table = self._read(group, self._columns())
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self._path}: row group {group} is damaged ({error})") from error
        scores = _as_float32(table.column(self._score_column))
        if self._has_bbox:
            return from_xywh(self._bbox_rows(table.column("bbox"))), scores
        return np.stack([_as_float32(table.column(name)) for name in _CORNERS], axis=1), scores

    def _check_columns(self, schema: pa.Schema) -> None:
        columns = self._columns()
        missing = [name for name in ("image_id", *columns) if name not in schema.names]
        if missing:
            raise SourceError(
                f"{self._path}: columns {', '.join(missing)} are missing; image_id, x0, y0, x1, "
                f"y1 (or bbox: x, y, width, height) and score or objectness are expected"
            )
        not_numeric = [name for name in columns if not _is_numeric(schema.field(name).type)]
        if not_numeric:
            raise SourceError(f"{self._path}: columns {', '.join(not_numeric)} are not numbers")

    def _columns(self) -> list[str]:
        return [*(["bbox"] if self._has_bbox else _CORNERS), self._score_column]

    def _read(self, group: int, columns: list[str]) -> pa.Table:
        return self._file.read_row_group(group, columns=columns)

    def _bbox_rows(self, column: pa.ChunkedArray) -> NDArray[np.float32]:
        lengths = pc.list_value_length(column)
        if not pc.all(pc.equal(lengths, 4), min_count=0, skip_nulls=False).as_py():
            raise SourceError(f"{self._path}: bbox must hold four numbers in every row")
        return _as_float32(pc.list_flatten(column)).reshape(-1, 4)


def _is_numeric(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _as_float32(column: pa.ChunkedArray) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which selection drops
        return np.asarray(column).astype(np.float32)


def _runs(ids: pa.Array) -> list[tuple[str, int]]:
    """Each run of equal neighbouring ids, with its length."""
    encoded = pc.run_end_encode(ids)
    ends = np.asarray(encoded.run_ends)
    return list(zip(encoded.values.to_pylist(), np.diff(ends, prepend=0).tolist(), strict=True))


def _read_all(table: _BoxTable) -> BoxArrays:
    index_of: dict[str, int] = {}
    owners: list[NDArray[Any]] = []
    groups = []
    for group in range(table.num_groups):
        ids = table.ids(group).to_pylist()
        owners.append(np.array([index_of.setdefault(i, len(index_of)) for i in ids], np.int32))
        groups.append(table.boxes(group))
    boxes, scores = (np.concatenate(arrays) for arrays in zip(*groups, strict=True))
    return BoxArrays(index_of, np.concatenate(owners), (boxes, scores))
