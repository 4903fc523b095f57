"""Reports: what is in an artifact, as a page of numbers and pictures to look at and to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "index.html"


def report_labels(
    root: Path, out: Path, labels: str | None = None, where: str | None = None
) -> Path:
    """Write a page about pseudo-labels, and its pictures beside it; where the page is.

    Args:
        root: The store.
        out: Folder, made if it is not there; files of an older report are replaced.
        labels: As pseudo_labels@3f9c, or a selection's name; default: the newest.
        where: SQL predicate over judged_labels: the labels to report on.

    Raises:
        OptionError: If the folder has a page that is no report.
        ArtifactNotFoundError: If there are no such labels.
        ArtifactError: If what they were made from is gone.
        QueryError: If the predicate is none, or fails.
        SourceError: If the folder cannot be written.
    """
    from pipeline.analysis.report.figures import draw
    from pipeline.analysis.report.label_statistics import gather
    from pipeline.analysis.report.page import is_ours, page
    from schemas.errors import OptionError, SourceError

    if (out / PAGE).exists() and not is_ours(out / PAGE):
        raise OptionError(f"rc report: {out / PAGE} is no report and stays; name another --out")
    numbers = gather(root, labels, where)
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = draw(numbers, out)
        (out / PAGE).write_text(page(numbers, pictures, out), encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{out} cannot be written ({error.strerror}); name another --out") from (
            error
        )
    return out / PAGE
