"""The pictures of a report on pseudo-labels: which numbers are drawn, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.report import plots

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.report.numbers import Numbers, Row

_SHOWN = 25  # concepts of a picture of bars


@dataclass(frozen=True)
class Picture:
    """A picture of a report: its file, what it is of, and how to read it."""

    name: str
    title: str
    text: str


def draw(numbers: Numbers, folder: Path) -> list[Picture]:
    """Write the PNGs for which there are numbers; what each is, in the order of the report."""
    return [
        picture
        for picture, wanted, paint in _all(numbers)
        if wanted and paint(numbers, folder / picture.name) is None
    ]


def calibration_error(numbers: Numbers) -> float:
    """Expected calibration error of labels on objects, share in [0, 1]; nan if there are none."""
    from stages.evaluation.calibration import Bins

    return Bins(*_calibrated(numbers)).error()


def _all(numbers: Numbers) -> list[tuple[Picture, bool, Callable[[Numbers, Path], None]]]:
    some, judged = bool(numbers.counts["labels"]), bool(numbers.counts["on_objects"])
    told = [
        ("distributions", "How sure the teacher is", _SURE, some, _distributions),
        ("agreement", "Do the captions agree?", _AGREE, bool(numbers["agreement"]), _agreement),
        ("concepts", "The commonest concepts", _COMMON, some, _concepts),
        ("long_tail", "The long tail", _TAIL, some, _long_tail),
        ("boxes", "The boxes", _BOXES, bool(numbers["boxes"]), _boxes),
        ("thresholds", "Precision and recall", _RIGHT, judged, _thresholds),
        ("calibration", "Calibration", _CALIBRATED, judged, _calibration),
        ("confusions", "Confusions", _CONFUSED, bool(numbers["confusions"]), _confusions),
        ("sizes", "Small, medium, large", _SIZED, judged, _sizes),
    ]
    return [(Picture(f"{n}.png", title, text), there, p) for n, title, text, there, p in told]


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


def _distributions(numbers: Numbers, path: Path) -> None:
    with plots.canvas(path, 8.4, 3.2) as figure:
        for axes, quantity in zip(figure.subplots(1, 2), ("probability", "margin"), strict=True):
            rows = [row for row in numbers["distributions"] if row["quantity"] == quantity]
            counts = {name: _binned(rows, name, 20) for name in ("labels", "kept")}
            plots.histogram(axes, np.linspace(0, 1, 21), counts, quantity, f"Labels by {quantity}")


def _agreement(numbers: Numbers, path: Path) -> None:
    rows = numbers["agreement"]
    with plots.canvas(path, 5.6, 4.2) as figure:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        along = [(row["bin"] + 0.5) / 10 for row in rows]
        line = {"share in a caption": [row["in_caption"] for row in rows]}
        plots.shares(axes, along, line, "", "Labels that a caption mentions")
        edges, counts = np.linspace(0, 1, 11), {"labels": _binned(rows, "labels", 10)}
        plots.histogram(below, edges, counts, "probability", "")
        below.set_ylabel("labels")


def _concepts(numbers: Numbers, path: Path) -> None:
    rows = [row for row in numbers["concepts"] if row["kept"]][:_SHOWN]
    with plots.canvas(path, 5.6, 0.9 + 0.24 * max(len(rows), 2)) as figure:
        names, values = [row["concept"] for row in rows], [row["kept"] for row in rows]
        plots.ranked(figure.add_subplot(), names, values, "Kept labels a concept")


def _long_tail(numbers: Numbers, path: Path) -> None:
    kept = np.array([row["kept"] for row in numbers["concepts"]])
    with plots.canvas(path) as figure:
        axes = figure.add_subplot()
        ranks = np.arange(1, len(kept) + 1)
        axes.plot(ranks[kept > 0], kept[kept > 0], color=plots.KEPT, linewidth=2.2)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,.0f}")  # no mathematics in texts, so no powers of ten
            axis.set_minor_formatter("")
        axes.grid(color="#E6E6E6", linewidth=0.8)
        axes.set_xlabel("rank of the concept")
        axes.set_ylabel("kept labels")
        none = int((kept == 0).sum())
        axes.set_title(f"Labels a concept, {none:,} of {len(kept):,} have none")


def _boxes(numbers: Numbers, path: Path) -> None:
    with plots.canvas(path, 8.4, 3.2) as figure:
        told = {"side": "square root of the area, pixels", "aspect": "width / height"}
        for axes, (quantity, axis) in zip(figure.subplots(1, 2), told.items(), strict=True):
            rows = [row for row in numbers["boxes"] if row["quantity"] == quantity]
            bins = [row["bin"] for row in rows]
            first, last = min(bins), max(bins) + 1
            moved = [{**row, "bin": row["bin"] - first} for row in rows]
            counts = {name: _binned(moved, name, last - first) for name in ("labels", "kept")}
            plots.histogram(axes, np.arange(first, last + 1), counts, axis, f"Labels by {quantity}")
            ticks = [at for at in range(first, last + 1) if at % 2 == 0]
            axes.set_xticks(ticks, [f"{2.0 ** (at / 2):g}" for at in ticks])


def _thresholds(numbers: Numbers, path: Path) -> None:
    rows = numbers["thresholds"]
    with plots.canvas(path, 5.6, 3.8) as figure:
        lines = {name: [row[name] for row in rows] for name in ("precision", "recall")}
        along, axis = [row["threshold"] for row in rows], "labels of at least this probability"
        plots.shares(figure.add_subplot(), along, lines, axis, "What a threshold would leave")


def _calibration(numbers: Numbers, path: Path) -> None:
    from stages.evaluation.calibration import Bins
    from stages.evaluation.plots import draw_calibration

    draw_calibration(path, {"all": Bins(*_calibrated(numbers))}, "probability")


def _confusions(numbers: Numbers, path: Path) -> None:
    rows = numbers["confusions"]
    with plots.canvas(path, 6.4, 0.9 + 0.24 * max(len(rows), 2)) as figure:
        names = [f"{plots.shown(r['truth'])} → {plots.shown(r['concept'])}" for r in rows]
        values = [row["regions"] for row in rows]
        title = "Category → what it was called"
        plots.ranked(figure.add_subplot(), names, values, title, plots.BAD)


def _sizes(numbers: Numbers, path: Path) -> None:
    rows = numbers["sizes"]
    with plots.canvas(path) as figure:
        values = {name: [row[name] for row in rows] for name in ("precision", "recall")}
        names = [f"{row['size']}\n{limits}" for row, limits in zip(rows, _LIMITS, strict=True)]
        plots.pairs_of_bars(figure.add_subplot(), names, values, "Kept labels, per cent")


_LIMITS = ("under 32² px", "to 96² px", "above")


def _binned(rows: list[Row], name: str, bins: int) -> NDArray[np.float64]:
    found = np.zeros(bins)
    for row in rows:
        found[row["bin"]] = row[name]
    return found


def _calibrated(numbers: Numbers) -> tuple[NDArray[np.float64], ...]:
    from stages.evaluation.calibration import BINS

    rows = numbers["calibration"]
    return tuple(_binned(rows, name, BINS) for name in ("labels", "total", "agreeing"))
