"""Boxes of one record of a JSON file: of COCO's results, of torchvision, MMDetection, SAM, ...

A record is one box (`bbox`, `segmentation`, or four fields of corners) or all boxes of an image
(`boxes` or `bboxes` with `scores`, or `annotations` or `instances`). Categories are ignored.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.quarantine import Reason
from stages.proposals.box_file import ImageKey
from stages.sources.coco_segmentation import box_of_segmentation
from stages.sources.files import error_line
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.box_forms import BoxLayout

_NAMES: Final = (
    *("file_name", "filename", "file", "image_path", "img_path", "path", "image_name", "image"),
    "img_name",
)
_MOST: Final = 10**18  # ids are less
_SCORES: Final = ("score", "objectness", "confidence", "conf", "predicted_iou")
_CORNERS: Final = (
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
)
_ARRAYS: Final = ("bboxes", "boxes")  # of an image; corners, as torchvision and MMDetection write
_RECORDS: Final = ("annotations", "instances")  # of an image; instances as detectron2 writes
_LISTS: Final = frozenset((*_RECORDS, *_ARRAYS))
_ALL_NAMES: Final = frozenset(_NAMES)
_OTHER: Final = {  # what other files of COCO's kind hold
    "caption": "captions",
    "keypoints": "keypoints",
    "segments_info": "panoptic segments",
}


class Box(NamedTuple):
    """One box of a record.

    Attributes:
        key: Of its image; None if the record names none.
        row: x0, y0, x1, y1 and the score; NaN if it has none.
        layout: The order in which the record had the numbers.
    """

    key: ImageKey | None
    row: tuple[float, float, float, float, float]
    layout: BoxLayout


def is_boxes_of_image(record: Any) -> bool:
    """Whether a record is an image with all its boxes."""
    if not isinstance(record, dict) or _LISTS.isdisjoint(record):  # nearly all records
        return False
    return any(isinstance(record.get(name), list) for name in _LISTS)


def boxes_of_record(record: Any, layout: BoxLayout | None = None) -> Iterator[Box | Refusal]:
    """Each box of a record, or why it is refused.

    Args:
        record: As the JSON has it.
        layout: What the user says the four numbers are; None: as the record's form has it.
    """
    if not is_boxes_of_image(record):
        yield box_or_refusal(record, layout)
        return
    try:
        key = key_of(record.get("image")) if isinstance(record.get("image"), dict) else None
        key = key or key_of(record)
        members = _members(record)
    except Refusal as refusal:
        yield refusal
        return
    for member in members:
        for box in boxes_of_record(member, layout):
            yield box if isinstance(box, Refusal) else box._replace(key=box.key or key)


def box_or_refusal(record: Any, layout: BoxLayout | None = None) -> Box | Refusal:
    """The box of a record that is one box, or why it is refused."""
    try:
        return _one_box(record, layout)
    except Refusal as refusal:
        return refusal
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        return Refusal(Reason.BAD_ROW, f"it is no record of a box: {error_line(error)}")


def key_of(record: Any) -> ImageKey | None:
    """What a record calls its image; None if it has no field for that.

    Raises:
        Refusal: If the field holds no name and no number.
    """
    if not isinstance(record, dict):
        return None
    name = None
    if not _ALL_NAMES.isdisjoint(record):
        name = next((record[n] for n in _NAMES if isinstance(record.get(n), str)), None) or None
        name = _in_utf8(name) if name else None
    if "image_id" not in record:
        return ImageKey(None, name) if name else None
    if name is None and type(record["image_id"]) is int:  # nearly all records
        return _numbered(record["image_id"])
    if record["image_id"] is None and name:
        return ImageKey(None, name)
    return ImageKey(text_of_id(record["image_id"]), name)


def _in_utf8(text: str) -> str:
    r"""A name or id, if UTF-8 can hold it; JSON can write half of a character, as \ud800.

    Raises:
        Refusal: If it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        detail = "its image has half a surrogate pair in its name"
        raise Refusal(Reason.UNSAFE_NAME, detail) from None
    return text


@lru_cache(maxsize=1)  # boxes of one image are neighbours
def _numbered(image_id: int) -> ImageKey:
    return ImageKey(text_of_id(image_id))


