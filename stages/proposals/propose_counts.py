"""What `rc propose` says at its end: proposals, recall, whose boxes a file has, what was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.quarantine import Reason
from stages.outcome import counted, is_most
from stages.proposals.recall import recall_and_ar100

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ProposeCounts:
    """The counts of all parts together, as the manifest has them.

    Attributes:
        rows: Proposals.
        dropped: Refused records, by reason.
        notes: Of the run.
    """

    rows: int
    dropped: Mapping[str, int]
    notes: Mapping[str, Any]

    def lines(self) -> list[str]:
        """Images, proposals and recall; for a file, how it fits; boxes not used as they are."""
        found = [self._proposals()]
        if self._file:
            found.append(self._matched())
            found += self._about_file()
        if refused := self._refused_boxes():
            found.append(refused)
        return found

    def why_empty(self) -> str:
        """Why there is no proposal."""
        file = self._file
        if not file:
            return self._why_none_is_left()
        if not file["ids"]:
            return f"{file['file']} has no boxes; look at the file, or name another with --from"
        boxes, images = (repr(text) for text in file["example"])
        if file["ids_matched"]:
            return f"{self._why_none_is_left()}; {self._matched()}"
        if file["ids_ambiguous"]:
            return (
                f"{file['file']}: {counted(file['ids_ambiguous'], 'id')} could be several images "
                f"each, such as {boxes}; write them as image_id has them, such as {images}, or say "
                "with --ids whether they are ids of the source's JSON or names"
            )
        return (
            f"no id of {file['file']} is one of ours: boxes are keyed {boxes}, images are named "
            f"{images}; write the name of the image's file, its image_id, or its COCO id"
        )

    def _why_none_is_left(self) -> str:
        """Of raw boxes, whether they could not be used or were not selected."""
        raw = self._of("raw_boxes")
        if not raw:
            return f"{counted(self._images, 'image')} gave no box"
        said = f"of {counted(raw, 'box', 'boxes')} none is a proposal"
        lost = self._of("boxes_not_finite") + self._of("boxes_outside")
        if lost < raw:
            return f"{said}: lower --min-size or --min-objectness"
        return f"{said}: {lost:,} are empty, outside their image, or not finite"

    def losses(self) -> list[str]:
        """Kinds of things of which most was lost."""
        file = self._file
        if not file:
            return []
        sentences = []
        ids, strangers = file["ids"], file["ids"] - file["ids_matched"]
        if is_most(strangers, ids):
            boxes, images = (repr(text) for text in file["example"])
            sentences.append(
                f"{strangers:,} of {ids:,} ids of {file['file']} got no image: boxes are "
                f"keyed {boxes}, images are named {images}"
            )
        refused = self.dropped.get(Reason.AMBIGUOUS_ID, 0)
        if is_most(refused, self._images):
            sentences.append(f"{refused:,} of {self._images:,} images were refused")
        bad = file["bad_records"]
        if is_most(bad, bad + file["boxes"]):
            sentences.append(f"{counted(bad, 'record')} of {file['file']} could not be read")
        lost = self._of("boxes_not_finite") + self._of("boxes_outside")
        if is_most(lost, self._of("raw_boxes")):
            sentences.append(f"{lost:,} of {self._of('raw_boxes'):,} boxes could not be used")
        return sentences

    @property
    def _file(self) -> Mapping[str, Any]:
        """Facts of the file of boxes; empty if they come from elsewhere."""
        facts: Mapping[str, Any] = self.notes.get("localizer", {})
        return facts

    @property
    def _images(self) -> int:
        """Images seen, refused ones too."""
        reasons = (Reason.AMBIGUOUS_ID, Reason.UNREADABLE)
        return self._of("images") + sum(self.dropped.get(reason, 0) for reason in reasons)

    def _of(self, key: str) -> int:
        return int(self.notes.get("boxes", {}).get(key, 0))

    def _proposals(self) -> str:
        each = f" ({self.rows / self._images:.1f} per image)" if self._images else ""
        said = f"{counted(self.rows, 'proposal')} of {counted(self._images, 'image')}{each}"
        if recall := self.notes.get("recall"):
            objects = counted(recall["objects"], "object")
            said += f", recall {recall_and_ar100(recall)[0]:.3f} at IoU 0.5 ({objects})"
        return said

    def _matched(self) -> str:
        """How many images have boxes, and by what they were matched.

        >>> file = {"ids": 1193, "ids_matched": 1190, "ids_ambiguous": 0, "file": "b.json"}
        >>> notes = {"localizer": file, "boxes": {"images": 1204}, "matched_by": {"COCO id": 1190}}
        >>> print(ProposeCounts(1, {}, notes)._matched())  # doctest: +NORMALIZE_WHITESPACE
        1,190 of 1,204 images have boxes: 1,190 by COCO id; 14 have none; 3 ids of b.json match no
        image
        """
        file, ways = self._file, self.notes.get("matched_by", {})
        have = sum(ways.values())
        refused = self.dropped.get(Reason.AMBIGUOUS_ID, 0)
        said = f"{have:,} of {counted(self._images, 'image')} have boxes"
        if ways:
            said += ": " + ", ".join(f"{number:,} by {way}" for way, number in sorted(ways.items()))
        if none := self._images - have - refused:
            said += f"; {none:,} {'has' if none == 1 else 'have'} none"
        if refused:
            said += f"; {refused:,} refused, since it is unclear which boxes are their own"
        strangers = file["ids"] - file["ids_matched"] - file["ids_ambiguous"]
        if strangers:
            verb = "matches" if strangers == 1 else "match"
            said += f"; {counted(strangers, 'id')} of {file['file']} {verb} no image"
        return said

    def _about_file(self) -> list[str]:
        file, said = self._file, []
        if not file["has_scores"]:
            said.append(f"{file['file']} has no scores, so every objectness is 1")
        if file["bad_records"]:
            said.append(f"{counted(file['bad_records'], 'record')} of {file['file']} not read")
        return said

    def _refused_boxes(self) -> str:
        """Of the raw boxes: what was cut, and what was left out before or by the selection."""
        kinds = {
            "boxes_cut": "cut at the border of their image",
            "boxes_outside": "empty or outside it",
            "boxes_not_finite": "without finite numbers or score",
        }
        counts = [f"{self._of(key):,} {what}" for key, what in kinds.items() if self._of(key)]
        lost = self._of("boxes_outside") + self._of("boxes_not_finite")
        if passed := self._of("raw_boxes") - lost - self.rows:
            counts.append(f"{passed:,} left out by --nms, --top-k, --min-size or --min-objectness")
        if not counts or not self._file:
            return ""
        return f"of {counted(self._of('raw_boxes'), 'box', 'boxes')}, {', '.join(counts)}"
