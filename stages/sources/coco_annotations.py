"""COCO's JSON: images, captions and boxes of one split, without the masks."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_of
from stages.sources.record import Refusal, SourceObject

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS: Final = frozenset(("image_id", "category_id", "bbox", "area", "iscrowd", "caption"))


@dataclass(frozen=True, slots=True)
class Split:
    """One split: its JSON files, and the folder of its images."""

    name: str
    jsons: tuple[str, ...]
    folder: str


@dataclass(slots=True)
class CocoImage:
    """What all JSON files together contain about one image file."""

    split: Split
    file_name: str
    size: int
    is_duplicate: bool = False
    captions: list[str] = field(default_factory=list)
    objects: list[SourceObject] = field(default_factory=list)
    problems: list[tuple[Reason, str]] = field(default_factory=list)

    @property
    def image_id(self) -> str:
        """Split, a slash, the file name without its suffix."""
        folder, _, file = self.file_name.rpartition("/")
        stem = file.rpartition(".")[0] or file
        return "/".join(filter(None, (self.split.name, folder, stem)))


def read_images(split: Split) -> list[CocoImage]:
    """The images of a split, in the order of its JSON files.

    Raises:
        SourceError: If a file is not COCO's JSON.
    """
    images: dict[str, CocoImage] = {}
    for path in split.jsons:
        _add_json(images, split, path)
    return list(images.values())


def _add_json(images: dict[str, CocoImage], split: Split, path: str) -> None:
    """Add the content of one JSON file to `images`, whose keys are file names."""
    content = _load_json(path)
    by_id: dict[Any, CocoImage] = {}
    for entry in content["images"]:
        name = _file_name(entry, path)
        if name not in images:
            images[name] = CocoImage(split, name, _file_size(Path(split.folder, name)))
        by_id[entry.get("id")] = images[name]
    categories = {c.get("id"): str(c.get("name")) for c in content.get("categories", ())}
    for number, entry in enumerate(content.get("annotations", ())):
        image = by_id.get(entry.get("image_id"))
        if image is not None:
            _add_annotation(image, entry, categories, f"annotation {number} of {Path(path).name}")


def _add_annotation(
    image: CocoImage, entry: Mapping[str, Any], categories: Mapping[Any, str], where: str
) -> None:
    """Add one annotation to its image: a caption, a box, or a problem."""
    if "bbox" in entry:
        box = entry["bbox"]
        if not _is_box(box):
            image.problems.append((Reason.BAD_BOX, f"{where} is not four finite numbers"))
        elif entry.get("category_id") not in categories:
            image.problems.append((Reason.UNKNOWN_CATEGORY, f"{where} has an unlisted category"))
        else:
            image.objects.append(_source_object(entry, categories[entry["category_id"]]))
    if "caption" in entry:
        try:
            image.captions += captions_of(entry["caption"])
        except Refusal as refusal:
            image.problems.append((refusal.reason, f"{where}: {refusal.detail}"))


def _source_object(entry: Mapping[str, Any], category: str) -> SourceObject:
    x, y, width, height = (float(value) for value in entry["bbox"])
    area = entry.get("area")
    has_area = isinstance(area, int | float) and _is_finite(area)
    return SourceObject(
        category,
        (x, y, x + width, y + height),
        float(area) if has_area and area is not None else None,
        bool(entry.get("iscrowd", 0)),
    )


def _is_box(box: Any) -> bool:
    is_list_of_numbers = isinstance(box, list) and all(type(v) in (int, float) for v in box)
    return is_list_of_numbers and len(box) == 4 and all(map(_is_finite, box))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that float64 cannot hold
        return False


def _load_json(path: str) -> dict[str, Any]:
    """The JSON without unused fields: masks are dropped while parsing, because they fill memory."""
    try:
        content = json.loads(Path(path).read_bytes(), object_hook=_drop_unused_fields)
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot read {path} as JSON: {error}") from error
    has_lists = isinstance(content, dict) and all(
        isinstance(content.get(key, []), list)
        and all(isinstance(entry, dict) for entry in content.get(key, []))
        for key in ("images", "annotations", "categories")
    )
    if not has_lists or "images" not in content:
        raise SourceError(f"{path} is not COCO's JSON: it needs a list of objects named 'images'")
    return dict(content)


def _drop_unused_fields(entry: dict[str, Any]) -> dict[str, Any]:
    if "image_id" in entry:
        return {key: value for key, value in entry.items() if key in _FIELDS}
    return entry


def _file_name(entry: Mapping[str, Any], path: str) -> str:
    name = entry.get("file_name") or str(entry.get("coco_url", "")).rpartition("/")[2]
    if not isinstance(name, str) or not name:
        raise SourceError(f"{path} lists an image without file_name")
    return name


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1  # recorded as absent; a file that appears later changes the digest
