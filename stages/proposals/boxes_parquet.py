"""Boxes from Parquet: image_id or file_name; x0, y0, x1, y1 or bbox [x, y, width, height]; score.

Without a score (or objectness, or confidence) every score is 1. One pass over the column of ids
tells which rows belong to each image; the boxes themselves are read later, one row group at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.boxes import from_xywh
from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.proposals.box_arrays import BoxArrays
from stages.proposals.box_file import BadRecords, ImageKey
from stages.sources.files import foreign
from stages.sources.parquet_rows import open_parquet as parquet_file
from stages.sources.parquet_rows import rows_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from schemas.box_forms import BoxLayout
    from stages.proposals.box_file import OwnedBoxes, ScoredBoxes
    from stages.proposals.region_dump import ScoreKind

_CORNERS: Final = (
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
)
_SCORES: Final = ("score", "objectness", "confidence")
_IDS: Final = ("image_id", "file_name", "path")
_ADVICE: Final = "write it again, with image_id, x0, y0, x1, y1 and score"


def open_parquet(path: Path, layout: BoxLayout | None = None) -> BoxArrays | GroupedBoxes:
    """The boxes of a file: read when needed if rows are grouped by image, else all at once.

    Args:
        path: Of the file.
        layout: What the user says the four numbers of a `bbox` are; None: x, y, width, height.

    Raises:
        SourceError: If the file is not Parquet, or a column is missing.
    """
    with foreign(f"{path} as Parquet of boxes", _ADVICE):
        return _grouped_or_all(_BoxTable(path, layout))


def _grouped_or_all(table: _BoxTable) -> BoxArrays | GroupedBoxes:
    runs = [_runs(table.ids(g)) for g in range(table.num_groups)]
    spans: dict[str, tuple[int, int]] = {}
    bad = BadRecords()
    row = 0
    for image_id, length in (run for group in runs for run in group):
        if image_id is None:
            for number in range(row, row + length):
                bad.add(f"{table.name}: row {number}", Reason.BAD_ROW, f"{table.id_column} is null")
        else:
            start, stop = spans.get(image_id, (row, row))
            if stop != row:
                return _read_all(table)
            spans[image_id] = (start, row + length)
        row += length
    return GroupedBoxes(table, spans, bad)


class GroupedBoxes:
    """Boxes in a file whose rows are grouped by image; one row group is in memory. A `BoxFile`.

    Attributes:
        keys: What the file calls its images, each once, in the order of the file.
    """

    in_fractions = False
    kind: ScoreKind = "score"

    def __init__(
        self, table: _BoxTable, spans: dict[str, tuple[int, int]], bad: BadRecords
    ) -> None:
        self.keys = [table.key(image_id) for image_id in spans]
        self.layout = table.layout
        self.has_scores = table.has_scores
        self.bad = bad
        self._table = table
        self._spans = np.array(list(spans.values()), np.int64).reshape(-1, 2)
        self._cached: tuple[int, ScoredBoxes] | None = None

    def boxes(self, index: int) -> ScoredBoxes:
        """Corners (R, 4) and scores (R,) of keys[index]."""
        start, stop = self._spans[index]
        edges = self._table.edges
        first, last = np.searchsorted(edges, [start, stop - 1], side="right") - 1
        pieces = []
        for group in range(int(first), int(last) + 1):
            boxes, scores = self._group_boxes(group)
            rows = slice(max(start - int(edges[group]), 0), stop - int(edges[group]))
            pieces.append((boxes[rows], scores[rows]))
        return np.concatenate([b for b, _ in pieces]), np.concatenate([s for _, s in pieces])

    def blocks(self) -> Iterator[OwnedBoxes]:
        """See `BoxFile.blocks`: one row group at a time."""
        if not len(self._spans):  # every id is null
            return
        for group in range(self._table.num_groups):
            boxes, scores = self._group_boxes(group)
            rows = self._table.edges[group] + np.arange(len(scores))
            owners = np.searchsorted(self._spans[:, 0], rows, side="right") - 1
            is_owned = (owners >= 0) & (rows < self._spans[owners, 1])
            yield owners[is_owned], boxes[is_owned], scores[is_owned]

    def _group_boxes(self, group: int) -> ScoredBoxes:
        if self._cached is None or self._cached[0] != group:
            self._cached = group, self._table.boxes(group)
        return self._cached[1]


class _BoxTable:
    """A Parquet file with checked columns; `edges` are the first rows of its groups and the end."""

    def __init__(self, path: Path, layout: BoxLayout | None) -> None:
        self.name = path.name
        self._path = path
        self._file = parquet_file(str(path), path)
        schema = self._file.schema_arrow
        known = set(schema.names)
        self._corners = next((names for names in _CORNERS if set(names) <= known), None)
        self._has_bbox = self._corners is None and "bbox" in known
        self.layout: BoxLayout = (layout or "xywh") if self._has_bbox else "xyxy"
        self._score_column = next((name for name in _SCORES if name in known), None)
        self.has_scores = self._score_column is not None
        self.id_column = next((name for name in _IDS if name in known), "image_id")
        self._check_columns(schema)
        metadata = self._file.metadata
        self.num_groups: int = metadata.num_row_groups
        sizes = [metadata.row_group(g).num_rows for g in range(self.num_groups)]
        self.edges: NDArray[np.int64] = np.cumsum([0, *sizes])

    def key(self, image_id: str) -> ImageKey:
        """What an entry of the column of ids says of an image."""
        is_id = self.id_column == "image_id"
        return ImageKey(image_id) if is_id else ImageKey(None, image_id)

    def ids(self, group: int) -> pa.Array:
        """Image ids of the rows of a group, as text."""
        column = self._read(group, [self.id_column]).column(0)
        return pc.cast(column, pa.string()).combine_chunks()

    def boxes(self, group: int) -> ScoredBoxes:
        """Corners and scores of the rows of a group; null values are NaN."""
        with foreign(f"row group {group} of {self._path}", _ADVICE):
            return self._boxes(self._read(group, self._columns()))

    def _boxes(self, table: pa.Table) -> ScoredBoxes:
        scores = np.ones(table.num_rows, np.float32)
        if self._score_column:
            scores = _as_float32(table.column(self._score_column))
        if self._corners:
            return np.stack([_as_float32(table.column(n)) for n in self._corners], axis=1), scores
        boxes = self._bbox_rows(table.column("bbox"))
        return (from_xywh(boxes) if self.layout == "xywh" else boxes), scores

    def _check_columns(self, schema: pa.Schema) -> None:
        columns = self._columns()
        missing = [name for name in (self.id_column, *columns) if name not in schema.names]
        if missing:
            raise SourceError(
                f"{self._path}: columns {', '.join(missing)} are missing; image_id, x0, y0, x1, "
                f"y1 (or bbox: x, y, width, height) and score or objectness are expected"
            )
        not_numeric = [n for n in columns if n != "bbox" and not _is_number(schema.field(n).type)]
        if self._has_bbox and not _is_list_of_numbers(schema.field("bbox").type):
            not_numeric.append("bbox")
        if not_numeric:
            raise SourceError(
                f"{self._path}: columns {', '.join(not_numeric)} must hold a number in each row, "
                "and bbox a list of four"
            )

    def _columns(self) -> list[str]:
        boxes = ["bbox"] if self._has_bbox else [*(self._corners or _CORNERS[0])]
        return [*boxes, self._score_column] if self._score_column else boxes

    def _read(self, group: int, columns: list[str]) -> pa.Table:
        rows = self._file.metadata.row_group(group).num_rows
        metadata = self._file.metadata
        if rows_at_once(self._path, metadata, group, columns, max(rows, 1)) < rows:
            raise ValueError(
                "it would fill memory: write it with smaller row groups, or raise --size-limits"
            )
        return self._file.read_row_group(group, columns=columns)

    def _bbox_rows(self, column: pa.ChunkedArray) -> NDArray[np.float32]:
        lengths = pc.list_value_length(column)
        if not pc.all(pc.equal(lengths, 4), min_count=0, skip_nulls=False).as_py():
            raise SourceError(f"{self._path}: bbox must hold four numbers in every row")
        return _as_float32(pc.list_flatten(column)).reshape(-1, 4)


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    is_list = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_it(kind) for is_it in is_list) and _is_number(kind.value_type)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _as_float32(column: pa.ChunkedArray) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which selection drops
        return np.asarray(column).astype(np.float32)


def _runs(ids: pa.Array) -> list[tuple[str | None, int]]:
    """Each run of equal neighbouring ids, with its length."""
    encoded = pc.run_end_encode(ids)
    ends = np.asarray(encoded.run_ends)
    return list(zip(encoded.values.to_pylist(), np.diff(ends, prepend=0).tolist(), strict=True))


def _read_all(table: _BoxTable) -> BoxArrays:
    index_of: dict[str, int] = {}
    owners: list[NDArray[Any]] = []
    groups = []
    bad = BadRecords()
    for group in range(table.num_groups):
        ids = table.ids(group).to_pylist()
        boxes, scores = table.boxes(group)
        named = np.array([image_id is not None for image_id in ids], np.bool_)
        for row in np.flatnonzero(~named) + int(table.edges[group]):
            bad.add(f"{table.name}: row {row}", Reason.BAD_ROW, f"{table.id_column} is null")
        places = [index_of.setdefault(i, len(index_of)) for i in ids if i is not None]
        owners.append(np.array(places, np.int32))
        groups.append((boxes[named], scores[named]))
    boxes, scores = (np.concatenate(arrays) for arrays in zip(*groups, strict=True))
    arrays = BoxArrays(
        map(table.key, index_of), np.concatenate(owners), (boxes, scores), table.layout, bad=bad
    )
    arrays.has_scores &= table.has_scores
    return arrays
