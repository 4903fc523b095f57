"""The page of an audit: precision with its interval, by threshold, stratum and concept."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from pipeline.analysis.report import plots
from pipeline.analysis.report.intervals import share_band, share_intervals
from pipeline.analysis.report.page import document, image_tag, tile_list
from pipeline.store.atomic import whole_or_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.analysis.audits import AuditReport
    from stages.auditing.estimation import Estimate

    _Plot = Callable[[Path, str, Mapping[str, Estimate]], None]

_THRESHOLDS: Final = (
    "Precision by threshold",
    "Of the labels above each threshold of probability: the share that is right. The band contains "
    "the true share in 95 of 100 audits, at each threshold by itself.",
)
_STRATA: Final = ("Strata", "Of the labels of each group that a sample was drawn from.")
_CONCEPTS: Final = (
    "Concepts",
    "Concepts with enough judgements for an interval that says something.",
)
_MOST: Final = 25  # concepts of the plot


def audit_page(report: AuditReport, folder: Path) -> str:
    """The HTML of a report whose plots are written into `folder`."""
    address = escape(report.address)
    above = {f"{threshold:g}": one for threshold, one in report.above.items()}
    sections = [
        _section(folder, "audit_thresholds", _THRESHOLDS, above, _band),
        _section(folder, "audit_strata", _STRATA, report.strata, _bars),
        _section(folder, "audit_concepts", _CONCEPTS, report.concepts, _bars),
    ]
    return document(
        f"Audit {report.address}",
        [
            f"<h1>Audit of pseudo-labels</h1><p><code>{address}</code></p>",
            tile_list(_tiles(report)),
            f'<div class="sections">{"".join(sections)}</div>',
            *(f"<p>{escape(pair.text())}</p>" for pair in report.agreements),
        ],
    )


def _tiles(report: AuditReport) -> list[tuple[str, str]]:
    progress = report.progress
    whole = progress.precision
    return [
        (f"{whole.text()} %", f"precision of all {whole.labels:,.0f} labels, at 95 %"),
        (f"{progress.judged:,}", f"of {progress.drawn:,} labels judged; {progress.open:,} open"),
        (f"{report.more:,}", "more judgements, about, would make it ± 3 points"),
        (report.where or "none", report.threshold_sentence()),
    ]


def _section(
    folder: Path, name: str, texts: tuple[str, str], estimates: Mapping[str, Estimate], plot: _Plot
) -> str:
    """Plot and table of some estimates, under a title with a text; empty without any."""
    file, (title, text) = folder / f"{name}.png", map(escape, texts)
    if not estimates:
        file.unlink(missing_ok=True)  # of an earlier report
        return ""
    with whole_or_absent(file) as draft:
        plot(draft, texts[0], estimates)
    return (
        f'<section class="full"><h2>{title}</h2><p>{text}</p>'
        f'<div class="row">{image_tag(file, title)}{_table(estimates)}</div></section>'
    )


def _band(path: Path, title: str, estimates: Mapping[str, Estimate]) -> None:
    with plots.canvas(path) as figure:
        positions, axis = [float(name) for name in estimates], "labels above this probability"
        share_band(figure.add_subplot(), positions, list(estimates.values()), axis, title)


def _bars(path: Path, title: str, estimates: Mapping[str, Estimate]) -> None:
    shown = dict(list(estimates.items())[:_MOST])
    with plots.canvas(path, 0.9 + 0.26 * max(len(shown), 2)) as figure:
        names = [plots.fit_text(name) for name in shown]
        share_intervals(figure.add_subplot(), names, list(shown.values()), title)


def _table(estimates: Mapping[str, Estimate]) -> str:
    rows = "".join(
        f'<tr><td class="words">{escape(name)}</td><td>{one.text()}</td>'
        f"<td>{one.judged:,}</td><td>{one.labels:,.0f}</td></tr>"
        for name, one in estimates.items()
    )
    head = "<tr><th></th><th>precision, %</th><th>judged</th><th>labels</th></tr>"
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
