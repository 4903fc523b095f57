"""Plain pictures of counts and shares, each readable at the width of a phone.

The same numbers give the same bytes: no dates, no settings of the user. Words of the store are
drawn as they are, never as formulas, whatever signs they hold.
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
_LONGEST: Final = 80  # characters of a word that are looked at
_ROOFS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # shares at which an axis of them may end
_STEPS: Final = (1, 2, 5, 10)  # between ticks, times a power of ten
_SPELT: Final = 13  # up to 8192 a power of two is a number; above, there is no room
_WIDE: Final = 5.0  # inches of every picture: 30rem of a page, so words on both are alike
_PAD: Final = 0.08  # inches of white around a picture, which may lie on a dark page
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
    """A figure so many inches high that is written to `path` at the end of the block."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **_SETTINGS}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # boxes stand for them
        layout = ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD)
        figure = Figure(figsize=(_WIDE, height), layout=layout)
        yield figure
        figure.savefig(path, format="png", dpi=144, metadata={"Software": None})


def histogram(
    axes: Any, edges: ArrayLike, counts: Mapping[str, ArrayLike], axis: str, title: str
) -> None:
    """Bars of counts between edges, drawn over each other, the first grey: a legend says whose.

    Args:
        axes: Where.
        edges: (B + 1,) rising.
        counts: (B,) by name; of one whole and of its parts.
        axis: What is along the edges.
        title: Above.
    """
    bounds = np.asarray(edges, np.float64)
    for colour, (name, values) in zip((ALL, KEPT, GOOD), counts.items(), strict=False):
        axes.bar(
            bounds[:-1], values, np.diff(bounds) * 0.92, align="edge", color=colour, label=name
        )
    axes.set_xlim(bounds[0], bounds[-1])
    _counted(axes.yaxis, 4)
    axes.grid(axis="y")
    axes.set_xlabel(axis)
    _head(axes, title, len(counts))


