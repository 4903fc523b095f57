"""Rows of exported labels in memory, by image.

Shapes: K labels of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from stages.reviewing.review_comparison import NamedBoxes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_SIDES: Final = ("x0", "y0", "x1", "y1")
SCHEMA: Final = pa.schema(
    [
        ("image_id", pa.string()),
        ("number", pa.int64()),  # position among all images of the store, from 1
        ("file", pa.string()),  # what the export calls the image
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("region", pa.int32()),
        ("concept_id", pa.int32()),
        ("concept", pa.string()),  # as the export writes it
        *((side, pa.float32()) for side in _SIDES),
    ]
)


class ExportedImage(NamedTuple):
    """An image of an export.

    Attributes:
        position: Among the images of the export, from 0.
        number: Among all images of the store, from 1.
        image_id: As in images.
        width: Pixels.
        height: Likewise.
    """

    position: int
    number: int
    image_id: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ExportedLabels:
    """All labels of an export; about 40 bytes each.

    Attributes:
        address: Of the pseudo-labels.
        offered: Names that the other program offered to people.
        images: In their order.
    """

    address: str
    offered: frozenset[str]
    images: Sequence[ExportedImage]
    _by_id: Mapping[str, int]
    _by_file: Mapping[str, int]
    _files: Sequence[str]
    _starts: NDArray[np.int64]  # of the labels of each image, and the end
    _names: NDArray[np.object_]
    _columns: Mapping[str, NDArray[Any]]

    def find(self, image_id: str | None, file: str | None) -> ExportedImage | None:
        """The image with an id; without one, that of a file.

        Folders may stand before the name that the export gave it, or it has lost all of them.
        """
        if image_id:
            index = self._by_id.get(image_id)
        else:
            index = self._by_file.get(base_name(file)) if file else None
            if index is not None and file and not _is_below(file, self._files[index]):
                index = None
        return None if index is None else self.images[index]

    def labels(self, image: ExportedImage) -> tuple[NamedBoxes, NDArray[np.int32]]:
        """Its K labels, and the concept_id of each, (K,)."""
        rows = slice(*self._starts[image.position : image.position + 2].tolist())
        taken = {name: column[rows] for name, column in self._columns.items()}
        names = self._names[taken["concept"]]
        regions, sides = taken["region"].astype(np.int64), taken["sides"].astype(np.float64)
        return NamedBoxes(regions, names, sides), taken["concept_id"]


def base_name(path: str) -> str:
    r"""The last part of a path, of whatever system.

    >>> base_name("images/val/7.jpg"), base_name("val\\7.jpg")
    ('7.jpg', '7.jpg')
    """
    return path.replace("\\", "/").rpartition("/")[2]


def _is_below(path: str, name: str) -> bool:
    """Whether a path ends with a name, or is the last part of it alone."""
    plain = path.replace("\\", "/")
    return "/" not in plain or f"/{plain}".endswith(f"/{name}")


class ExportedRows:
    """The labels of a file as far as it was read, checked at its end."""

    def __init__(self) -> None:
        self._columns: dict[str, list[NDArray[Any]]] = {}
        self._names: dict[str, int] = {}
        self._images: list[ExportedImage] = []
        self._files: list[str] = []
        self._counts: list[int] = []
        self._has_nulls = False

    def add(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self._has_nulls |= any(column.null_count for column in batch.columns)
        if self._has_nulls or not batch.num_rows:
            return
        values = {name: batch.column(name) for name in SCHEMA.names}
        sides = np.stack([values[side].to_numpy() for side in _SIDES], axis=1)
        codes = values["concept"].dictionary_encode()
        own = [self._names.setdefault(n, len(self._names)) for n in codes.dictionary.to_pylist()]
        for name, column in (
            ("region", values["region"].to_numpy()),
            ("concept_id", values["concept_id"].to_numpy()),
            ("concept", np.array(own, np.int32)[codes.indices.to_numpy()]),
            ("sides", sides),
        ):
            self._columns.setdefault(name, []).append(column)
        self._add_images(batch, values["number"].to_numpy())

    def _add_images(self, batch: pa.RecordBatch, numbers: NDArray[np.int64]) -> None:
        """Count the labels of each image, and take what is said of it from its first row."""
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        for first, end in zip(starts.tolist(), [*starts.tolist()[1:], len(numbers)], strict=True):
            row = {name: batch.column(name)[first].as_py() for name in SCHEMA.names[:5]}
            if self._images and self._images[-1].number == row["number"]:
                self._counts[-1] += end - first
                continue
            file = row.pop("file")
            self._images.append(ExportedImage(len(self._images), **row))
            self._files.append(file.replace("\\", "/"))
            self._counts.append(end - first)

    def fault(self) -> str | None:
        """What is wrong with it; None if nothing is."""
        if self._has_nulls or not self._images:
            return "it has empty cells" if self._has_nulls else "it has no rows"
        sides, region = self._joined("sides"), self._joined("region")
        owner = np.repeat(np.arange(len(self._images)), self._counts)
        pairs = np.stack([owner, region], axis=1)
        numbers = np.array([image.number for image in self._images])
        problems = {
            "images are not in order": (np.diff(numbers) <= 0).any() or numbers[0] < 1,
            "two images have one name": len(set(map(base_name, self._files))) < len(self._files),
            "two images have one id": len({i.image_id for i in self._images}) < len(numbers),
            "an image has no size": any(min(i.width, i.height) < 1 for i in self._images),
            "a region occurs twice": len(np.unique(pairs, axis=0)) < len(pairs),
            "an id is negative": min(region.min(), self._joined("concept_id").min()) < 0,
            "a box is empty": not (sides[:, 2:] > sides[:, :2]).all(),
            "a box is not finite": not np.isfinite(sides).all(),
        }
        return next((why for why, holds in problems.items() if holds), None)

    def labels(self, address: str, offered: frozenset[str]) -> ExportedLabels:
        """All of it."""
        names = np.empty(len(self._names), object)
        names[:] = [name.strip() for name in self._names]
        return ExportedLabels(
            address,
            frozenset(name.strip() for name in offered | self._names.keys()),
            self._images,
            {image.image_id: image.position for image in self._images},
            {base_name(file): index for index, file in enumerate(self._files)},
            self._files,
            np.concatenate([[0], np.cumsum(self._counts)]),
            names,
            {name: self._joined(name) for name in self._columns},
        )

    def _joined(self, name: str) -> NDArray[Any]:
        return np.concatenate(self._columns[name])
