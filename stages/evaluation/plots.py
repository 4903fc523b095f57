"""Plots of an evaluation, readable at the width of a phone; only this module uses matplotlib.

The same numbers give the same bytes: no dates, no settings of the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from stages.evaluation.calibration import BINS
from stages.evaluation.matching import RECALLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.evaluation.calibration import Bins

# distinct for colour-blind readers too (Okabe and Ito)
_COLOURS: Final = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_GREY: Final = "#B8B8B8"
_MAX_CURVES: Final = 200  # of single categories; more are unreadable
_LABEL_GAP: Final = 0.075  # between labels, share of the height
_SETTINGS: Final[dict[Any, Any]] = {
    "font.size": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13.0,
}


def plot_curves(
    path: Path,
    splits: Mapping[str, NDArray[np.float64]],
    categories: Sequence[NDArray[np.float64]],
) -> None:
    """Plot precision over recall: a line for each split, labelled with its AP50.

    Args:
        path: The PNG to write.
        splits: (Q,) precision at `RECALLS` of each.
        categories: (Q,) of single categories; thin and grey, if they are not too many.
    """
    with _style():
        figure = Figure(figsize=(5.6, 4.6), layout="constrained")
        axes = figure.add_subplot()
        thin = categories if len(categories) <= _MAX_CURVES else ()
        for values in thin:
            axes.plot(RECALLS, values, color=_GREY, linewidth=0.6, alpha=0.6)
        ends = []
        for colour, (split, values) in zip(_colours(len(splits)), splits.items(), strict=True):
            axes.plot(RECALLS, values, color=colour, linewidth=2.5)
            ends.append((float(values[-1]), f"{split} {100 * values.mean():.1f}", colour))
        _label_ends(axes, ends)
        legend = "; thin: single categories" if thin else ""
        axes.set_title(f"Precision over recall, IoU 0.5\nnumbers: AP50 in per cent{legend}")
        axes.set_xlabel("recall: share of the objects found")
        axes.set_ylabel("precision: share that is right")
        _format_unit_axes(axes)
        _save(figure, path)


def plot_calibration(path: Path, bins: Mapping[str, Bins], score_name: str) -> None:
    """Plot accuracy over score, and below it a histogram of scores.

    Args:
        path: The PNG to write.
        bins: Of each split; those of "all" make the histogram.
        score_name: What the axis is called: probability or score.
    """
    with _style():
        figure = Figure(figsize=(5.6, 6.0), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
        axes.plot((0, 1), (0, 1), color=_GREY, linewidth=1.5, linestyle=(0, (4, 3)))
        axes.text(0.03, 0.93, "less sure than right", color="#707070", style="italic")
        axes.text(0.55, 0.03, "surer than right", color="#707070", style="italic")
        ends = []
        for colour, (split, own) in zip(_colours(len(bins)), bins.items(), strict=True):
            filled = own.count > 0
            score = np.minimum(own.total[filled] / own.count[filled], 1.0)
            accuracy = own.correct[filled] / own.count[filled]
            axes.plot(score, accuracy, color=colour, linewidth=2.0, marker="o", markersize=5)
            ends.append((float(accuracy[-1]), f"{split} {100 * own.error():.1f}", colour))
        _label_ends(axes, ends)
        axes.set_title(f"Is it right as often as its {score_name} says?\nnumbers: ECE in per cent")
        axes.set_ylabel("share that is right")
        _format_unit_axes(axes)
        _histogram(below, bins, score_name)
        _save(figure, path)


def _style() -> Any:
    """A context with our settings instead of the user's."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **_SETTINGS}
    return mpl.rc_context(settings)


def _histogram(axes: Any, bins: Mapping[str, Bins], score_name: str) -> None:
    overall = bins.get("all") or next(iter(bins.values()))
    width = 1 / BINS
    axes.bar(np.arange(BINS) * width, overall.count, width * 0.9, align="edge", color="#8A8A8A")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_ylabel("how many")
    axes.set_xlabel(score_name)


def _colours(count: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]


def _format_unit_axes(axes: Any) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)


def _label_ends(axes: Any, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write the name of each line beside its right end, moved where labels would overlap."""
    for height, (_, text, colour) in _spread_labels(sorted(ends)):
        axes.text(1.02, height, text, color=colour, va="center", weight="bold", clip_on=False)


def _spread_labels(
    ends: Sequence[tuple[float, str, str]],
) -> Iterator[tuple[float, tuple[float, str, str]]]:
    """Heights at least a gap apart, from the lowest up, not above the top."""
    heights: list[float] = []
    for number, (height, *_) in enumerate(ends):
        highest = 1.0 - _LABEL_GAP * (len(ends) - 1 - number)
        lowest = heights[-1] + _LABEL_GAP if heights else 0.0
        heights.append(max(lowest, min(height, highest)))
    yield from zip(heights, ends, strict=True)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="png", dpi=180, metadata={"Software": None})
