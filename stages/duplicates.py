"""Duplicates: images that show what images of another set show, such as an evaluation set.

A model that was trained on the images it is evaluated on, or on copies of them, is not measured.
Files of the same bytes are found by their hashes; pictures that were resized, recompressed,
mirrored, cropped a little, or made brighter or darker, by `stages.near_duplicates`. No model is
needed.

Memory holds 5 KB for each image of the other set, whatever the number of those compared with it.
The time is that of decoding both, JPEGs at a fraction of their size, and of comparing all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from schemas.duplicates import DUPLICATES
from schemas.images import IMAGES
from stages import blas
from stages.base import Part, Reads, Stage, each, option, whole
from stages.near_duplicates.duplicate_counts import (
    NO_IMAGES,
    described_duplicates,
    described_rest,
    image_counts,
    lost_comparisons,
)
from stages.outcome import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table
    from stages.near_duplicates.image_set import ComparedImage, FoundDuplicates

_TOGETHER: Final = 256  # images that are looked up at once


@dataclass(frozen=True, kw_only=True)
class Duplicates(Stage):
    """Find images that show what images of another set show.

    By their files and their pictures, without a model. If both sets are one, each image is
    compared with those before it.
    """

    most: int = option(10, "duplicates of an image that are listed", at_least=1)
    loaders: int = option(2, "threads that decode images ahead", recipe=False, at_least=0)

    name: ClassVar[str] = "duplicates"
    everyday: ClassVar[tuple[str, ...]] = ("against", "images")
    example: ClassVar[str] = "rc duplicates --against images@77ab --images images@3f9c"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "against": whole(IMAGES, named=True),
    }
    writes: ClassVar[Table] = DUPLICATES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield a row for each image and each image of the other set that shows the same."""
        from stages.near_duplicates.image_set import compared_images, open_image_set

        own = part.is_same("images", "against")
        with blas.one_thread():
            others = open_image_set(
                part.fingerprint("against"), lambda: part.batches("against"), self.loaders
            )
        images = compared_images(part.batches("images"), self.loaders)
        for window in iter(lambda: list(islice(images, _TOGETHER)), []):
            with blas.one_thread():
                found = others.duplicates(window, self.most, own=own)
            for image in window:
                if image.refusal is not None:
                    part.refuse(image.image_id, image.refusal.reason, image.refusal.detail)
            part.count("images", image_counts(window, found))
            part.advance(len(window))
            yield _rows(window, found)
        part.note("compared_with", {**others.counts(), "themselves": own})
        if part.number == 0 and not own:  # they are the same for every part, so one tells
            for image_id, refusal in others.unreadable:
                part.refuse(image_id, refusal.reason, refusal.detail)

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many images are duplicates; that none is, is a result too."""
        images = NO_IMAGES | result.notes.get("images", {})
        others = result.notes["compared_with"]
        line = described_duplicates(images, others)
        more = described_rest(images, others, self.most)
        return Outcome([line, *more], losses=lost_comparisons(images, others))


def _rows(images: Sequence[ComparedImage], found: Sequence[FoundDuplicates]) -> pa.RecordBatch:
    pairs = [(image, one) for image, some in zip(images, found, strict=True) for one in some.listed]
    return DUPLICATES.batch(
        {
            "image_id": [image.image_id for image, _ in pairs],
            "other_id": [one.image_id for _, one in pairs],
            "kind": ["same-bytes" if one.same_bytes else "near" for _, one in pairs],
            "similarity": [one.agreement.similarity for _, one in pairs],
            "mirrored": [one.agreement.mirrored for _, one in pairs],
            "cropped": [one.agreement.cropped for _, one in pairs],
        }
    )
