"""Labelled images as COCO, and as what grew out of it: LVIS and FiftyOne."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.exporting.writer import Writer, xywh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled import LabelledImage


class CocoFormat(Writer):
    """images/SPLIT/*.jpg and annotations/{instances,captions}_SPLIT.json, as `rc ingest` reads."""

    with_captions = True

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._open: dict[str, _Lines] = {}
        self._count: Counter[str] = Counter()
        self._instances: Counter[int] = Counter()
        self._images_with: Counter[int] = Counter()

    def add(self, one: LabelledImage) -> None:
        """See `Writer.add`."""
        one.write(self.picture(one), self.images)
        lines = self._lines(one.split)
        lines.add("images", {**self.image(one), "original_id": one.row["image_id"]})
        for label in one.labels:
            self._numbered(lines, "instances", one, _annotation(label))
        for caption in one.row["captions"] if self.with_captions else ():
            self._numbered(lines, "captions", one, {"caption": caption})
        self._instances.update(label["category"] for label in one.labels)
        self._images_with.update({label["category"] for label in one.labels})

    def close(self) -> None:
        """See `Writer.close`."""
        categories = [self.category(k) for k in range(len(self.names))]
        for split, lines in self._open.items():
            path = self.path(split)
            path.parent.mkdir(parents=True, exist_ok=True)
            lines.write(path, "instances", {"categories": categories})
            if self.with_captions:
                lines.write(path.with_name(f"captions_{split}.json"), "captions", {})
            lines.close()
        shutil.rmtree(self.folder / ".lines", ignore_errors=True)

    def picture(self, one: LabelledImage) -> Path:
        """Where the pixels go."""
        return self.folder / "images" / one.split / one.file_name

    def path(self, split: str) -> Path:
        """Where the JSON of a split goes."""
        return self.folder / "annotations" / f"instances_{split}.json"

    def image(self, one: LabelledImage) -> dict[str, Any]:
        """An entry of "images"."""
        size = {side: one.row[side] for side in ("width", "height")}
        return {"id": one.number, "file_name": one.file_name, **size}

    def category(self, place: int) -> dict[str, Any]:
        """An entry of "categories"."""
        return {"id": place + 1, "name": self.names[place]}

    def _lines(self, split: str) -> _Lines:
        if split not in self._open:
            self._open[split] = _Lines(self.folder / ".lines" / str(len(self._open)))
        return self._open[split]

    def _numbered(
        self, lines: _Lines, kind: str, one: LabelledImage, content: dict[str, Any]
    ) -> None:
        self._count[kind] += 1
        lines.add(kind, {"id": self._count[kind], "image_id": one.number, **content})


class FiftyOneFormat(CocoFormat):
    """data/ and labels.json, as FiftyOne imports COCO detections; all splits in one."""

    with_captions = False

    def picture(self, one: LabelledImage) -> Path:
        """See `CocoFormat.picture`."""
        return self.folder / "data" / one.file_name

    def path(self, split: str) -> Path:
        """See `CocoFormat.path`."""
        del split
        return self.folder / "labels.json"

    def _lines(self, split: str) -> _Lines:
        del split
        return super()._lines("all")


class LvisFormat(CocoFormat):
    """lvis_SPLIT.json with LVIS's fields; nobody looked for more, so nothing is negative."""

    with_captions = False

    def path(self, split: str) -> Path:
        """See `CocoFormat.path`."""
        return self.folder / f"lvis_{split}.json"

    def image(self, one: LabelledImage) -> dict[str, Any]:
        """See `CocoFormat.image`."""
        there = sorted({label["category"] + 1 for label in one.labels})
        where = f"{one.split}/{one.file_name}"
        return {
            **super().image(one),
            "coco_url": where,
            "neg_category_ids": [],
            "not_exhaustive_category_ids": there,
        }

    def category(self, place: int) -> dict[str, Any]:
        """See `CocoFormat.category`."""
        images = self._images_with[place]
        frequency = "r" if images <= 10 else "c" if images <= 100 else "f"
        return {
            **super().category(place),
            "synonyms": [self.names[place]],
            "frequency": frequency,
            "image_count": images,
            "instance_count": self._instances[place],
        }


class _Lines:
    """The lists of a JSON file while they grow: on disk, an element a line."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        kinds = ("images", "instances", "captions")
        self._files = {kind: (folder / kind).open("w+", encoding="utf-8") for kind in kinds}
        self._between = dict.fromkeys(kinds, "")

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Another element of a list."""
        file = self._files[kind]
        file.write(self._between[kind] + json.dumps(content, ensure_ascii=False))
        self._between[kind] = ",\n"

    def write(self, path: Path, kind: str, rest: dict[str, Any]) -> None:
        """A file of the images and the annotations of a kind, and the rest."""
        with path.open("w", encoding="utf-8") as out:
            for before, name, of in (("{", "images", "images"), (", ", "annotations", kind)):
                self._files[of].seek(0)
                out.write(f'{before}"{name}": [')
                shutil.copyfileobj(self._files[of], out)
                out.write("]")
            for name, content in rest.items():
                out.write(f', "{name}": ')
                json.dump(content, out, ensure_ascii=False)
            out.write("}\n")

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()


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
