"""Labelled images for CVAT: the pseudo-labels as annotations in "CVAT for images 1.1"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pipeline.exporting.label_writer import LabelWriter
from pipeline.exporting.xml_text import attributes, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage

_SIDES: Final = {"xtl": "x0", "ytl": "y0", "xbr": "x1", "ybr": "y1"}


class CvatFormat(LabelWriter):
    """annotations.xml, labels.json, and images/SPLIT/*.jpg, whose names begin with the split.

    labels.json is what CVAT takes as the raw labels of a new task: each has the attributes `region`
    and `score`, which come back with what people annotate.
    """

    comes_back: ClassVar[bool] = True

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._file = (folder / "annotations.xml").open("w", encoding="utf-8")
        self._file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        )

    def add(self, image: LabelledImage) -> None:
        """See `LabelWriter.add`."""
        name = self.image_name(image)
        image.write(self.folder / "images" / name, self.images)
        size = {side: image.row[side] for side in ("width", "height")}
        about = attributes(id=image.number - 1, name=name, **size)
        boxes = "".join(map(self._box, image.labels))
        self._file.write(f"  <image {about}>\n{boxes}  </image>\n")

    def close(self) -> None:
        """See `LabelWriter.close`."""
        self._file.write("</annotations>\n")
        self._file.close()
        labels = [
            {"name": self.concept_name(index), "type": "rectangle", "attributes": _ATTRIBUTES}
            for index in range(len(self.names))
        ]
        content = json.dumps(labels, ensure_ascii=False, indent=1)
        (self.folder / "labels.json").write_text(content + "\n", "utf-8")

    def image_name(self, image: LabelledImage) -> str:
        """See `LabelWriter.image_name`."""
        return f"{image.split}/{image.file_name}"

    def concept_name(self, category: int) -> str:
        """See `LabelWriter.concept_name`."""
        return text(self.names[category])

    def _box(self, label: dict[str, Any]) -> str:
        sides = {side: round(label[ours], 3) for side, ours in _SIDES.items()}
        name = self.concept_name(label["category"])
        about = attributes(label=name, source="auto", occluded=0, **sides, z_order=0)
        return (
            f"    <box {about}>\n"
            f'      <attribute name="region">{label["region"]}</attribute>\n'
            f'      <attribute name="score">{label["score"]:.6f}</attribute>\n    </box>\n'
        )


_ATTRIBUTES: Final = [
    {"name": name, "input_type": "text", "mutable": False, "default_value": "", "values": [""]}
    for name in ("region", "score")
]
