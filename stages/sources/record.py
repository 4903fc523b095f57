"""What a source hands to `rc ingest`: records, problems, slices; and the protocol behind them.

A source is met once, at ingest. It cuts its images into slices, one per part, and yields the
records of a slice one at a time; nothing of an image is read before `Record.load` is called.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from schemas.quarantine import Reason


class Refusal(Exception):  # noqa: N818 - a refused record is an outcome, not an error of the run
    """One record cannot be used, while the run goes on; becomes a row of quarantine.

    Attributes:
        reason: Which kind of fault.
        detail: One sentence.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something refused that is not a whole image: a caption, a box, the rest of a tar."""

    record: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object as the source has it: any box, even an impossible one.

    Attributes:
        category: Name.
        box: x0, y0, x1, y1 in pixels of the original image, neither clipped nor checked.
        area: Of the mask, square pixels; None if the source says nothing.
        is_crowd: Whether the box surrounds a crowd that was not drawn one by one.
    """

    category: str
    box: tuple[float, float, float, float]
    area: float | None = None
    is_crowd: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a source, not yet read.

    Attributes:
        image_id: Source file or split, a slash, the source's own key.
        uri: File that holds the bytes.
        load: Returns the encoded image, once; raises `Refusal` if that cannot be had.
        split: Split named by the source.
        member: Name or row of the image inside `uri`; None if `uri` is the image.
        offset: First byte of the image inside a tar, or of its row inside a TSV.
        captions: Texts about the whole image.
        objects: Boxes drawn on it.
        problems: What was refused about it, while the image itself stays.
        referable: Whether the bytes can be found again later; if not, they must be packed.
    """

    image_id: str
    uri: str
    load: Callable[[], bytes]
    split: str | None = None
    member: str | None = None
    offset: int | None = None
    captions: Sequence[str] = ()
    objects: Sequence[SourceObject] = ()
    problems: Sequence[Problem] = ()
    referable: bool = True


@dataclass(frozen=True, slots=True)
class Slice:
    """Images `first` to `last` (exclusive) of file number `file`: what becomes one part."""

    file: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to open a source.

    Attributes:
        kind: webdataset, coco, folder, parquet, tsv; auto looks.
        splits: Take only these; empty takes all.
        part_bytes: A part holds about this many bytes of encoded images.
        part_images: A part holds at most this many images.
    """

    kind: str = "auto"
    splits: tuple[str, ...] = ()
    part_bytes: int = 256 << 20
    part_images: int = 10_000


DEFAULTS: Final = SourceOptions()


class Source(Protocol):
    """Images and what is said about them, wherever they come from."""

    @property
    def kind(self) -> str:
        """One of webdataset, coco, folder, parquet, tsv."""
        ...

    def digest(self) -> str:
        """Hash of what decides the rows; folders above the source never enter it."""
        ...

    def slices(self) -> Sequence[Slice]:
        """What becomes part 0, part 1, ...; in order."""
        ...

    def count(self, piece: Slice) -> int:
        """How many records a slice has."""
        ...

    def total(self) -> int | None:
        """How many records all slices have, perhaps estimated; for progress only."""
        ...

    def records(self, piece: Slice) -> Iterator[Record | Problem]:
        """The records of a slice in the source's order; as many as `count` says."""
        ...


@dataclass(slots=True)
class Repeats:
    """Finds keys that came before, holding 16 bytes a key."""

    digests: bytearray = field(default_factory=bytearray)

    def add(self, key: str) -> None:
        """Remember the key of the next record."""
        from hashlib import blake2b

        self.digests += blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()

    def positions(self) -> frozenset[int]:
        """Positions of the records whose key an earlier record already has.

        >>> keys = Repeats()
        >>> for key in "abca":
        ...     keys.add(key)
        >>> sorted(keys.positions())
        [3]
        """
        import numpy as np

        pairs: Any = np.frombuffer(bytes(self.digests), dtype=np.uint64).reshape(-1, 2)
        if not len(pairs):
            return frozenset()
        _, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
        if (counts == 1).all():
            return frozenset()
        repeated = np.ones(len(pairs), dtype=bool)
        repeated[first] = False  # np.unique returns the first place of each
        return frozenset(np.flatnonzero(repeated).tolist())


def cut(sizes: Sequence[int], part_bytes: int, part_images: int) -> list[tuple[int, int]]:
    """Consecutive ranges (first, last exclusive) of about `part_bytes`, at most `part_images`.

    >>> cut([4, 4, 4, 20, 1], part_bytes=10, part_images=3)
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    ranges: list[tuple[int, int]] = []
    first, total = 0, 0
    for position, size in enumerate(sizes):
        full = position - first >= part_images or total + size > part_bytes
        if position > first and full:
            ranges.append((first, position))
            first, total = position, 0
        total += size
    if len(sizes) > first:
        ranges.append((first, len(sizes)))
    return ranges
