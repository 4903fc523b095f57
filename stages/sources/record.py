"""What a source gives to `rc ingest`: records, problems, slices; and the protocol of a source.

Only ingest reads a source. A source divides its images into slices, one per part, and yields the
records of a slice one at a time; an image is not read before `Record.load` is called.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from schemas.errors import ChangedImageError
from schemas.quarantine import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from schemas.box_forms import BoxForm
    from schemas.errors import SourceError


class Refusal(Exception):  # noqa: N818 - a refused record is an outcome, not an error of the run
    """One record cannot be used, but the run goes on; becomes a row of quarantine.

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

    @classmethod
    def of(cls, error: SourceError) -> Refusal:
        """Of an image that cannot be loaded."""
        changed = isinstance(error, ChangedImageError)
        return cls(Reason.CHANGED if changed else Reason.UNREADABLE, str(error))


@dataclass(frozen=True, slots=True)
class Problem:
    """Something refused that is less or more than an image: a caption, a box, the rest of a tar."""

    record: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Things of a source that become neither a row nor a quarantine row; counted by kind.

    Attributes:
        kind: What they are, in the singular, such as `.heic file` or `caption of no image`.
        count: How many.
    """

    kind: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a source says of itself as a whole, once.

    Attributes:
        left_out: Files that were not read.
        remarks: What was chosen where there was a choice, and how names were matched; sentences.
        losses: What most of was lost, because it belongs to no image; sentences.
        unmatched: Why nothing of what was given beside the images belongs to any of them: one
            sentence with an example of each side, an error of the run. None if something does.
    """

    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    unmatched: str | None = None


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object as the source has it; its box may be impossible.

    Attributes:
        category: Name.
        box: x0, y0, x1, y1 in pixels of the frame, neither clipped nor checked.
        area: Of the mask, square pixels; None if the source has none.
        is_crowd: Whether the box surrounds a crowd whose members have no boxes of their own.
        frame: Width and height of the image that the box was made for, as its file says; (1, 1)
            if it is in fractions; None if nothing is said, so that it is in pixels of the image.
    """

    category: str
    box: tuple[float, float, float, float]
    area: float | None = None
    is_crowd: bool = False
    frame: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a source, not yet read.

    Attributes:
        image_id: Source file or split, a slash, the source's own key.
        uri: File that holds the bytes.
        load: Returns the encoded image; raises `Refusal` if that is impossible. Called once.
        split: Name of the split, if the source has splits.
        member: Name or row of the image inside `uri`; None if `uri` is the image.
        offset: First byte of the image inside a tar, or of its row inside a TSV.
        captions: Texts about the whole image.
        objects: Ground-truth boxes.
        problems: Captions and boxes that were refused, while the image itself is kept.
        can_be_reread: Whether the bytes can be read again later; if not, they must be packed.
        source_id: The id that the source's own JSON gives the image; None if it has none.
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
    can_be_reread: bool = True
    source_id: str | None = None


def require_utf8(record: Record) -> None:
    """Pass if UTF-8 can hold the names in a record; captions are checked where they are read.

    Raises:
        Refusal: unsafe-name, if one has half of a surrogate pair, as JSON can write it.
    """
    names = (record.image_id, record.split, record.member, record.source_id, record.uri)
    for text in (*names, *(thing.category for thing in record.objects)):
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            detail = f"{ascii(text)[:100]} is not UTF-8: a name, a split or a category"
            raise Refusal(Reason.UNSAFE_NAME, detail) from None


@dataclass(frozen=True, slots=True)
class Slice:
    """Images `first` to `last` (exclusive) of file number `file`: the content of one part."""

    file: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to open a source.

    Attributes:
        kind: webdataset, coco, yolo, folder, parquet, tsv; auto finds out.
        splits: Splits to take; empty takes all.
        part_bytes: Bytes of encoded images in a part, about.
        part_images: Images in a part, at most.
        caption_column: Column of a table that holds captions; None: found by its name.
        image_column: Column of a table that names or holds images; None: found by its name.
        boxes: What the numbers of a box are; auto: as the format has it, if they can be that.
        size_limits: Times the usual limits of what a file may hold and unpack to.
    """

    kind: str = "auto"
    splits: tuple[str, ...] = ()
    part_bytes: int = 256 << 20
    part_images: int = 10_000
    caption_column: str | None = None
    image_column: str | None = None
    boxes: BoxForm = "auto"
    size_limits: int = 1


DEFAULTS: Final = SourceOptions()


class Source(Protocol):
    """Images with captions and boxes, in any format."""

    @property
    def kind(self) -> str:
        """One of webdataset, coco, yolo, folder, parquet, tsv."""
        ...

    def digest(self) -> str:
        """Hash of everything that decides the rows; the folders above the source do not."""
        ...

    def slice_digest(self, part_slice: Slice) -> str:
        """Hash of everything that decides the records of a slice; see `digest`."""
        ...

    def slices(self) -> Sequence[Slice]:
        """The contents of part 0, part 1, ..., in order."""
        ...

    def count(self, part_slice: Slice) -> int:
        """Number of records of a slice."""
        ...

    def total(self) -> int | None:
        """Number of records of all slices, perhaps estimated; for progress only."""
        ...

    def records(self, part_slice: Slice) -> Iterator[Record | Problem | LeftOut]:
        """The records of a slice in the source's order; as many as `count` says."""
        ...

    def inventory(self) -> Inventory:
        """What was not read, and what was chosen; asked once for the whole source."""
        ...


@dataclass(slots=True)
class DuplicateKeys:
    """Finds records whose key an earlier record has; needs 16 bytes a key."""

    digests: bytearray = field(default_factory=bytearray)

    def add(self, key: str) -> None:
        """Add the key of the next record."""
        from hashlib import blake2b

        self.digests += blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()

    def positions(self) -> frozenset[int]:
        """Positions of the records whose key an earlier record has.

        >>> keys = DuplicateKeys()
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
        is_duplicate = np.ones(len(pairs), dtype=bool)
        is_duplicate[first] = False  # np.unique returns the first position of each key
        return frozenset(np.flatnonzero(is_duplicate).tolist())


def consecutive_ranges(
    sizes: Sequence[int], part_bytes: int, part_images: int
) -> list[tuple[int, int]]:
    """Consecutive ranges (first, last exclusive) of about `part_bytes`, at most `part_images`.

    >>> consecutive_ranges([4, 4, 4, 20, 1], part_bytes=10, part_images=3)
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    ranges: list[tuple[int, int]] = []
    first, total = 0, 0
    for position, size in enumerate(sizes):
        is_full = position - first >= part_images or total + size > part_bytes
        if position > first and is_full:
            ranges.append((first, position))
            first, total = position, 0
        total += size
    if len(sizes) > first:
        ranges.append((first, len(sizes)))
    return ranges


def slices_of_sizes(sizes: Iterable[int], options: SourceOptions) -> list[Slice]:
    """Slices of consecutive images of about `part_bytes` together; a missing file has size -1."""
    known = [max(size, 0) for size in sizes]
    ranges = consecutive_ranges(known, options.part_bytes, options.part_images)
    return [Slice(0, first, last) for first, last in ranges]