def powers_of_two(axis: Any, first: int, last: int) -> None:
    """Ticks at whole powers of two along an axis of half powers; at most nine, as fractions.

    Args:
        axis: Whose; at 6 on it is 2 ** 3.
        first: Half powers at its left end.
        last: At its right end; above `first`.
    """
    every = 2 * max(1, -(-(last - first) // 16))
    ticks = [at for at in range(first, last + 1) if at % every == 0]
    axis.set_ticks(ticks, [_power(at // 2) for at in ticks])


def falling(axes: Any, values: ArrayLike, along: str, of: str, title: str) -> None:
    """A line of counts by their rank, the largest first, both by powers of ten; none of zeros."""
    counts = np.asarray(values, np.float64)
    counts = counts[counts > 0]
    marker = "o" if len(counts) < 2 else ""  # a line of one point is none
    axes.plot(np.arange(1, len(counts) + 1), counts, color=KEPT, linewidth=2.2, marker=marker)
    axes.loglog()
    widest, highest = max(len(counts), 1), counts.max(initial=1)
    axes.set(xlim=(0.85, 1.15 * widest), ylim=(0.85, 1.15 * highest))
    for axis, most in ((axes.xaxis, widest), (axes.yaxis, highest)):
        axis.set_major_locator(FixedLocator(_ladder(most)))
        axis.set_major_formatter(_short)
        axis.set_minor_formatter("")
    axes.grid()
    axes.set_xlabel(along)
    axes.set_ylabel(of)
    axes.set_title(title)


def ranked(
    axes: Any, names: Sequence[str], values: Sequence[int], title: str, colour: str = KEPT
) -> None:
    """Horizontal bars, the first on top, the number at the end of each in place of an axis."""
    places = np.arange(len(names))
    axes.barh(places, values, color=colour, height=0.72)
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    told = [f" {value:,}" for value in values]
    room = 1.06 + 0.04 * max(map(len, told), default=0)
    axes.set_xlim(0, max(values, default=1) * room)
    for place, value, text in zip(places, values, told, strict=True):
        axes.text(value, place, text, va="center", fontsize=9, color="#505050")
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.figure.suptitle(title, x=0.01, ha="left", fontsize=12)  # long names leave it no room


def shares(
    axes: Any,
    along: ArrayLike,
    lines: Mapping[str, Sequence[float | None]],
    axis: str,
    title: str,
) -> None:
    """Lines of shares in [0, 1] over what is in [0, 1] too; what is not known is a gap."""
    for colour, (name, values) in zip((KEPT, BAD, GOOD), lines.items(), strict=False):
        numbers = np.array([np.nan if v is None else v for v in values])
        axes.plot(along, numbers, color=colour, linewidth=2.2, label=name, clip_on=False)
        axes.plot(along, numbers, "o", color=colour, markersize=4, clip_on=False)
    roof = _per_cent(axes, [value for values in lines.values() for value in values])
    axes.set_ylim(0, roof)
    axes.set_xlim(0, 1)
    axes.grid()
    axes.set_xlabel(axis)
    _head(axes, title, len(lines))


def pairs_of_bars(
    axes: Any, names: Sequence[str], values: Mapping[str, Sequence[float | None]], title: str
) -> None:
    """Shares in [0, 1] of some things, side by side, the per cent on top of each bar."""
    width = 0.8 / len(values)
    roof = _per_cent(axes, [value for given in values.values() for value in given])
    for number, (name, given) in enumerate(values.items()):
        places = np.arange(len(names)) + (number - (len(values) - 1) / 2) * width
        heights = [value or 0.0 for value in given]
        axes.bar(places, heights, width * 0.94, color=(KEPT, BAD)[number % 2], label=name)
        for place, value in zip(places, given, strict=True):
            told = "none" if value is None else f"{100 * value:.1f}"
            axes.text(place, (value or 0) + 0.015 * roof, told, ha="center", fontsize=10)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, roof * 1.1)
    _head(axes, title, len(values))


def shown(text: str, widest: float = 2.2) -> str:
    r"""A word of the store as it is drawn: one line of signs that can be printed.

    Args:
        text: The word.
        widest: Inches; what is longer is cut.

    >>> shown("a\nb"), shown("x" * 50)[-2:]
    ('a b', 'x…')
    """
    line = "".join(sign if sign.isprintable() else " " for sign in text[:_LONGEST])
    if len(text) <= _LONGEST and _inches(line) <= widest:
        return line
    room = bisect_right(range(len(line)), widest, key=lambda end: _inches(f"{line[:end]}…"))
    return f"{line[: max(room - 1, 0)]}…"


def _inches(text: str) -> float:
    font = FontProperties(family=_FONT, size=_SIZE)
    return float(TextPath((0, 0), text, prop=font).get_extents().width) / 72


def _head(axes: Any, title: str, names: int) -> None:
    """The title and, if there are several names, the legend beside it, where no bar can be."""
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


def _counted(axis: Any, most: int) -> None:
    """Ticks at round counts, in at most so many steps."""
    axis.set_major_locator(MaxNLocator(most, steps=_STEPS, integer=True))
    axis.set_major_formatter(_short)


def _per_cent(axes: Any, shares: Sequence[float | None]) -> float:
    """Let the y axis be of shares, in per cent; where it ends, so that the largest is seen."""
    largest = max((share for share in shares if share is not None), default=1)
    roof = next((roof for roof in _ROOFS if largest <= 0.95 * roof), 1.0)
    ticks = MaxNLocator(5, steps=_STEPS).tick_values(0, roof)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    return roof


def _power(exponent: int) -> str:
    """A power of two, in few signs.

    >>> _power(-3), _power(0), _power(4), _power(-40)
    ('1/8', '1', '16', '2^-40')
    """
    if abs(exponent) > _SPELT:
        return f"2^{exponent}"
    return f"{2**exponent}" if exponent >= 0 else f"1/{2**-exponent}"


def _ladder(most: float) -> list[int]:
    """Ticks from 1 to a count by powers of ten, with steps between them where those are few.

    >>> _ladder(50), _ladder(1800)
    ([1, 2, 5, 10, 20, 50], [1, 10, 100, 1000])
    """
    steps = (1, 2, 5) if most < 100 else (1,)
    return [step * 10**power for power in range(10) for step in steps if step * 10**power <= most]


def _short(value: float, _place: int = 0) -> str:
    """A round count in few signs; nothing of it is lost, so ticks that differ stay different.

    >>> _short(950), _short(1250), _short(4_000_000)
    ('950', '1.25k', '4M')
    """
    for step, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= step:
            return f"{value / step:.10g}{sign}"
    return f"{value:g}"
