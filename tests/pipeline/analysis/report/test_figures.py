"""What the axes of a report's pictures say: few, true, told apart, and nothing over another."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pipeline.analysis.report import figures as report_figures
from pipeline.analysis.report import plots
from pipeline.analysis.report.label_statistics import Numbers, gather
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
    """Every figure that is drawn, while its picture is written as ever."""
    drawn: list[Figure] = []
    canvas = plots.canvas

    @contextmanager
    def spy(*given: Any) -> Iterator[Figure]:
        with canvas(*given) as figure:
            drawn.append(figure)
            yield figure

    monkeypatch.setattr(plots, "canvas", spy)
    return drawn


def told(axis: Axis) -> dict[float, Text]:
    """The labels of an axis that are seen, by place; its figure was drawn."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    ticks = axis.get_major_ticks() if axis.get_visible() else []
    places = [float(tick.get_loc()) for tick in ticks]
    shown = zip(places, axis.get_majorticklabels(), strict=False)
    return {
        place: label
        for place, label in shown
        if label.get_visible() and label.get_text() and low - slack <= place <= high + slack
    }


def drawn(figure: Figure) -> list[Axis]:
    """All axes of a figure, as they are when it is drawn."""
    FigureCanvasAgg(figure).draw()
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def number(text: str) -> float:
    """What a label stands for.

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
    """Labels of each axis differ and lie apart; all words are inside the picture."""
    for axis in drawn(figure):
        labels = list(told(axis).values())
        assert len({label.get_text() for label in labels}) == len(labels)
        boxes = [label.get_window_extent() for label in labels]
        assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    width, height = figure.bbox.size
    for axes in figure.axes:
        words = [text for text in (axes.title, *axes.texts) if text.get_text()]
        for box in (text.get_window_extent() for text in words):
            assert -1 <= box.x0 <= box.x1 <= width + 1
            assert -1 <= box.y0 <= box.y1 <= height + 1


@pytest.mark.parametrize(
    ("first", "last"), [(-10, 15), (5, 19), (3, 4), (-1, 1), (-40, 40), (-250, 250)]
)
def test_powers_of_two_are_few_true_and_apart(
    tmp_path: Path, figures: list[Figure], first: int, last: int
) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        axes = figure.add_subplot()
        counts = {"labels": np.ones(last - first)}
        plots.histogram(axes, np.arange(first, last + 1), counts, "width / height", "")
        plots.powers_of_two(axes.xaxis, first, last)
    assert_readable(figures[0])
    labels = told(figures[0].axes[0].xaxis)
    assert 1 <= len(labels) <= 9
    for place, label in labels.items():
        assert number(label.get_text()) == 2 ** (place / 2)


@pytest.mark.parametrize("most", [1, 3, 7, 950, 1250, 1599, 1823, 13_589, MILLIONS])
def test_counts_are_few_and_true(tmp_path: Path, figures: list[Figure], most: int) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.histogram(figure.add_subplot(), [0, 0.5, 1], {"labels": [1, most]}, "", "")
    assert_readable(figures[0])
    labels = told(figures[0].axes[0].yaxis)
    assert 2 <= len(labels) <= 6
    assert {place: number(label.get_text()) for place, label in labels.items()} == {
        place: pytest.approx(place) for place in labels
    }


@pytest.mark.parametrize("kept", [[1], [7, 3], [97, 50, 2], [1823, *[5] * 120], [MILLIONS, 5]])
def test_a_long_tail_is_counted_from_one(
    tmp_path: Path, figures: list[Figure], kept: list[int]
) -> None:
    with plots.canvas(tmp_path / "a.png") as figure:
        plots.falling(figure.add_subplot(), [*kept, 0], "rank", "kept labels", "")
    assert_readable(figures[0])
    for axis, most in zip(drawn(figures[0]), (len(kept), max(kept)), strict=True):
        labels = told(axis)
        assert min(labels) == 1
        assert max(labels) <= most
        assert [number(label.get_text()) for label in labels.values()] == list(labels)


@pytest.mark.parametrize("largest", [0.0, 0.016, 0.034, 0.19, 0.45, 0.5, 1.0])
def test_shares_are_told_in_per_cent_whatever_their_size(
    tmp_path: Path, figures: list[Figure], largest: float
) -> None:
    shares = {"precision": [None, largest], "recall": [largest, 0.0]}
    with plots.canvas(tmp_path / "lines.png") as figure:
        plots.shares(figure.add_subplot(), [0.2, 0.4], shares, "", "By threshold")
    with plots.canvas(tmp_path / "bars.png") as figure:
        plots.pairs_of_bars(figure.add_subplot(), ["small", "large"], shares, "Kept labels")
    for figure in figures:
        assert_readable(figure)
        axis = figure.axes[0].yaxis
        assert axis.get_view_interval()[1] >= largest
        for place, label in told(axis).items():
            assert float(label.get_text().removesuffix(" %")) == pytest.approx(100 * place)
    bars = figures[1].axes[0].texts
    assert [text.get_text() for text in bars] == [
        "none",
        f"{100 * largest:.1f}",
        f"{100 * largest:.1f}",
        "0.0",
    ]


def test_a_bar_says_its_very_number(tmp_path: Path, figures: list[Figure]) -> None:
    with plots.canvas(tmp_path / "a.png", 2) as figure:
        values = [MILLIONS, 1017, 0]
        names = [plots.shown("W" * 60), "dog", "cat"]
        plots.ranked(figure.add_subplot(), names, values, "Kept labels")
    assert_readable(figures[0])
    texts = [text.get_text().strip() for text in figures[0].axes[0].texts]
    assert texts == ["123,456,789", "1,017", "0"]


def some(**changed: Any) -> Numbers:
    """Numbers of labels with odd names, extreme boxes and nothing in between."""
    kinds = ("probability", "margin")
    name = f"<b>$x^2$</b>\n{'w' * 60}"
    counts = dict.fromkeys(("labels", "kept", "images", "images_kept", "concepts_kept"), MILLIONS)
    shares = {"precision": None, "recall": 0.004}
    row = {"labels": MILLIONS, "kept": MILLIONS, "on_objects": MILLIONS, "objects": 5, **shares}
    named = {"images": 3, "probability": 0.5, "in_caption": None}
    answers: dict[str, list[dict[str, Any]]] = {
        "counts": [
            {**counts, "on_objects": 3, "on_objects_kept": 3, "precision_kept": None}
            | {"probability_kept": 0.5, "in_caption_kept": None}
        ],
        "drawn": [{"objects": 5, "categories": 1, "categories_in_pool": 0}],
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
    return Numbers("pseudo_labels/v2-0", None, {**answers, **changed})


def test_every_picture_of_a_report_is_readable(tmp_path: Path, figures: list[Figure]) -> None:
    made = make_all(tmp_path / "store", count=12)
    for numbers in (gather(made["images"].root), some()):
        report_figures.draw(numbers, tmp_path)
    assert len(figures) >= 14
    for figure in figures:
        assert_readable(figure)


def test_where_nothing_is_kept_no_concept_is_drawn(tmp_path: Path) -> None:
    counts = [{**some().counts, "kept": 0}]
    names = [picture.name for picture in report_figures.draw(some(counts=counts), tmp_path)]
    assert "boxes" in names
    assert {"concepts", "long_tail"}.isdisjoint(names)


def test_a_page_has_every_picture_of_its_sections(tmp_path: Path) -> None:
    numbers = some()
    drawn = report_figures.draw(numbers, tmp_path)
    files = [file for picture in drawn for file in picture.files]
    assert sorted(files) == sorted(path.name for path in tmp_path.glob("*.png"))
    text = page(numbers, drawn, tmp_path)
    assert text.count("<img ") == len(set(files))
    assert text.count("<section ") == text.count("</section>") == len(drawn)
    assert "nothing to draw" not in text
    assert "nothing to draw" in page(numbers, [], tmp_path)
