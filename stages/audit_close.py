"""Audit: what was told of a sample, as an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from schemas.audits import AUDITS
from schemas.errors import OptionError
from schemas.reviews import REVIEWS
from stages.auditing.journal import Journal, time_of
from stages.base import Part, Reads, Stage, option, whole
from stages.outcome import Outcome, Result, counted
from stages.sources.files import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class AuditClose(Stage):
    """Make an artifact of what was judged.

    It can go on after that, and be closed again.
    """

    called: str = option("", "of the audit", flag="NAME")
    journal: Path = option(Path(), "what was told", recipe=False)

    name: ClassVar[str] = "audit close"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"audits": whole(AUDITS)}
    writes: ClassVar[Table] = REVIEWS
    single_task: ClassVar[bool] = True

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the journal."""
        if not self.journal.is_file():
            raise OptionError(
                f"no label of audits@{self.called} was judged yet (there is no {self.journal}): "
                f"judge some with 'rc view', page Audit"
            )
        return {"journal": file_digest(str(self.journal))}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the last word of each reviewer about each label.

        Raises:
            ArtifactError: If something was told of a label that was not drawn, or cannot be read.
        """
        sample = part.table("audits")
        told = Journal(self.journal).last_words_of(sample)
        part.note("drawn", sample.num_rows)
        part.note("judged", len({(j.image_id, j.region) for j in told}))
        columns = ("image_id", "region", "concept_id", "verdict", "concept", "reviewer")
        values = {name: [getattr(j, name) for j in told] for name in columns}
        no_box = dict.fromkeys(("x0", "y0", "x1", "y1"), [None] * len(told))
        yield REVIEWS.batch({**values, **no_box, "time": [time_of(j) for j in told]})

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many of how many were judged."""
        notes = result.notes
        said = f"{notes.get('judged', 0):,} of {notes.get('drawn', 0):,} labels judged"
        return Outcome(
            [f"{said}, in {counted(result.rows, 'review')}"], None if result.rows else said
        )
