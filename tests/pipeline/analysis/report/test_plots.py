"""Plots of a report: few correct tick labels, no overlaps, all text inside of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest

from pipeline.analysis.report import plots
from tests.pipeline.analysis.report.readable import assert_readable, draw_axes, number, tick_labels

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

pytestmark = pytest.mark.slow

MILLIONS = 123_456_789


@pytest.mark.parametrize(
    ("first", "last"), [(-10, 15), (5, 19), (3, 4), (-1, 1), (-40, 40), (-250, 250)]
)
def test_ticks_at_powers_of_two_are_few_and_correct(
    tmp_path: Path, figures: list[Figure], first: int, last: int
) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        axes = figure.add_subplot()
        counts = {"labels": np.ones(last - first)}
        plots.histogram(axes, np.arange(first, last + 1), counts, "width / height", "")
        plots.power_of_two_ticks(axes.xaxis, first, last)
    assert_readable(figures[0])
    labels = tick_labels(figures[0].axes[0].xaxis)
    assert 1 <= len(labels) <= 9
    for position, label in labels.items():
        assert number(label.get_text()) == 2 ** (position / 2)


@pytest.mark.parametrize("most", [1, 3, 7, 950, 1250, 1599, 1823, 13_589, MILLIONS])
def test_ticks_of_counts_are_few_and_correct(
    tmp_path: Path, figures: list[Figure], most: int
) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.histogram(figure.add_subplot(), [0, 0.5, 1], {"labels": [1, most]}, "", "")
    assert_readable(figures[0])
    labels = tick_labels(figures[0].axes[0].yaxis)
    assert 2 <= len(labels) <= 6
    assert [number(label.get_text()) for label in labels.values()] == pytest.approx(list(labels))


@pytest.mark.parametrize("kept", [[1], [7, 3], [97, 50, 2], [1823, *[5] * 120], [MILLIONS, 5]])
def test_both_axes_of_a_rank_plot_start_at_one(
    tmp_path: Path, figures: list[Figure], kept: list[int]
) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.rank_plot(figure.add_subplot(), [*kept, 0], "rank", "kept labels", "")
    assert_readable(figures[0])
    for axis, most in zip(draw_axes(figures[0]), (len(kept), max(kept)), strict=True):
        labels = tick_labels(axis)
        assert min(labels) == 1
        assert max(labels) <= most
        assert [number(label.get_text()) for label in labels.values()] == list(labels)


@pytest.mark.parametrize("largest", [0.0, 0.016, 0.034, 0.19, 0.45, 0.5, 1.0])
def test_shares_of_any_size_are_labelled_in_per_cent(
    tmp_path: Path, figures: list[Figure], largest: float
) -> None:
    shares = {"precision": [None, largest], "recall": [largest, 0.0]}
    with plots.canvas(tmp_path / "lines.png") as figure:
        plots.share_lines(figure.add_subplot(), [0.2, 0.4], shares, "", "By threshold")
    with plots.canvas(tmp_path / "bars.png") as figure:
        plots.grouped_bars(figure.add_subplot(), ["small", "large"], shares, "Kept labels")
    for figure in figures:
        assert_readable(figure)
        axis = figure.axes[0].yaxis
        assert axis.get_view_interval()[1] >= largest
        for position, label in tick_labels(axis).items():
            assert float(label.get_text().removesuffix(" %")) == pytest.approx(100 * position)
    bars = figures[1].axes[0].texts
    assert [text.get_text() for text in bars] == [
        "none",
        f"{100 * largest:.1f}",
        f"{100 * largest:.1f}",
        "0.0",
    ]


def test_each_bar_has_its_exact_number(tmp_path: Path, figures: list[Figure]) -> None:
    with plots.canvas(tmp_path / "a.png", 2) as figure:
        values = [MILLIONS, 1017, 0]
        names = [plots.fit_text("W" * 60), "dog", "cat"]
        plots.horizontal_bars(figure.add_subplot(), names, values, "Kept labels")
    assert_readable(figures[0])
    texts = [text.get_text().strip() for text in figures[0].axes[0].texts]
    assert texts == ["123,456,789", "1,017", "0"]


def test_equal_numbers_give_equal_bytes_whatever_the_settings_of_the_user(tmp_path: Path) -> None:
    def save(path: Path) -> bytes:
        with plots.canvas(path) as figure:
            plots.rank_plot(figure.add_subplot(), [5, 3, 1], "rank", "labels", "$x^2$")
        return path.read_bytes()

    before = save(tmp_path / "a.png")
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "text.parse_math": True}):
        assert save(tmp_path / "b.png") == before


def test_bars_of_a_histogram_have_their_counts_and_a_legend_for_several(
    tmp_path: Path, figures: list[Figure]
) -> None:
    counts = {"labels": [3, 5], "kept": [1, 2]}
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.histogram(figure.add_subplot(), [0, 2, 4], counts, "x", "Title")
    axes = figures[0].axes[0]
    assert [bar.get_height() for bar in axes.patches] == [3, 5, 1, 2]
    assert [bar.get_x() for bar in axes.patches] == [0, 2, 0, 2]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["labels", "kept"]
    with plots.canvas(tmp_path / "b.png") as figure:
        plots.histogram(figure.add_subplot(), [0, 2, 4], {"labels": [3, 5]}, "x", "Title")
    assert figures[1].axes[0].get_legend() is None


def test_a_missing_share_is_a_gap_in_its_line(tmp_path: Path, figures: list[Figure]) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.share_lines(figure.add_subplot(), [0.1, 0.2, 0.3], {"p": [0.5, None, 0.25]}, "", "")
    line = figures[0].axes[0].lines[0].get_ydata()
    assert np.isnan(line).tolist() == [False, True, False]
    assert [line[0], line[2]] == [0.5, 0.25]


def test_a_rank_plot_leaves_out_zeros(tmp_path: Path, figures: list[Figure]) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.rank_plot(figure.add_subplot(), [7, 3, 0, 0], "", "", "")
    assert figures[0].axes[0].lines[0].get_xydata().tolist() == [[1, 7], [2, 3]]


@pytest.mark.parametrize("text", ["dog", "a\tb\u200b", "x" * 300, "é" * 90, "", " ", "$" * 79])
def test_a_fitted_text_is_one_printable_line_of_limited_width(text: str) -> None:
    fitted = plots.fit_text(text, 1.0)
    assert fitted.isprintable()
    assert plots._inches(fitted) <= 1.0
    short = "".join(c if c.isprintable() else " " for c in text)
    assert fitted == short or (fitted.endswith("…") and short.startswith(fitted[:-1]))
