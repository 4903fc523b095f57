"""Pseudo-labels as training data for other programs.

Images are written one by one into a draft folder, which is renamed at the end. Ids follow the order
of the store and do not depend on what is left out; scores are kept.
"""

from __future__ import annotations

from collections import Counter
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
    with new_folder(out) as draft:
        writer = FORMATS[form](draft, labelled.names, images)
        record = LabelRecord(draft, labelled.address, writer) if writer.comes_back else None
        reporter = reporter or Silent()
        reporter.start("export", None, "images")
        try:
            for image in labelled:
                writer.add(image)
                if record:
                    record.add(image)
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
        if record:
            record.close()
    return ExportSummary(counts["images"], counts["labels"], labelled.unknown_categories)


class LabelRecord:
    """Keeps, beside what people mend, what they began with."""

    def __init__(self, folder: Path, address: str, writer: LabelWriter) -> None:
        self._format = writer
        names = [writer.concept_name(index) for index in range(len(writer.names))]
        self._file = ExportedLabelsWriter(folder, address, names)

    def add(self, image: LabelledImage) -> None:
        """Append the labels of an image."""
        about = {name: image.row[name] for name in ("image_id", "width", "height")}
        about |= {"number": image.number, "file": self._format.image_name(image)}
        names = (self._format.concept_name(label["category"]) for label in image.labels)
        pairs = zip(image.labels, names, strict=True)
        self._file.add(about, [{**label, "concept": name} for label, name in pairs])

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
