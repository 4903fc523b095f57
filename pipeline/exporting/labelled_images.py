"""Images of a store with their pseudo-labels, one by one, for the export formats."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from PIL import Image

from pipeline import sql
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.errors import ArtifactError, OptionError, SourceError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.pixels import load_image, read_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_SUFFIX: Final = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_UPRIGHT: Final = 1  # EXIF orientation of an image whose pixels are stored upright
_JPEG_QUALITY: Final = 95


@dataclass(frozen=True)
class ExportRequest:
    """Which labels are exported.

    Attributes:
        labels: pseudo_labels@…, a selection's name, or None for the newest.
        where: SQL predicate over pseudo_labels.
        names: Categories in their order; labels of other concepts are left out. None for all
            concepts of the pool, in the order of their ids.
    """

    labels: str | None = None
    where: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LabelledImage:
    """An image with its labels.

    Attributes:
        number: Its position among all images of the store, from 1; it does not depend on which
            images are left out.
        row: Its row of `images`.
        labels: category (index into the names), concept_id, score, region, and the corners of the
            box.
    """

    number: int
    row: Mapping[str, Any]
    labels: list[dict[str, Any]] = field(default_factory=list)

    @property
    def split(self) -> str:
        """Its split as a safe folder name; "all" if it has no split."""
        word = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.row["split"] or "")
        return word or "all"

    @property
    def file_name(self) -> str:
        """A safe file name made from the number, never from the name of the source file."""
        rotated = self.row["orientation"] != _UPRIGHT
        suffix = ".jpg" if rotated else _SUFFIX.get(self.row["format"], ".jpg")
        return f"{self.number:012d}{suffix}"

    def write(self, path: Path, mode: str) -> None:
        """Write its pixels to `path`: a copy, a link if it is a separate file, or nothing.

        Rotated images are written upright, because boxes refer to the upright image.

        Args:
            path: Where to write.
            mode: One of `label_writer.IMAGE_MODES`.

        Raises:
            SourceError: If the image cannot be read any more.
        """
        if mode == "none":
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        separate_file = self.row["content"] is None and self.row["member"] is None
        if mode == "link" and separate_file and self.row["orientation"] == _UPRIGHT:
            source = Path(self.row["uri"]).absolute()
            if not source.is_file():
                raise SourceError(
                    f"{source} does not exist any more; use --images none to export labels only"
                )
            path.symlink_to(source)
        else:
            path.write_bytes(self.encoded())

    def encoded(self) -> bytes:
        """Its encoded bytes; rotated images are encoded again as upright JPEG.

        Raises:
            SourceError: If the image cannot be read any more.
        """
        if self.row["orientation"] == _UPRIGHT and self.row["format"] in _SUFFIX:
            return read_content(self.row)
        buffer = io.BytesIO()
        Image.fromarray(load_image(self.row)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
        return buffer.getvalue()


class LabelledImageReader:
    """The labelled images of a store, streamed part by part.

    Args:
        root: The store.
        request: Which labels.

    Raises:
        ArtifactNotFoundError: If there are no such labels.
        ArtifactError: If the inputs of the labels were deleted.
        OptionError: If a name is listed twice.
    """

    def __init__(self, root: Path, request: ExportRequest) -> None:
        self._labels = catalog.of_table(root, PSEUDO_LABELS, request.labels)
        self._numbers = set(self._labels.numbers)
        self._images = catalog.made_from(self._labels, "images")
        self._where = "true" if request.where is None else request.where
        pool = {
            row["concept_id"]: row["concept"]
            for batch in stream(catalog.made_from(self._labels, "concept_embeddings").files())
            for row in batch.select(["concept_id", "concept"]).to_pylist()
        }
        self.names = request.names or tuple(pool[k] for k in sorted(pool))
        if len(set(self.names)) < len(self.names):
            raise OptionError("rc export: --categories names something twice")
        index = {concept: k for k, concept in enumerate(self.names)}
        self._category = {i: index[concept] for i, concept in pool.items() if concept in index}

    @property
    def unknown_categories(self) -> list[str]:
        """Categories that the concept pool does not have, so that no label can have them."""
        known = set(self._category.values())
        return [name for index, name in enumerate(self.names) if index not in known]

    @property
    def address(self) -> str:
        """Address of the pseudo-labels."""
        return self._labels.address

    def __iter__(self) -> Iterator[LabelledImage]:
        """Images with at least one chosen label, in the order of the store."""
        before = 0
        for record in self._images.parts:
            labels, number = self._labels_by_image(record.number), before
            for batch in stream([self._images.part(record.number)]):
                for offset in range(batch.num_rows):
                    number += 1
                    image_id = batch.column("image_id")[offset].as_py()
                    if image_id in labels:
                        (row,) = batch.slice(offset, 1).to_pylist()
                        yield LabelledImage(number, row, labels.pop(image_id))
            if labels:
                raise ArtifactError(
                    f"{self.address} has labels of {len(labels)} images, such as "
                    f"{next(iter(labels))!r}, that are not in {self._images.address}: 'rc verify' "
                    "shows what is damaged"
                )
            before += record.rows

    def _labels_by_image(self, number: int) -> dict[str, list[dict[str, Any]]]:
        """The chosen labels of a part, by image."""
        labels: dict[str, list[dict[str, Any]]] = {}
        if number not in self._numbers:
            return labels
        for batch in sql.matching(self._labels, number, self._where):
            columns = ["image_id", "region", "concept_id", "probability", "x0", "y0", "x1", "y1"]
            for row in pa.Table.from_batches([batch]).select(columns).to_pylist():
                category = self._category.get(row["concept_id"])
                if category is not None:
                    row |= {"category": category, "score": row.pop("probability")}
                    labels.setdefault(row.pop("image_id"), []).append(row)
        return labels
