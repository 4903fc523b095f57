"""Boxes of other localizers: COCO-results JSON, Parquet, or HDF5 in our own layout.

* JSON: a list of {image_id, bbox: [x, y, width, height], score}. It is read piece by piece once
  per process and kept as arrays, 24 bytes a box.
* Parquet: columns image_id, x0, y0, x1, y1 (or bbox: [x, y, width, height]) and score or
  objectness. If the rows of an image stand together only the row group in use is held;
  otherwise all are, as with JSON.
* HDF5 (`stages.proposals.region_dump`): only the image in use is held.

An image is found under its own id, else under what follows the last slash of it, else under
that as an integer, suffix aside: coco/val2017/000000000139.jpg is 139. Categories, if the file
has any, are not looked at.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from schemas.errors import SourceError
from stages.proposals.boxes_json import read_json
from stages.proposals.boxes_parquet import open_parquet
from stages.proposals.region_dump import DumpReader, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stages.proposals.box_arrays import Boxes


class BoxFile(Protocol):
    """What every format offers: ids, and the boxes of each."""

    @property
    def ids(self) -> Sequence[str]:
        """Image ids of the file, each once."""
        ...

    def boxes(self, index: int) -> Boxes:
        """Boxes (R, 4) and scores (R,) of ids[index], in the order of the file."""
        ...


class Localizer:
    """The boxes of a foreign file, looked up by our image ids.

    Attributes:
        kind: Whether scores are raw logits or scores of the localizer's own making.
    """

    def __init__(self, boxed: BoxFile, kind: Kind) -> None:
        self.kind = kind
        self._boxed = boxed
        self._exact = {image_id: k for k, image_id in enumerate(boxed.ids)}
        self._numbers: dict[int, int] = {}
        twice: set[int] = set()
        for image_id, k in self._exact.items():
            number = as_number(image_id)
            if number is not None and self._numbers.setdefault(number, k) != k:
                twice.add(number)
        for number in twice:  # "7" and "007": neither may speak for the other
            del self._numbers[number]

    def __len__(self) -> int:
        return len(self._exact)

    def find(self, image_id: str) -> int | None:
        """Where the file has the image, by the rule of this module; None if nowhere."""
        tail = image_id.rpartition("/")[2]
        for name in (image_id, tail):
            if name in self._exact:
                return self._exact[name]
        number = as_number(tail)
        return None if number is None else self._numbers.get(number)

    def boxes(self, index: int) -> Boxes:
        """Boxes (R, 4) and scores (R,) at a place that `find` gave."""
        return self._boxed.boxes(index)


class _Dump:
    """Satisfies `BoxFile` with a region dump."""

    def __init__(self, reader: DumpReader) -> None:
        self._reader = reader
        self.ids = reader.image_ids

    def boxes(self, index: int) -> Boxes:
        return self._reader[index][1:]


def open_localizer(path: Path) -> Localizer:
    """The boxes of a file, by its suffix: .json, .parquet, .h5 or .hdf5; kept by the process.

    Raises:
        SourceError: If the file is missing, of another format, or damaged.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file of boxes; check the path given to --from")
    stat = path.stat()
    return _opened(path, stat.st_mtime_ns, stat.st_size)


def as_number(image_id: str) -> int | None:
    """The integer an id stands for, its suffix aside; None if it is none.

    >>> as_number("000000000139.jpg"), as_number("139"), as_number("a1")
    (139, 139, None)
    """
    found = re.fullmatch(r"([0-9]{1,18})(\.[A-Za-z]+)?", image_id)
    return int(found[1]) if found else None


@lru_cache(maxsize=1)
def _opened(path: Path, _changed: int, _size: int) -> Localizer:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return Localizer(read_json(path), "score")
    if suffix == ".parquet":
        return Localizer(open_parquet(path), "score")
    if suffix in (".h5", ".hdf5"):
        reader = DumpReader(path)
        return Localizer(_Dump(reader), reader.kind)
    raise SourceError(f"{path}: boxes are read from .json, .parquet and .h5 files")
