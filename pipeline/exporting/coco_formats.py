"""Labelled images as COCO, and as what grew out of it: LVIS and FiftyOne."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

from pipeline.exporting.writer import Writer, xywh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled import Labelled


class Coco(Writer):
    """images/SPLIT/*.jpg and annotations/instances_SPLIT.json, as `rc ingest` reads them."""

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._open: dict[str, tuple[IO[str], IO[str]]] = {}
        self._count = 0
        self._instances: Counter[int] = Counter()
        self._images_with: Counter[int] = Counter()

    def add(self, one: Labelled) -> None:
        """See `Writer.add`."""
        one.write(self.picture(one), self.images)
        rows, boxes = self._files(one.split)
        _line(rows, {**self.image(one), "original_id": one.row["image_id"]})
        for label in one.labels:
            self._count += 1
            _line(boxes, {"id": self._count, "image_id": one.number, **_annotation(label)})
        self._instances.update(label["category"] for label in one.labels)
        self._images_with.update({label["category"] for label in one.labels})

    def close(self) -> None:
        """See `Writer.close`."""
        for split, files in self._open.items():
            for file in files:
                file.close()
            path = self.path(split)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as out:
                out.write('{"images": [')
                for part, name in zip(files, ("annotations", ""), strict=True):
                    with open(part.name, encoding="utf-8") as lines:  # noqa: PTH123
                        shutil.copyfileobj(lines, out)
                    out.write(f'], "{name}": [' if name else '], "categories": ')
                json.dump([self.category(k) for k in range(len(self.names))], out)
                out.write("}\n")
        shutil.rmtree(self.folder / ".lines", ignore_errors=True)

    def picture(self, one: Labelled) -> Path:
        """Where the pixels go."""
        return self.folder / "images" / one.split / one.file_name

    def path(self, split: str) -> Path:
        """Where the JSON of a split goes."""
        return self.folder / "annotations" / f"instances_{split}.json"

    def image(self, one: Labelled) -> dict[str, Any]:
        """An entry of "images"."""
        size = {side: one.row[side] for side in ("width", "height")}
        return {"id": one.number, "file_name": one.file_name, **size}

    def category(self, place: int) -> dict[str, Any]:
        """An entry of "categories"."""
        return {"id": place + 1, "name": self.names[place]}

    def _files(self, split: str) -> tuple[IO[str], IO[str]]:
        if split not in self._open:
            lines = self.folder / ".lines"
            lines.mkdir(exist_ok=True)
            names = (lines / f"{len(self._open)}-{kind}" for kind in ("images", "boxes"))
            first, second = (name.open("w+", encoding="utf-8") for name in names)
            self._open[split] = (first, second)
        return self._open[split]


class FiftyOne(Coco):
    """data/ and labels.json, as FiftyOne imports COCO detections; all splits in one."""

    def picture(self, one: Labelled) -> Path:
        """See `Coco.picture`."""
        return self.folder / "data" / one.file_name

    def path(self, split: str) -> Path:
        """See `Coco.path`."""
        del split
        return self.folder / "labels.json"

    def _files(self, split: str) -> tuple[IO[str], IO[str]]:
        del split
        return super()._files("all")


class Lvis(Coco):
    """lvis_SPLIT.json with LVIS's fields; nobody looked for more, so nothing is negative."""

    def path(self, split: str) -> Path:
        """See `Coco.path`."""
        return self.folder / f"lvis_{split}.json"

    def image(self, one: Labelled) -> dict[str, Any]:
        """See `Coco.image`."""
        there = sorted({label["category"] + 1 for label in one.labels})
        where = f"{one.split}/{one.file_name}"
        return {
            **super().image(one),
            "coco_url": where,
            "neg_category_ids": [],
            "not_exhaustive_category_ids": there,
        }

    def category(self, place: int) -> dict[str, Any]:
        """See `Coco.category`."""
        images = self._images_with[place]
        frequency = "r" if images <= 10 else "c" if images <= 100 else "f"
        return {
            **super().category(place),
            "synonyms": [self.names[place]],
            "frequency": frequency,
            "image_count": images,
            "instance_count": self._instances[place],
        }


def _line(file: IO[str], content: dict[str, Any]) -> None:
    """Another element of a JSON list."""
    if file.tell():
        file.write(",\n")
    json.dump(content, file, ensure_ascii=False)


def _annotation(label: dict[str, Any]) -> dict[str, Any]:
    x, y, wide, high = xywh(label)
    return {
        "category_id": label["category"] + 1,
        "bbox": [x, y, wide, high],
        "area": wide * high,
        "iscrowd": 0,
        "score": label["score"],
        "segmentation": [],
    }
