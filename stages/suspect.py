"""Suspect: score each pseudo-label by how likely it is at fault, without ground truth.

Each part is scored alone, by what one pass over all labels says of them: a sample of kept labels to
compare regions with, counts and shapes of boxes by concept. Its size does not depend on the number
of labels. Which signals there are, and what they weigh, is in `stages.suspicion.signals`.

Shapes: R labels, C concepts.

Source: kinds of fault as in ObjectLab (Tkachenko et al., arXiv:2309.00832); labels of the nearest
features as in Zhu et al. (arXiv:2110.06283); hubs as in Radovanovic et al. (JMLR 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError, OptionError
from schemas.features import FEATURES
from schemas.mentions import MENTIONS
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.suspicions import MISPLACED, OVERLOOKED, SUSPICIONS, SWAPPED
from schemas.table import as_matrix
from stages.base import Part, Reads, Stage, each, option, whole
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    import torch
    from numpy.typing import NDArray

    from schemas.table import Table
    from stages.suspicion.aligned_rows import AlignedRows
    from stages.suspicion.label_signals import Evidence, LabelRows
    from stages.suspicion.label_survey import LabelSurvey
    from stages.suspicion.reference_regions import ReferenceRegions

    # a survey, references if there are features, share of images that mention each concept
    _Global = tuple[LabelSurvey, ReferenceRegions | None, NDArray[np.float64]]

_ROWS: Final = 4096  # about as many labels at a time
_SURE: Final = 0.5  # suspicion above which labels are counted for the summary


@dataclass(frozen=True, kw_only=True)
class Suspect(Stage):
    """Score pseudo-labels by how likely each is at fault.

    From what needs no ground truth: the teacher's doubts, the most similar regions, captions, other
    boxes of the image and of the concept, and other labels (--against). It sorts labels; how many
    are right, an audit says.
    """

    neighbours: int = option(16, "most similar regions of other images that count", at_least=1)
    references: int = option(
        20_000, "kept labels, chosen at random, that regions are compared with", at_least=1
    )
    seed: int = option(0, "of the choice of references")

    name: ClassVar[str] = "suspect"
    everyday: ClassVar[tuple[str, ...]] = ("pseudo_labels", "against")
    example: ClassVar[str] = "rc suspect --against pseudo_labels@3f9c"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, everywhere=True),
        "features": each(FEATURES, optional=True, everywhere=True),
        "mentions": each(CONCEPTS, drafts=MENTIONS, optional=True, everywhere=True),
        "embeddings": whole(CONCEPT_EMBEDDINGS),
        "against": each(PSEUDO_LABELS, optional=True, named=True, apart=True),
    }
    writes: ClassVar[Table] = SUSPICIONS
    unit: ClassVar[str] = "regions"

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per pseudo-label.

        Raises:
            OptionError: If the other labels are the same.
            ArtifactError: If no label is kept, or labels, features and embeddings do not belong
                together.
        """
        from stages.models import device

        if part.has("against") and part.is_same("pseudo_labels", "against"):
            raise OptionError(
                "rc suspect: --against names the labels themselves, which agree with themselves; "
                "name others of the same regions, or leave it out"
            )
        device.set_threads(self.threads)
        device.deterministic()
        where = device.resolve(self.device)
        evidence = self._evidence(part, where)
        part.note("without", [role for role in _OPTIONAL if not part.has(role)])
        for rows, counts in device.in_order(_labels(part), partial(_scored, evidence), where):
            part.count("labels", counts)
            part.advance(rows.num_rows)
            yield rows

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many labels, what is suspected of them, what was not known."""
        counts = result.notes.get("labels", {})
        if not counts:
            return super().outcome(result)
        suspected = ", ".join(f"{counts[fault]:,} {fault}" for fault in _FAULTS)
        line = (
            f"{counted(result.rows, 'label')} scored, {counts['kept']:,} of them kept; "
            f"suspicion above {_SURE}: {suspected}"
        )
        lines = [line]
        if counts["missing"]:
            lines.append(
                f"{counted(counts['missing'], 'mention')} of a concept that no kept region of the "
                f"image has; for {counts['candidates']:,} of them a region is a candidate"
            )
        lines += [_OPTIONAL[role] for role in result.notes.get("without", ())]
        return Outcome(lines)

    def _evidence(self, part: Part, where: torch.device) -> Evidence:
        from stages.labelling.concept_pool import ConceptPool
        from stages.labelling.near_synonyms import centred
        from stages.suspicion.caption_mentions import CaptionMentions, ids_by_name
        from stages.suspicion.label_signals import Evidence

        pool = ConceptPool.read(part.table("embeddings"), where)
        index = ids_by_name(pool.names, pool.ids)
        concepts = int(pool.ids.max()) + 1
        vectors = np.zeros((concepts, pool.embeddings.shape[1]), np.float32)
        vectors[pool.ids] = centred(pool.embeddings.cpu().numpy())
        survey, references, base = self._global(part, index, concepts, where)
        mentions = None
        if part.has("mentions"):
            mentions = CaptionMentions(part.batches("mentions"), index)
        return Evidence(survey, references, mentions, base, vectors, self.neighbours)

    def _global(
        self, part: Part, index: dict[str, int], concepts: int, where: torch.device
    ) -> _Global:
        """What all parts have in common; kept for the next part of this process."""
        from stages.suspicion.caption_mentions import CaptionMentions
        from stages.suspicion.label_survey import COLUMNS, survey
        from stages.suspicion.reference_regions import ReferenceRegions

        roles = ("pseudo_labels", "features", "mentions", "embeddings")
        key = (self.recipe(), where, [part.fingerprint(r) for r in roles if part.has(r)])
        if _latest and _latest[0][0] == key:
            return _latest[0][1]
        labels = part.everywhere("pseudo_labels", COLUMNS)
        found = survey(labels, concepts, self.references, self.seed)
        references = None
        if part.has("features"):
            features = part.everywhere("features", ("image_id", "region", "feature"))
            references = ReferenceRegions(found.sample, features, where)
        base = np.zeros(concepts)
        if part.has("mentions"):
            images = set(found.sample.column("image_id").to_pylist())
            rows = part.everywhere("mentions", ("image_id", "concept"))
            mentions = CaptionMentions(rows, index, images)
            base = mentions.shares(images, concepts)
            if references is not None:
                references.set_mentions(mentions)
        _latest[:] = [(key, (found, references, base))]
        return found, references, base


_latest: list[tuple[Any, _Global]] = []
_FAULTS: Final = (SWAPPED, MISPLACED, OVERLOOKED)
_OPTIONAL: Final = {  # inputs, and what is not known without them
    "features": "without features (rc label --from-images stores none; or name --features): no "
    "label is compared with similar regions",
    "mentions": "without mentions: near-synonyms, and concepts without a region, are not known",
    "against": "without --against: nobody else was asked; the labels of another teacher, or of a "
    "student, would say more",
}
_OTHERS: Final = ["image_id", "region", "top_ids", "top_probabilities"]


def _labels(part: Part) -> Iterator[LabelRows]:
    """The labels of a part, whole images at a time, with features and other labels."""
    from stages.labelling.image_tables import whole_images
    from stages.suspicion.aligned_rows import AlignedRows, image_order
    from stages.suspicion.label_signals import LabelRows

    order = image_order(part.batches("pseudo_labels"))
    features = others = None
    if part.has("features"):
        features = AlignedRows(part.batches("features"), order)
    if part.has("against"):
        others = AlignedRows((rows.select(_OTHERS) for rows in part.batches("against")), order)
    for rows in whole_images(part.batches("pseudo_labels"), _ROWS):
        matrix = None if features is None else _matrix(features, rows)
        other, has_other = others.of(rows) if others else (None, np.zeros(rows.num_rows, bool))
        yield LabelRows(rows, matrix, other, has_other)


def _matrix(features: AlignedRows, labels: pa.Table) -> NDArray[Any]:
    """The features (R, D) of R labels."""
    rows, found = features.of(labels)
    if rows is None or not found.all():
        row = int(np.flatnonzero(~found)[0])
        image, region = labels.column("image_id")[row], labels.column("region")[row]
        raise ArtifactError(
            f"region {region} of image {image} has a label and no feature: name the features that "
            "the labels were made from, by --features"
        )
    return as_matrix(rows, "feature")


def _scored(evidence: Evidence, labels: LabelRows) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Rows of suspicions, and counts for the summary."""
    from stages.suspicion.label_signals import signals_of
    from stages.suspicion.signals import combine, reasons

    rows = labels.rows
    found = signals_of(labels, evidence)
    kept = rows.column("kept").to_numpy()
    reviewed = rows.column("reviewed").is_valid().to_numpy(zero_copy_only=False)
    scores = combine(found.values, kept, reviewed)
    columns = {name: rows.column(name) for name in ("image_id", "region", "concept_id")}
    parts = {name: getattr(scores, name) for name in ("suspicion", *_FAULTS)}
    batch = SUSPICIONS.batch(
        {
            **columns,
            **{name: _nullable(values) for name, values in (parts | found.values).items()},
            "fault": scores.fault.tolist(),
            "reasons": reasons(found.values, scores),
            "instead_id": found.instead,
        }
    )
    sure = scores.suspicion > _SURE
    counts = {fault: int((sure & (scores.fault == fault)).sum()) for fault in _FAULTS}
    candidates = int((found.values["unmet"] == 1).sum())
    more = {"kept": int(kept.sum()), "missing": found.missing, "candidates": candidates}
    return batch, {**counts, **more}


def _nullable(values: NDArray[np.float64]) -> pa.Array:
    """NaN as null."""
    import pyarrow as pa

    return pa.array(values.astype(np.float32), mask=np.isnan(values))
