"""What is known of an audit: its sample, what was told of it, and what follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import catalog
from pipeline.store.atomic import flush_folder, make_folder
from pipeline.store.journals import journal_path
from schemas.audits import AUDITS
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError
from schemas.reviews import REVIEWS
from stages.auditing.findings import THRESHOLDS, Audit
from stages.auditing.journal import Journal
from stages.auditing.verdicts import agreements, decided

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.auditing.estimation import Estimate
    from stages.auditing.journal import Judgement, Marks
    from stages.auditing.verdicts import Agreement, Label

    Told = tuple[Label, str, str]  # what one reviewer says of one label


@dataclass(frozen=True)
class Progress:
    """How far an audit is.

    Attributes:
        drawn: Labels in it.
        judged: Those that somebody judged.
        open: Judged ones of which nobody, or no majority, is sure.
        precision: Of all labels that it was drawn from.
    """

    drawn: int
    judged: int
    open: int
    precision: Estimate

    @classmethod
    def of(cls, sample: pa.Table, told: list[Told]) -> Progress:
        """Of the rows of an audit, and what was told of them."""
        right, unsure = decided(told)
        precision = Audit.of(sample, right).precision()
        return cls(sample.num_rows, len(right) + unsure, unsure, precision)


@dataclass(frozen=True)
class AuditReport:
    """What an audit says.

    Attributes:
        address: Of the sample.
        progress: How far it is, and the precision of all labels.
        above: Precision above each threshold of probability.
        strata: By name, in order.
        concepts: By name, the most judged first; those with enough judgements.
        threshold: The lowest with the target above it; None if none.
        target: Asked for.
        more: About how many more judgements narrow the interval to 3 points to each side.
        agreements: Of every two reviewers.
    """

    address: str
    progress: Progress
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

    def threshold_sentence(self) -> str:
        """Which threshold has the precision that was asked for."""
        if self.where is None:
            return f"no threshold of probability has a precision of {self.target:g} for sure"
        return f"precision at least {self.target:g} (at 95 %): --where '{self.where}'"

    def as_json(self) -> dict[str, Any]:
        """All of it, for machines."""
        return asdict(self) | {"where": self.where}


def write_down(root: Path, name: str, judgement: Judgement) -> None:
    """Append to the journal of an audit; it is on the disk when this returns.

    Raises:
        OSError: If it cannot be written.
    """
    append(journal_path(root, name), judgement)


def append(path: Path, told: Judgement | Marks) -> None:
    """Append to a journal of the store; it is on the disk when this returns.

    Raises:
        OSError: If it cannot be written.
        OptionError: If earlier marks are of other labels.
    """
    make_folder(path.parent)
    Journal(path).append(told)
    flush_folder(path.parent)  # each time: another process may have made the file just now


def sample_of(artifact: Artifact) -> pa.Table:
    """The rows of an audit, in the order to judge them."""
    (file,) = artifact.files()
    return pq.read_table(file).sort_by("place")


def told_of(root: Path, artifact: Artifact, sample: pa.Table) -> list[Told]:
    """What was told of an audit: by its journal, or by closed reviews where that is gone.

    Raises:
        ArtifactError: If the journal is of another audit, or cannot be read.
    """
    journal = Journal(journal_path(root, catalog.selected(artifact)))
    if journal.path.exists():
        told = journal.last_words_of(sample)
        return [((j.image_id, j.region), j.reviewer, j.verdict) for j in told]
    for reviews in reversed(catalog.everything(root)):
        made_from = reviews.manifest.inputs.get(AUDITS.name)
        if reviews.manifest.artifact == REVIEWS.name and made_from == artifact.address:
            rows = [row for file in reviews.files() for row in pq.read_table(file).to_pylist()]
            return [((r["image_id"], r["region"]), r["reviewer"], r["verdict"]) for r in rows]
    return []


def concept_names(artifact: Artifact) -> dict[int, str]:
    """Names of the concepts of the labels that an audit was drawn from, by id, if still there."""
    pool = catalog.ancestor(artifact, (CONCEPT_EMBEDDINGS.name,))
    if pool is None:
        return {}
    columns = ["concept_id", "concept"]
    rows = pa.concat_tables(pq.read_table(f, columns=columns) for f in pool.files())
    return dict(zip(rows["concept_id"].to_pylist(), rows["concept"].to_pylist(), strict=True))


def audit_report(root: Path, name: str, target: float = 0.9) -> AuditReport:
    """What an audit says so far.

    Args:
        root: The store.
        name: Of the audit.
        target: Precision that a threshold is looked for.

    Raises:
        ArtifactNotFoundError: If there is no such audit.
        ArtifactError: If nothing was told of it, or its journal is not of it.
    """
    artifact = catalog.of_table(root, AUDITS, name)
    sample = sample_of(artifact)
    told = told_of(root, artifact, sample)
    audit = Audit.of(sample, decided(told)[0])
    if not len(audit.probabilities):
        raise ArtifactError(
            f"no label of {artifact.address} was judged right or wrong; do so with 'rc view', "
            f"page Audit"
        )
    names = concept_names(artifact)
    return AuditReport(
        address=artifact.address,
        progress=Progress.of(sample, told),
        above={threshold: audit.above(threshold) for threshold in THRESHOLDS},
        strata={name: audit.of_stratum(number) for number, name in _strata(sample, names)},
        concepts={names.get(i, str(i)): estimate for i, estimate in audit.of_concepts().items()},
        threshold=audit.threshold_for(target),
        target=target,
        more=audit.more_for(),
        agreements=agreements(told),
    )


def _strata(sample: pa.Table, names: dict[int, str]) -> list[tuple[int, str]]:
    """Number and name of each stratum in order; one of a concept is called as the concept."""
    numbered = zip(sample["stratum"].to_pylist(), sample["stratum_name"].to_pylist(), strict=True)
    return [
        (number, names.get(int(name), name) if name.isdecimal() else name)
        for number, name in sorted(set(numbered))
    ]
