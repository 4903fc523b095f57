"""Boxes of other localizers: COCO-results JSON, Parquet, or HDF5 in our own layout.

* JSON: a list of {image_id, bbox: [x, y, width, height], score}. It is read once per process,
  in chunks, and kept as arrays, 24 bytes a box.
* Parquet: columns image_id, x0, y0, x1, y1 (or bbox: [x, y, width, height]) and score or
  objectness. If rows are grouped by image, only the row group in use is in memory; otherwise
  all are, as with JSON.
* HDF5 (`stages.proposals.region_dump`): only the image in use is in memory.

An image is looked up by its own id, then by the part after the last slash, then by that part as
an integer without suffix: coco/val2017/000000000139.jpg is 139. Categories in the file are ignored.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from schemas.errors import SourceError
from stages.proposals.boxes_json import read_json
from stages.proposals.boxes_parquet import open_parquet
from stages.proposals.region_dump import DumpReader, ScoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stages.proposals.box_arrays import ScoredBoxes


class BoxFile(Protocol):
    """What every file format offers: image ids, and the boxes of each."""

    @property
    def ids(self) -> Sequence[str]:
        """Image ids of the file, each once."""
        ...

    def boxes(self, index: int) -> ScoredBoxes:
        """Boxes (R, 4) and scores (R,) of ids[index], in the order of the file."""
        ...


class LocalizerBoxes:
    """The boxes that another localizer wrote to a file, looked up by our image ids.

    Attributes:
        kind: Whether scores are raw logits or scores of any other kind.
    """

    def __init__(self, file: BoxFile, kind: ScoreKind) -> None:
        self.kind = kind
        self._file = file
        self._index_of_id = {image_id: index for index, image_id in enumerate(file.ids)}
        self._index_of_number: dict[int, int] = {}
        ambiguous: set[int] = set()
        for image_id, index in self._index_of_id.items():
            number = as_number(image_id)
            if number is not None and self._index_of_number.setdefault(number, index) != index:
                ambiguous.add(number)
        for number in ambiguous:  # "7" and "007" are the same number, so the number names neither
            del self._index_of_number[number]

    def __len__(self) -> int:
        return len(self._index_of_id)

    def find(self, image_id: str) -> int | None:
        """Index of the image in the file, by the rule of this module; None if it is not there."""
        tail = image_id.rpartition("/")[2]
        for name in (image_id, tail):
            if name in self._index_of_id:
                return self._index_of_id[name]
        number = as_number(tail)
        return None if number is None else self._index_of_number.get(number)

    def boxes(self, index: int) -> ScoredBoxes:
        """Boxes (R, 4) and scores (R,) at an index that `find` returned."""
        return self._file.boxes(index)


class _DumpFile:
    """A region dump as a `BoxFile`."""

    def __init__(self, reader: DumpReader) -> None:
        self._reader = reader
        self.ids = reader.image_ids

    def boxes(self, index: int) -> ScoredBoxes:
        return self._reader[index][1:]


def open_localizer(path: Path) -> LocalizerBoxes:
    """The boxes of a file: .json, .parquet, .h5 or .hdf5; the last file stays in memory.

    Raises:
        SourceError: If the file is missing, of another format, or damaged.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file of boxes; check the path given to --from")
    stat = path.stat()
    return _open_cached(path, stat.st_mtime_ns, stat.st_size)


def as_number(image_id: str) -> int | None:
    """The id as an integer, without its suffix; None if it is not an integer.

    >>> as_number("000000000139.jpg"), as_number("139"), as_number("a1")
    (139, 139, None)
    """
    digits = re.fullmatch(r"([0-9]{1,18})(\.[A-Za-z]+)?", image_id)
    return int(digits[1]) if digits else None


@lru_cache(maxsize=1)
def _open_cached(path: Path, _mtime_ns: int, _size: int) -> LocalizerBoxes:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return LocalizerBoxes(read_json(path), "score")
    if suffix == ".parquet":
        return LocalizerBoxes(open_parquet(path), "score")
    if suffix in (".h5", ".hdf5"):
        reader = DumpReader(path)
        return LocalizerBoxes(_DumpFile(reader), reader.kind)
    raise SourceError(f"{path}: boxes are read from .json, .parquet and .h5 files")
