"""Report: statistics of pseudo-labels as one HTML page with plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

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
    from pipeline.analysis.report.page import is_report, page
    from pipeline.store.atomic import make_folder, sweep_drafts, whole_or_absent
    from schemas.errors import OptionError, SourceError

    if (out / PAGE).exists() and not is_report(out / PAGE):
        raise OptionError(
            f"rc report: {out / PAGE} is not a report and is kept; name another --out"
        )
    statistics = collect_statistics(root, labels, where, reporter)
    if not statistics["counts"][0]["labels"]:
        condition = f" for which {where} holds" if where else ""
        raise OptionError(f"rc report: {statistics.address} has no label{condition}")
    try:
        sweep_drafts(out)
        make_folder(out)
        sections = draw_sections(statistics, out)
        with whole_or_absent(out / PAGE) as draft:
            draft.write_text(page(statistics, sections, out), encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{out} cannot be written ({error.strerror}); name another --out") from (
            error
        )
    return out / PAGE
