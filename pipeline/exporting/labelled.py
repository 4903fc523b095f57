"""Labelled images of a store, one by one, for those who write them in other programs' formats."""

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
_UPRIGHT: Final = 1  # EXIF orientation of an image whose pixels are as they are shown
_QUALITY: Final = 95


@dataclass(frozen=True)
class ExportRequest:
    """What is exported.

    Attributes:
        labels: pseudo_labels@…, a selection's name, or None for the newest.
        where: SQL predicate over pseudo_labels.
        names: Categories in their order; labels of other concepts are left out. None for the
            pool, in the order of its ids.
    """

    labels: str | None = None
    where: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LabelledImage:
    """An image with its labels.

    Attributes:
        number: Its place among all images of the store, from 1: stable, whatever is left out.
        row: Of `images`.
        labels: category (index into the names), score, region, and the corners of the box.
    """

    number: int
    row: Mapping[str, Any]
    labels: list[dict[str, Any]] = field(default_factory=list)

    @property
    def split(self) -> str:
        """Its split as a word that is a harmless folder name; "all" where it has none."""
        word = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.row["split"] or "")
        return word or "all"

    @property
    def file_name(self) -> str:
        """A harmless name of its own: never one that the outside gave."""
        turned = self.row["orientation"] != _UPRIGHT
        suffix = ".jpg" if turned else _SUFFIX.get(self.row["format"], ".jpg")
        return f"{self.number:012d}{suffix}"

    def write(self, path: Path, how: str) -> None:
        """Put its pixels at `path`: "copy", "link" where they are a file of their own, or "none".

        What a camera turned is written upright, for boxes are of the upright image.

        Raises:
            SourceError: If the image cannot be read any more.
        """
        if how == "none":
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        own_file = self.row["content"] is None and self.row["member"] is None
        if how == "link" and own_file and self.row["orientation"] == _UPRIGHT:
            source = Path(self.row["uri"]).absolute()
            if not source.is_file():
                raise SourceError(f"{source} is not there any more; --images none leaves it out")
            path.symlink_to(source)
        else:
            path.write_bytes(self.encoded())

    def encoded(self) -> bytes:
        """Its bytes as they are, or as JPEG if they must be turned.

        Raises:
            SourceError: If the image cannot be read any more.
        """
        if self.row["orientation"] == _UPRIGHT and self.row["format"] in _SUFFIX:
            return read_content(self.row)
        buffer = io.BytesIO()
        Image.fromarray(load_image(self.row)).save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()


class Export:
    """The labelled images of a store, streamed part by part.

    Args:
        root: The store.
        wanted: Which labels.

    Raises:
        ArtifactNotFoundError: If there are no such labels.
        ArtifactError: If what they were made from is gone.
        OptionError: If a name is listed twice.
    """

    def __init__(self, root: Path, wanted: ExportRequest) -> None:
        self._labels = catalog.of_table(root, PSEUDO_LABELS, wanted.labels)
        self._images = catalog.made_from(self._labels, "images")
        self._where = wanted.where or "true"
        pool = {
            row["concept_id"]: row["concept"]
            for batch in stream(catalog.made_from(self._labels, "concept_embeddings").files())
            for row in batch.select(["concept_id", "concept"]).to_pylist()
        }
        self.names = wanted.names or tuple(pool[k] for k in sorted(pool))
        if len(set(self.names)) < len(self.names):
            raise OptionError("rc export: --categories names something twice")
        place = {concept: at for at, concept in enumerate(self.names)}
        self._category = {k: place[c] for k, c in pool.items() if c in place}

    @property
    def strangers(self) -> list[str]:
        """Categories that are no concepts of the pool, so that no label can be theirs."""
        known = set(self._category.values())
        return [name for at, name in enumerate(self.names) if at not in known]

    @property
    def address(self) -> str:
        """Of the pseudo-labels."""
        return self._labels.address

    def __iter__(self) -> Iterator[LabelledImage]:
        """Images that have a label left, in the order of the store."""
        before = 0
        for record in self._images.manifest.parts:
            found, at = self._found(record.number), 0
            for batch in stream([self._images.part(record.number)]):
                for offset in range(batch.num_rows):
                    at += 1
                    image_id = batch.column("image_id")[offset].as_py()
                    if image_id in found:
                        (row,) = batch.slice(offset, 1).to_pylist()
                        yield LabelledImage(before + at, row, found.pop(image_id))
            if found:
                raise ArtifactError(
                    f"{self.address} has labels of {len(found)} images, such as "
                    f"{next(iter(found))!r}, that {self._images.address} has not: 'rc verify' "
                    "shows what is damaged"
                )
            before += record.rows

    def _found(self, number: int) -> dict[str, list[dict[str, Any]]]:
        """Labels of a part, by image."""
        found: dict[str, list[dict[str, Any]]] = {}
        if number not in self._labels.numbers:
            return found
        for batch in sql.matching(self._labels, number, self._where):
            kept = ["image_id", "region", "concept_id", "probability", "x0", "y0", "x1", "y1"]
            for row in pa.Table.from_batches([batch]).select(kept).to_pylist():
                category = self._category.get(row.pop("concept_id"))
                if category is not None:
                    row |= {"category": category, "score": row.pop("probability")}
                    found.setdefault(row.pop("image_id"), []).append(row)
        return found
