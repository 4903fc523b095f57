"""What is known of an audit: its sample, what was told of it, and what follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import catalog
from schemas.audits import AUDITS
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError
from schemas.reviews import REVIEWS
from stages.auditing.findings import THRESHOLDS, Audit
from stages.auditing.journal import Journal
from stages.auditing.verdicts import agreements, decided

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.auditing.estimation import Estimate
    from stages.auditing.verdicts import Agreement, Label

_JOURNALS: Final = "journals"


@dataclass(frozen=True)
class Report:
    """What an audit says.

    Attributes:
        address: Of the sample.
        drawn: Labels in it.
        open: Judged ones of which nobody, or no majority, is sure.
        precision: Of all labels that it was drawn from.
        above: Precision above each threshold of probability.
        strata: By name, in order.
        concepts: By name, the most judged first; those with enough judgements.
        threshold: The lowest with the target above it; None if none.
        target: Asked for.
        more: About how many more judgements narrow the interval to 3 points to each side.
        agreements: Of every two reviewers.
    """

    address: str
    drawn: int
    open: int
    precision: Estimate
    above: dict[float, Estimate]
    strata: dict[str, Estimate]
    concepts: dict[str, Estimate]
    threshold: float | None
    target: float
    more: int
    agreements: list[Agreement]

    @property
    def where(self) -> str | None:
        """The condition that keeps labels of the target precision."""
        return None if self.threshold is None else f"probability > {self.threshold:g}"

    def as_json(self) -> dict[str, Any]:
        """All of it, for machines."""
        return asdict(self) | {"where": self.where}


def journal_path(root: Path, name: str) -> Path:
    """Where what is told of an audit is written, beside the artifacts of a store."""
    return root / _JOURNALS / f"{name}.jsonl"


def report(root: Path, name: str, target: float = 0.9) -> Report:
    """What an audit says so far.

    Args:
        root: The store.
        name: Of the audit.
        target: Precision that a threshold is looked for.

    Raises:
        ArtifactNotFoundError: If there is no such audit.
        ArtifactError: If nothing was told of it.
    """
    artifact = catalog.of_table(root, AUDITS, name)
    sample = _rows(artifact)
    told = _told(root, name, artifact)
    right, unsure = decided(told)
    audit = Audit.of(sample, right)
    if not len(audit.probabilities):
        raise ArtifactError(
            f"no label of audits@{name} was judged right or wrong; do so with 'rc view', page Audit"
        )
    numbered = zip(sample["stratum"].to_pylist(), sample["stratum_name"].to_pylist(), strict=True)
    names = _concept_names(artifact)
    return Report(
        address=artifact.address,
        drawn=sample.num_rows,
        open=unsure,
        precision=audit.precision(),
        above={threshold: audit.above(threshold) for threshold in THRESHOLDS},
        strata={name: audit.of_stratum(number) for number, name in sorted(set(numbered))},
        concepts={names.get(i, str(i)): estimate for i, estimate in audit.of_concepts().items()},
        threshold=audit.threshold_for(target),
        target=target,
        more=audit.more_for(),
        agreements=agreements(told),
    )


def _rows(artifact: Artifact) -> pa.Table:
    (file,) = artifact.files()
    return pq.read_table(file)


def _told(root: Path, name: str, sample: Artifact) -> list[tuple[Label, str, str]]:
    """Label, reviewer and verdict: of the journal, or of closed reviews where it is gone."""
    journal = Journal(journal_path(root, name))
    if journal.path.exists():
        return [((j.image_id, j.region), j.reviewer, j.verdict) for j in journal.last_words()]
    for path in catalog.committed(root, REVIEWS.name):
        reviews = catalog.find(root, f"{REVIEWS.name}/{path.name}")
        if reviews.manifest.inputs.get(AUDITS.name) == sample.address:
            rows = _rows(reviews).to_pylist()
            return [((r["image_id"], r["region"]), r["reviewer"], r["verdict"]) for r in rows]
    return []


def _concept_names(sample: Artifact) -> dict[int, str]:
    concepts = catalog.ancestor(sample, (CONCEPTS.name,))
    if concepts is None:
        return {}
    columns = ["concept_id", "concept"]
    rows = pa.concat_tables(pq.read_table(f, columns=columns) for f in concepts.files())
    return dict(zip(rows["concept_id"].to_pylist(), rows["concept"].to_pylist(), strict=True))
