"""A plot of a table of results: one line per row, one colour per column, deviations as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.recipes.results_page import MeasuredTable

_COLOURS = ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_ROW_HEIGHT = 0.34  # inches of a row
_COLUMN_SHIFT = 0.12  # rows between the columns of one row


def save_picture(measured: MeasuredTable, path: Path) -> None:
    """Write one table as PNG; equal numbers give equal bytes with one version of matplotlib."""
    rows, columns = measured.table.rows, measured.table.columns
    height = 1.2 + _ROW_HEIGHT * len(rows) * max(1.0, 0.55 * len(columns))
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9}):
        figure = Figure(figsize=(8, height), dpi=110, layout="constrained")
        axes = figure.add_subplot()
        for number, column in enumerate(columns):
            cells = [(index, measured.cell(row, column)) for index, row in enumerate(rows)]
            filled = [(index, cell) for index, cell in cells if cell is not None]
            shift = _COLUMN_SHIFT * (number - (len(columns) - 1) / 2)
            axes.errorbar(
                [cell.mean for _, cell in filled],
                [index + shift for index, _ in filled],
                xerr=[cell.deviation for _, cell in filled],
                fmt=_MARKERS[number % len(_MARKERS)],
                color=_COLOURS[number % len(_COLOURS)],
                markersize=5,
                capsize=2,
                label=column.title,
            )
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("per cent; bars: standard deviation over runs")
        axes.grid(axis="x", alpha=0.3)
        axes.set_title(measured.table.title, loc="left", fontsize=10)
        figure.legend(loc="outside lower center", ncols=min(4, len(columns)), frameon=False)
        figure.savefig(path, format="png", metadata={"Software": None})
