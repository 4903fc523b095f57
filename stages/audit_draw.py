"""Audit: draw pseudo-labels at random, so that judging a few hundred says how right all are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pyarrow as pa

from schemas.audits import AUDITS
from schemas.errors import ArtifactError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.suspicions import SUSPICIONS
from stages.artifact_name import check_artifact_name
from stages.auditing import random_order
from stages.auditing.allocation import allocate
from stages.auditing.label_strata import Sorted, label_strata
from stages.auditing.sample import StratifiedSample
from stages.base import Part, Reads, Stage, each, option
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from schemas.table import Table
    from stages.auditing.strata import Strata


@dataclass(frozen=True, kw_only=True)
class AuditDraw(Stage):
    """Draw pseudo-labels at random, to be judged.

    More of those that a caption mentions, of which more are right; how likely each was to be drawn
    is recorded. The same name and seed with a larger --size contains the smaller sample.
    """

    called: str = option("", "what to call the audit", flag="NAME")
    size: int = option(400, "labels to draw", at_least=2)
    by: Sorted = option(
        "objectness",
        "what labels are sorted by into strata, of each of which some are drawn; but for concept, "
        "those that a caption mentions are apart; size: of the box",
    )
    strata: int = option(10, "at most so many", at_least=1)
    where: str | None = option(None, "SQL condition on pseudo_labels: those to draw from")
    seed: int = option(0, "of the sample")

    name: ClassVar[str] = "audit draw"
    everyday: ClassVar[tuple[str, ...]] = ("pseudo_labels", "size", "by", "where")
    example: ClassVar[str] = "rc audit draw first --size 200"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where", beside="suspicions"),
        "suspicions": each(SUSPICIONS, optional=True, named=True),
    }
    writes: ClassVar[Table] = AUDITS
    single_task: ClassVar[bool] = True
    unit: ClassVar[str] = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_artifact_name(self.name, self.called, "an audit")

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the labels drawn, in the order to judge them.

        Raises:
            ArtifactError: If there are none, or fewer are to be drawn than strata need.
        """
        counter = label_strata(self.by)
        total = 0
        for rows in _all_rows(part):
            counter.add(rows)
            total += rows.num_rows
        if not total:
            raise ArtifactError(f"there is no label to draw from: --where {self.where}")
        strata = counter.divide(self.strata)
        try:
            drawn = allocate(strata.sizes, strata.deviations, self.size)
        except ValueError as error:
            raise ArtifactError(f"{error}: raise --size or lower --strata") from None
        sample = StratifiedSample(drawn)
        for rows in _all_rows(part):
            names = rows.column("image_id").to_pylist()
            regions = rows.column("region").to_numpy(zero_copy_only=False)
            numbers = random_order.numbers(self.seed, names, regions)
            sample.add(rows.select(_COLUMNS), counter.strata(rows), numbers)
            part.advance(rows.num_rows)
        part.note("labels", total)
        yield _rows(*sample.rows(), strata, drawn)

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many of how many were drawn."""
        labels = result.notes.get("labels", 0)
        return Outcome(
            [
                f"{counted(result.rows, 'label')} of {labels:,} drawn as {self.called}",
                f"judge them: rc view, then Audit; what they say: rc audit report {self.called}",
            ]
        )


_COLUMNS: Final = ["image_id", "region", "concept_id", "probability", "x0", "y0", "x1", "y1"]


def _all_rows(part: Part) -> Iterator[pa.RecordBatch]:
    for piece in part.slices():
        yield from piece.batches("pseudo_labels")


def _rows(
    chosen: pa.Table, places: NDArray[np.int64], strata: Strata, drawn: NDArray[np.int64]
) -> pa.RecordBatch:
    labels = strata.sizes[places]
    columns = {name: chosen.column(name) for name in _COLUMNS}
    return AUDITS.batch(
        {
            **columns,
            "place": np.arange(len(places)),
            "stratum": places,
            "stratum_name": [strata.names[place] for place in places.tolist()],
            "stratum_labels": labels,
            "stratum_drawn": drawn[places],
            "inclusion": drawn[places] / labels,
        }
    )
