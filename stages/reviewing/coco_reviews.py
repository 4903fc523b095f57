"""Reviews from COCO's JSON of instances: every image that it lists was judged.

The file is read twice, first its images and categories, then its annotations, so that only the
boxes of images of the export are in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.reviewing.review_collector import FoundBox, ImageReview, region_number
from stages.sources.coco_json import Categories, frame_of, written_name
from stages.sources.files import foreign
from stages.sources.json_ids import finite_number, id_text
from stages.sources.json_records import elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from stages.reviewing.review_collector import ReviewCollector

_ADVICE: Final = "give COCO's JSON of instances, with images, annotations and categories"


def read_coco(path: Path, collector: ReviewCollector) -> None:
    """Take every image with its annotations, as what one person says.

    Args:
        path: Of the JSON.
        collector: Takes what is found.

    Raises:
        SourceError: If it is no JSON, or not COCO's JSON of instances.
    """
    with foreign(f"{path} as COCO's JSON", _ADVICE):
        lists: dict[str, list[Any]] = {"images": [], "categories": []}
        named = set()
        for some in elements(path):
            named.add(some.key)
            if some.key in lists and not some.is_member:
                lists[some.key] += some.values
        if not {"images", "annotations", "categories"} <= named:
            raise SourceError(f"{path} is not COCO's JSON of instances; {_ADVICE}")
        reader = _CocoReader(path.name, collector, Categories(lists["categories"]))
        for number, entry in enumerate(lists["images"], 1):
            reader.add_image(number, entry)
        for number, entry in enumerate(_annotations(path), 1):
            reader.add_annotation(number, entry)
        reader.finish()


def _annotations(path: Path) -> Iterator[Any]:
    for some in elements(path):
        if some.key == "annotations" and not some.is_member:
            yield from some.values


class _CocoReader:
    """Sorts the entries of a file by image."""

    def __init__(self, name: str, collector: ReviewCollector, categories: Categories) -> None:
        self._name, self._collector, self._categories = name, collector, categories
        self._reviews: dict[str, ImageReview | None] = {}  # None: not of the export, or not usable
        self._entries: dict[str, str] = {}

    def add_image(self, number: int, entry: Any) -> None:
        """An entry of images."""
        record = f"{self._name}: image {number}"
        key = id_text(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            self._collector.refuse(record, Reason.BAD_ROW, "it has no id")
            return
        size = frame_of(entry)
        image = self._collector.find(record, entry.get("original_id"), written_name(entry), size)
        if key in self._reviews:
            image = None
            self._collector.refuse(record, Reason.DUPLICATE_ID, f"another image has the id {key}")
        self._reviews[key] = image and ImageReview(image)

    def add_annotation(self, number: int, entry: Any) -> None:
        """An entry of annotations."""
        record = f"{self._name}: annotation {number}"
        key = id_text(entry.get("image_id")) if isinstance(entry, dict) else None
        if key is None or key not in self._reviews:
            reason = Reason.BAD_ROW if key is None else Reason.UNKNOWN_IMAGE
            self._collector.refuse(record, reason, "it is of no image that the file lists")
        elif (review := self._reviews[key]) is not None:
            self._add(review, record, entry)

    def finish(self) -> None:
        """After the last annotation, all images are judged."""
        for review in self._reviews.values():
            if review is not None:
                self._collector.judge(review)

    def _add(self, review: ImageReview, record: str, entry: Mapping[str, Any]) -> None:
        given = entry.get("attributes")  # as CVAT writes them
        attributes: Mapping[str, Any] = given if isinstance(given, dict) else {}
        name = self._collector.name(self._categories.find(entry.get("category_id"))[0])
        region = region_number(attributes.get("region"))
        is_upright = not entry.get("iscrowd") and not attributes.get("rotation")
        if is_upright:
            self._collector.box(review, record, FoundBox(region, name, _sides(entry.get("bbox"))))
        else:
            self._collector.unread(review, region, name)


def _sides(box: Any) -> tuple[float, float, float, float] | None:
    """Corners of left, top, width and height; None if they are not four numbers."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    x, y, width, height = map(finite_number, box)
    if x is None or y is None or width is None or height is None:
        return None
    return x, y, x + width, y + height