def text_of_id(value: Any) -> str:
    """An id as text, the same for 139, 139.0 and "139".

    >>> text_of_id(139.0), text_of_id("000139")
    ('139', '000139')

    Raises:
        Refusal: If it is neither a whole number nor a text.
    """
    if type(value) is int and abs(value) < _MOST:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise Refusal(
            Reason.BAD_ROW, f"image_id is {_shown(value)}, not a whole number and not a text"
        )
    if isinstance(value, int) and abs(value) >= _MOST:
        raise Refusal(Reason.BAD_ROW, "image_id is a number of more than 18 digits")
    return _in_utf8(str(value))


def _members(record: dict[str, Any]) -> list[Any]:
    """The boxes of an image, each as a record of its own."""
    for name in _RECORDS:
        if isinstance(record.get(name), list):
            return list(record[name])
    boxes = next(record[name] for name in _ARRAYS if isinstance(record.get(name), list))
    scores = next((record[n] for n in ("scores", *_SCORES) if n in record), None)
    if scores is None:
        return [{"corners": box} for box in boxes]
    if not isinstance(scores, list) or len(scores) != len(boxes):
        raise Refusal(Reason.BAD_ROW, f"its {len(boxes):,} boxes have not as many scores")
    return [{"corners": box, "score": score} for box, score in zip(boxes, scores, strict=True)]


def _one_box(record: Any, layout: BoxLayout | None) -> Box:
    if isinstance(record, list):  # an element of {image_id: [[x, y, width, height, score]]}
        if len(record) not in (4, 5):
            raise Refusal(Reason.BAD_BOX, f"{_shown(record)} is no box")
        record = {"bbox": record[:4], "score": record[4] if len(record) == 5 else None}
    if not isinstance(record, dict):
        raise Refusal(Reason.BAD_ROW, f"{_shown(record)} is no record of a box")
    key = key_of(record)
    values, own, may_be_other = _numbers(record)
    try:
        a, b, c, d = map(float, [] if isinstance(values, str) else values)
    except (ValueError, TypeError, OverflowError):
        raise Refusal(Reason.BAD_BOX, f"{_shown(values)} is no four numbers") from None
    layout = (layout if may_be_other else None) or own
    if layout == "xywh":
        c, d = a + c, b + d
    return Box(key, (a, b, c, d, _score(record)), layout)


def _numbers(record: dict[str, Any]) -> tuple[Any, BoxLayout, bool]:
    """The four numbers of a box, their order, and whether it is only the usual one."""
    for name in ("bbox", "box"):
        if isinstance(record.get(name), list):
            return record[name], "xyxy" if record.get("bbox_mode") == 0 else "xywh", True
    if isinstance(record.get("corners"), list):
        return record["corners"], "xyxy", True
    corners = record["box"] if isinstance(record.get("box"), dict) else record
    for names in _CORNERS:
        if all(name in corners for name in names):
            return [corners[name] for name in names], "xyxy", False
    return _surrounding(record), "xywh", False


def _surrounding(record: dict[str, Any]) -> tuple[float, float, float, float]:
    """The box of the mask of a record without a box."""
    if record.get("segmentation"):
        box = box_of_segmentation(record["segmentation"])
        if box is None or not all(box[2:]):
            raise Refusal(Reason.BAD_BOX, "it has no bbox, and its segmentation is no mask")
        return box
    if record.get("bbox") is not None:
        raise Refusal(Reason.BAD_BOX, f"{_shown(record['bbox'])} is no four numbers")
    for name, what in _OTHER.items():
        if name in record:
            raise Refusal(Reason.BAD_ROW, f"it holds {what}, and no box")
    raise Refusal(Reason.BAD_ROW, f"it has no bbox, but {_shown(list(record))}")


def _score(record: dict[str, Any]) -> float:
    value = record.get("score")
    if value is None:
        value = next((record[name] for name in _SCORES if record.get(name) is not None), math.nan)
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        raise Refusal(Reason.BAD_ROW, f"its score is {_shown(value)}, not a number") from None


def _shown(value: Any) -> str:
    """A value in a sentence; a record may hold a million numbers."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):
        return "a value nested deeply, or of thousands of digits,"
    return text if len(text) <= 60 else text[:57] + "..."
