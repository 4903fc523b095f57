"""Select: the pseudo-labels worth keeping, as an artifact with a name and a lineage.

What is selected is a table of pseudo-labels like any other, and all of it counts as kept: training,
export and SQL take it in place of the one it was chosen from, by its address or as
`pseudo_labels@NAME`, but never unless it is named. Labels of images that show what another set
shows, such as an evaluation set, may be left out besides (`--without duplicates@…`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow.compute as pc

from schemas.duplicates import DUPLICATES
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.suspicions import SUSPICIONS
from stages.artifact_name import check_artifact_name
from stages.base import Part, Reads, Stage, each, option
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Select(Stage):
    """Keep pseudo-labels by a SQL condition, under a name."""

    called: str = option("", "what to call the selection", flag="NAME")
    where: str | None = option("kept", "SQL condition on pseudo_labels: those to keep")

    name: ClassVar[str] = "select"
    everyday: ClassVar[tuple[str, ...]] = ("where", "without")
    example: ClassVar[str] = 'rc select sure --where "probability > 0.5"'
    version: ClassVar[int] = 2
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where", beside="suspicions"),
        "suspicions": each(SUSPICIONS, optional=True, named=True),
        "without": each(DUPLICATES, optional=True, named=True, apart=True),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS
    unit: ClassVar[str] = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_artifact_name(self.name, self.called, "a selection")

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the rows for which the condition holds; `kept` is true of each."""
        duplicates = part.table("without")["image_id"] if part.has("without") else None
        if (similarity := part.noted("pseudo_labels", "similarity")) is not None:
            part.note("similarity", similarity)  # how the probabilities were made
        count = 0
        left_out = LabelsLeftOut()
        for read in part.batches("pseudo_labels"):  # under a condition, so all of them are kept
            rows = read if duplicates is None else left_out.of(read, duplicates)
            count += rows.num_rows
            part.advance(read.num_rows)
            yield rows
        part.count("regions", {"regions": count, "kept": count})
        if duplicates is not None:
            part.count("left_out", left_out.counts())

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many labels were selected."""
        line = f"{counted(result.rows, 'label')} selected as {self.called}"
        empty = None if result.rows else f"no label was selected: --where {self.where}"
        if left_out := result.notes.get("left_out"):
            images = counted(left_out["images"], "image")
            said = f"{counted(left_out['labels'], 'label')} of {images} left out as duplicates"
            line, empty = f"{line}; {said}", empty and f"{empty}; {said}"
        return Outcome([line], empty)


class LabelsLeftOut:
    """Labels of some images, taken from others and counted."""

    def __init__(self) -> None:
        self._labels = 0
        self._images: set[str] = set()

    def of(self, rows: pa.RecordBatch, images: pa.ChunkedArray) -> pa.RecordBatch:
        """The rows that are of none of these images."""
        theirs = pc.is_in(rows.column("image_id"), value_set=images)
        out = rows.column("image_id").filter(theirs)
        self._labels += len(out)
        self._images.update(out.to_pylist())
        return rows.filter(pc.invert(theirs))

    def counts(self) -> dict[str, int]:
        """How many labels were left out, and of how many images."""
        return {"labels": self._labels, "images": len(self._images)}
