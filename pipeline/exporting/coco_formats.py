"""Labelled images as COCO, and as the formats derived from it: LVIS and FiftyOne."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.exporting.label_writer import LabelWriter, xywh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage


class CocoFormat(LabelWriter):
    """images/SPLIT/*.jpg and annotations/{instances,captions}_SPLIT.json, as `rc ingest` reads."""

    comes_back: ClassVar[bool] = True
    with_captions = True

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._open: dict[str, _JsonLists] = {}
        self._count: Counter[str] = Counter()
        self._instances: Counter[int] = Counter()
        self._images_with: Counter[int] = Counter()

    def add(self, image: LabelledImage) -> None:
        """See `LabelWriter.add`."""
        image.write(self.image_path(image), self.images)
        lists = self._lists_of(image.split)
        lists.add("images", {**self.image_entry(image), "original_id": image.row["image_id"]})
        for label in image.labels:
            self._add_annotation(lists, "instances", image, _annotation(label))
        for caption in image.row["captions"] if self.with_captions else ():
            self._add_annotation(lists, "captions", image, {"caption": caption})
        self._instances.update(label["category"] for label in image.labels)
        self._images_with.update({label["category"] for label in image.labels})

    def close(self) -> None:
        """See `LabelWriter.close`."""
        categories = [self.category_entry(index) for index in range(len(self.names))]
        for split, lists in self._open.items():
            path = self.json_path(split)
            path.parent.mkdir(parents=True, exist_ok=True)
            lists.write(path, "instances", {"categories": categories})
            if self.with_captions:
                lists.write(path.with_name(f"captions_{split}.json"), "captions", {})
            lists.close()
        shutil.rmtree(self.folder / ".lines", ignore_errors=True)

    def image_path(self, image: LabelledImage) -> Path:
        """The file for the pixels of an image."""
        return self.folder / "images" / image.split / image.file_name

    def json_path(self, split: str) -> Path:
        """The JSON file of a split."""
        return self.folder / "annotations" / f"instances_{split}.json"

    def image_entry(self, image: LabelledImage) -> dict[str, Any]:
        """An entry of "images"."""
        size = {side: image.row[side] for side in ("width", "height")}
        return {"id": image.number, "file_name": image.file_name, **size}

    def category_entry(self, index: int) -> dict[str, Any]:
        """An entry of "categories"."""
        return {"id": index + 1, "name": self.names[index]}

    def _lists_of(self, split: str) -> _JsonLists:
        if split not in self._open:
            self._open[split] = _JsonLists(self.folder / ".lines" / str(len(self._open)))
        return self._open[split]

    def _add_annotation(
        self, lists: _JsonLists, kind: str, image: LabelledImage, content: dict[str, Any]
    ) -> None:
        self._count[kind] += 1
        lists.add(kind, {"id": self._count[kind], "image_id": image.number, **content})


class FiftyOneFormat(CocoFormat):
    """data/ and labels.json, as FiftyOne imports COCO detections; one file for all splits."""

    comes_back: ClassVar[bool] = False
    with_captions = False

    def image_path(self, image: LabelledImage) -> Path:
        """See `CocoFormat.image_path`."""
        return self.folder / "data" / image.file_name

    def json_path(self, split: str) -> Path:
        """See `CocoFormat.json_path`."""
        del split
        return self.folder / "labels.json"

    def _lists_of(self, split: str) -> _JsonLists:
        del split
        return super()._lists_of("all")


class LvisFormat(CocoFormat):
    """lvis_SPLIT.json with the fields of LVIS.

    No category was verified to be absent from an image, so `neg_category_ids` is empty.
    """

    comes_back: ClassVar[bool] = False
    with_captions = False

    def json_path(self, split: str) -> Path:
        """See `CocoFormat.json_path`."""
        return self.folder / f"lvis_{split}.json"

    def image_entry(self, image: LabelledImage) -> dict[str, Any]:
        """See `CocoFormat.image_entry`."""
        return {
            **super().image_entry(image),
            "coco_url": f"{image.split}/{image.file_name}",
            "neg_category_ids": [],
            "not_exhaustive_category_ids": sorted({k["category"] + 1 for k in image.labels}),
        }

    def category_entry(self, index: int) -> dict[str, Any]:
        """See `CocoFormat.category_entry`."""
        images = self._images_with[index]
        frequency = "r" if images <= 10 else "c" if images <= 100 else "f"
        return {
            **super().category_entry(index),
            "synonyms": [self.names[index]],
            "frequency": frequency,
            "image_count": images,
            "instance_count": self._instances[index],
        }


class _JsonLists:
    """The growing lists of a JSON file, kept on disk, one element per line."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        kinds = ("images", "instances", "captions")
        self._files = {kind: (folder / kind).open("w+", encoding="utf-8") for kind in kinds}
        self._separators = dict.fromkeys(kinds, "")

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Append an element to a list."""
        file = self._files[kind]
        file.write(self._separators[kind] + json.dumps(content, ensure_ascii=False))
        self._separators[kind] = ",\n"

    def write(self, path: Path, kind: str, further: dict[str, Any]) -> None:
        """Write a JSON file of the images, the annotations of a kind, and further entries."""
        with path.open("w", encoding="utf-8") as out:
            for before, name, file in (("{", "images", "images"), (", ", "annotations", kind)):
                self._files[file].seek(0)
                out.write(f'{before}"{name}": [')
                shutil.copyfileobj(self._files[file], out)
                out.write("]")
            for name, content in further.items():
                out.write(f', "{name}": ')
                json.dump(content, out, ensure_ascii=False)
            out.write("}\n")

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def _annotation(label: dict[str, Any]) -> dict[str, Any]:
    x, y, width, height = xywh(label)
    return {
        "category_id": label["category"] + 1,
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
        "score": label["score"],
        "segmentation": [],
    }
