"""Samples: an image of a part, still encoded, with its captions or its pseudo-labelled regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from stages.training.regions import PartRegions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.training.regions import Regions


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of the training set.

    Attributes:
        part: Number of its part.
        image: Its row of images, without the ground truth; nothing in training may see that.
        regions: None if only its captions are used.
    """

    part: int
    image: Mapping[str, Any]
    regions: Regions | None = None


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


class LabelledImages(Sequence[Sample]):
    """The images of a part that have a pseudo-label, or a caption if captions are used."""

    def __init__(
        self,
        part: Part,
        num_concepts: int,
        *,
        regions: bool,
        captions: bool,
    ) -> None:
        """Read `images`, `proposals` and `pseudo_labels` of a part, and join them by image."""
        self._number = part.number
        self._images = _images(part)
        self._regions = PartRegions(part, num_concepts)
        ids = self._images["image_id"].to_pylist()
        useful = np.zeros(len(ids), dtype=bool)
        if regions:
            useful |= np.array([i in self._regions.rows for i in ids], dtype=bool)
        if captions:
            useful |= _num_captions(self._images) > 0
        self._rows = np.flatnonzero(useful)

    @property
    def exclusive(self) -> bool:
        """See `PartRegions.exclusive`."""
        return self._regions.exclusive

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
        return Sample(self._number, image, self._regions.of(image["image_id"]))


def _images(part: Part) -> pa.Table:
    images = part.table("images")
    return images.drop_columns([c for c in ("objects",) if c in images.column_names])


def _num_captions(images: pa.Table) -> NDArray[np.int64]:
    counts = [len(captions) for captions in images["captions"].to_pylist()]
    return np.array(counts, dtype=np.int64)


def _row(table: pa.Table, index: int) -> dict[str, Any]:
    row: dict[str, Any] = table.slice(index, 1).to_pylist()[0]
    return row
