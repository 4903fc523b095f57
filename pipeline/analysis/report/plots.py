"""Plots of counts and shares, readable at the width of a phone.

Equal numbers give equal bytes: no dates, no settings of the user. Text from the store is never
parsed as a formula, whatever characters it has.
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, MaxNLocator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

ALL, KEPT, GOOD, BAD = "#B8B8B8", "#0072B2", "#009E73", "#D55E00"  # Okabe and Ito, and grey
_FONT: Final = "DejaVu Sans"
_SIZE: Final = 11.0  # points
_MAX_CHARACTERS: Final = 80  # of a text
_AXIS_ENDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # of an axis of shares
_STEPS: Final = (1, 2, 5, 10)  # of ticks, times a power of ten
_MAX_EXPONENT: Final = 13  # up to 8192, a power of two is written as a number; above as 2^n
_WIDTH: Final = 5.0  # inches: 30rem of a page, so text in both has one size
_PAD: Final = 0.08  # inches of white around a plot, for dark pages
_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": _FONT,
    "font.size": _SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12.0,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.parse_math": False,
}


@contextmanager
def canvas(path: Path, height: float = 3.2) -> Iterator[Figure]:
    """A figure of so many inches of height, written to `path` at the end of the block."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **_SETTINGS}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # they become boxes
        layout = ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD)
        figure = Figure(figsize=(_WIDTH, height), layout=layout)
        yield figure
        figure.savefig(path, format="png", dpi=144, metadata={"Software": None})


def histogram(
    axes: Any, edges: ArrayLike, counts: Mapping[str, ArrayLike], axis: str, title: str
) -> None:
    """Bars of counts between edges, one set over the other, the first grey; with a legend.

    Args:
        axes: Axes to draw in.
        edges: (B + 1,) ascending.
        counts: (B,) by name: of all, then of subsets.
        axis: Label of the x axis.
        title: Title above.
    """
    bounds = np.asarray(edges, np.float64)
    for colour, (name, values) in zip((ALL, KEPT, GOOD), counts.items(), strict=False):
        axes.bar(
            bounds[:-1], values, np.diff(bounds) * 0.92, align="edge", color=colour, label=name
        )
    axes.set_xlim(bounds[0], bounds[-1])
    _set_count_ticks(axes.yaxis, 4)
    axes.grid(axis="y")
    axes.set_xlabel(axis)
    _set_title(axes, title, len(counts))


