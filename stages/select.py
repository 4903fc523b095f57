"""Select: the pseudo-labels worth keeping, as an artifact with a name and a lineage.

What is selected is a table of pseudo-labels like any other, and all of it counts as kept: training,
export and SQL take it in place of the one it was chosen from, by its address or as
`pseudo_labels@NAME`, but never unless it is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
    everyday: ClassVar[tuple[str, ...]] = ("where",)
    example: ClassVar[str] = 'rc select sure --where "probability > 0.5"'
    version: ClassVar[int] = 2
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where", beside="suspicions"),
        "suspicions": each(SUSPICIONS, optional=True, named=True),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS
    unit: ClassVar[str] = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_artifact_name(self.name, self.called, "a selection")

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the rows for which the condition holds; `kept` is true of each."""
        if (similarity := part.noted("pseudo_labels", "similarity")) is not None:
            part.note("similarity", similarity)  # how the probabilities were made
        count = 0
        for rows in part.batches("pseudo_labels"):
            count += rows.num_rows
            part.advance(rows.num_rows)
            yield rows  # read under a condition, so all of them are kept
        part.count("regions", {"regions": count, "kept": count})

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many labels were selected."""
        empty = None if result.rows else f"no label was selected: --where {self.where}"
        return Outcome([f"{counted(result.rows, 'label')} selected as {self.called}"], empty)
