"""Plain pictures of counts and shares, each readable at the width of a phone.

The same numbers give the same bytes: no dates, no settings of the user. Words of the store are
drawn as they are, never as formulas, whatever signs they hold.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

ALL, KEPT, GOOD, BAD = "#B8B8B8", "#0072B2", "#009E73", "#D55E00"  # Okabe and Ito, and grey
_LONGEST: Final = 26  # characters of a word beside a bar
_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12.0,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,
}


@contextmanager
def canvas(path: Path, width: float = 5.6, height: float = 3.4) -> Iterator[Figure]:
    """A figure of so many inches that is written to `path` at the end of the block."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **_SETTINGS}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # boxes stand for them
        figure = Figure(figsize=(width, height), layout="constrained")
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
    axes.yaxis.set_major_formatter(_short)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    axes.set_xlabel(axis)
    axes.set_title(title)
    if len(counts) > 1:
        axes.legend(fontsize=10)


def ranked(
    axes: Any, names: Sequence[str], values: ArrayLike, title: str, colour: str = KEPT
) -> None:
    """Horizontal bars, the first on top, the number at the end of each."""
    numbers = np.asarray(values, np.float64)
    places = np.arange(len(names))
    axes.barh(places, numbers, color=colour, height=0.72)
    axes.set_yticks(places, [shown(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(numbers.max(initial=0) * 1.16, 1))
    for place, number in zip(places, numbers, strict=True):
        axes.text(number, place, f" {_short(number)}", va="center", fontsize=9, color="#505050")
    axes.xaxis.set_major_formatter(_short)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title)


def shares(
    axes: Any, along: ArrayLike, lines: Mapping[str, ArrayLike], axis: str, title: str
) -> None:
    """Lines of shares in [0, 1], named at their right ends; what is not known is a gap."""
    for colour, (name, values) in zip((KEPT, BAD, GOOD), lines.items(), strict=False):
        numbers = np.array([np.nan if v is None else v for v in np.asarray(values, object)], float)
        axes.plot(along, numbers, color=colour, linewidth=2.2, marker="o", markersize=4, label=name)
    axes.set_ylim(0, 1)
    axes.grid(color="#E6E6E6", linewidth=0.8)
    axes.set_xlabel(axis)
    axes.set_title(title)
    axes.legend(fontsize=10)


def pairs_of_bars(
    axes: Any, names: Sequence[str], values: Mapping[str, Sequence[float | None]], title: str
) -> None:
    """Shares in [0, 1] of some things, side by side, the number on top of each bar."""
    width = 0.8 / len(values)
    for number, (name, given) in enumerate(values.items()):
        places = np.arange(len(names)) + (number - (len(values) - 1) / 2) * width
        heights = [value or 0.0 for value in given]
        axes.bar(places, heights, width * 0.94, color=(KEPT, BAD)[number % 2], label=name)
        for place, value in zip(places, given, strict=True):
            told = "none" if value is None else f"{100 * value:.0f}"
            axes.text(place, (value or 0) + 0.015, told, ha="center", fontsize=10)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1.08)
    axes.set_title(title)
    axes.legend(fontsize=10)


def shown(text: str) -> str:
    r"""A word of the store as it is drawn: one short line of signs that can be printed.

    >>> shown("a\nb"), len(shown("x" * 50))
    ('a b', 26)
    """
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _short(value: float, _place: int = 0) -> str:
    """A count in few signs.

    >>> _short(950), _short(1250), _short(4_000_000)
    ('950', '1.2k', '4M')
    """
    for step, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= step:
            return f"{value / step:.1f}".removesuffix(".0") + sign
    return f"{value:g}"
