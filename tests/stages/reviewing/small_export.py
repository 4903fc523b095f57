"""A small exported folder of two images, without a store."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from pipeline.exporting.coco_formats import CocoFormat
from pipeline.exporting.cvat_format import CvatFormat
from pipeline.exporting.label_studio_format import LabelStudioFormat
from pipeline.exporting.labels import adding
from stages.reviewing.exported_labels import read_exported_labels
from stages.reviewing.review_collector import ReviewCollector
from tests.pipeline.exporting.labelled_store import image_with_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.exporting.label_writer import LabelWriter
    from stages.reviewing.exported_rows import ExportedLabels

FORMATS: Final[dict[str, type[LabelWriter]]] = {
    "label-studio": LabelStudioFormat,
    "cvat": CvatFormat,
    "coco": CocoFormat,
}
ADDRESS: Final = "pseudo_labels/v3-0123456789ab"
NAMES: Final = ("dog", "cat", "ü & <tree>")
LABELS: Final = {  # by number: category, score, box of each region, in images of 64 x 60 pixels
    3: [(0, 0.75, (16.0, 15.0, 48.0, 30.0)), (1, 0.5, (0.0, 0.0, 64.0, 60.0))],
    7: [
        (2, 0.25, (1.25, 2.5, 20.0, 30.0)),
        (0, 0.5, (30.0, 30.0, 60.5, 59.75)),
        (1, 0.5, (30.0, 30.0, 60.5, 59.75)),
    ],
}


def write_export(folder: Path, form: str) -> Path:
    """The folder that `rc export` would write, without pixels."""
    folder.mkdir()
    writer = FORMATS[form](folder, NAMES, "none")
    with ExitStack() as stack:
        add = adding(writer, ADDRESS, stack)
        for number, labels in LABELS.items():
            add(image_with_labels(number, labels))
    writer.close()
    return folder


def regions_of_annotations() -> dict[int, tuple[int, int]]:
    """Number and region of each annotation of COCO's JSON."""
    keys = [(number, region) for number, some in LABELS.items() for region in range(len(some))]
    return dict(enumerate(keys, 1))


class Collected:
    """A collector of a folder, and what it refused."""

    def __init__(self, exported: ExportedLabels, reviewer: str | None = None) -> None:
        self.refused: list[tuple[str, str, str]] = []
        self.collector = ReviewCollector(exported, self._refuse, reviewer)

    @classmethod
    def of(cls, folder: Path, reviewer: str | None = None) -> Collected:
        """Of an exported folder."""
        return cls(read_exported_labels(folder), reviewer)

    @classmethod
    def after(
        cls,
        folder: Path,
        form: str,
        read: Callable[[Path, ReviewCollector], object],
        content: object,
    ) -> Collected:
        """Of an export in a form, after JSON with this content was read."""
        exported = folder / "out"
        if not exported.exists():
            write_export(exported, form)
        (folder / "file.json").write_text(json.dumps(content))
        collected = cls.of(exported)
        read(folder / "file.json", collected.collector)
        return collected

    @property
    def reasons(self) -> list[str]:
        """Why records were refused."""
        return [reason for _, reason, _ in self.refused]

    def boxes(self) -> dict[int, list[tuple[int, str, tuple[float, ...]]]]:
        """Region, name and sides of every box, by number of the image; of one reviewer."""
        return {
            review.image.number: list(
                zip(
                    review.boxes().regions.tolist(),
                    review.boxes().names.tolist(),
                    map(tuple, review.boxes().sides.tolist()),
                    strict=True,
                )
            )
            for _, review in self.collector.reviews()
        }

    def _refuse(self, record: str, reason: str, detail: str) -> None:
        assert record.encode()
        assert detail.encode()
        self.refused.append((record, str(reason), detail))
