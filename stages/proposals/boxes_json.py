"""Boxes from JSON: COCO's results or ground truth, per-image lists, and what other tools write.

* a list of records, or one record a line (`stages.proposals.box_records` has their forms)
* {"images": [...], "annotations": [...]}, as COCO's ground truth; records without a score
* {image_id: [records or lists of numbers]}, or {image_id: one record of all its boxes}
* {"image": {...}, "annotations": [...]}, as SAM writes, one file per image
* {"bboxes": [...], "scores": [...]}, as MMDetection writes, one file per image, named like it

It is read in chunks, so that only the arrays need memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.proposals.box_arrays import BoxArrays, BoxCollector
from stages.proposals.box_file import ImageKey
from stages.proposals.box_records import (
    Box,
    box_or_refusal,
    boxes_of_record,
    is_boxes_of_image,
    key_of,
)
from stages.proposals.plain_records import plain_boxes
from stages.sources.json_records import Elements, Unreadable, elements
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.box_forms import BoxLayout

_RECORDS: Final = ("annotations", "predictions", "results", "detections")
_ARRAYS: Final = ("bboxes", "boxes", "scores", "labels", "masks")  # of one image
_ABOUT: Final = ("info", "licenses", "categories", "videos", "type", "version")
_MANY: Final = 64  # records from which reading them at once is worth arrays of their own
_THIS_IMAGE: Final = ImageKey(None, None)  # stands for that of the file, which may come last
_EXPECTED: Final = "a list of {image_id, bbox: [x, y, width, height], score} is expected"


def read_json(path: Path, layout: BoxLayout | None = None) -> BoxArrays:
    """All boxes of a file.

    Args:
        path: Of the file.
        layout: What the user says the numbers of a box are; None: as its form has it.

    Raises:
        SourceError: If the file is no JSON, or holds nothing but records that are no boxes.
    """
    collector = BoxCollector()
    add_json(path, path.name, collector, layout)
    arrays = collector.arrays()
    if not len(arrays) and arrays.bad.count:
        first = arrays.bad.listed[0]
        raise SourceError(
            f"{path}: {_EXPECTED}; {first.record.rpartition(': ')[2]}: {first.detail}"
        )
    return arrays


def add_json(
    path: Path,
    name: str,
    collector: BoxCollector,
    layout: BoxLayout | None = None,
    *,
    is_of_one_image: bool = False,
) -> None:
    """Add all boxes of a file to others.

    Args:
        path: Of the file.
        name: Of the file in messages.
        collector: What they are added to.
        layout: As in `read_json`.
        is_of_one_image: Whether records that name no image are of the image that the file is
            named like, as those of SAM's and Ultralytics' lists are.

    Raises:
        SourceError: If the file is no JSON.
    """
    reader = _Reader(name, collector, layout, _THIS_IMAGE if is_of_one_image else None)
    try:
        for some in elements(path):
            reader.add(some)
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text ({error})") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error})") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{path}: {_EXPECTED}; near record {reader.number}: {type(error).__name__}: {error}"
        ) from error
    reader.finish(ImageKey(None, path.name))


class _Reader:
    """Sorts the elements of one file: boxes, names of images, and what says nothing of boxes."""

    def __init__(
        self,
        name: str,
        collector: BoxCollector,
        layout: BoxLayout | None,
        default: ImageKey | None,
    ) -> None:
        self.number = 0
        self._name = name
        self._collector = collector
        self._layout = layout
        self._default = default
        self._names: dict[ImageKey, ImageKey] = {}  # of images that the file lists
        self._fields: dict[str, Any] = {}  # of the file, if it is one object

    def add(self, some: Elements) -> None:
        """Take the next elements."""
        in_list = (some.key is None or some.key in _RECORDS) and not some.is_member
        if in_list and len(some.values) >= _MANY:
            layout = self._layout or "xywh"
            if boxes := plain_boxes(some.values, layout):
                self._collector.add_many(boxes, layout)
                self.number += len(some.values)
                return
        for value in some.values:
            self._add(some.key, value, is_member=some.is_member)

    def _add(self, key: str | None, value: Any, *, is_member: bool) -> None:
        if key is None:
            self._record(value, self._default)
        elif key == "images" and isinstance(value, dict):
            self._list_image(value)
        elif key in _RECORDS and not is_member:
            self._record(value, _THIS_IMAGE)
        elif value == [] and key in (*_RECORDS, *_ABOUT, "images"):
            return
        elif is_member and not (value == [] or is_boxes_of_image(value)):
            self._fields[key] = value
        elif key in _ARRAYS or isinstance(value, int | float):
            self._fields.setdefault(key, []).extend([] if is_member else [value])
        elif key not in _ABOUT:
            self._record(value, ImageKey(key))

    def finish(self, key: ImageKey) -> None:
        """Resolve what needed the end of the file; `key` is what its own name says."""
        is_empty = not self.number and not self._names
        try:
            own = key_of(self._fields.get("image")) or key_of(self._fields) or key
        except Refusal:
            own = key
        lists = {n: v for n, v in self._fields.items() if isinstance(v, list)}
        if is_boxes_of_image(lists) or {"bbox", "box"} & self._fields.keys():
            self._record({**self._fields, "image": None}, own)
        elif "image" in self._fields or (is_empty and self._default and not self._fields):
            self._collector.know(own)
        else:
            for name in lists:
                self._record(lists[name], ImageKey(name))
            if is_empty and not lists and self._fields:
                had = sorted(self._fields)
                self._refuse(Refusal(Reason.BAD_ROW, f"it has no boxes, but {had!r:.60}"))
        self._collector.replace(_THIS_IMAGE, own)
        for old, new in self._names.items():
            self._collector.replace(old, new)

    def _list_image(self, image: dict[str, Any]) -> None:
        """An entry of COCO's list of images."""
        try:
            key = key_of({**image, "image_id": image.get("id")})
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if key:
            listed = ImageKey(key.id) if key.id else key
            self._collector.know(listed)
            self._names[listed] = key

    def _record(self, record: Any, default: ImageKey | None) -> None:
        """Take a box, or all boxes of an image; `default` is the image if the record names none."""
        if isinstance(record, Unreadable):
            self._refuse(Refusal(Reason.BAD_ROW, record.why))
        elif record == [] and default:
            self._collector.know(default)  # without boxes
        else:
            self._boxes(record, default)
        self.number += 1

    def _boxes(self, record: Any, default: ImageKey | None) -> None:
        if not is_boxes_of_image(record):  # nearly all records
            self._box(box_or_refusal(record, self._layout), default)
            return
        self._know(record, default)
        for box in boxes_of_record(record, self._layout):
            self._box(box, default)

    def _box(self, box: Box | Refusal, default: ImageKey | None) -> None:
        if isinstance(box, Refusal):
            self._refuse(box)
        elif (key := box.key or default) is None:
            self._refuse(Refusal(Reason.BAD_ROW, "it names no image"))
        else:
            self._collector.layout = self._collector.layout or box.layout
            self._collector.add(key, box.row)

    def _know(self, record: Any, default: ImageKey | None) -> None:
        """An image that lists its boxes is known, whether or not it has any."""
        try:
            key = key_of(record.get("image")) or key_of(record) or default
        except Refusal:
            return  # said when its boxes are read
        if key:
            self._collector.know(key)

    def _refuse(self, refusal: Refusal) -> None:
        where = f"{self._name}: record {self.number}"
        self._collector.bad.add(where, refusal.reason, refusal.detail)
