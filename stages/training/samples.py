"""Samples: an image of a part, still encoded, with what is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from stages.training.crop_features import PartCropFeatures
from stages.training.regions import PartRegions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.training.crop_features import CropFeatures
    from stages.training.regions import Regions


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of the training set.

    Attributes:
        part: Number of its part.
        image: Its row of images, without the ground truth; nothing in training may see that.
        regions: None if pseudo-labels are not used.
        crops: None if crop features are not used.
    """

    part: int
    image: Mapping[str, Any]
    regions: Regions | None = None
    crops: CropFeatures | None = None


class CaptionedImages(Sequence[Sample]):
    """The images of a part that have a caption; each sample is made at access."""

    def __init__(self, part: Part) -> None:
        self._number = part.number
        self._images = _images(part)
        self._rows = np.flatnonzero(_num_captions(self._images))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """The sample at `index`, which keeps nothing else of the part in memory."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Sample(self._number, _row(self._images, int(self._rows[index])))


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """What a student learns from.

    Attributes:
        num_concepts: How many are embedded; None if it does not learn from pseudo-labels.
        captions: Whether it learns from captions.
        crops_width: Width of the crop features; None if it does not learn from them.
    """

    num_concepts: int | None = None
    captions: bool = False
    crops_width: int | None = None


class SupervisedImages(Sequence[Sample]):
    """The images of a part that have any of what a student learns from."""

    def __init__(self, part: Part, learned: Supervision) -> None:
        """Read `images`, and of the other inputs those that are learned from; join by image."""
        self._number = part.number
        self._images = _images(part)
        count, width = learned.num_concepts, learned.crops_width
        self._regions = None if count is None else PartRegions(part, count)
        self._crops = None if width is None else PartCropFeatures(part, width)
        ids = self._images["image_id"].to_pylist()
        useful = np.zeros(len(ids), dtype=bool)
        for joined in (self._regions, self._crops):
            if joined:
                useful |= np.array([i in joined.rows for i in ids], dtype=bool)
        if learned.captions:
            useful |= _num_captions(self._images) > 0
        self._rows = np.flatnonzero(useful)

    @property
    def exclusive(self) -> bool:
        """See `PartRegions.exclusive`."""
        return self._regions is None or self._regions.exclusive

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """The sample at `index`, which keeps nothing else of the part in memory."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        image = _row(self._images, int(self._rows[index]))
        name = image["image_id"]
        return Sample(
            self._number,
            image,
            self._regions.of(name) if self._regions else None,
            self._crops.of(name) if self._crops else None,
        )


def _images(part: Part) -> pa.Table:
    images = part.table("images")
    return images.drop_columns([c for c in ("objects",) if c in images.column_names])


def _num_captions(images: pa.Table) -> NDArray[np.int64]:
    counts = [len(captions) for captions in images["captions"].to_pylist()]
    return np.array(counts, dtype=np.int64)


def _row(table: pa.Table, index: int) -> dict[str, Any]:
    row: dict[str, Any] = table.slice(index, 1).to_pylist()[0]
    return row
