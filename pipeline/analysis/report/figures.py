"""The sections of a report on pseudo-labels: their texts and their plots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pipeline.analysis.report import plots
from pipeline.store.atomic import whole_or_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.analysis.report.label_statistics import LabelStatistics, Row

    _Plot = Callable[[LabelStatistics, Path], None]

_MAX_BARS = 25  # concepts of a bar plot
_PAIR_WIDTH = 1.25  # inches of each of two names beside a bar
_PAIR = ("truth", "concept")
_QUANTITIES = ("probability", "margin")
_BOX_QUANTITIES = {"side": "square root of the area, pixels", "aspect": "width / height"}
_AREA_LIMITS = ("under 32² px", "to 96² px", "above")


@dataclass(frozen=True)
class ReportSection:
    """A section of a report: its name, title and text, and the files of its plots."""

    name: str
    title: str
    text: str
    files: tuple[str, ...]


def draw_sections(statistics: LabelStatistics, folder: Path) -> list[ReportSection]:
    """Write the plots of all sections that have data; the sections, in the order of the report."""
    sections = []
    for name, title, text, has_data, plots_by_name in _sections(statistics):
        if has_data:
            for file, plot in plots_by_name.items():
                with whole_or_absent(folder / f"{file}.png") as draft:
                    plot(statistics, draft)
            files = tuple(f"{file}.png" for file in plots_by_name)
            sections.append(ReportSection(name, title, text, files))
    return sections


def calibration_error(statistics: LabelStatistics) -> float:
    """Expected calibration error of labels on objects, in [0, 1]; nan without such labels."""
    from stages.evaluation.calibration import Bins

    return Bins(*_calibration_bins(statistics)).error()


def _sections(statistics: LabelStatistics) -> list[tuple[str, str, str, bool, dict[str, _Plot]]]:
    """Name, title and text of each section; whether it has data; its plots by file name."""
    counts = statistics.counts
    has_labels, has_kept = bool(counts["labels"]), bool(counts["kept"])
    on_objects, has_confusions = bool(counts["on_objects"]), bool(statistics["confusions"])
    has_agreement, has_boxes = bool(statistics["agreement"]), bool(statistics["boxes"])
    distributions: dict[str, _Plot] = {
        quantity: partial(_distribution, quantity=quantity) for quantity in _QUANTITIES
    }
    boxes: dict[str, _Plot] = {
        quantity: partial(_boxes, quantity=quantity) for quantity in _BOX_QUANTITIES
    }
    return [
        ("distributions", "Confidence of the teacher", _DISTRIBUTIONS, has_labels, distributions),
        (
            "agreement",
            "Agreement with captions",
            _AGREEMENT,
            has_agreement,
            {"agreement": _agreement},
        ),
        ("concepts", "Most frequent concepts", _CONCEPTS, has_kept, {"concepts": _concepts}),
        ("long_tail", "Long tail", _LONG_TAIL, has_kept, {"long_tail": _long_tail}),
        ("boxes", "Boxes", _BOXES, has_boxes, boxes),
        (
            "thresholds",
            "Precision and recall",
            _THRESHOLDS,
            on_objects,
            {"thresholds": _thresholds},
        ),
        ("calibration", "Calibration", _CALIBRATION, on_objects, {"calibration": _calibration}),
        ("confusions", "Confusions", _CONFUSIONS, has_confusions, {"confusions": _confusions}),
        ("sizes", "Small, medium, large", _SIZES, on_objects, {"sizes": _sizes}),
    ]


_DISTRIBUTIONS = (
    "Probability of the best concept, and its margin over the second best; kept labels in colour."
)
_AGREEMENT = (
    "Share of labels whose concept is mentioned in a caption of the image, by probability. "
    "The share should rise; otherwise the probability tells little."
)
_CONCEPTS = "Kept labels of the concepts that have most."
_LONG_TAIL = "Kept labels of every concept of the pool, from the most frequent to the rarest."
_BOXES = "Square root of the box's area, and width over height, in steps of about 1.4."
_THRESHOLDS = (
    "Of labels on a ground-truth object (IoU of at least 0.5): precision is the share with its "
    "category; recall is the share of all objects that have a label with their category."
)
_CALIBRATION = (
    "How often labels on objects are correct, by their probability. On the dashed line, "
    "probability and correctness are equal."
)
_CONFUSIONS = "Concepts of kept labels that differ from the category; synonyms count as wrong."
_SIZES = "Kept labels by the area of their box, and objects by their own area, split as in COCO."


def _distribution(statistics: LabelStatistics, path: Path, quantity: str) -> None:
    rows = [row for row in statistics["distributions"] if row["quantity"] == quantity]
    counts = {name: _binned(rows, name, 20) for name in ("labels", "kept")}
    with plots.canvas(path) as figure:
        axes, edges = figure.add_subplot(), np.linspace(0, 1, 21)
        plots.histogram(axes, edges, counts, quantity, f"Labels by {quantity}")


def _agreement(statistics: LabelStatistics, path: Path) -> None:
    rows = statistics["agreement"]
    with plots.canvas(path, 4.2) as figure:
        axes, counts_axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        positions = [(row["bin"] + 0.5) / 10 for row in rows]
        line = {"share in a caption": [row["in_caption"] for row in rows]}
        plots.share_lines(axes, positions, line, "", "Share of labels mentioned in a caption")
        edges, counts = np.linspace(0, 1, 11), {"labels": _binned(rows, "labels", 10)}
        plots.histogram(counts_axes, edges, counts, "probability", "")
        counts_axes.set_ylabel("labels")


def _concepts(statistics: LabelStatistics, path: Path) -> None:
    rows = [row for row in statistics["concepts"] if row["kept"]][:_MAX_BARS]
    with plots.canvas(path, _bar_plot_height(rows)) as figure:
        names = [plots.fit_text(row["concept"]) for row in rows]
        values = [row["kept"] for row in rows]
        plots.horizontal_bars(figure.add_subplot(), names, values, "Kept labels per concept")


def _long_tail(statistics: LabelStatistics, path: Path) -> None:
    kept = [row["kept"] for row in statistics["concepts"]]
    with plots.canvas(path) as figure:
        without = kept.count(0)
        title = "Every concept has kept labels"
        if without:
            title = f"{without:,} of {len(kept):,} concepts have none"
        plots.rank_plot(figure.add_subplot(), kept, "rank of the concept", "kept labels", title)


def _boxes(statistics: LabelStatistics, path: Path, quantity: str) -> None:
    rows = [row for row in statistics["boxes"] if row["quantity"] == quantity]
    first, last = min(row["bin"] for row in rows), max(row["bin"] for row in rows) + 1
    shifted = [{**row, "bin": row["bin"] - first} for row in rows]
    counts = {name: _binned(shifted, name, last - first) for name in ("labels", "kept")}
    with plots.canvas(path) as figure:
        axes, edges = figure.add_subplot(), np.arange(first, last + 1)
        plots.histogram(axes, edges, counts, _BOX_QUANTITIES[quantity], f"Labels by {quantity}")
        plots.power_of_two_ticks(axes.xaxis, first, last)


def _thresholds(statistics: LabelStatistics, path: Path) -> None:
    rows = statistics["thresholds"]
    with plots.canvas(path, 3.8) as figure:
        lines = {name: [row[name] for row in rows] for name in ("precision", "recall")}
        thresholds, axis = [row["threshold"] for row in rows], "labels of at least this probability"
        plots.share_lines(figure.add_subplot(), thresholds, lines, axis, "By threshold")


def _calibration(statistics: LabelStatistics, path: Path) -> None:
    from stages.evaluation.calibration import Bins
    from stages.evaluation.plots import plot_calibration

    plot_calibration(path, {"all": Bins(*_calibration_bins(statistics))}, "probability")


def _confusions(statistics: LabelStatistics, path: Path) -> None:
    rows = statistics["confusions"]
    with plots.canvas(path, _bar_plot_height(rows)) as figure:
        pairs = [[plots.fit_text(row[key], _PAIR_WIDTH) for key in _PAIR] for row in rows]
        names, values = [" → ".join(pair) for pair in pairs], [row["regions"] for row in rows]
        title = "Category → concept of the label"
        plots.horizontal_bars(figure.add_subplot(), names, values, title, plots.BAD)


def _sizes(statistics: LabelStatistics, path: Path) -> None:
    rows = statistics["sizes"]
    with plots.canvas(path) as figure:
        values = {name: [row[name] for row in rows] for name in ("precision", "recall")}
        names = [f"{row['size']}\n{limits}" for row, limits in zip(rows, _AREA_LIMITS, strict=True)]
        plots.grouped_bars(figure.add_subplot(), names, values, "Kept labels")


def _bar_plot_height(rows: Sequence[Row]) -> float:
    """Inches of a plot with one bar per row."""
    return 0.6 + 0.24 * max(len(rows), 2)


def _binned(rows: list[Row], name: str, bins: int) -> NDArray[np.float64]:
    values = np.zeros(bins)
    for row in rows:
        values[row["bin"]] = row[name]
    return values


def _calibration_bins(statistics: LabelStatistics) -> tuple[NDArray[np.float64], ...]:
    from stages.evaluation.calibration import BINS

    rows = statistics["calibration"]
    return tuple(_binned(rows, name, BINS) for name in ("labels", "total", "agreeing"))
