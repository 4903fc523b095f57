"""The page of an audit: its numbers, escaped text, and pictures beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.audits import AuditReport, Progress
from pipeline.analysis.report import report_audit
from pipeline.analysis.report.audit_page import audit_page
from pipeline.analysis.report.page import is_report
from schemas.errors import OptionError, SourceError
from stages.auditing.estimation import Estimate
from stages.auditing.verdicts import Agreement
from tests.pipeline.analysis.report.readable import assert_readable

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

HOSTILE = "<script>alert(1)</script> $x^2$"
NONE = Estimate(None, 0.0, 1.0, 0, 0.0)


def report(concepts: dict[str, Estimate] | None = None) -> AuditReport:
    some = Estimate(0.75, 0.7, 0.8, 310, 41_000.0)
    return AuditReport(
        address="audits/v1-6420b0123a7a",
        progress=Progress(400, 320, 10, some),
        above={0.0: some, 0.5: Estimate(0.9, 0.8, 0.95, 50, 900.0), 0.99: NONE},
        strata={f"in a caption, {HOSTILE}": some, "in no caption": NONE},
        concepts={HOSTILE: some} if concepts is None else concepts,
        threshold=0.5,
        target=0.8,
        more=33,
        agreements=[Agreement((HOSTILE, ""), 20, 0.9, None)],
    )


@pytest.mark.slow
def test_the_page_has_the_numbers_and_its_pictures(tmp_path: Path, figures: list[Figure]) -> None:
    page = report_audit(report(), tmp_path / "out")
    text = page.read_text()
    assert is_report(page)
    assert "<b>75.0 [70.0, 80.0] %</b><span>precision of all 41,000 labels, at 95 %" in text
    assert "<b>320</b><span>of 400 labels judged; 10 open" in text
    assert "<td>90.0 [80.0, 95.0]</td><td>50</td><td>900</td>" in text
    assert "<td>not known</td><td>0</td><td>0</td>" in text
    assert "probability &gt; 0.5" in text
    names = ["audit_concepts.png", "audit_strata.png", "audit_thresholds.png"]
    assert sorted(path.name for path in page.parent.glob("*.png")) == names
    assert len(figures) == 3
    for figure in figures:
        assert_readable(figure)
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    report_audit(report(), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before


def test_text_from_the_store_is_escaped_and_no_script_is_allowed(tmp_path: Path) -> None:
    text = audit_page(report(), tmp_path)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_without_concepts_there_is_no_section_and_no_picture_of_an_earlier_report(
    tmp_path: Path,
) -> None:
    (tmp_path / "audit_concepts.png").write_bytes(b"earlier")
    text = audit_page(report(concepts={}), tmp_path)
    assert "<h2>Strata</h2>" in text
    assert "<h2>Concepts</h2>" not in text
    assert not (tmp_path / "audit_concepts.png").exists()


def test_a_page_of_another_kind_is_kept(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>My audit</title>")
    with pytest.raises(OptionError, match="is not a report and is kept"):
        report_audit(report(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be written"):
        report_audit(report(), tmp_path / "file" / "out")
