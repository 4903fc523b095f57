"""COCO: `{captions,instances}_SPLIT.json` and a folder of images; LVIS's JSON too.

The images are those that the JSON files list; equal file names in two JSON files are the same
image. A split without an image folder is left out; it is an error if the user named that split.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import distinct
from stages.sources.coco_annotations import CocoImage, Split, read_images
from stages.sources.files import digest_of, file_digest, load_image_file
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
    consecutive_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAME: Final = re.compile(r"(captions|instances)_(.+)\.json")


@dataclass(frozen=True)
class CocoSource:
    """Splits in order of their names; images in order of their ids."""

    splits: tuple[Split, ...]
    options: SourceOptions = DEFAULTS
    kind: str = "coco"

    def digest(self) -> str:
        """Hash of the JSON files, and of the names and sizes of the images they list."""
        lines: list[object] = []
        for split in self.splits:
            lines += [f"{split.name} {file_digest(path)}" for path in split.jsons]
        return digest_of(*lines, *(f"{i.image_id} {i.file_name} {i.size}" for i in self._images))

    def slices(self) -> Sequence[Slice]:
        """Consecutive images of about `part_bytes` together."""
        sizes = [max(image.size, 0) for image in self._images]
        ranges = consecutive_ranges(sizes, self.options.part_bytes, self.options.part_images)
        return [Slice(0, first, last) for first, last in ranges]

    def count(self, part_slice: Slice) -> int:
        """Images of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Images of all splits."""
        return len(self._images)

    def inventory(self) -> Inventory:
        """Nothing is left out."""
        return Inventory()

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per image that the JSON files list, even if its file is missing."""
        for image in self._images[part_slice.first : part_slice.last]:
            yield Record(
                image_id=image.image_id,
                uri=str(Path(image.split.folder, image.file_name)),
                load=_CocoLoader(image),
                split=image.split.name,
                captions=distinct(image.captions),
                objects=tuple(image.objects),
                problems=tuple(Problem(image.image_id, *p) for p in image.problems),
            )

    @cached_property
    def _images(self) -> list[CocoImage]:
        images = [image for split in self.splits for image in read_images(split)]
        images.sort(key=lambda image: (image.image_id, image.file_name))
        for previous, image in pairwise(images):
            image.is_duplicate = previous.image_id == image.image_id
        return images


@dataclass(frozen=True, slots=True)
class _CocoLoader:
    """Reads one image file."""

    image: CocoImage

    def __call__(self) -> bytes:
        if self.image.is_duplicate:
            raise Refusal(
                Reason.DUPLICATE_ID, f"{self.image.file_name} has the id of an earlier image"
            )
        return load_image_file(self.image.split.folder, self.image.file_name)


def find_splits(root: str, names: Sequence[str]) -> tuple[Split, ...]:
    """The splits of a COCO folder with both JSON and images; only those in `names`, if any.

    Raises:
        SourceError: If there is no such split, or one of `names` is missing.
    """
    jsons: dict[str, list[str]] = {}
    for path in sorted((Path(root) / "annotations").glob("*.json")):
        match = _NAME.fullmatch(path.name)
        if match:
            jsons.setdefault(match[2], []).append(str(path))
    folders = {name: _image_folder(root, name) for name in jsons}
    splits = tuple(
        Split(name, tuple(paths), str(folders[name]))
        for name, paths in sorted(jsons.items())
        if folders[name] is not None
    )
    if not splits:
        raise SourceError(
            f"no split of {root} has images in images/SPLIT or SPLIT: {sorted(jsons)}"
        )
    return _select_splits(splits, names)


def pair_splits(paths: Sequence[str], names: Sequence[str]) -> tuple[Split, ...]:
    """Splits from separate JSON files and image folders; only those in `names`, if any.

    With one folder, all files describe it. With several, the name of a file ends with the name of
    its folder.

    Raises:
        SourceError: If a file has no folder, or one of `names` is missing.
    """
    folders = [path for path in paths if Path(path).is_dir()]
    jsons = [path for path in paths if path not in folders]
    if not folders:
        raise SourceError(f"{jsons[0]} needs its folder of images beside it: rc ingest FILE FOLDER")
    by_folder: dict[str, list[str]] = {}
    for path in jsons:
        by_folder.setdefault(_folder_of(path, folders), []).append(path)
    pairs = sorted(by_folder.items())
    splits = [Split(Path(folder).name, tuple(sorted(files)), folder) for folder, files in pairs]
    return _select_splits(tuple(splits), names)


def is_coco(root: str) -> bool:
    """Whether a folder has annotations/captions_*.json or annotations/instances_*.json."""
    return any(_NAME.fullmatch(path.name) for path in (Path(root) / "annotations").glob("*.json"))


def _folder_of(path: str, folders: Sequence[str]) -> str:
    matching = [f for f in folders if Path(path).stem.endswith(f"_{Path(f).name}")]
    if len(folders) == 1 or len(matching) == 1:
        return (matching or list(folders))[0]
    raise SourceError(f"{path} could belong to several folders: let its name end with _FOLDER.json")


def _image_folder(root: str, split: str) -> Path | None:
    candidates = (Path(root, "images", split), Path(root, split))
    return next((folder for folder in candidates if folder.is_dir()), None)


def _select_splits(splits: tuple[Split, ...], names: Sequence[str]) -> tuple[Split, ...]:
    known = [split.name for split in splits]
    for name in names:
        if name not in known:
            raise SourceError(f"no split {name!r} with JSON and images; there are {known}")
    return tuple(split for split in splits if not names or split.name in names)
