"""Labelled images as WebDataset tars."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from typing import TYPE_CHECKING, Final

from pipeline.exporting.label_writer import LabelWriter, xywh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage

_IMAGES_PER_TAR: Final = 1000


class WebDatasetFormat(LabelWriter):
    """SPLIT-NUMBER.tar of image, caption (.txt) and labels (.json); pixels are always copied."""

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._counts: Counter[str] = Counter()
        self._tars: dict[str, tarfile.TarFile] = {}

    def add(self, image: LabelledImage) -> None:
        """See `LabelWriter.add`."""
        tar = self._current_tar(image.split)
        labels = [
            {
                "category": self.names[label["category"]],
                "score": label["score"],
                "bbox": xywh(label),
            }
            for label in image.labels
        ]
        about = {name: image.row[name] for name in ("image_id", "split", "width", "height")}
        content = json.dumps(
            {**about, "captions": image.row["captions"], "labels": labels}, ensure_ascii=False
        )
        caption = next(iter(image.row["captions"]), "")
        _add_member(tar, image.file_name, image.encoded())
        _add_member(tar, f"{image.number:012d}.txt", caption.encode())
        _add_member(tar, f"{image.number:012d}.json", content.encode())

    def close(self) -> None:
        """See `LabelWriter.close`."""
        for tar in self._tars.values():
            tar.close()

    def _current_tar(self, split: str) -> tarfile.TarFile:
        """The tar that the next image of a split belongs to; opened if it is the first in it."""
        number, position = divmod(self._counts[split], _IMAGES_PER_TAR)
        if position == 0:
            if number:
                self._tars[split].close()
            path = self.folder / f"{split}-{number:06d}.tar"
            self._tars[split] = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self._counts[split] += 1
        return self._tars[split]


def _add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # its default time and owner are constants
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
