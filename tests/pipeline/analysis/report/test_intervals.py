"""Bands and bars of intervals end where the estimates do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.analysis.report import plots
from pipeline.analysis.report.intervals import share_band, share_intervals
from stages.auditing.estimation import Estimate

if TYPE_CHECKING:
    from pathlib import Path

ESTIMATES = [
    Estimate(0.5, 0.4, 0.7, 100, 100.0),
    Estimate(None, 0.0, 1.0, 0, 0.0),
    Estimate(0.9, 0.85, 0.94, 50, 50.0),
]


def test_a_band_spans_the_intervals_and_breaks_where_nothing_is_known(tmp_path: Path) -> None:
    with plots.canvas(tmp_path / "x.png") as figure:
        axes = figure.add_subplot()
        share_band(axes, [0.0, 0.3, 0.6], ESTIMATES, "above", "Title")
    (line,) = axes.get_lines()
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([0.5, np.nan, 0.9], nan_ok=True)
    corners = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    spans = {(x, y) for x, y in corners.round(6).tolist()}
    assert {(0.0, 0.4), (0.0, 0.7), (0.6, 0.85), (0.6, 0.94)} <= spans
    assert 0.3 not in {x for x, _ in spans}


def test_each_name_has_its_interval_and_the_first_is_on_top(tmp_path: Path) -> None:
    with plots.canvas(tmp_path / "x.png") as figure:
        axes = figure.add_subplot()
        share_intervals(axes, ["a", "b", "c"], ESTIMATES, "Title")
    ends = [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()]
    assert ends == [[0.4, 0.7], [0.5], [0.85, 0.94], [0.9]]
    assert [np.asarray(line.get_ydata())[0] for line in axes.get_lines()] == [0, 0, 2, 2]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
