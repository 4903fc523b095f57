"""Figures as a test sees them: tick labels by position, and whether all text is readable."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

SIGNS = {"k": 1e3, "M": 1e6, "G": 1e9}


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
