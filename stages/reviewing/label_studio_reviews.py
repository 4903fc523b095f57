"""Reviews from Label Studio: its JSON export, a list of tasks with the annotations of each.

Source: labelstud.io/guide/task_format, "Label Studio JSON format of annotated tasks".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.reviewing.review_collector import FoundBox, ImageReview, moment, person, region_number
from stages.reviewing.review_comparison import NO_REGION, Unread
from stages.sources.files import foreign
from stages.sources.json_ids import finite_number
from stages.sources.json_records import elements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.reviewing.exported_rows import ExportedImage
    from stages.reviewing.review_collector import ReviewCollector

_ADVICE: Final = "export the project from Label Studio again, as JSON"
_ID: Final = re.compile(r"(\d{1,18})-(\d{1,10})", re.ASCII)  # NUMBER-REGION, as we export it
_RECTANGLES: Final = ("rectanglelabels", "rectangle")
_SHAPES: Final = ("rectangle", "polygon", "ellipse", "brush", "bitmask", "keypoint", "vector")


def read_label_studio(path: Path, collector: ReviewCollector) -> None:
    """Take every annotation that was not cancelled; each is what one person says of an image.

    Args:
        path: Of the export.
        collector: Takes what is found.

    Raises:
        SourceError: If it is no JSON, or no list of tasks, such as Label Studio's JSON-MIN.
    """
    number = 0
    with foreign(f"{path} as Label Studio's JSON", _ADVICE):
        for some in elements(path):
            for task in some.values:
                number += 1
                data = task.get("data") if isinstance(task, dict) else None
                if isinstance(data, dict):
                    _read_task(task, data, f"{path.name}: task {number}", collector)
                elif number == 1:
                    raise SourceError(
                        f"{path} is no list of tasks with their data, as Label Studio's JSON-MIN "
                        f"is none; {_ADVICE}"
                    )
                else:
                    collector.refuse(f"{path.name}: task {number}", Reason.BAD_ROW, "it is no task")


def _read_task(
    task: Mapping[str, Any], data: Mapping[str, Any], record: str, collector: ReviewCollector
) -> None:
    picture = data.get("image")
    file = unquote(picture).rpartition("?d=")[2] if isinstance(picture, str) else None
    image = collector.find(record, data.get("image_id"), file)
    annotations = task.get("annotations") or []
    if image is None:
        return
    if not isinstance(annotations, list):
        collector.refuse(record, Reason.BAD_ROW, "its annotations are no list")
        return
    for number, annotation in enumerate(annotations, 1):
        where = f"{record}, annotation {number}"
        result = annotation.get("result") if isinstance(annotation, dict) else None
        if result is not None and annotation.get("was_cancelled"):
            collector.counts["cancelled"] += 1
        elif isinstance(result, list):
            _judge(annotation, where, image, collector)
        else:
            collector.refuse(where, Reason.BAD_ROW, "it has no list of results")


def _judge(
    annotation: Mapping[str, Any], record: str, image: ExportedImage, collector: ReviewCollector
) -> None:
    time = moment(annotation.get("updated_at")) or moment(annotation.get("created_at"))
    review = ImageReview(image, time)
    for number, item in enumerate(annotation["result"], 1):
        where = f"{record}, result {number}"
        if isinstance(item, dict):
            _read_item(item, where, review, collector)
        else:
            collector.refuse(where, Reason.BAD_ROW, "it is no object")
    collector.judge(review, _who(annotation.get("completed_by")))


def _read_item(
    item: Mapping[str, Any], record: str, review: ImageReview, collector: ReviewCollector
) -> None:
    given = item.get("value")
    value: Mapping[str, Any] = given if isinstance(given, dict) else {}
    kind = item.get("type") if isinstance(item.get("type"), str) else ""
    region = _region(item.get("id"), review.image)
    texts = value.get(kind or "")
    alone = texts[0] if isinstance(texts, list) and len(texts) == 1 else None
    name = collector.name(alone)
    if kind in _RECTANGLES and _is_upright(value.get("rotation"), item.get("image_rotation")):
        collector.box(review, record, FoundBox(region, name, _sides(value, review.image)))
    elif str(kind).removesuffix("labels") in _SHAPES:
        collector.unread(review, region, name)
    else:
        collector.counts["answers"] += 1
        if region != NO_REGION:  # about a box, which is there too if it is upright
            review.unread.add(Unread(region, name))


def _is_upright(*rotations: Any) -> bool:
    """Whether rotations, in degrees, are none; one that is missing is 0."""
    numbers = [finite_number(0 if rotation is None else rotation) for rotation in rotations]
    return all(number is not None and number % 360 == 0 for number in numbers)


def _sides(
    value: Mapping[str, Any], image: ExportedImage
) -> tuple[float, float, float, float] | None:
    """Corners in pixels, of left, top, width and height in per cent; None if one is no number."""
    x, y, width, height = (finite_number(value.get(n)) for n in ("x", "y", "width", "height"))
    if x is None or y is None or width is None or height is None:
        return None
    scale_x, scale_y = image.width / 100, image.height / 100
    return x * scale_x, y * scale_y, (x + width) * scale_x, (y + height) * scale_y


def _region(value: Any, image: ExportedImage) -> int:
    parts = _ID.fullmatch(value) if isinstance(value, str) else None
    return region_number(parts[2]) if parts and int(parts[1]) == image.number else NO_REGION


def _who(value: Any) -> str:
    """The e-mail address of a person, or else the id."""
    if isinstance(value, dict):
        return person(value.get("email")) or person(value.get("id"))
    return person(value)
