"""Featurize: store what a teacher sees in each region; `stages.featurizing` says how.

Source: RegionCLIP (arXiv:2112.09106): RoIAlign on the map of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, whole
from stages.featurizing.feature_stage import FEATURE_VERSION, FeatureStage
from stages.featurizing.image_counts import described_images, lost_images
from stages.models.network_stage import described_precision
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Featurize(FeatureStage):
    """Embed every proposal, and the whole image.

    With a teacher or student.
    """

    name: ClassVar[str] = "featurize"
    everyday: ClassVar[tuple[str, ...]] = ("teacher", "proposals", "resize")
    example: ClassVar[str] = "rc featurize --teacher teachers"
    version: ClassVar[int] = FEATURE_VERSION
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = FEATURES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `FeatureStage.features`."""
        return self.features(part)

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: regions and images, and which images have no features."""
        images = result.notes["images"]
        line = f"{counted(result.rows, 'feature')} of {counted(images['seen'], 'image')}"
        if self.whole_image and result.rows:
            line += ", the whole images among them"
        line += described_images(images) + described_precision(result.notes)
        empty = None if result.rows else f"there are no features: {line}"
        return Outcome([line], empty, lost_images(images))
