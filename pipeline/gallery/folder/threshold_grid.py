"""What every combination of thresholds would keep: what-if without a database.

A label has level n of a quantity if it is above the first n thresholds. Thresholds of three
quantities keep the labels whose levels are at least theirs. So the labels are counted per cell of
levels, and the counts are summed from the highest level down. An image, concept or object counts
once if any of its labels is kept.

Shapes: N rows, L levels of each of three quantities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline import sql
from pipeline.analysis.what_if import COUNT_OBJECTS, JUDGED_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

QUANTITIES: Final = ("probability", "margin", "objectness")
STEP: Final = 0.05
LEVELS: Final = 20  # no threshold, then above 0.05, 0.1, ... 0.95
_SHAPE: Final = (LEVELS,) * len(QUANTITIES)
_GROUPS: Final = 512  # processed at once: 4 MB
_SUMS: Final = {
    "labels": "count(*)",
    "captioned": "count(*) FILTER (in_caption)",
    "known": "count(in_caption)",
    "on_objects": "count(truth)",
    "right": "count(*) FILTER (concept = truth)",
}
_DISTINCT: Final = {
    "images": ("image_id", "true"),
    "concepts": ("concept_id", "true"),
    "found": ("hash(image_id, object)", "concept = truth"),
}


def threshold_grid(connection: Any) -> dict[str, Any]:
    """Counts for every combination of thresholds, over all pseudo-labels of a connection.

    Returns:
        step and levels; objects (number of ground-truth objects), total (labels), and lists of
        LEVELS³ counts, probability slowest and objectness fastest: labels, captioned (concept is
        in a caption), known (captions are known), on_objects, right (concept is the category of
        the object), images, concepts, found (objects with a right label). See
        `pipeline.analysis.what_if.forecast`.
    """
    sql.create_table(connection, "judged", JUDGED_LABELS)
    levels = ", ".join(f"{_level(name)} AS {name}" for name in QUANTITIES)
    sums = ", ".join(f"{aggregate} AS {name}" for name, aggregate in _SUMS.items())
    counted = _read(connection, f"SELECT {levels}, {sums} FROM judged GROUP BY ALL")
    cells = {name: np.zeros(_SHAPE, np.int64) for name in (*_SUMS, *_DISTINCT)}
    for batch in counted:
        index = tuple(batch.column(name).to_numpy() for name in QUANTITIES)
        for name in _SUMS:
            cells[name][index] = batch.column(name).to_numpy()
    totals = {name: _accumulate_from_top(cells[name], np.add) for name in _SUMS}
    for name, (group, condition) in _DISTINCT.items():
        rows = f"SELECT DISTINCT {group} AS of, {levels} FROM judged WHERE {condition} ORDER BY 1"
        totals[name] = _count_groups(_read(connection, rows))
    (num_objects,) = connection.execute(COUNT_OBJECTS).fetchone()
    lists = {name: counts.reshape(-1).tolist() for name, counts in totals.items()}
    header = {
        "step": STEP,
        "levels": LEVELS,
        "objects": int(num_objects),
        "total": lists["labels"][0],
    }
    return {**header, **lists}


def _level(name: str) -> str:
    """SQL for the level of a quantity, with the thresholds written as in a predicate."""
    above = " + ".join(f"({name} > {n * STEP:g})::INT" for n in range(1, LEVELS))
    return f"coalesce({above}, 0)"


def _read(connection: Any, statement: str) -> Iterator[pa.RecordBatch]:
    yield from sql.batches(sql.query(connection, statement))


def _accumulate_from_top(cells: NDArray[Any], operation: np.ufunc) -> NDArray[Any]:
    """Each cell of the last three axes combined with all cells at or above it."""
    for axis in (-3, -2, -1):
        cells = np.flip(operation.accumulate(np.flip(cells, axis), axis), axis)
    return cells


def _count_groups(batches: Iterator[pa.RecordBatch]) -> NDArray[np.int64]:
    """How many groups have a row at or above each cell, (L, L, L); batches are sorted by group."""
    counts = np.zeros(_SHAPE, np.int64)
    rest = np.zeros((0, 1 + len(QUANTITIES)), np.int64)
    for batch in batches:
        columns = [batch.column(name).to_numpy().astype(np.int64) for name in ("of", *QUANTITIES)]
        rows = np.concatenate([rest, np.stack(columns, axis=1)])
        last = int(np.argmax(rows[:, 0] == rows[-1, 0]))  # the last group may continue
        counts += _count_complete_groups(rows[:last])
        rest = rows[last:]
    return counts + _count_complete_groups(rest)


def _count_complete_groups(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same for rows (N, 4) of complete groups: group, and the level of each quantity."""
    counts = np.zeros(_SHAPE, np.int64)
    groups, numbers = np.unique(rows[:, 0], return_inverse=True)
    for first in range(0, len(groups), _GROUPS):
        block = (numbers >= first) & (numbers < first + _GROUPS)
        occupied = np.zeros((min(_GROUPS, len(groups) - first), *_SHAPE), np.bool_)
        occupied[(numbers[block] - first, *rows[block, 1:].T)] = True
        counts += _accumulate_from_top(occupied, np.logical_or).sum(axis=0)
    return counts