def power_of_two_ticks(axis: Any, first: int, last: int) -> None:
    """Ticks at whole powers of two on an axis of half powers; at most nine.

    Args:
        axis: The axis; its value 6 stands for 2 ** 3.
        first: Half powers at its left end.
        last: Half powers at its right end; above `first`.
    """
    every = 2 * max(1, -(-(last - first) // 16))
    ticks = [half for half in range(first, last + 1) if half % every == 0]
    axis.set_ticks(ticks, [_power_text(half // 2) for half in ticks])


def rank_plot(axes: Any, values: ArrayLike, x_label: str, y_label: str, title: str) -> None:
    """A line of positive counts by their rank, the largest first, on logarithmic axes."""
    counts = np.asarray(values, np.float64)
    counts = counts[counts > 0]
    marker = "o" if len(counts) < 2 else ""  # a line of one point is invisible
    axes.plot(np.arange(1, len(counts) + 1), counts, color=KEPT, linewidth=2.2, marker=marker)
    axes.loglog()
    max_rank, max_count = max(len(counts), 1), counts.max(initial=1)
    axes.set(xlim=(0.85, 1.15 * max_rank), ylim=(0.85, 1.15 * max_count))
    for axis, limit in ((axes.xaxis, max_rank), (axes.yaxis, max_count)):
        axis.set_major_locator(FixedLocator(_log_ticks(limit)))
        axis.set_major_formatter(_short_count)
        axis.set_minor_formatter("")
    axes.grid()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title)


def horizontal_bars(
    axes: Any, names: Sequence[str], values: Sequence[int], title: str, colour: str = KEPT
) -> None:
    """Horizontal bars, the first on top, each with its number at the end instead of an axis."""
    positions = np.arange(len(names))
    axes.barh(positions, values, color=colour, height=0.72)
    axes.set_yticks(positions, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    texts = [f" {value:,}" for value in values]
    space = 1.06 + 0.04 * max(map(len, texts), default=0)
    axes.set_xlim(0, max(values, default=1) * space)
    for position, value, text in zip(positions, values, texts, strict=True):
        axes.text(value, position, text, va="center", fontsize=9, color="#505050")
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.figure.suptitle(title, x=0.01, ha="left", fontsize=12)  # long names leave no space for it


def share_lines(
    axes: Any,
    positions: ArrayLike,
    lines: Mapping[str, Sequence[float | None]],
    axis: str,
    title: str,
) -> None:
    """Lines of shares in [0, 1] at positions in [0, 1]; a missing value is a gap."""
    for colour, (name, values) in zip((KEPT, BAD, GOOD), lines.items(), strict=False):
        numbers = np.array([np.nan if v is None else v for v in values])
        axes.plot(positions, numbers, color=colour, linewidth=2.2, label=name, clip_on=False)
        axes.plot(positions, numbers, "o", color=colour, markersize=4, clip_on=False)
    end = set_share_axis(axes, [value for values in lines.values() for value in values])
    axes.set_ylim(0, end)
    axes.set_xlim(0, 1)
    axes.grid()
    axes.set_xlabel(axis)
    _set_title(axes, title, len(lines))


def grouped_bars(
    axes: Any, names: Sequence[str], values: Mapping[str, Sequence[float | None]], title: str
) -> None:
    """Groups of bars of shares in [0, 1], with the per cent above each bar."""
    width = 0.8 / len(values)
    end = set_share_axis(axes, [share for shares in values.values() for share in shares])
    for number, (name, shares) in enumerate(values.items()):
        positions = np.arange(len(names)) + (number - (len(values) - 1) / 2) * width
        heights = [share or 0.0 for share in shares]
        axes.bar(positions, heights, width * 0.94, color=(KEPT, BAD)[number % 2], label=name)
        for position, share in zip(positions, shares, strict=True):
            text = "none" if share is None else f"{100 * share:.1f}"
            axes.text(position, (share or 0) + 0.015 * end, text, ha="center", fontsize=10)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, end * 1.1)
    _set_title(axes, title, len(values))


def fit_text(text: str, width: float = 2.2) -> str:
    r"""A text from the store for a plot: one line of printable characters, cut to a width.

    Args:
        text: The text.
        width: Inches; a longer text is cut.

    >>> fit_text("a\nb"), fit_text("x" * 50)[-2:]
    ('a b', 'x…')
    """
    line = "".join(c if c.isprintable() else " " for c in text[:_MAX_CHARACTERS])
    if len(text) <= _MAX_CHARACTERS and _inches(line) <= width:
        return line
    length = bisect_right(range(len(line)), width, key=lambda end: _inches(f"{line[:end]}…"))
    return f"{line[: max(length - 1, 0)]}…"


def _inches(text: str) -> float:
    if not text.strip():  # matplotlib has no path for it
        return 0.0
    font = FontProperties(family=_FONT, size=_SIZE)
    with mpl.rc_context({"text.parse_math": False}):
        return float(TextPath((0, 0), text, prop=font).get_extents().width) / 72


def _set_title(axes: Any, title: str, names: int) -> None:
    """The title and, for several names, a legend beside it, outside of the plot."""
    axes.set_title(title)
    if names > 1:
        axes.legend(
            fontsize=10,
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=names,
            borderpad=0.3,
            borderaxespad=0,
            handlelength=1.2,
            columnspacing=1.2,
        )


def _set_count_ticks(axis: Any, limit: int) -> None:
    """Ticks at round counts, with at most `limit` steps."""
    axis.set_major_locator(MaxNLocator(limit, steps=_STEPS, integer=True))
    axis.set_major_formatter(_short_count)


def set_share_axis(axes: Any, shares: Sequence[float | None]) -> float:
    """Label the y axis in per cent; return its end, above the largest share."""
    largest = max((share for share in shares if share is not None), default=1)
    end = next((end for end in _AXIS_ENDS if largest <= 0.95 * end), 1.0)
    ticks = MaxNLocator(5, steps=_STEPS).tick_values(0, end)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    return end


def _power_text(exponent: int) -> str:
    """A power of two as a short text.

    >>> _power_text(-3), _power_text(0), _power_text(4), _power_text(-40)
    ('1/8', '1', '16', '2^-40')
    """
    if abs(exponent) > _MAX_EXPONENT:
        return f"2^{exponent}"
    return f"{2**exponent}" if exponent >= 0 else f"1/{2**-exponent}"


def _log_ticks(limit: float) -> list[int]:
    """Powers of ten from 1 to `limit`, with two steps between them if `limit` is below 100.

    >>> _log_ticks(50), _log_ticks(1800)
    ([1, 2, 5, 10, 20, 50], [1, 10, 100, 1000])
    """
    steps = (1, 2, 5) if limit < 100 else (1,)
    return [step * 10**power for power in range(10) for step in steps if step * 10**power <= limit]


def _short_count(value: float, _position: int = 0) -> str:
    """A count as a short text without rounding, so different ticks have different texts.

    >>> _short_count(950), _short_count(1250), _short_count(4_000_000)
    ('950', '1.25k', '4M')
    """
    for step, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= step:
            return f"{value / step:.10g}{suffix}"
    return f"{value:g}"
