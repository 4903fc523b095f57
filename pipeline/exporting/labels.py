"""Pseudo-labels as training data for other programs.

Images are written one by one into a draft folder, which is renamed at the end. Ids follow the order
of the store and do not depend on what is left out; scores are kept.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.exporting.coco_formats import CocoFormat, FiftyOneFormat, LvisFormat
from pipeline.exporting.cvat_format import CvatFormat
from pipeline.exporting.label_studio_format import LabelStudioFormat
from pipeline.exporting.label_writer import IMAGE_MODES
from pipeline.exporting.labelled_images import LabelledImageReader
from pipeline.exporting.parquet_format import ParquetFormat
from pipeline.exporting.webdataset_format import WebDatasetFormat
from pipeline.exporting.yolo_format import YoloFormat
from pipeline.progress import Silent
from pipeline.store.atomic import new_folder
from schemas.errors import OptionError
from stages.reviewing.exported_labels import ExportedLabelsWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.exporting.label_writer import LabelWriter
    from pipeline.exporting.labelled_images import ExportRequest, LabelledImage
    from pipeline.progress import Reporter

__all__ = ["FORMATS", "IMAGE_MODES", "export_labels"]

FORMATS: Final[dict[str, type[LabelWriter]]] = {
    "coco": CocoFormat,
    "lvis": LvisFormat,
    "yolo": YoloFormat,
    "webdataset": WebDatasetFormat,
    "parquet": ParquetFormat,
    "fiftyone": FiftyOneFormat,
    "label-studio": LabelStudioFormat,
    "cvat": CvatFormat,
}


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Attributes:
        images: Number of images, each with at least one label.
        labels: Number of labels.
        unknown_categories: Categories of the request that the concept pool does not have.
    """

    images: int
    labels: int
    unknown_categories: list[str]


def export_labels(
    root: Path,
    out: Path,
    form: str,
    request: ExportRequest,
    images: str = "link",
    reporter: Reporter | None = None,
) -> ExportSummary:
    """Write pseudo-labels for another program.

    Args:
        root: The store.
        out: Folder to write.
        form: One of `FORMATS`.
        request: Which labels.
        images: One of `IMAGE_MODES`.
        reporter: Told of each image that is written.

    Raises:
        OptionError: If the folder exists, or no label remains.
        ArtifactError: If the inputs of the labels were deleted.
        SourceError: If an image cannot be read.
        QueryError: If the predicate is invalid.
    """
    labelled = LabelledImageReader(root, request)
    counts = Counter({"images": 0, "labels": 0})
    with new_folder(out) as draft, ExitStack() as stack:
        writer = FORMATS[form](draft, labelled.names, images)
        add = adding(writer, labelled.address, stack)
        reporter = reporter or Silent()
        reporter.start("export", None, "images")
        try:
            for image in labelled:
                add(image)
                counts.update(images=1, labels=len(image.labels))
                reporter.advance(1)
        finally:
            reporter.stop()
        if not counts["labels"]:
            raise OptionError(
                f"rc export: no label of {labelled.address} is left to export; see with rc what-if "
                "and rc sql which labels --where and --categories leave"
            )
        writer.close()
    return ExportSummary(counts["images"], counts["labels"], labelled.unknown_categories)


def adding(writer: LabelWriter, address: str, stack: ExitStack) -> Callable[[LabelledImage], None]:
    """What adds an image to an export, and, if people mend it, to what they begin with.

    Args:
        writer: Of the format.
        address: Of the pseudo-labels.
        stack: Closes what is written besides.
    """
    if not writer.comes_back:
        return writer.add
    names = [writer.concept_name(index) for index in range(len(writer.names))]
    beginning = stack.enter_context(ExportedLabelsWriter(writer.folder, address, names))

    def add(image: LabelledImage) -> None:
        writer.add(image)
        about = {name: image.row[name] for name in ("image_id", "width", "height")}
        about |= {"number": image.number, "file": writer.image_name(image)}
        beginning.add(about, [{**k, "concept": names[k["category"]]} for k in image.labels])

    return add
