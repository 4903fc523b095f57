"""What every choice of thresholds would keep, in steps: what-if without a database.

A label is at level n of a quantity if it is above the first n thresholds. Thresholds of three
quantities keep the labels whose levels are at least theirs, so one count a cell of levels, summed
from the top, answers all of them; of images, concepts and objects those are counted that have any
such label.

Shapes: N rows, L levels of each of three quantities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline import sql
from pipeline.analysis.what_if import DRAWN, JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

QUANTITIES: Final = ("probability", "margin", "objectness")
STEP: Final = 0.05
LEVELS: Final = 20  # nothing asked, then above 0.05, 0.1, ... 0.95
_SHAPE: Final = (LEVELS,) * len(QUANTITIES)
_GROUPS: Final = 512  # looked at together: 4 MB
_SUMS: Final = {
    "labels": "count(*)",
    "captioned": "count(*) FILTER (in_caption)",
    "known": "count(in_caption)",
    "on_objects": "count(truth)",
    "right": "count(*) FILTER (concept = truth)",
}
_ANY: Final = {
    "images": ("image_id", "true"),
    "concepts": ("concept_id", "true"),
    "found": ("hash(image_id, object)", "concept = truth"),
}


def grid(connection: Any) -> dict[str, Any]:
    """Counts for every choice of thresholds, over all pseudo-labels of a connection.

    Returns:
        step and levels; drawn (objects people drew), total (labels), and a list of LEVELS³ counts
        each, probability slowest and objectness fastest: labels, captioned (their concept is in a
        caption), known (their captions are known), on_objects, right (they name its category),
        images, concepts, found (objects named rightly). See `pipeline.analysis.what_if.forecast`.
    """
    sql.create_table(connection, "judged", JUDGED)
    levels = ", ".join(f"{_level(name)} AS {name}" for name in QUANTITIES)
    sums = ", ".join(f"{how} AS {name}" for name, how in _SUMS.items())
    counted = _read(connection, f"SELECT {levels}, {sums} FROM judged GROUP BY ALL")
    cells = {name: np.zeros(_SHAPE, np.int64) for name in (*_SUMS, *_ANY)}
    for batch in counted:
        places = tuple(batch.column(name).to_numpy() for name in QUANTITIES)
        for name in _SUMS:
            cells[name][places] = batch.column(name).to_numpy()
    found = {name: _from_top(cells[name], np.add) for name in _SUMS}
    for name, (group, condition) in _ANY.items():
        asked = f"SELECT DISTINCT {group} AS of, {levels} FROM judged WHERE {condition} ORDER BY 1"
        found[name] = _groups_above(_read(connection, asked))
    (drawn,) = connection.execute(DRAWN).fetchone()
    lists = {name: counts.reshape(-1).tolist() for name, counts in found.items()}
    about = {"step": STEP, "levels": LEVELS, "drawn": int(drawn), "total": lists["labels"][0]}
    return {**about, **lists}


def _level(name: str) -> str:
    """SQL for how many thresholds a quantity is above, as they are written in a predicate."""
    above = " + ".join(f"({name} > {n * STEP:g})::INT" for n in range(1, LEVELS))
    return f"coalesce({above}, 0)"


def _read(connection: Any, statement: str) -> Iterator[pa.RecordBatch]:
    yield from sql.batches(sql.query(connection, statement))


def _from_top(cells: NDArray[Any], how: np.ufunc) -> NDArray[Any]:
    """Each cell of the last three axes with all cells at or above it."""
    for axis in (-3, -2, -1):
        cells = np.flip(how.accumulate(np.flip(cells, axis), axis), axis)
    return cells


def _groups_above(batches: Iterator[pa.RecordBatch]) -> NDArray[np.int64]:
    """How many groups have a row at or above each cell, (L, L, L); rows come group by group."""
    counts = np.zeros(_SHAPE, np.int64)
    rest = np.zeros((0, 1 + len(QUANTITIES)), np.int64)
    for batch in batches:
        columns = [batch.column(name).to_numpy().astype(np.int64) for name in ("of", *QUANTITIES)]
        rows = np.concatenate([rest, np.stack(columns, axis=1)])
        begun = int(np.argmax(rows[:, 0] == rows[-1, 0]))  # more of this group may follow
        counts += _above(rows[:begun])
        rest = rows[begun:]
    return counts + _above(rest)


def _above(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same of rows (N, 4): group, and a level of each quantity."""
    counts = np.zeros(_SHAPE, np.int64)
    names, numbers = np.unique(rows[:, 0], return_inverse=True)
    for first in range(0, len(names), _GROUPS):
        here = (numbers >= first) & (numbers < first + _GROUPS)
        seen = np.zeros((min(_GROUPS, len(names) - first), *_SHAPE), np.bool_)
        seen[(numbers[here] - first, *rows[here, 1:].T)] = True
        counts += _from_top(seen, np.logical_or).sum(axis=0)
    return counts
