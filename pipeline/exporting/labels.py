"""Pseudo-labels as training data of other programs.

Everything is written image by image, into a draft that takes its name at the end. Ids are those of
the store's order and do not depend on what is left out; scores are kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.exporting.coco_formats import CocoFormat, FiftyOneFormat, LvisFormat
from pipeline.exporting.flat_formats import ParquetFormat, WebDatasetFormat, YoloFormat
from pipeline.exporting.labelled import Export
from pipeline.exporting.writer import IMAGES
from pipeline.store.atomic import new_folder
from schemas.errors import OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.exporting.labelled import ExportRequest
    from pipeline.exporting.writer import Writer

__all__ = ["FORMATS", "IMAGES", "export_labels"]

FORMATS: Final[dict[str, type[Writer]]] = {
    "coco": CocoFormat,
    "lvis": LvisFormat,
    "yolo": YoloFormat,
    "webdataset": WebDatasetFormat,
    "parquet": ParquetFormat,
    "fiftyone": FiftyOneFormat,
}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        images: How many, each with at least one label.
        labels: How many.
        strangers: Categories asked for that the concept pool does not have.
    """

    images: int
    labels: int
    strangers: list[str]


def export_labels(
    root: Path, out: Path, form: str, wanted: ExportRequest, images: str = "link"
) -> Exported:
    """Write pseudo-labels for another program.

    Args:
        root: The store.
        out: Folder to make.
        form: One of `FORMATS`.
        wanted: Which labels.
        images: One of `IMAGES`.

    Raises:
        OptionError: If the folder exists, or no label is left to write.
        ArtifactError: If what the labels were made from is gone.
        SourceError: If an image cannot be read.
        QueryError: If the predicate is none.
    """
    export = Export(root, wanted)
    found = Counter({"images": 0, "labels": 0})
    with new_folder(out) as draft:
        writer = FORMATS[form](draft, export.names, images)
        for one in export:
            writer.add(one)
            found.update(images=1, labels=len(one.labels))
        if not found["labels"]:
            raise OptionError(
                f"rc export: of {export.address} no label is left to export: see what --where and "
                "--categories leave with rc what-if and rc sql"
            )
        writer.close()
    return Exported(found["images"], found["labels"], export.strangers)
