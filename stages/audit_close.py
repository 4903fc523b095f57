"""Audit: what was told of a sample, or marked in bulk, as an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from schemas.audits import AUDITS
from schemas.errors import ArtifactError, OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.reviews import REVIEWS
from stages.auditing.journal import Journal, time_of
from stages.base import Part, Reads, Stage, option, whole
from stages.labelling.known_labels import ABOUT, first_unknown
from stages.outcome import Outcome, Result, counted
from stages.sources.files import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schemas.table import Table
    from stages.auditing.journal import Judgement


@dataclass(frozen=True, kw_only=True)
class AuditClose(Stage):
    """Make an artifact of what was judged.

    It can go on after that, and be closed again.
    """

    called: str = option("", "of the audit, or of marks", flag="NAME")
    journal: Path = option(Path(), "what was told", recipe=False)
    marked: bool = option(False, "in bulk, not in an audit", recipe=False)

    name: ClassVar[str] = "audit close"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "audits": whole(AUDITS),
        "pseudo_labels": whole(PSEUDO_LABELS, everywhere=True),
    }
    writes: ClassVar[Table] = REVIEWS
    single_task: ClassVar[bool] = True

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: the sample, or the labels that were marked."""
        role = "pseudo_labels" if self.marked else "audits"
        return {role: self.reads[role]}

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
            ArtifactError: If something was told of another label, or cannot be read.
        """
        told = self._marked(part) if self.marked else self._judged(part)
        part.note("judged", len({(j.image_id, j.region) for j in told}))
        columns = ("image_id", "region", "concept_id", "verdict", "concept", "reviewer")
        values = {name: [getattr(j, name) for j in told] for name in columns}
        no_box = dict.fromkeys(("x0", "y0", "x1", "y1"), [None] * len(told))
        yield REVIEWS.batch({**values, **no_box, "time": [time_of(j) for j in told]})

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many of how many were judged."""
        judged, drawn = (result.notes.get(key, 0) for key in ("judged", "drawn"))
        said = f"{judged:,} of {drawn:,} labels judged"
        if self.marked:
            said = f"{counted(judged, 'label')} marked"
        return Outcome(
            [f"{said}, in {counted(result.rows, 'review')}"], None if result.rows else said
        )

    def _judged(self, part: Part) -> list[Judgement]:
        sample = part.table("audits")
        part.note("drawn", sample.num_rows)
        return Journal(self.journal).last_words_of(sample)

    def _marked(self, part: Part) -> list[Judgement]:
        told = Journal(self.journal).last_words()
        images = pa.array(
            [judgement.image_id for judgement in told], pa.string()
        ).dictionary_encode()
        regions, concepts = np.array([(j.region, j.concept_id) for j in told]).reshape(-1, 2).T
        rows = part.everywhere("pseudo_labels", ABOUT)
        places = images.indices.to_numpy()
        unknown = first_unknown(images.dictionary, places, regions, concepts, rows)
        if unknown is not None:
            raise ArtifactError(
                f"{self.journal} is not of these pseudo_labels: they have no region "
                f"{told[unknown].region} of {told[unknown].image_id!a} with that concept"
            )
        return told
