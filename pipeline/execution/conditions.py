"""Which rows of an input take part: the one place where a stage's `--where` is decided.

Of what a stage reads under a condition, the column `kept` says one thing: whether the condition
holds. It decides by what it means, not by how it is written, so `kept` and `kept = true` are one.

* Rows for which the condition holds are read, and `kept` is true of each. No condition holds for
  every row. Where the stage reads reviews (`Reads.decided`), rows that people reviewed are read
  too, for it to decide; `kept` says whether the condition holds for them.
* A stage may fall back on the other rows where none takes part (`Reads.fallback`; the published
  code does, in a batch without a sure region). They are read too, `kept` being false of each, but
  only if the condition means `kept` itself: who asks for other rows gets no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline import sql
from pipeline.store.artifact import stream
from pipeline.store.warning import warn
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.store.artifact import Artifact
    from stages.base import Reads, Stage


def check_condition(
    stage: Stage, reads: Reads, artifact: Artifact, inputs: Mapping[str, Artifact]
) -> None:
    """Pass if a stage reads an input without a condition, or with one that leaves some rows.

    If it leaves none, but the stage falls back on the others, that is said.
    Of the inputs of the stage, one may have more columns for the condition, and one what people
    decided.

    Raises:
        QueryError: If the condition is not one, or holds for no row.
    """
    condition = _condition(stage, reads)
    beside, reviews = _others(reads, inputs)
    if condition is None or sql.any_match(artifact, condition, beside, reviews=reviews):
        return
    if not _falls_back(reads, condition):
        raise QueryError(f"--where holds for no row of {artifact.address}: {condition}")
    warn(f"no row of {artifact.address} is kept, so rc {stage.name} takes all of them")


def rows_taking_part(
    stage: Stage,
    reads: Reads,
    artifact: Artifact,
    number: int,
    inputs: Mapping[str, Artifact],
) -> Iterator[pa.RecordBatch]:
    """Rows of one part of an input, as the rules of this module have it."""
    condition = _condition(stage, reads)
    if condition is not None and not _falls_back(reads, condition):
        beside, reviews = _others(reads, inputs)
        yield from sql.matching(artifact, number, condition, beside, reviews=reviews)
        return
    for rows in stream([artifact.part(number, drafts=reads.drafts is not None)]):
        yield _all_kept(rows) if reads.where and condition is None else rows


def _others(
    reads: Reads, inputs: Mapping[str, Artifact]
) -> tuple[Artifact | None, Artifact | None]:
    """What a condition may use, and what decides besides it, of the inputs."""
    beside = inputs.get(reads.beside) if reads.beside else None
    return beside, inputs.get(reads.decided) if reads.decided else None


def _condition(stage: Stage, reads: Reads) -> str | None:
    return getattr(stage, reads.where) if reads.where else None


def _falls_back(reads: Reads, condition: str) -> bool:
    return reads.fallback and sql.means_kept(condition)


def _all_kept(rows: pa.RecordBatch) -> pa.RecordBatch:
    index = rows.schema.get_field_index("kept")
    kept = pa.array([True] * rows.num_rows, pa.bool_())
    return rows.set_column(index, rows.schema.field(index), kept)
