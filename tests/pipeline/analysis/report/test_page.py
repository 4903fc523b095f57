"""The page of a report: its tiles and tables, escaped text, and what marks it as a report."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.report.figures import ReportSection
from pipeline.analysis.report.page import is_report, page
from tests.pipeline.analysis.report.extreme import extreme

if TYPE_CHECKING:
    from pathlib import Path


def cells(text: str) -> list[list[str]]:
    """The cells of every row of a page's tables."""
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def section(folder: Path, name: str = "sizes") -> ReportSection:
    (folder / f"{name}.png").write_bytes(b"png")
    return ReportSection(name, "A & B", "<i>text</i>", (f"{name}.png",))


def test_a_page_is_known_as_a_report_and_another_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page(extreme(), [], tmp_path), encoding="utf-8")
    (tmp_path / "other.html").write_text("<title>My pseudo-labels</title>")
    assert is_report(tmp_path / "report.html")
    assert not is_report(tmp_path / "other.html")


def test_text_from_the_store_and_from_sections_is_escaped(tmp_path: Path) -> None:
    statistics = replace(extreme(), address="<a>", where="'x' < \"y\"")
    text = page(statistics, [section(tmp_path)], tmp_path)
    assert "<title>Pseudo-labels &lt;a&gt;</title>" in text
    assert " where <code>&#x27;x&#x27; &lt; &quot;y&quot;</code>" in text
    assert "<h2>A &amp; B</h2><p>&lt;i&gt;text&lt;/i&gt;</p>" in text
    assert "<b>$x^2$" not in text


def test_a_page_without_a_condition_shows_none(tmp_path: Path) -> None:
    assert " where <code>" not in page(extreme(), [], tmp_path)


def test_the_policy_of_a_page_allows_its_own_style_only(tmp_path: Path) -> None:
    text = page(extreme(), [], tmp_path)
    assert re.search(r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/]{43}='", text)


def test_plots_are_embedded_with_their_bytes(tmp_path: Path) -> None:
    text = page(extreme(), [section(tmp_path)], tmp_path)
    assert '<img alt="A &amp; B: sizes" src="data:image/png;base64,cG5n">' in text


def test_sections_of_thresholds_and_sizes_have_a_table_beside_the_plot(tmp_path: Path) -> None:
    text = page(extreme(), [section(tmp_path, "sizes"), section(tmp_path, "boxes")], tmp_path)
    first, second = re.findall(r"<section.*?</section>", text)
    assert cells(first)[1] == ["small", "123,456,789", "123,456,789", "-", "5", "0.4 %"]
    assert first.startswith('<section class="full">')
    assert second.startswith('<section class="half">')
    assert cells(second) == []


def test_without_ground_truth_there_are_no_tiles_and_columns_of_it(tmp_path: Path) -> None:
    empty = {"objects": 0, "categories": 0, "categories_in_pool": 0}
    with_objects = page(extreme(), [], tmp_path)
    without = page(extreme(ground_truth=[empty]), [], tmp_path)
    assert "ground-truth objects" in with_objects
    assert "ground-truth objects" not in without
    assert (with_objects.count("<li>"), without.count("<li>")) == (9, 6)
    assert "precision" in cells(with_objects)[0]
    assert "precision" not in cells(without)[0]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [([8, 1, 1], "80.0 %"), ([5] * 20, "10.0 %"), ([5] * 21, "14.3 %"), ([0, 0], "-")],
)
def test_the_head_share_is_that_of_a_tenth_of_the_pool_rounded_up(
    tmp_path: Path, kept: list[int], expected: str
) -> None:
    row = extreme()["concepts"][0]
    text = page(extreme(concepts=[{**row, "kept": count} for count in kept]), [], tmp_path)
    assert f"<b>{expected}</b><span>of kept labels belong to a tenth of the pool" in text


def test_the_table_of_concepts_is_limited_and_says_how_many_are_left_out(tmp_path: Path) -> None:
    row = extreme()["concepts"][1]
    concepts = [{**row, "concept": f"c{n}"} for n in range(1203)]
    text = page(extreme(concepts=concepts), [], tmp_path)
    assert [line[0] for line in cells(text)[1:]] == [f"c{n}" for n in range(200)]
    assert "1,003 rarer concepts are left out." in text
    assert "left out" not in page(extreme(concepts=concepts[:200]), [], tmp_path)
