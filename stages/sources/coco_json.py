"""COCO's JSON, parsed without its masks, which would fill memory."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from schemas.errors import SourceError
from stages.sources.coco_segmentation import box_of_segmentation
from stages.sources.files import foreign
from stages.sources.json_ids import finite_number, id_text, utf8
from stages.sources.name_checks import names_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIELDS: Final = ("image_id", "category_id", "bbox", "area", "iscrowd", "caption")
_NAMES: Final = ("file_name", "coco_url", "flickr_url")
MASK_BOX: Final = "box of the mask"  # only of annotations that have no bbox of their own


class CocoJson(NamedTuple):
    """The three lists of a JSON file; their entries may be anything."""

    name: str
    images: list[Any]
    annotations: list[Any]
    categories: list[Any]


def load_json(path: str) -> CocoJson:
    """Read a JSON file.

    Raises:
        SourceError: If it is not COCO's JSON, or of a kind that has no boxes.
    """
    with foreign(f"{path} as JSON", "give COCO's JSON of instances or captions"):
        content = json.loads(Path(path).read_bytes(), object_hook=_without_mask)
    is_object = isinstance(content, dict) and isinstance(content.get("images"), list)
    lists = [content.get(key) or [] for key in CocoJson._fields[1:]] if is_object else []
    if not is_object or not all(isinstance(entries, list) for entries in lists):
        raise SourceError(f"{path} is not COCO's JSON: it needs a list of objects named 'images'")
    images, annotations, categories = lists
    if any(isinstance(entry, dict) and "segments_info" in entry for entry in annotations):
        raise SourceError(
            f"{path} holds panoptic segments, which rc ingest does not read: give it the JSON of "
            "instances or captions"
        )
    return CocoJson(Path(path).name, images, annotations, categories)


def written_name(entry: Any) -> str | None:
    """The name of an image's file as an entry of `images` has it; of a URL, its path.

    >>> written_name({"coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg"})
    'val2017/000000000139.jpg'
    """
    if not isinstance(entry, dict):
        return None
    named = (entry[key] for key in _NAMES if isinstance(entry.get(key), str) and entry[key])
    name = next(named, "")
    if "://" not in name:
        return name or None
    try:
        return urlsplit(name).path.lstrip("/") or None
    except ValueError:
        return name


def frame_of(entry: Mapping[str, Any]) -> tuple[float, float] | None:
    """Width and height that an entry of `images` states; None unless both are above 0."""
    width, height = finite_number(entry.get("width")), finite_number(entry.get("height"))
    return (width, height) if width and height and min(width, height) > 0 else None


class Categories:
    """Names of categories by id.

    Attributes:
        shared: Names that several ids have.
        alike: Which different names look alike, as the rest of a sentence; None: no two do.
    """

    def __init__(self, entries: Sequence[Any]) -> None:
        self._names: dict[str | None, str | None] = {}
        self._ambiguous: set[str | None] = set()
        for entry in entries:
            if isinstance(entry, dict):
                self._add(id_text(entry.get("id")), _category_name(entry.get("name")))
        counts = Counter(self._names.values())
        named = [name for name in counts if name is not None]
        self.shared = sorted(name for name in named if counts[name] > 1)
        self.alike = names_fault(named, ignore_case=False)

    def find(self, value: Any) -> tuple[str | None, str]:
        """The name of the category of an annotation; or None, and why it has none."""
        key = id_text(value)
        if key is None or key not in self._names:
            return None, "its category is not listed"
        if key in self._ambiguous:
            return None, f"several categories have its category_id, {key}"
        if self._names[key] is None:
            return None, f"its category, {key}, has no name"
        return self._names[key], ""

    def _add(self, key: str | None, name: str | None) -> None:
        if key in self._names and self._names[key] != name:
            self._ambiguous.add(key)
        self._names[key] = name


def _category_name(name: Any) -> str | None:
    if isinstance(name, str):
        return utf8(name.strip()) or None
    return id_text(name)


def _without_mask(entry: dict[str, Any]) -> dict[str, Any]:
    if "image_id" not in entry:
        return entry
    kept: dict[str, Any] = {key: entry[key] for key in _FIELDS if key in entry}
    if "segmentation" in entry and not entry.get("bbox"):
        kept[MASK_BOX] = box_of_segmentation(entry["segmentation"])
    if "segments_info" in entry:
        kept["segments_info"] = True
    return kept
