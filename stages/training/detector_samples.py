"""Samples of detector training: an image, its ground-truth objects, its proposals.

Shapes: G objects and P proposals of an image, M images, K categories.

Source of repeat factors: LVIS (arXiv:1908.03195) repeat factor sampling.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from stages.training.dataset import ShuffledDataset, rows_by_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part

_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True)
class DetectorSample:
    """An image with ground truth and proposals.

    Attributes:
        part: Number of its part.
        image: Its row of images without captions and objects.
        boxes: (G, 4) of objects, pixels of the original image; neither crowds nor empty.
        classes: (G,) int64 index of each object's category.
        proposals: (P, 4) in the same pixels, best first.
        copy: Number of this repeat within the epoch, from 0.
    """

    part: int
    image: Mapping[str, Any]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    proposals: NDArray[np.float32]
    copy: int = 0


class AnnotatedImages(Sequence[DetectorSample]):
    """The images of a part to train a detector on; each sample is made at access."""

    def __init__(
        self,
        part: Part,
        ids: Mapping[str, int],
        factors: Mapping[int, float],
        *,
        proposals: int,
        bare: bool,
    ) -> None:
        """Read `images` and `proposals` of a part.

        Args:
            part: The part.
            ids: Index of each learned category; other objects are left out.
            factors: Repeat factor of each category; 1 if missing.
            proposals: At most so many per image, the best.
            bare: Whether images without a learned object take part.
        """
        images, proposal_rows = part.table("images"), part.table("proposals")
        self._number, self._max_proposals = part.number, proposals
        self._objects = [_learned_objects(row, ids) for row in images["objects"].to_pylist()]
        self._factors = factors
        self._images = images.drop_columns(["captions", "objects"])
        self._ids = images["image_id"].to_pylist()
        self._rows = [n for n, (boxes, _) in enumerate(self._objects) if bare or len(boxes)]
        self._proposal_rows = rows_by_key(proposal_rows["image_id"])
        self._proposals = np.stack([proposal_rows[c].to_numpy() for c in _CORNERS], axis=1)
        self._ranks = proposal_rows["region"].to_numpy()

    def __len__(self) -> int:
        return len(self._rows)

    def factors(self) -> NDArray[np.float64]:
        """Repeat factor of each sample: that of its rarest category."""
        factors = [
            max((self._factors.get(c, 1.0) for c in self._objects[row][1].tolist()), default=1.0)
            for row in self._rows
        ]
        return np.array(factors, np.float64)

    @overload
    def __getitem__(self, index: int) -> DetectorSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DetectorSample]: ...
    def __getitem__(self, index: int | slice) -> DetectorSample | Sequence[DetectorSample]:
        """The sample at `index`, which keeps nothing else of the part in memory."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        boxes, classes = self._objects[row]
        rows = self._proposal_rows.get(self._ids[row], np.zeros(0, np.int64))
        best = rows[np.argsort(self._ranks[rows], kind="stable")][: self._max_proposals]
        return DetectorSample(
            part=self._number,
            image=self._images.slice(row, 1).to_pylist()[0],
            boxes=boxes,
            classes=classes,
            proposals=self._proposals[best].astype(np.float32),
        )


@dataclass(frozen=True)
class RepeatFactorDataset(ShuffledDataset[DetectorSample]):
    """A shuffled dataset that repeats images with rare categories within an epoch."""

    read: Callable[[Part], AnnotatedImages]

    def _part_samples(self, part: Part, rng: np.random.Generator) -> Iterator[DetectorSample]:
        samples = self.read(part)
        counts = sample_repeats(samples.factors(), rng)
        firsts = np.cumsum(counts) - counts
        indices = np.repeat(np.arange(len(counts)), counts)
        for repeat in rng.permutation(len(indices)):
            index = int(indices[repeat])
            yield replace(samples[index], copy=int(repeat - firsts[index]))


def sample_repeats(factors: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Integers (M,) with expectation `factors` (M,), rounded up or down at random."""
    whole = np.floor(factors)
    round_up = rng.random(len(factors)) < factors - whole
    return np.asarray((whole + round_up).astype(np.int64))


def repeat_factors(
    images_with: Mapping[int, int], images: int, threshold: float
) -> dict[int, float]:
    """Repeat factor of each category: max(1, sqrt(threshold / frequency)).

    Args:
        images_with: Number of images that have an object of each category.
        images: Number of images that take part.
        threshold: Share of images below which a category is rare; 0 repeats nothing.

    >>> repeat_factors({0: 50, 1: 1}, 100, 0.04)
    {0: 1.0, 1: 2.0}
    """
    return {
        category: max(1.0, math.sqrt(threshold * images / count))
        for category, count in images_with.items()
    }


def count_images(
    batches: Iterable[pa.RecordBatch], ids: Mapping[str, int], *, bare: bool
) -> tuple[Counter[int], int]:
    """Number of images with an object of each category, and of all that take part."""
    images_with: Counter[int] = Counter()
    total = 0
    for batch in batches:
        for row in batch.column("objects").to_pylist():
            _, classes = _learned_objects(row, ids)
            images_with.update(set(classes.tolist()))
            total += bare or len(classes) > 0
    return images_with, total


def _learned_objects(
    objects: Sequence[Mapping[str, Any]], ids: Mapping[str, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (G, 4) and categories (G,) of objects to learn: no crowds, no empty boxes."""
    learned = [
        o
        for o in objects
        if o["category"] in ids and not o["is_crowd"] and o["x1"] > o["x0"] and o["y1"] > o["y0"]
    ]
    boxes = np.array([[o[c] for c in _CORNERS] for o in learned], np.float32).reshape(-1, 4)
    return boxes, np.array([ids[o["category"]] for o in learned], np.int64)
