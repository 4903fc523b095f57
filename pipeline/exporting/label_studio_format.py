"""Labelled images as tasks of Label Studio, with the pseudo-labels as predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from pipeline.exporting.label_writer import LabelWriter, xywh
from pipeline.exporting.xml_text import attributes, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage

_FROM, _TO = "label", "image"  # names in the configuration that predictions refer to
_LOCAL: Final = "/data/local-files/?d="  # how Label Studio serves files below its document root


class LabelStudioFormat(LabelWriter):
    """tasks.json, config.xml with a label for each category, and images/SPLIT/*.jpg.

    Paths are relative to this folder: make it Label Studio's LOCAL_FILES_DOCUMENT_ROOT. The score
    of a prediction is that of its least probable label, so tasks can be sorted by it. The id of a
    box, NUMBER-REGION, does not depend on what is left out.
    """

    comes_back: ClassVar[bool] = True

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._tasks = (folder / "tasks.json").open("w", encoding="utf-8")
        self._before = "[\n"

    def add(self, image: LabelledImage) -> None:
        """See `LabelWriter.add`."""
        place = self.image_name(image)
        image.write(self.folder / place, self.images)
        prediction = {
            "model_version": "pseudo-labels",
            "score": min((label["score"] for label in image.labels), default=0.0),
            "result": [self._box(image, label) for label in image.labels],
        }
        about = {name: image.row[name] for name in ("image_id", "captions")}
        task = {"data": {"image": _LOCAL + quote(place), **about}, "predictions": [prediction]}
        self._tasks.write(self._before + json.dumps(task, ensure_ascii=False))
        self._before = ",\n"

    def close(self) -> None:
        """See `LabelWriter.close`."""
        self._tasks.write("\n]\n" if self._before == ",\n" else "[]\n")
        self._tasks.close()
        labels = "".join(f"    <Label {attributes(value=name)}/>\n" for name in self.names)
        (self.folder / "config.xml").write_text(
            f'<View>\n  <Image name="{_TO}" value="$image"/>\n'
            f'  <RectangleLabels name="{_FROM}" toName="{_TO}">\n{labels}'
            f"  </RectangleLabels>\n</View>\n",
            "utf-8",
        )

    def image_name(self, image: LabelledImage) -> str:
        """See `LabelWriter.image_name`."""
        return f"images/{image.split}/{image.file_name}"

    def concept_name(self, category: int) -> str:
        """See `LabelWriter.concept_name`."""
        return text(self.names[category])

    def _box(self, image: LabelledImage, label: dict[str, Any]) -> dict[str, Any]:
        """A rectangle; its numbers are per cent of the sides."""
        name = self.concept_name(label["category"])
        width, height = image.row["width"], image.row["height"]
        sides = (width, height, width, height)
        numbers = [100 * n / side for n, side in zip(xywh(label), sides, strict=True)]
        value = dict(zip(("x", "y", "width", "height"), numbers, strict=True))
        return {
            "id": f"{image.number}-{label['region']}",
            "type": "rectanglelabels",
            "from_name": _FROM,
            "to_name": _TO,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": label["score"],
            "value": {**value, "rotation": 0, "rectanglelabels": [name]},
        }
