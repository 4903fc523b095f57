"""Pictures of an evaluation, readable at the width of a phone; the one door of matplotlib.

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

# told apart by the colour-blind too (Okabe and Ito), and by their width
_COLOURS: Final = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_GREY: Final = "#B8B8B8"
_MANY: Final = 200  # categories; more are a smear
_GAP: Final = 0.075  # between labels, share of the height
_SETTINGS: Final[dict[Any, Any]] = {
    "font.size": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13.0,
}


def draw_curves(
    path: Path,
    splits: Mapping[str, NDArray[np.float64]],
    categories: Sequence[NDArray[np.float64]],
) -> None:
    """Precision over recall: a line a split, labelled with its AP50, over those of categories.

    Args:
        path: The PNG to write.
        splits: (Q,) precision at `RECALLS` of each.
        categories: (Q,) likewise; drawn thin and grey, if they are not too many.
    """
    with _style():
        figure = Figure(figsize=(5.6, 4.6), layout="constrained")
        axes = figure.add_subplot()
        thin = categories if len(categories) <= _MANY else ()
        for values in thin:
            axes.plot(RECALLS, values, color=_GREY, linewidth=0.6, alpha=0.6)
        ends = []
        for colour, (split, values) in zip(_colours(len(splits)), splits.items(), strict=True):
            axes.plot(RECALLS, values, color=colour, linewidth=2.5)
            ends.append((float(values[-1]), f"{split} {100 * values.mean():.1f}", colour))
        _label(axes, ends)
        told = "; thin: single categories" if thin else ""
        axes.set_title(f"Precision over recall, IoU 0.5\nnumbers: AP50 in per cent{told}")
        axes.set_xlabel("recall: share of the objects found")
        axes.set_ylabel("precision: share that is right")
        _square(axes)
        _save(figure, path)


def draw_calibration(path: Path, bins: Mapping[str, Bins], what: str) -> None:
    """How often what is said is right, by its score, and below how often each score is given.

    Args:
        path: The PNG to write.
        bins: Of each split; those of "all" make the lower panel.
        what: What a score is of, for the axis: probability, score.
    """
    with _style():
        figure = Figure(figsize=(5.6, 6.0), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
        axes.plot((0, 1), (0, 1), color=_GREY, linewidth=1.5, linestyle=(0, (4, 3)))
        axes.text(0.03, 0.93, "less sure than right", color="#707070", style="italic")
        axes.text(0.55, 0.03, "surer than right", color="#707070", style="italic")
        ends = []
        for colour, (split, own) in zip(_colours(len(bins)), bins.items(), strict=True):
            full = own.count > 0
            score = np.minimum(own.total[full] / own.count[full], 1.0)
            right = own.right[full] / own.count[full]
            axes.plot(score, right, color=colour, linewidth=2.0, marker="o", markersize=5)
            ends.append((float(right[-1]), f"{split} {100 * own.error():.1f}", colour))
        _label(axes, ends)
        axes.set_title(f"Is it right as often as its {what} says?\nnumbers: ECE in per cent")
        axes.set_ylabel("share that is right")
        _square(axes)
        _histogram(below, bins, what)
        _save(figure, path)


def _style() -> Any:
    """Within it the settings are ours, not the user's."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **_SETTINGS}
    return mpl.rc_context(settings)


def _histogram(axes: Any, bins: Mapping[str, Bins], what: str) -> None:
    everything = bins.get("all") or next(iter(bins.values()))
    width = 1 / BINS
    axes.bar(np.arange(BINS) * width, everything.count, width * 0.9, align="edge", color="#8A8A8A")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_ylabel("how many")
    axes.set_xlabel(what)


def _colours(count: int) -> list[str]:
    return [_COLOURS[at % len(_COLOURS)] for at in range(count)]


def _square(axes: Any) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)


def _label(axes: Any, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names beside the right edge, as high as each line ends, or as near as there is room."""
    for height, (_, text, colour) in _spread(sorted(ends)):
        axes.text(1.02, height, text, color=colour, va="center", weight="bold", clip_on=False)


def _spread(
    ends: Sequence[tuple[float, str, str]],
) -> Iterator[tuple[float, tuple[float, str, str]]]:
    """Heights at least a gap apart, from the lowest up, none above the top."""
    heights: list[float] = []
    for number, (height, *_) in enumerate(ends):
        roof = 1.0 - _GAP * (len(ends) - 1 - number)
        floor = heights[-1] + _GAP if heights else 0.0
        heights.append(max(floor, min(height, roof)))
    yield from zip(heights, ends, strict=True)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="png", dpi=180, metadata={"Software": None})
