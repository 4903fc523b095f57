"""The pictures of a report on pseudo-labels: which numbers are drawn, and how."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pipeline.analysis.report import plots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.analysis.report.label_statistics import Numbers, Row

    _Painter = Callable[[Numbers, Path], None]

_SHOWN = 25  # concepts of a picture of bars
_PAIRED = 1.25  # inches of each of two words beside a bar
_QUANTITIES = ("probability", "margin")
_SHAPES = {"side": "square root of the area, pixels", "aspect": "width / height"}
_LIMITS = ("under 32² px", "to 96² px", "above")


@dataclass(frozen=True)
class Figure:
    """A section of a report: its name, what its pictures are of, how to read them, their files."""

    name: str
    title: str
    text: str
    files: tuple[str, ...]


def draw(numbers: Numbers, folder: Path) -> list[Figure]:
    """Write the PNGs for which there are numbers; what each is, in the order of the report."""
    drawn = []
    for name, title, text, there, painters in _all(numbers):
        if there:
            for file, paint in painters.items():
                paint(numbers, folder / f"{file}.png")
            drawn.append(Figure(name, title, text, tuple(f"{file}.png" for file in painters)))
    return drawn


def calibration_error(numbers: Numbers) -> float:
    """Expected calibration error of labels on objects, share in [0, 1]; nan if there are none."""
    from stages.evaluation.calibration import Bins

    return Bins(*_calibrated(numbers)).error()


def _all(numbers: Numbers) -> list[tuple[str, str, str, bool, dict[str, _Painter]]]:
    """Name, title, text of each section; whether there are numbers; who paints which file."""
    some, judged = bool(numbers.counts["labels"]), bool(numbers.counts["on_objects"])
    agreed, boxed = bool(numbers["agreement"]), bool(numbers["boxes"])
    kept, confused = bool(numbers.counts["kept"]), bool(numbers["confusions"])
    sure: dict[str, _Painter] = {
        quantity: partial(_distribution, quantity=quantity) for quantity in _QUANTITIES
    }
    boxes: dict[str, _Painter] = {
        quantity: partial(_boxes, quantity=quantity) for quantity in _SHAPES
    }
    return [
        ("distributions", "How sure the teacher is", _SURE, some, sure),
        ("agreement", "Do the captions agree?", _AGREE, agreed, {"agreement": _agreement}),
        ("concepts", "The commonest concepts", _COMMON, kept, {"concepts": _concepts}),
        ("long_tail", "The long tail", _TAIL, kept, {"long_tail": _long_tail}),
        ("boxes", "The boxes", _BOXES, boxed, boxes),
        ("thresholds", "Precision and recall", _RIGHT, judged, {"thresholds": _thresholds}),
        ("calibration", "Calibration", _CALIBRATED, judged, {"calibration": _calibration}),
        ("confusions", "Confusions", _CONFUSED, confused, {"confusions": _confusions}),
        ("sizes", "Small, medium, large", _SIZED, judged, {"sizes": _sizes}),
    ]


_SURE = "Probability of the best concept, and its lead over the runner-up; in colour what is kept."
_AGREE = (
    "Of labels of each probability, the share whose concept a caption of the image mentions. "
    "It should rise: if it does not, sureness says little."
)
_COMMON = "Kept labels of the concepts that have most."
_TAIL = "Kept labels of every concept of the pool, from the commonest to the rarest."
_BOXES = "Side of a square of the box's area, and width over height, by factors of about 1.4."
_RIGHT = (
    "Of labels on a drawn object (IoU of at least 0.5): precision is the share that name its "
    "category; recall is the share of all drawn objects that some label names rightly."
)
_CALIBRATED = (
    "How often labels on objects are right, by their probability. On the dashed line a "
    "probability means what it says."
)
_CONFUSED = "What kept labels call an object instead of its category; synonyms count as wrong."
_SIZED = "Kept labels by the area of their box, and objects by their own, split as in COCO."


def _distribution(numbers: Numbers, path: Path, quantity: str) -> None:
    rows = [row for row in numbers["distributions"] if row["quantity"] == quantity]
    counts = {name: _binned(rows, name, 20) for name in ("labels", "kept")}
    with plots.canvas(path) as figure:
        axes, edges = figure.add_subplot(), np.linspace(0, 1, 21)
        plots.histogram(axes, edges, counts, quantity, f"Labels by {quantity}")


def _agreement(numbers: Numbers, path: Path) -> None:
    rows = numbers["agreement"]
    with plots.canvas(path, 4.2) as figure:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        along = [(row["bin"] + 0.5) / 10 for row in rows]
        line = {"share in a caption": [row["in_caption"] for row in rows]}
        plots.shares(axes, along, line, "", "Share of labels that a caption mentions")
        edges, counts = np.linspace(0, 1, 11), {"labels": _binned(rows, "labels", 10)}
        plots.histogram(below, edges, counts, "probability", "")
        below.set_ylabel("labels")


def _concepts(numbers: Numbers, path: Path) -> None:
    rows = [row for row in numbers["concepts"] if row["kept"]][:_SHOWN]
    with plots.canvas(path, _high(rows)) as figure:
        names = [plots.shown(row["concept"]) for row in rows]
        values = [row["kept"] for row in rows]
        plots.ranked(figure.add_subplot(), names, values, "Kept labels a concept")


def _long_tail(numbers: Numbers, path: Path) -> None:
    kept = [row["kept"] for row in numbers["concepts"]]
    with plots.canvas(path) as figure:
        none = kept.count(0)
        title = (
            f"{none:,} of {len(kept):,} concepts have none" if none else "Every concept has some"
        )
        plots.falling(figure.add_subplot(), kept, "rank of the concept", "kept labels", title)


def _boxes(numbers: Numbers, path: Path, quantity: str) -> None:
    rows = [row for row in numbers["boxes"] if row["quantity"] == quantity]
    first, last = min(row["bin"] for row in rows), max(row["bin"] for row in rows) + 1
    moved = [{**row, "bin": row["bin"] - first} for row in rows]
    counts = {name: _binned(moved, name, last - first) for name in ("labels", "kept")}
    with plots.canvas(path) as figure:
        axes, edges = figure.add_subplot(), np.arange(first, last + 1)
        plots.histogram(axes, edges, counts, _SHAPES[quantity], f"Labels by {quantity}")
        plots.powers_of_two(axes.xaxis, first, last)


def _thresholds(numbers: Numbers, path: Path) -> None:
    rows = numbers["thresholds"]
    with plots.canvas(path, 3.8) as figure:
        lines = {name: [row[name] for row in rows] for name in ("precision", "recall")}
        along, axis = [row["threshold"] for row in rows], "labels of at least this probability"
        plots.shares(figure.add_subplot(), along, lines, axis, "By threshold")


def _calibration(numbers: Numbers, path: Path) -> None:
    from stages.evaluation.calibration import Bins
    from stages.evaluation.plots import draw_calibration

    draw_calibration(path, {"all": Bins(*_calibrated(numbers))}, "probability")


def _confusions(numbers: Numbers, path: Path) -> None:
    rows = numbers["confusions"]
    with plots.canvas(path, _high(rows)) as figure:
        pairs = [[plots.shown(row[name], _PAIRED) for name in ("truth", "concept")] for row in rows]
        names, values = [" → ".join(pair) for pair in pairs], [row["regions"] for row in rows]
        title = "Category → what it was called"
        plots.ranked(figure.add_subplot(), names, values, title, plots.BAD)


def _sizes(numbers: Numbers, path: Path) -> None:
    rows = numbers["sizes"]
    with plots.canvas(path) as figure:
        values = {name: [row[name] for row in rows] for name in ("precision", "recall")}
        names = [f"{row['size']}\n{limits}" for row, limits in zip(rows, _LIMITS, strict=True)]
        plots.pairs_of_bars(figure.add_subplot(), names, values, "Kept labels")


def _high(rows: Sequence[Row]) -> float:
    """Inches of a picture with a bar a row."""
    return 0.6 + 0.24 * max(len(rows), 2)


def _binned(rows: list[Row], name: str, bins: int) -> NDArray[np.float64]:
    found = np.zeros(bins)
    for row in rows:
        found[row["bin"]] = row[name]
    return found


def _calibrated(numbers: Numbers) -> tuple[NDArray[np.float64], ...]:
    from stages.evaluation.calibration import BINS

    rows = numbers["calibration"]
    return tuple(_binned(rows, name, BINS) for name in ("labels", "total", "agreeing"))
