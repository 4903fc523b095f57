"""Reports: statistics of pseudo-labels, or what an audit says, as one HTML page with plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.analysis.audits import AuditReport
    from pipeline.progress import Reporter

PAGE = "index.html"


def report_labels(
    root: Path,
    out: Path,
    labels: str | None = None,
    where: str | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Write a page about pseudo-labels, with its plots beside it; return the path of the page.

    Args:
        root: The store.
        out: Folder, created if it does not exist; files of an older report are replaced.
        labels: As pseudo_labels@3f9c, or a selection's name; default: the newest.
        where: SQL predicate over judged_labels: the labels to report on.
        reporter: Told of each query that is answered.

    Raises:
        OptionError: If there is no label to report on, or the folder has another page.
        ArtifactNotFoundError: If there are no such labels.
        ArtifactError: If an input of the labels is missing from the store.
        QueryError: If the predicate is not one, or fails.
        SourceError: If the folder cannot be written.
    """
    from pipeline.analysis.report.figures import draw_sections
    from pipeline.analysis.report.label_statistics import collect_statistics
    from pipeline.analysis.report.page import page
    from schemas.errors import OptionError

    _check_ours(out)
    statistics = collect_statistics(root, labels, where, reporter)
    if not statistics["counts"][0]["labels"]:
        condition = f" for which {where} holds" if where else ""
        raise OptionError(f"rc report: {statistics.address} has no label{condition}")
    return _write(out, lambda: page(statistics, draw_sections(statistics, out), out))


def report_audit(report: AuditReport, out: Path) -> Path:
    """Write a page about an audit, with its plots beside it; return the path of the page.

    Args:
        report: What the audit says.
        out: As in `report_labels`.

    Raises:
        OptionError: If the folder has another page.
        SourceError: If the folder cannot be written.
    """
    from pipeline.analysis.report.audit_page import audit_page

    _check_ours(out)
    return _write(out, lambda: audit_page(report, out))


def _check_ours(out: Path) -> None:
    from pipeline.analysis.report.page import is_report
    from schemas.errors import OptionError

    if (out / PAGE).exists() and not is_report(out / PAGE):
        raise OptionError(
            f"rc report: {out / PAGE} is not a report and is kept; name another --out"
        )


def _write(out: Path, make: Callable[[], str]) -> Path:
    """Write what `make` returns, which may write pictures into the folder first."""
    from pipeline.store.atomic import make_folder, sweep_drafts, whole_or_absent
    from schemas.errors import SourceError

    try:
        sweep_drafts(out)
        make_folder(out)
        content = make()
        with whole_or_absent(out / PAGE) as draft:
            draft.write_text(content, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{out} cannot be written ({error.strerror}); name another --out") from (
            error
        )
    return out / PAGE
