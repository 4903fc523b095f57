"""Samples of detector training: an image, its objects by category, its proposals.

Shapes: G objects and P proposals of an image, M images, K categories.

Source of repeats: LVIS (arXiv:1908.03195), repeat factor sampling.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from stages.training.dataset import ShuffledDataset, groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part

_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True)
class Scene:
    """An image to learn from.

    Attributes:
        part: Number of its part.
        image: Its row of images without captions and objects.
        boxes: (G, 4) objects, pixels of the original image; neither crowds nor empty.
        classes: (G,) int64 index of each object's category.
        proposals: (P, 4) the best first, in the same pixels.
        copy: Which of its repeats in an epoch this is.
    """

    part: int
    image: Mapping[str, Any]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    proposals: NDArray[np.float32]
    copy: int = 0


class Scenes(Sequence[Scene]):
    """The images of a part that have something to teach, made one by one as they are asked for."""

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
            ids: Index of each category learned; objects of others are left out.
            factors: Repeat factor of each category; 1 where there is none.
            proposals: Kept of an image at most, the best.
            bare: Whether images without an object that is learned take part.
        """
        images, proposed = part.table("images"), part.table("proposals")
        self._number, self._most = part.number, proposals
        self._objects = [_known(row, ids) for row in images["objects"].to_pylist()]
        self._factors = factors
        self._images = images.drop_columns(["captions", "objects"])
        self._ids = images["image_id"].to_pylist()
        self._rows = [n for n, (boxes, _) in enumerate(self._objects) if bare or len(boxes)]
        self._proposed = groups(proposed["image_id"])
        self._proposals = np.stack([proposed[c].to_numpy() for c in _CORNERS], axis=1)
        self._ranks = proposed["region"].to_numpy()

    def __len__(self) -> int:
        return len(self._rows)

    def factors(self) -> NDArray[np.float64]:
        """How often each scene is to be seen in an epoch: as often as its rarest category."""
        found = [
            max((self._factors.get(c, 1.0) for c in self._objects[row][1].tolist()), default=1.0)
            for row in self._rows
        ]
        return np.array(found, np.float64)

    @overload
    def __getitem__(self, index: int) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Scene]: ...
    def __getitem__(self, index: int | slice) -> Scene | Sequence[Scene]:
        """The scene at `index`, which keeps nothing else of the part in memory."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        boxes, classes = self._objects[row]
        found = self._proposed.get(self._ids[row], np.zeros(0, np.int64))
        best = found[np.argsort(self._ranks[found], kind="stable")][: self._most]
        return Scene(
            part=self._number,
            image=self._images.slice(row, 1).to_pylist()[0],
            boxes=boxes,
            classes=classes,
            proposals=self._proposals[best].astype(np.float32),
        )


@dataclass(frozen=True)
class Repeating(ShuffledDataset[Scene]):
    """A stream in which scenes with rare categories come more often than once an epoch."""

    read: Callable[[Part], Scenes]

    def _part(self, part: Part, order: np.random.Generator) -> Iterator[Scene]:
        scenes = self.read(part)
        counts = repeats(scenes.factors(), order)
        firsts = np.cumsum(counts) - counts
        places = np.repeat(np.arange(len(counts)), counts)
        for drawn in order.permutation(len(places)):
            place = int(places[drawn])
            yield replace(scenes[place], copy=int(drawn - firsts[place]))


def repeats(factors: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.int64]:
    """Whole numbers (M,) whose expectations are `factors` (M,): rounded up or down at random."""
    whole = np.floor(factors)
    up = draw.random(len(factors)) < factors - whole
    return np.asarray((whole + up).astype(np.int64))


def repeat_factors(
    images_with: Mapping[int, int], images: int, threshold: float
) -> dict[int, float]:
    """How often images with each category are to be seen: max(1, sqrt(threshold / frequency)).

    Args:
        images_with: Images that have an object of the category.
        images: All images that take part.
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
    """Images that have an object of each category, and all that take part; see `Scenes`."""
    images_with: Counter[int] = Counter()
    total = 0
    for batch in batches:
        for row in batch.column("objects").to_pylist():
            _, classes = _known(row, ids)
            images_with.update(set(classes.tolist()))
            total += bare or len(classes) > 0
    return images_with, total


def _known(
    objects: Sequence[Mapping[str, Any]], ids: Mapping[str, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (G, 4) and categories (G,) of what is learned: no crowds, nothing empty."""
    learned = [
        o
        for o in objects
        if o["category"] in ids and not o["is_crowd"] and o["x1"] > o["x0"] and o["y1"] > o["y0"]
    ]
    boxes = np.array([[o[c] for c in _CORNERS] for o in learned], np.float32).reshape(-1, 4)
    return boxes, np.array([ids[o["category"]] for o in learned], np.int64)
