"""COCO: `{captions,instances}_SPLIT.json` beside a folder of images; LVIS's JSON too.

The images are those the JSON files list. Files of different JSONs that have the same name are
the same image. A split whose image folder is absent is left out, unless it was asked for.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_of, distinct
from stages.sources.files import digest_of, file_digest, load_image_file
from stages.sources.record import (
    DEFAULTS,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceObject,
    SourceOptions,
    cut,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NAME: Final = re.compile(r"(captions|instances)_(.+)\.json")
_FIELDS: Final = frozenset(("image_id", "category_id", "bbox", "area", "iscrowd", "caption"))


@dataclass(frozen=True, slots=True)
class Split:
    """One split: its JSON files, and the folder of its images."""

    name: str
    jsons: tuple[str, ...]
    folder: str


@dataclass(slots=True)
class _CocoImage:
    """What all JSON files together say about one image file."""

    split: Split
    file_name: str
    size: int
    repeated: bool = False
    captions: list[str] = field(default_factory=list)
    objects: list[SourceObject] = field(default_factory=list)
    problems: list[tuple[Reason, str]] = field(default_factory=list)

    @property
    def image_id(self) -> str:
        folder, _, file = self.file_name.rpartition("/")
        stem = file.rpartition(".")[0] or file
        return "/".join(filter(None, (self.split.name, folder, stem)))


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
        """Consecutive images of about `part_bytes`."""
        sizes = [max(image.size, 0) for image in self._images]
        ranges = cut(sizes, self.options.part_bytes, self.options.part_images)
        return [Slice(0, first, last) for first, last in ranges]

    def count(self, piece: Slice) -> int:
        """Images of the slice."""
        return piece.last - piece.first

    def total(self) -> int | None:
        """Images of all splits."""
        return len(self._images)

    def records(self, piece: Slice) -> Iterator[Record | Problem]:
        """One record per image that the JSON files list, whether its file is there or not."""
        for image in self._images[piece.first : piece.last]:
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
    def _images(self) -> list[_CocoImage]:
        found = [image for split in self.splits for image in _images_of(split)]
        found.sort(key=lambda image: (image.image_id, image.file_name))
        for before, image in pairwise(found):
            image.repeated = before.image_id == image.image_id
        return found


@dataclass(frozen=True, slots=True)
class _CocoLoader:
    """Reads one image file, or says why not."""

    image: _CocoImage

    def __call__(self) -> bytes:
        if self.image.repeated:
            raise Refusal(Reason.DUPLICATE_ID, f"{self.image.file_name} has an id that came before")
        return load_image_file(self.image.split.folder, self.image.file_name)


def find_splits(root: str, wanted: Sequence[str]) -> tuple[Split, ...]:
    """The splits of a COCO folder that have both JSON and images.

    Raises:
        SourceError: If there is none, or a wanted one is missing.
    """
    jsons: dict[str, list[str]] = {}
    for path in sorted((Path(root) / "annotations").glob("*.json")):
        found = _NAME.fullmatch(path.name)
        if found:
            jsons.setdefault(found[2], []).append(str(path))
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
    return _wanted(splits, wanted)


def pair_splits(paths: Sequence[str], wanted: Sequence[str]) -> tuple[Split, ...]:
    """Splits from JSON files and image folders named one by one.

    With one folder all files describe it; with several, the name of the file ends in the
    folder's name.

    Raises:
        SourceError: If a file has no folder, or there is none.
    """
    folders = [path for path in paths if Path(path).is_dir()]
    jsons = [path for path in paths if path not in folders]
    if not folders:
        raise SourceError(f"{jsons[0]} needs its folder of images beside it: rc ingest FILE FOLDER")
    by_folder: dict[str, list[str]] = {}
    for path in jsons:
        by_folder.setdefault(_folder_of(path, folders), []).append(path)
    splits = [Split(Path(f).name, tuple(sorted(j)), f) for f, j in sorted(by_folder.items())]
    return _wanted(tuple(splits), wanted)


def is_coco(root: str) -> bool:
    """Whether a folder has annotations/captions_*.json or annotations/instances_*.json."""
    return any(_NAME.fullmatch(path.name) for path in (Path(root) / "annotations").glob("*.json"))


def _folder_of(path: str, folders: Sequence[str]) -> str:
    named = [f for f in folders if Path(path).stem.endswith(f"_{Path(f).name}")]
    if len(folders) == 1 or len(named) == 1:
        return (named or list(folders))[0]
    raise SourceError(f"{path} could belong to several folders: end its name in _FOLDER.json")


def _image_folder(root: str, split: str) -> Path | None:
    candidates = (Path(root, "images", split), Path(root, split))
    return next((folder for folder in candidates if folder.is_dir()), None)


def _wanted(splits: tuple[Split, ...], wanted: Sequence[str]) -> tuple[Split, ...]:
    names = [split.name for split in splits]
    for name in wanted:
        if name not in names:
            raise SourceError(f"no split {name!r} with JSON and images; there are {names}")
    return tuple(split for split in splits if not wanted or split.name in wanted)


def _images_of(split: Split) -> list[_CocoImage]:
    images: dict[str, _CocoImage] = {}
    for path in split.jsons:
        _add(images, split, path)
    return list(images.values())


def _add(images: dict[str, _CocoImage], split: Split, path: str) -> None:
    """Add what one JSON file says to `images`, which is keyed by file name."""
    content = _load(path)
    by_id: dict[Any, _CocoImage] = {}
    for entry in content["images"]:
        name = _file_name(entry, path)
        if name not in images:
            images[name] = _CocoImage(split, name, _size(Path(split.folder, name)))
        by_id[entry.get("id")] = images[name]
    categories = {c.get("id"): str(c.get("name")) for c in content.get("categories", ())}
    for number, entry in enumerate(content.get("annotations", ())):
        image = by_id.get(entry.get("image_id"))
        if image is not None:
            _annotate(image, entry, categories, f"annotation {number} of {Path(path).name}")


def _annotate(
    image: _CocoImage, entry: Mapping[str, Any], categories: Mapping[Any, str], where: str
) -> None:
    """Add one annotation to its image: a caption, a box, or the reason why neither."""
    if "bbox" in entry:
        box = entry["bbox"]
        if not _is_box(box):
            image.problems.append((Reason.BAD_BOX, f"{where} is not four finite numbers"))
        elif entry.get("category_id") not in categories:
            image.problems.append((Reason.UNKNOWN_CATEGORY, f"{where} has an unlisted category"))
        else:
            image.objects.append(_drawn(entry, categories[entry["category_id"]]))
    if "caption" in entry:
        try:
            image.captions += captions_of(entry["caption"])
        except Refusal as refusal:
            image.problems.append((refusal.reason, f"{where}: {refusal.detail}"))


def _drawn(entry: Mapping[str, Any], category: str) -> SourceObject:
    x, y, width, height = (float(value) for value in entry["bbox"])
    area = entry.get("area")
    known = isinstance(area, int | float) and math.isfinite(area)
    return SourceObject(
        category,
        (x, y, x + width, y + height),
        float(area) if known and area is not None else None,
        bool(entry.get("iscrowd", 0)),
    )


def _is_box(box: Any) -> bool:
    numbers = isinstance(box, list) and all(type(v) in (int, float) for v in box)
    return numbers and len(box) == 4 and all(math.isfinite(value) for value in box)


def _load(path: str) -> dict[str, Any]:
    """The JSON without what is not needed: masks are dropped while parsing, they fill memory."""
    try:
        content = json.loads(Path(path).read_bytes(), object_hook=_slim)
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot read {path} as JSON: {error}") from error
    lists = isinstance(content, dict) and all(
        isinstance(content.get(key, []), list)
        and all(isinstance(e, dict) for e in content.get(key, []))
        for key in ("images", "annotations", "categories")
    )
    if not lists or "images" not in content:
        raise SourceError(f"{path} is not COCO's JSON: it needs a list of objects named 'images'")
    return dict(content)


def _slim(entry: dict[str, Any]) -> dict[str, Any]:
    if "image_id" in entry:
        return {key: value for key, value in entry.items() if key in _FIELDS}
    return entry


def _file_name(entry: Mapping[str, Any], path: str) -> str:
    name = entry.get("file_name") or str(entry.get("coco_url", "")).rpartition("/")[2]
    if not isinstance(name, str) or not name:
        raise SourceError(f"{path} lists an image without file_name")
    return name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1  # recorded as absent; a file that appears later changes the digest
