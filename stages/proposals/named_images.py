"""Our images as a file of another tool could call them: by id, by name, or by number.

Only those are kept that the file could mean. Parts are streamed; an image that is kept costs about
0.8 kB, found by its name or by an id, and 0.2 kB more where names differ in their suffix.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from stages.sources.json_ids import id_text
from stages.sources.name_index import NameIndex, enter, entries, normalised, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from stages.proposals.box_file import ImageKey

IMAGE_COLUMNS: Final = ("image_id", "source", "source_id", "uri", "member", "width", "height")
_BY_ROW: Final = ("parquet", "tsv")  # kinds of sources whose `member` is the number of a row


class ImageRow(NamedTuple):
    """`IMAGE_COLUMNS` of an image of ours."""

    image_id: str
    source: str
    source_id: str | None
    uri: str
    member: str | None
    width: int
    height: int


class NamedImage(NamedTuple):
    """What the answer needs of an image of ours."""

    image_id: str
    size: tuple[int, int]
    is_listed: bool  # in a JSON of the source


class NamedImages:
    """Ours, as far as the file could mean them; each has a place.

    Attributes:
        first: Any image_id of ours, for messages; empty if there are none.
        rows: Ours, by place.
    """

    def __init__(self, keys: Sequence[ImageKey], images: Iterable[pa.RecordBatch]) -> None:
        self.first = ""
        self.rows: list[NamedImage] = []
        self._by_image_id: dict[str, int] = {}
        self._by_source_id: dict[str, int | list[int]] = {}
        self._by_name: dict[str, int | list[int]] = {}
        self._by_number: dict[int, dict[int, None]] = {}
        wanted = _AskedFor(keys)
        sizes: dict[tuple[int, int], tuple[int, int]] = {}  # so that equal ones are one object
        for batch in images:
            columns = (batch.column(name).to_pylist() for name in IMAGE_COLUMNS)
            for row in map(ImageRow._make, zip(*columns, strict=True)):
                self.first = self.first or row.image_id
                if self._add(row, wanted):
                    size = sizes.setdefault((row.width, row.height), (row.width, row.height))
                    self.rows.append(NamedImage(row.image_id, size, row.source_id is not None))
        self._names = NameIndex(self._by_name)

    def _add(self, row: ImageRow, wanted: _AskedFor) -> bool:
        """Enter an image where the file could find it; whether it could at all."""
        place = len(self.rows)
        is_wanted = False
        if row.image_id in wanted.ids:
            is_wanted = True
            self._by_image_id[row.image_id] = place
        if row.source_id in wanted.ids:
            is_wanted = True
            enter(self._by_source_id, row.source_id or "", place)
        for name in names_of(row):
            base_name = normalised(name).rpartition("/")[2]
            if stem(base_name).casefold() in wanted.stems:
                is_wanted = True
                enter(self._by_name, name, place)
            number = None if row.source_id else as_number(base_name)
            if number in wanted.numbers:
                is_wanted = True
                self._by_number.setdefault(number or 0, {})[place] = None
        return is_wanted

    def by_image_id(self, key: ImageKey) -> tuple[int, ...]:
        """The image whose image_id the file gives."""
        places = (self._by_image_id.get(text) for text in (key.id, key.name) if text)
        return tuple(place for place in places if place is not None)[:1]

    def by_source_id(self, key: ImageKey) -> tuple[int, ...]:
        """Images to which the source's JSON gives this id."""
        return tuple(entries(self._by_source_id, id_text(key.id) or ""))

    def by_name(self, key: ImageKey) -> tuple[tuple[int, ...], str]:
        """Images of this name, and by which rule."""
        fitting = self._names.fitting(key.name or key.id or "")
        if not fitting:
            return (), "stem"
        way, names = fitting
        places = (place for name in names for place in entries(self._by_name, name))
        return tuple(dict.fromkeys(places)), way

    def by_number(self, key: ImageKey) -> tuple[int, ...]:
        """Images that no JSON listed, and whose name is this number."""
        number = as_number(normalised(key.name or key.id or "").rpartition("/")[2])
        return tuple(self._by_number.get(number, ())) if number is not None else ()


class _AskedFor:
    """What the file asks for, so that of ours only what it could mean is kept."""

    def __init__(self, keys: Sequence[ImageKey]) -> None:
        self.ids: set[str | None] = set()
        self.stems: set[str] = set()
        self.numbers: set[int | None] = set()
        for key in keys:
            name = key.name or key.id or ""
            base_name = normalised(name).rpartition("/")[2].casefold()
            self.ids.update((name, key.id, id_text(key.id)))
            self.stems.update((base_name, stem(base_name)))
            self.numbers.add(as_number(base_name))
        self.ids.discard(None)
        self.numbers.discard(None)


def as_number(name: str) -> int | None:
    """A name as an integer, without its suffix; None if it is not an integer.

    >>> as_number("000000000139.jpg"), as_number("139"), as_number("a1")
    (139, 139, None)
    """
    digits = re.fullmatch(r"([0-9]{1,18})(\.[A-Za-z]+)?", name)
    return int(digits[1]) if digits else None


def names_of(row: ImageRow) -> list[str]:
    """Names of an image: its path, in a shard the shard's without suffix; its id if it differs."""
    if row.member is not None and row.source in _BY_ROW:
        return [row.image_id]
    path = row.uri if row.member is None else f"{stem(row.uri)}/{row.member}"
    base_name = path.rpartition("/")[2]
    is_same = row.image_id.rpartition("/")[2] in (base_name, stem(base_name))
    return [path] if is_same else [path, row.image_id]
