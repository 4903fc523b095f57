"""Import-reviews: what people mended in Label Studio, CVAT or a COCO editor, as reviews of labels.

`rc export` wrote pseudo-labels for these programs; what comes back is compared with what was
exported, box by box. The labels themselves are not changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pyarrow as pa

from schemas.errors import ArtifactError, OptionError, SourceError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.reviews import REVIEWS
from stages.artifact_name import check_artifact_name
from stages.base import Part, Reads, Stage, option, whole
from stages.labelling.known_labels import ABOUT, first_unknown
from stages.outcome import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schemas.table import Table
    from stages.reviewing.exported_rows import ExportedLabels
    from stages.reviewing.review_collector import ReviewCollector
    from stages.reviewing.review_counts import ReviewTally

_BATCH_ROWS: Final = 10_000
_LONGEST: Final = 200  # characters of the name of a person, as in audits
_SIDES: Final = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, kw_only=True)
class ImportReviews(Stage):
    """Import what people mended in an exported folder.

    FILE is what their program gave back: Label Studio's JSON, CVAT for images 1.1, or COCO's JSON
    of instances. It is compared with the labels in --exported: a label may be right, renamed, moved
    or deleted. In Label Studio an image was judged if somebody submitted an annotation of it; of
    the other two, every image that the file lists counts as judged.
    """

    called: str = option("", "what to call the reviews", flag="NAME")
    file: Path = option(Path(), "what the annotation program gave back", recipe=False, flag="FILE")
    exported: Path | None = option(
        None, "folder that rc export label-studio, cvat or coco wrote for them", recipe=False
    )
    reviewer: str | None = option(
        None, "who; default: whom Label Studio names, of the others nobody"
    )

    name: ClassVar[str] = "import-reviews"
    everyday: ClassVar[tuple[str, ...]] = ("exported", "reviewer")
    example: ClassVar[str] = "rc import-reviews first export.json --exported OUT"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"pseudo_labels": whole(PSEUDO_LABELS, everywhere=True)}
    writes: ClassVar[Table] = REVIEWS
    single_task: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_artifact_name(self.name, self.called, "reviews")
        if self.reviewer is not None and not (
            self.reviewer.strip() and self.reviewer.isprintable() and len(self.reviewer) <= _LONGEST
        ):
            raise OptionError(
                f"rc {self.name}: --reviewer must be a printable text of at most {_LONGEST} "
                f"characters, and not empty; leave it out to keep the names of the file"
            )

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of the file, and of the labels that it began with."""
        from stages.reviewing.exported_labels import FILE_NAME

        paths = {"file": Path(self.file), "exported": exported_folder(self.exported) / FILE_NAME}
        return {name: _sha256(path) for name, path in paths.items()}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield what each person says of each label of the images that they judged.

        Raises:
            SourceError: If a file cannot be read, or is not what it should be.
            ArtifactError: If the exported labels are not those of the input.
        """
        from stages.reviewing.exported_labels import read_exported_labels
        from stages.reviewing.review_collector import ReviewCollector
        from stages.reviewing.review_counts import ReviewTally
        from stages.reviewing.review_files import read_reviews

        exported = read_exported_labels(exported_folder(self.exported))
        collector = ReviewCollector(exported, part.refuse, self.reviewer)
        read_reviews(Path(self.file), collector)
        self._check_labels(part, exported, collector)
        tally = ReviewTally()
        rows: list[dict[str, Any]] = []
        for row in _rows(part, collector, tally):
            rows.append(row)
            if len(rows) >= _BATCH_ROWS:
                yield _batch(rows)
                rows = []
        yield _batch(rows)
        part.note("reviews", tally.note(collector))

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: what became of the labels, and what was left out."""
        from stages.reviewing.review_counts import described, empty_reason, lost_images

        note = result.notes["reviews"]
        empty = None if result.rows else f"{self.file}: {empty_reason(note)}"
        return Outcome(described(note), empty, lost_images(note))

    def _check_labels(
        self, part: Part, exported: ExportedLabels, collector: ReviewCollector
    ) -> None:
        """Pass if every label that was judged is one of the input."""
        judged = {review.image.position: review.image for _, review in collector.reviews()}
        images = [judged[position] for position in sorted(judged)]
        if not images:
            return
        labels = [exported.labels(image) for image in images]
        regions = [found.regions for found, _ in labels]
        places = np.repeat(np.arange(len(images)), [len(found) for found in regions])
        ids = pa.array([image.image_id for image in images], pa.string())
        rows = part.everywhere("pseudo_labels", ABOUT)
        concepts = [concept_ids for _, concept_ids in labels]
        about = np.concatenate(regions), np.concatenate(concepts)
        unknown = first_unknown(ids, places, *about, rows)
        if unknown is not None:
            image_id, region = images[places[unknown]].image_id, about[0][unknown]
            raise ArtifactError(
                f"{self.exported} was not exported from these pseudo_labels: they have no region "
                f"{region} of {image_id!a} with that concept; export them, and begin "
                f"again"
            )


def exported_folder(exported: Path | None) -> Path:
    """The folder of `--exported`.

    Raises:
        OptionError: If none was given.
    """
    if exported is None:
        raise OptionError(
            "rc import-reviews needs --exported FOLDER, the folder that rc export wrote for "
            "annotators"
        )
    return Path(exported)


def _rows(part: Part, collector: ReviewCollector, tally: ReviewTally) -> Iterator[dict[str, Any]]:
    from stages.reviewing.review_comparison import opinions

    for reviewer, review in collector.reviews():
        labels, concept_ids = collector.exported.labels(review.image)
        said, num_new = opinions(labels, review.boxes(), review.unread)
        tally.add(review.image.position, reviewer, said, num_new)
        part.advance()
        for region, concept_id, opinion in zip(
            labels.regions.tolist(), concept_ids.tolist(), said, strict=True
        ):
            yield {
                "image_id": review.image.image_id,
                "region": region,
                "concept_id": concept_id,
                "verdict": opinion.verdict,
                "concept": opinion.concept,
                **dict(zip(_SIDES, opinion.box or [None] * 4, strict=True)),
                "reviewer": reviewer,
                "time": review.time,
            }


def _batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    return REVIEWS.batch({c.name: [row[c.name] for row in rows] for c in REVIEWS.columns})


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check its name") from error
