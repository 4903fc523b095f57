"""Sections of a report: which have data, their files, and the calibration error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.report import figures as report_figures
from pipeline.analysis.report.label_statistics import collect_statistics
from pipeline.analysis.report.page import page
from tests.pipeline.analysis.report.extreme import extreme
from tests.pipeline.analysis.report.readable import assert_readable
from tests.pipeline.helpers import make_all

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


@pytest.mark.slow
def test_every_picture_of_a_report_is_readable(tmp_path: Path, figures: list[Figure]) -> None:
    made = make_all(tmp_path / "store", count=12)
    for statistics in (collect_statistics(made["images"].root), extreme()):
        report_figures.draw_sections(statistics, tmp_path)
    assert len(figures) >= 14
    for figure in figures:
        assert_readable(figure)


@pytest.mark.slow
def test_without_kept_labels_there_is_no_plot_of_concepts(tmp_path: Path) -> None:
    counts = [{**extreme().counts, "kept": 0}]
    sections = report_figures.draw_sections(extreme(counts=counts), tmp_path)
    names = [section.name for section in sections]
    assert "boxes" in names
    assert {"concepts", "long_tail"}.isdisjoint(names)


@pytest.mark.slow
def test_a_page_has_every_plot_of_its_sections(tmp_path: Path) -> None:
    statistics = extreme()
    sections = report_figures.draw_sections(statistics, tmp_path)
    files = [file for section in sections for file in section.files]
    assert sorted(files) == sorted(path.name for path in tmp_path.glob("*.png"))
    text = page(statistics, sections, tmp_path)
    assert text.count("<img ") == len(set(files))
    assert text.count("<section ") == text.count("</section>") == len(sections)
    assert "nothing to plot" not in text
    assert "nothing to plot" in page(statistics, [], tmp_path)


def test_sections_without_data_are_left_out(tmp_path: Path) -> None:
    empty = extreme(
        counts=[dict.fromkeys(extreme().counts, 0)], agreement=[], boxes=[], confusions=[]
    )
    assert report_figures.draw_sections(empty, tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_the_calibration_error_is_the_mean_gap_of_probability_and_correctness() -> None:
    rows = [
        {"bin": 3, "labels": 3, "total": 0.6, "agreeing": 1},  # mean 0.2, correct 1/3
        {"bin": 14, "labels": 1, "total": 1.0, "agreeing": 1},
    ]
    error = report_figures.calibration_error(extreme(calibration=rows))
    assert error == pytest.approx(0.75 * (1 / 3 - 0.2))


def test_the_calibration_error_without_labels_on_objects_is_nan() -> None:
    assert math.isnan(report_figures.calibration_error(extreme(calibration=[])))
