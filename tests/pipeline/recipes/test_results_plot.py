"""The plot of a table: its axes, and equal bytes for equal numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from pipeline.recipes.results_page import MeasuredTable
from pipeline.recipes.results_plot import save_picture
from pipeline.recipes.table_spec import MetricColumn, TableRow, TableSpec

if TYPE_CHECKING:
    from pathlib import Path

TABLE = TableSpec(
    "t",
    "A table",
    "",
    (MetricColumn("top-1", "top1"), MetricColumn("AP50", "AP50")),
    (TableRow("first"), TableRow("second"), TableRow("third")),
)
MEASURED = MeasuredTable(
    TABLE,
    {
        ("first", "top-1"): [1.0, 3.0],
        ("first", "AP50"): [20.0],
        ("second", "top-1"): None,
        ("second", "AP50"): [30.0],
        ("third", "top-1"): [5.0],
        ("third", "AP50"): None,
    },
)


@pytest.mark.slow
def test_equal_numbers_give_equal_bytes_whatever_the_settings_of_the_user(tmp_path: Path) -> None:
    save_picture(MEASURED, tmp_path / "a.png")
    with mpl.rc_context({"font.size": 20, "font.family": "monospace"}):
        save_picture(MEASURED, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_each_column_has_a_point_with_its_deviation_for_each_row_with_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **kwargs: figures.append(figure))
    save_picture(MEASURED, tmp_path / "a.png")
    (axes,) = figures[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second", "third"]
    assert axes.yaxis_inverted()
    assert axes.get_title(loc="left") == "A table"
    points = [container.lines[0].get_xydata() for container in axes.containers]
    assert points[0][:, 0].tolist() == [2, 5]
    assert points[1][:, 0].tolist() == [20, 30]
    assert points[0][:, 1] == pytest.approx([0 - 0.06, 2 - 0.06])
    assert points[1][:, 1] == pytest.approx([0 + 0.06, 1 + 0.06])
    bars = axes.containers[0].lines[2][0].get_segments()
    assert bars[0][:, 0] == pytest.approx([2 - 2**0.5, 2 + 2**0.5])
