"""What `rc ingest` saw and what became of it: counted part by part, said in one line at the end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from schemas.quarantine import Reason
from stages.outcome import counted, is_most

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stages.base import Findings, Part
    from stages.sources.record import LeftOut, Record

NOTE: Final = "counts"
_OF_BOXES: Final = (Reason.BAD_BOX, Reason.UNKNOWN_CATEGORY)
_FIRST_NOUN: Final = re.compile(r"(?= (?:of|that) )")
_MOVED: Final = {
    "scaled": "scaled: they were made for another size of the same shape",
    "turned": "turned: they were made for the pixels before EXIF turns them",
    "refused": "refused: they were made for an image of another shape",
}


def count_kept(part: Part, record: Record, boxes: int) -> None:
    """Count an image that became a row, with its captions and its boxes."""
    part.count(
        NOTE,
        {
            "images": 1,
            "kept": 1,
            "with_captions": int(bool(record.captions)),
            "captions": len(record.captions),
            "with_boxes": int(bool(boxes)),
            "boxes": boxes,
            "boxes_seen": len(record.objects) + sum(p.reason in _OF_BOXES for p in record.problems),
        },
    )


def count_refused(part: Part) -> None:
    """Count an image that went to quarantine."""
    part.count(NOTE, {"images": 1})


def count_moved(part: Part, moves: Iterable[str]) -> None:
    """Count what was done to the boxes of an image because they were made for another size."""
    for move in moves:
        part.count(NOTE, {"moved": {move: 1}})


def count_cut(part: Part, cut: Sequence[float]) -> None:
    """Count boxes that were cut at the border of their image.

    Args:
        part: Of the image.
        cut: Share of its area that each of them has left.
    """
    if cut:
        part.count(NOTE, {"cut": {"boxes": len(cut), "by_half": sum(left < 0.5 for left in cut)}})


def count_left_out(part: Findings, left_out: LeftOut) -> None:
    """Count what was not read."""
    part.count(NOTE, {"left_out": {left_out.kind: left_out.count}})


@dataclass(frozen=True)
class IngestCounts:
    """The counts of all parts together, as the manifest has them."""

    numbers: Mapping[str, Any]

    def line(self) -> str:
        """Images, how many have captions and boxes, what was refused, what was not read.

        >>> kinds = {".heic file": 2, ".xlsx file": 1}
        >>> counts = {"images": 3, "kept": 2, "with_captions": 2, "captions": 10, "left_out": kinds}
        >>> print(IngestCounts(counts).line())  # doctest: +NORMALIZE_WHITESPACE
        3 images: 2 with captions (10 captions), 0 with boxes; 1 refused; not read: 2 .heic
        files, 1 .xlsx file
        """
        images = counted(self._of("images"), "image")
        captions = f"{self._of('with_captions'):,} with captions"
        if self._of("captions"):
            captions += f" ({counted(self._of('captions'), 'caption')})"
        boxes = f"{self._of('with_boxes'):,} with boxes"
        if self._of("boxes"):
            boxes += f" ({counted(self._of('boxes'), 'box', 'boxes')})"
        said = f"{images}: {captions}, {boxes}"
        refused = self._of("images") - self._of("kept")
        if refused:
            said += f"; {refused:,} refused"
        left_out = self.numbers.get("left_out", {})
        if left_out:
            kinds = ", ".join(several(kind, number) for kind, number in sorted(left_out.items()))
            said += f"; not read: {kinds}"
        return said

    def why_empty(self, sources: Sequence[str], dropped: Mapping[str, int]) -> str:
        """Why no image was kept."""
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in dropped.items())
        return (
            f"no image of {', '.join(sources)} was kept: {self._of('images'):,} seen"
            f"{f' ({reasons})' if reasons else ''}; look at the files, or name others"
        )

    def why_unmatched(
        self, dropped: Mapping[str, int], examples: Sequence[str] | None
    ) -> str | None:
        """Why none of the captions and boxes belongs to an image; None if one does.

        Args:
            dropped: Refused records, by reason.
            examples: What belongs to no image, and an image; None if they are not known.
        """
        unknown = dropped.get(Reason.UNKNOWN_IMAGE, 0)
        is_whole = self._of("kept") == self._of("images") > 0  # what was refused may have had some
        if not unknown or not is_whole or self._of("captions") or self._of("boxes_seen"):
            return None
        said = (
            f"none of {counted(unknown, 'caption or box', 'captions or boxes')} belongs to an image"
        )
        if examples is None:
            return f"{said}; rc sql 'FROM quarantine' lists them"
        return f"{said}: one is of {examples[0]!r}, an image is {examples[1]!r}"

    def moved(self) -> list[str]:
        """Sentences about boxes that were made for an image of another size.

        >>> IngestCounts({"moved": {"scaled": 3}}).moved()
        ['boxes of 3 images scaled: they were made for another size of the same shape']
        """
        moved = self.numbers.get("moved", {})
        return [f"boxes of {counted(moved[m], 'image')} {_MOVED[m]}" for m in _MOVED if m in moved]

    def cut(self) -> list[str]:
        """A sentence about boxes that were cut, if there are any.

        >>> IngestCounts({"cut": {"boxes": 12, "by_half": 3}}).cut()
        ['12 boxes cut at the border of their image, 3 of them by more than half of their area']
        """
        cut = self.numbers.get("cut")
        if not cut:
            return []
        most = f", {cut['by_half']:,} of them by more than half of their area"
        boxes = counted(cut["boxes"], "box", "boxes")
        return [f"{boxes} cut at the border of their image{most if cut['by_half'] else ''}"]

    def losses(self, dropped: Mapping[str, int]) -> list[str]:
        """Kinds of things of which most was lost.

        Args:
            dropped: Refused records, by reason.
        """
        sentences = []
        images, kept = self._of("images"), self._of("kept")
        if kept and is_most(images - kept, images):
            sentences.append(f"{images - kept:,} of {counted(images, 'image')} were refused")
        seen, boxes = self._of("boxes_seen"), self._of("boxes")
        if is_most(seen - boxes, seen):
            sentences.append(f"{seen - boxes:,} of {seen:,} boxes were refused")
        unknown = dropped.get(Reason.UNKNOWN_IMAGE, 0)
        if is_most(unknown, unknown + self._of("captions") + seen):
            things = counted(unknown, "caption or box", "captions or boxes")
            sentences.append(f"{things} of images that the source does not have")
        return sentences

    def _of(self, key: str) -> int:
        return int(self.numbers.get(key, 0))


def retried_records(note: Mapping[str, int]) -> list[str]:
    """A sentence about the refused records that were tried again.

    Args:
        note: How many `records`, of how many `parts`; of them are `images` now, are refused
            `again`.

    >>> retried_records({"records": 5, "parts": 2, "images": 4, "again": 1})
    ['5 refused records tried again, of 2 parts: 4 came back, 1 refused again']
    """
    others = note["records"] - note["images"] - note["again"]
    said = (
        f"{counted(note['records'], 'refused record')} tried again, of "
        f"{counted(note['parts'], 'part')}: {note['images']:,} came back, "
        f"{note['again']:,} refused again"
    )
    return [f"{said}, {others:,} not refused any more" if others else said]


def several(kind: str, number: int) -> str:
    """A number with a kind whose first noun takes the plural: `2 captions of no image`."""
    first, *rest = _FIRST_NOUN.split(kind, maxsplit=1)
    return counted(number, kind, "".join([first, "s", *rest]))
