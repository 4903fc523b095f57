"""Plots of a report: few correct tick labels, no overlaps, all text inside of the picture."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pipeline.analysis.report import figures as report_figures
from pipeline.analysis.report import plots
from pipeline.analysis.report.label_statistics import LabelStatistics, collect_statistics
from pipeline.analysis.report.page import page
from tests.pipeline.helpers import make_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

MILLIONS = 123_456_789
SIGNS = {"k": 1e3, "M": 1e6, "G": 1e9}


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that the test draws; pictures are still written."""
    drawn_figures: list[Figure] = []
    canvas = plots.canvas

    @contextmanager
    def spy(*args: Any) -> Iterator[Figure]:
        with canvas(*args) as figure:
            drawn_figures.append(figure)
            yield figure

    monkeypatch.setattr(plots, "canvas", spy)
    return drawn_figures


def tick_labels(axis: Axis) -> dict[float, Text]:
    """The visible tick labels of an axis by position; its figure must have been drawn."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    ticks = axis.get_major_ticks() if axis.get_visible() else []
    positions = [float(tick.get_loc()) for tick in ticks]
    labels = zip(positions, axis.get_majorticklabels(), strict=False)
    return {
        position: label
        for position, label in labels
        if label.get_visible() and label.get_text() and low - slack <= position <= high + slack
    }


def draw_axes(figure: Figure) -> list[Axis]:
    """Draw a figure; all its axes."""
    FigureCanvasAgg(figure).draw()
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def number(text: str) -> float:
    """The value of a tick label.

    >>> number("1.25k"), number("1/8"), number("2^-3")
    (1250.0, 0.125, 0.125)
    """
    if text[-1] in SIGNS:
        return float(text[:-1]) * SIGNS[text[-1]]
    if "^" in text:
        base, power = text.split("^")
        return float(base) ** int(power)
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


def assert_readable(figure: Figure) -> None:
    """Labels of each axis differ and do not overlap; all texts are inside of the picture."""
    for axis in draw_axes(figure):
        labels = list(tick_labels(axis).values())
        assert len({label.get_text() for label in labels}) == len(labels)
        boxes = [label.get_window_extent() for label in labels]
        assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    width, height = figure.bbox.size
    for axes in figure.axes:
        texts = [text for text in (axes.title, *axes.texts) if text.get_text()]
        for box in (text.get_window_extent() for text in texts):
            assert -1 <= box.x0 <= box.x1 <= width + 1
            assert -1 <= box.y0 <= box.y1 <= height + 1


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


def extreme(**changed: Any) -> LabelStatistics:
    """Statistics with odd names, huge counts and extreme boxes."""
    kinds = ("probability", "margin")
    name = f"<b>$x^2$</b>\n{'w' * 60}"
    counts = dict.fromkeys(("labels", "kept", "images", "images_kept", "concepts_kept"), MILLIONS)
    shares = {"precision": None, "recall": 0.004}
    row = {"labels": MILLIONS, "kept": MILLIONS, "on_objects": MILLIONS, "objects": 5, **shares}
    named = {"images": 3, "probability": 0.5, "in_caption": None}
    results: dict[str, list[dict[str, Any]]] = {
        "counts": [
            {**counts, "on_objects": 3, "on_objects_kept": 3, "precision_kept": None}
            | {"probability_kept": 0.5, "in_caption_kept": None}
        ],
        "ground_truth": [{"objects": 5, "categories": 1, "categories_in_pool": 0}],
        "agreement": [{"bin": 9, "labels": 3, "in_caption": 1.0}],
        "distributions": [{**row, "quantity": kind, "bin": 3} for kind in kinds],
        "concepts": [{**row, **named, "concept": name}, {**row, **named, "concept": "cat"}],
        "boxes": [
            {**row, "quantity": kind, "bin": at} for kind in ("side", "aspect") for at in (-31, 47)
        ],
        "thresholds": [{**row, "threshold": at / 20} for at in range(20)],
        "calibration": [{"bin": 3, "labels": 3, "total": 0.6, "agreeing": 1}],
        "confusions": [{"truth": name[::-1], "concept": name, "regions": MILLIONS}],
        "sizes": [{**row, "size": size} for size in ("small", "medium", "large")],
    }
    return LabelStatistics("pseudo_labels/v2-0", None, {**results, **changed})


def test_every_picture_of_a_report_is_readable(tmp_path: Path, figures: list[Figure]) -> None:
    made = make_all(tmp_path / "store", count=12)
    for statistics in (collect_statistics(made["images"].root), extreme()):
        report_figures.draw_sections(statistics, tmp_path)
    assert len(figures) >= 14
    for figure in figures:
        assert_readable(figure)


def test_without_kept_labels_there_is_no_plot_of_concepts(tmp_path: Path) -> None:
    counts = [{**extreme().counts, "kept": 0}]
    sections = report_figures.draw_sections(extreme(counts=counts), tmp_path)
    names = [section.name for section in sections]
    assert "boxes" in names
    assert {"concepts", "long_tail"}.isdisjoint(names)


def test_a_page_has_every_plot_of_its_sections(tmp_path: Path) -> None:
    statistics = extreme()
    sections = report_figures.draw_sections(statistics, tmp_path)
    files = [file for section in sections for file in section.files]
    assert sorted(files) == sorted(path.name for path in tmp_path.glob("*.png"))
    text = page(statistics, sections, tmp_path)
    assert text.count("<img ") == len(set(files))
    assert text.count("<section ") == text.count("</section>") == len(sections)
    assert "nothing to plot" not in text
    assert "nothing to plot" in page(statistics, [], tmp_path)
