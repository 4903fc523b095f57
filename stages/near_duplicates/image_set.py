"""Image set: images to compare others with, and which of them show what others show.

Two images are duplicates if their files have the same bytes, or if their grey pictures agree. A
picture without contrast agrees with none, and an image that cannot be read is compared by its bytes
alone, whose hash the images have.

Shapes: N images of the set, Q images looked up, S side of a grey picture.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import SourceError
from stages.near_duplicates import picture_set
from stages.near_duplicates.alignment import PictureAgreement, agreement
from stages.near_duplicates.grey_pictures import SIDE, load_grey_picture
from stages.near_duplicates.picture_set import PictureSet
from stages.near_duplicates.spectra import is_plain
from stages.prefetching import map_in_order
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.near_duplicates.picture_set import Candidate

    Row = Mapping[str, Any]

# Similarity from which on two pictures show the same: on the seed that it was chosen on, 77, copies
# had 0.87 at least, and unrelated candidates 0.70 at most.
SAME: Final = 0.8
_AHEAD: Final = 64  # images that are decoded ahead
_BESIDE_PIXELS: Final = ("captions", "objects")  # columns of images that are not looked at


@dataclass(frozen=True, slots=True)
class ComparedImage:
    """An image as it is compared: the hash of its bytes, and its grey picture (S, S) or why not."""

    image_id: str
    sha256: str
    picture: NDArray[np.uint8] | None
    refusal: Refusal | None = None

    @property
    def plain(self) -> bool:
        """Whether it could be read, and shows nothing to compare."""
        return self.picture is not None and bool(is_plain(self.picture[None])[0])


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An image of the set that shows what another image shows.

    Attributes:
        image_id: Of the image of the set.
        same_bytes: Whether the files are equal.
        agreement: Of their pictures.
    """

    image_id: str
    same_bytes: bool
    agreement: PictureAgreement


@dataclass(frozen=True, slots=True)
class FoundDuplicates:
    """What a set has of an image.

    Attributes:
        listed: Its duplicates: those of the same bytes first, then the likeliest.
        more: Whether there are more than were sought.
        cut: Whether so many resemble it that not all of them were looked at.
    """

    listed: list[Duplicate]
    more: bool
    cut: bool


_EQUAL: Final = PictureAgreement(1.0, mirrored=False, cropped=None)


def open_image_set(
    key: str, batches: Callable[[], Iterable[pa.RecordBatch]], loaders: int
) -> ImageSet:
    """The set of some rows of `images`; the last one stays in memory, for the next part.

    Args:
        key: The same for the same images.
        batches: Reads their rows.
        loaders: Threads that decode ahead.
    """
    if _LatestSet.key != key or _LatestSet.images is None:
        _LatestSet.images = None  # before another one is made: there may be no room for both
        _LatestSet.images = ImageSet(compared_images(batches(), loaders))
        _LatestSet.key = key
    return _LatestSet.images


def compared_images(batches: Iterable[pa.RecordBatch], loaders: int) -> Iterator[ComparedImage]:
    """Every image of some rows of `images`; encoded bytes are in memory for a few at a time."""
    return map_in_order(_rows(batches), _compared, loaders, _AHEAD)


class ImageSet:
    """Images to compare others with.

    Attributes:
        ids: Of all images, in order.
        unreadable: Those that cannot be read, with the reason.
        plain: How many show nothing to compare.
    """

    def __init__(self, images: Iterable[ComparedImage]) -> None:
        self.ids: list[str] = []
        self.unreadable: list[tuple[str, Refusal]] = []
        self.plain = 0
        self._with_bytes: defaultdict[str, list[int]] = defaultdict(list)
        pictures, numbers = [], []
        for number, image in enumerate(images):
            self.ids.append(image.image_id)
            self._with_bytes[image.sha256].append(number)
            if image.refusal is not None:
                self.unreadable.append((image.image_id, image.refusal))
            elif image.plain:
                self.plain += 1
            elif image.picture is not None:
                pictures.append(image.picture)
                numbers.append(number)
        self._pictures = PictureSet(pictures)
        self._numbers = np.array(numbers, np.int64)  # which image each picture is of
        self._places = {image_id: number for number, image_id in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def counts(self) -> dict[str, int]:
        """How many images there are, and how many of them are compared by their bytes alone."""
        return {"images": len(self), "unreadable": len(self.unreadable), "plain": self.plain}

    def duplicates(
        self, images: Sequence[ComparedImage], most: int, *, own: bool = False
    ) -> list[FoundDuplicates]:
        """What the set has of each of some images.

        Args:
            images: Q images.
            most: How many are sought for each.
            own: Whether they are of the set themselves; then only earlier ones are theirs.
        """
        limits = [self._places[image.image_id] if own else len(self) for image in images]
        seen = [(image.picture, n) for image, n in zip(images, limits, strict=True)]
        pictures = [picture for picture, _ in seen if picture is not None]
        before = np.array([n for picture, n in seen if picture is not None], np.int64)
        stacked = np.stack(pictures) if pictures else np.zeros((0, SIDE, SIDE), np.uint8)
        found = iter(self._pictures.candidates(stacked, np.searchsorted(self._numbers, before)))
        return [
            self._found(image, limit, [] if image.picture is None else next(found), most)
            for image, limit in zip(images, limits, strict=True)
        ]

    def _found(
        self, image: ComparedImage, limit: int, candidates: Sequence[Candidate], most: int
    ) -> FoundDuplicates:
        """The duplicates of an image among the first `limit` of the set."""
        same = [n for n in self._with_bytes.get(image.sha256, ()) if n < limit]
        listed = [Duplicate(self.ids[n], True, _EQUAL) for n in same[: most + 1]]
        for candidate in candidates:
            if len(listed) > most or image.picture is None:
                break
            number = int(self._numbers[candidate.number])
            if number in same:
                continue
            picture = self._pictures.pictures[candidate.number]
            agreed = agreement(image.picture, picture, candidate.hypothesis)
            if agreed.similarity >= SAME:
                listed.append(Duplicate(self.ids[number], False, agreed))
        more = len(listed) > most
        cut = len(candidates) == picture_set.MOST and not more
        return FoundDuplicates(listed[:most], more, cut)


class _LatestSet:
    """The last set, of this process."""

    key: str | None = None
    images: ImageSet | None = None


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    for batch in batches:
        needed = batch.drop_columns(list(_BESIDE_PIXELS))
        for index in range(needed.num_rows):
            yield needed.slice(index, 1).to_pylist()[0]


def _compared(row: Row) -> ComparedImage:
    try:
        picture = load_grey_picture(row)
    except SourceError as error:
        return ComparedImage(row["image_id"], row["sha256"], None, Refusal.of(error))
    return ComparedImage(row["image_id"], row["sha256"], picture)
