"""Select: the pseudo-labels worth keeping, as an artifact with a name and a lineage.

What is selected is a table of pseudo-labels like any other, and all of it counts as kept: training,
export and SQL take it in place of the one it was chosen from, by its address or as
`pseudo_labels@NAME`, but never unless it is named. Labels of images that show what another set
shows, such as an evaluation set, may be left out besides (`--without duplicates@…`). What people
decided (`--reviews reviews@…`) goes before everything else: labels that they call wrong leave,
those that they renamed or moved are renamed or moved, and those that they decided are in, whatever
the condition says. Rules in a file (`--rules`) are about the labels that nobody reviewed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow.compute as pc

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.duplicates import DUPLICATES
from schemas.errors import ArtifactError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.reviews import REVIEWS
from schemas.suspicions import SUSPICIONS
from stages.artifact_name import check_artifact_name
from stages.base import Part, Reads, Stage, each, option, whole
from stages.outcome import Outcome, Result, counted
from stages.selecting.decisions import Decisions, decisions
from stages.selecting.reviewed_labels import ReviewedLabels
from stages.selecting.rules_file import LabelRules, read_rules
from stages.selecting.rules_on_labels import RulesOnLabels
from stages.sources.name_checks import quoted_first, quoted_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Select(Stage):
    """Keep pseudo-labels by a SQL condition, under a name."""

    called: str = option("", "what to call the selection", flag="NAME")
    where: str | None = option("kept", "SQL condition on pseudo_labels: those to keep")
    rules: Path | None = option(
        None,
        "file (TOML) of concepts to rename, never to keep, or to tell apart; see docs/trust.md",
        recipe=False,
    )

    name: ClassVar[str] = "select"
    everyday: ClassVar[tuple[str, ...]] = ("where", "reviews", "rules", "without")
    example: ClassVar[str] = 'rc select sure --where "probability > 0.5"'
    version: ClassVar[int] = 3
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where", beside="suspicions", decided="reviews"),
        "suspicions": each(SUSPICIONS, optional=True, named=True),
        "reviews": whole(REVIEWS, optional=True, named=True),
        "embeddings": whole(CONCEPT_EMBEDDINGS, optional=True),
        "without": each(DUPLICATES, optional=True, named=True, apart=True),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS
    unit: ClassVar[str] = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_artifact_name(self.name, self.called, "a selection")

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of the rules."""
        rules = self._rules()
        return {"rules": hashlib.sha256(repr(rules).encode()).hexdigest()} if rules else {}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the rows for which the condition holds, as people and rules have them, all kept.

        Raises:
            ArtifactError: If names are needed, and the concepts are not in the store any more.
            OptionError: If a rule has a name that labels cannot have.
        """
        duplicates = part.table("without")["image_id"] if part.has("without") else None
        similarity = part.noted("pseudo_labels", "similarity")
        if similarity is not None:
            part.note("similarity", similarity)  # how the probabilities were made
        rules = self._rules()
        pool = _pool(part) if rules or part.has("reviews") else {}
        decided = _decisions(part, pool) if part.has("reviews") else None
        reviewed = ReviewedLabels(decided) if decided else None
        exclusive = (similarity or {}).get("probability") != "sigmoid"
        ruled = RulesOnLabels(rules, pool, exclusive=exclusive) if rules else None
        left_out = LabelsLeftOut()
        count = 0
        for read in part.batches("pseudo_labels"):  # kept, or reviewed
            rows = read if duplicates is None else left_out.of(read, duplicates)
            rows = reviewed.of(rows) if reviewed else rows
            rows = ruled.of(rows) if ruled else rows
            count += rows.num_rows
            part.advance(read.num_rows)
            yield rows
        part.count("regions", {"regions": count, "kept": count})
        if duplicates is not None:
            part.count("left_out", left_out.counts())
        if decided and reviewed:
            part.note("reviews", decided.note())
            part.count("reviewed", reviewed.counts())
        if ruled:
            part.note("unknown_rules", ruled.unknown)
            part.count("ruled", {**ruled.counts(), "too short": int(ruled.too_short)})

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many labels were selected, and what became of the others."""
        line = f"{counted(result.rows, 'label')} selected as {self.called}"
        empty = None if result.rows else f"no label was selected: --where {self.where}"
        if left_out := result.notes.get("left_out"):
            images = counted(left_out["images"], "image")
            said = f"{counted(left_out['labels'], 'label')} of {images} left out as duplicates"
            line, empty = f"{line}; {said}", empty and f"{empty}; {said}"
        return Outcome([line, *_reviewed(result), *_ruled(result)], empty)

    def _rules(self) -> LabelRules | None:
        return read_rules(self.rules) if self.rules else None


_latest: list[tuple[tuple[str, str], Decisions]] = []


def _decisions(part: Part, pool: dict[str, int]) -> Decisions:
    """What people decided; kept for the next part of this process."""
    key = part.fingerprint("reviews"), part.fingerprint("embeddings")
    if not _latest or _latest[0][0] != key:
        _latest[:] = [(key, decisions(part.table("reviews"), pool))]
    return _latest[0][1]


def _pool(part: Part) -> dict[str, int]:
    """The number of each concept, by name."""
    if not part.has("embeddings"):
        raise ArtifactError(
            "rc select: the concepts of these labels are not in the store any more, and --reviews "
            "and --rules need their names; make them again with 'rc embed-concepts'"
        )
    rows = part.table("embeddings")
    return dict(zip(rows["concept"].to_pylist(), rows["concept_id"].to_pylist(), strict=True))


def _reviewed(result: Result) -> Iterator[str]:
    """What became of labels that people reviewed."""
    if (about := result.notes.get("reviews")) is None:
        return
    counts = result.notes.get("reviewed", {})
    said = [f"{number:,} {what}" for what, number in counts.items()]
    rest = about["decided"] - sum(counts.values())
    said += [f"{rest:,} about labels that are not among these"] if rest else []
    said += [f"{about['open']:,} open"] if about["open"] else []
    yield f"of {counted(about['decided'] + about['open'], 'reviewed region')}: {', '.join(said)}"
    if about["unknown"]:
        names = quoted_first(about["unknown_names"], about["unknown"])
        yield f"reviewers gave names that the pool does not have: {names}"


def _ruled(result: Result) -> Iterator[str]:
    """What rules did."""
    if (counts := result.notes.get("ruled")) is None:
        return
    words = {"renamed": "renamed", "never": "left out as never kept"}
    words["confusable"] = "left out as confusable"
    said = [f"{counts[key]:,} {what}" for key, what in words.items() if counts.get(key)]
    yield f"by rules: {', '.join(said) if said else 'nothing changed'}"
    if counts.get("too short"):
        yield "labels keep one concept (--top-k 1): nobody knows what they are confusable with"
    if unknown := result.notes["unknown_rules"]:
        yield f"rules are about names that the pool does not have: {quoted_names(unknown)}"


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
