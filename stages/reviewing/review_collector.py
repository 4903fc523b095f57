"""What a file says of the images of an export, gathered: boxes by image and by person.

Boxes are checked here, whatever program they come from: cut at the borders of their image, and
refused if nothing is left. What is not read is kept in mind, since a label that seems to be gone
may be it.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.quarantine import Reason
from stages.reviewing.review_comparison import NO_REGION, NamedBoxes, Unread
from stages.sources.json_ids import finite_number, utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stages.reviewing.exported_rows import ExportedImage, ExportedLabels

_LONGEST: Final = 200  # characters of the name of a concept or a person
_MOST_BOXES: Final = 10_000  # of one image by one person; more are no work of hands
_LISTED: Final = 5  # names that are kept for a message


class ImageReview:
    """What one person says of one image: boxes, and what was not read.

    Attributes:
        image: Of the export.
        time: When; None if not known.
        unread: Things that may be what became of labels.
    """

    def __init__(self, image: ExportedImage, time: datetime | None = None) -> None:
        self.image, self.time = image, time
        self.unread: set[Unread] = set()
        self._names: list[str] = []
        self._regions, self._sides = array("q"), array("d")

    @property
    def num_boxes(self) -> int:
        """How many boxes were added."""
        return len(self._names)

    def add(self, region: int, name: str, sides: Sequence[float]) -> None:
        """Append a box."""
        self._names.append(name)
        self._regions.append(region)
        self._sides.extend(sides)

    def boxes(self) -> NamedBoxes:
        """All boxes."""
        names = np.empty(len(self._names), object)
        names[:] = self._names
        sides = np.array(self._sides, np.float64).reshape(-1, 4)
        return NamedBoxes(np.array(self._regions, np.int64), names, sides)


@dataclass
class ReviewCollector:
    """Takes what the readers of files find.

    Attributes:
        exported: The labels that people began with.
        refuse: Told of records that cannot be used.
        reviewer: Who, for all of the file; None: as the file says.
        counts: Of what was left out, by kind.
        unknown: Some images of the file that were not exported.
        strange: Names that were not offered.
    """

    exported: ExportedLabels
    refuse: Callable[[str, Reason, str], None]
    reviewer: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    strange: set[str] = field(default_factory=set)
    _listed: set[int] = field(default_factory=set)
    _reviews: dict[tuple[int, str], ImageReview] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    def find(
        self, record: str, image_id: Any, file: Any, size: tuple[Any, Any] | None = None
    ) -> ExportedImage | None:
        """The image of the export that the file means; None, and counted, if there is none.

        Args:
            record: For a message.
            image_id: As in images, if the file has it.
            file: Name of its file, with or without folders.
            size: Width and height that the file states.
        """
        image_id, file = (text if isinstance(text, str) else None for text in (image_id, file))
        self.counts["images"] += 1
        image = self.exported.find(image_id, file)
        if image is None:
            self.counts["unknown"] += 1
            if len(self.unknown) < _LISTED:
                self.unknown.append(utf8(image_id or file or record)[:_LONGEST])
            return None
        self._listed.add(image.position)
        if size and (finite_number(size[0]), finite_number(size[1])) != (image.width, image.height):
            said = " x ".join(utf8(str(side))[:20] for side in size)
            detail = f"it has {image.width} x {image.height} pixels, and the file says {said}"
            self.refuse(record, Reason.SIZE_MISMATCH, detail)
            return None
        return image

    def judge(self, review: ImageReview, reviewer: str = "") -> None:
        """Take a finished review; of several of one person the latest counts, or else the last."""
        key = (review.image.position, reviewer if self.reviewer is None else self.reviewer)
        before = self._reviews.get(key)
        self.counts["superseded"] += before is not None
        if before is None or _moment(before) <= _moment(review):
            self._reviews[key] = review

    def box(self, review: ImageReview, record: str, found: FoundBox) -> None:
        """Add a box to a review, or refuse it."""
        refusal = self._refusal(review, found)
        if refusal is None:
            review.add(found.region, self._known(found.name or ""), _inside(review, found))
        else:
            review.unread.add(Unread(found.region, found.name))
            self.refuse(record, *refusal)

    def unread(self, review: ImageReview, region: int, name: str | None) -> None:
        """Keep in mind something that is no upright box."""
        self.counts["unread"] += 1
        review.unread.add(Unread(region, name))

    def name(self, value: Any) -> str | None:
        """A text as the name of a concept; None if it is none."""
        text = utf8(value).strip() if isinstance(value, str) else ""
        if text in self.exported.offered:
            return text
        return text if 0 < len(text) <= _LONGEST and text.isprintable() else None

    def reviews(self) -> Iterator[tuple[str, ImageReview]]:
        """Reviewer and review, in the order of the export, then of names."""
        for position, reviewer in sorted(self._reviews):
            yield reviewer, self._reviews[position, reviewer]

    @property
    def num_without_review(self) -> int:
        """Images of the export that the file has, and nobody judged."""
        return len(self._listed - {position for position, _ in self._reviews})

    @property
    def num_absent(self) -> int:
        """Images of the export that the file does not have."""
        return len(self.exported.images) - len(self._listed)

    def _known(self, name: str) -> str:
        if name not in self.exported.offered:
            self.strange.add(name)
        return self._texts.setdefault(name, name)  # one text for all boxes of a name

    def _refusal(self, review: ImageReview, found: FoundBox) -> tuple[Reason, str] | None:
        if found.name is None:
            return Reason.UNKNOWN_CATEGORY, "it has no name, or one that is no short text"
        if found.sides is None or not all(map(math.isfinite, found.sides)):
            return Reason.BAD_BOX, "its sides are no finite numbers"
        if review.num_boxes >= _MOST_BOXES:
            return Reason.BAD_ROW, f"its image has more than {_MOST_BOXES:,} boxes"
        x0, y0, x1, y1 = found.sides
        size = f"of {review.image.width} x {review.image.height} pixels"
        if x1 <= x0 or y1 <= y0:
            return Reason.EMPTY_BOX, f"box {x0:g}, {y0:g}, {x1:g}, {y1:g} in an image {size}"
        x0, y0, x1, y1 = _inside(review, found)
        if x1 <= x0 or y1 <= y0:
            return Reason.OUTSIDE_BOX, f"box {found.sides} in an image {size}"
        return None


@dataclass(frozen=True, slots=True)
class FoundBox:
    """An upright box as it was found.

    Attributes:
        region: Of the label that it was, or `NO_REGION`.
        name: Of its concept; None if it cannot be read.
        sides: x0, y0, x1, y1 in pixels, perhaps beyond the image; None if they cannot be read.
    """

    region: int
    name: str | None
    sides: tuple[float, float, float, float] | None


def region_number(value: Any) -> int:
    """A region as a program gives it back, a number or its digits; else `NO_REGION`.

    >>> region_number("3"), region_number(3.0), region_number("") == NO_REGION
    (3, 3, True)
    """
    number = finite_number(value)
    is_region = number is not None and number.is_integer() and 0 <= number < 1 << 31
    return int(number) if number is not None and is_region else NO_REGION


def person(value: Any) -> str:
    """A name of a person: text or a number, without what a terminal would obey; else empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = value if isinstance(value, str) else str(value) if abs(value) < 1 << 63 else ""
    text = utf8(text).strip()[:_LONGEST]
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def moment(value: Any) -> datetime | None:
    """A time in ISO 8601, in UTC; without a zone it is taken as UTC. None if it is none.

    >>> moment("2026-01-31T12:00:00+01:00").isoformat()
    '2026-01-31T11:00:00+00:00'
    """
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _moment(review: ImageReview) -> datetime:
    return review.time or datetime.min.replace(tzinfo=UTC)


def _inside(review: ImageReview, found: FoundBox) -> tuple[float, float, float, float]:
    """The sides of a box, cut at the borders of its image."""
    width, height = review.image.width, review.image.height
    x0, y0, x1, y1 = found.sides or (0.0, 0.0, 0.0, 0.0)
    return (  # as the table of reviews has them: a box may vanish when it is rounded
        float(np.float32(min(max(x0, 0.0), width))),
        float(np.float32(min(max(y0, 0.0), height))),
        float(np.float32(min(max(x1, 0.0), width))),
        float(np.float32(min(max(y1, 0.0), height))),
    )
