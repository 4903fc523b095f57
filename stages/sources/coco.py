"""COCO: `{captions,instances}_SPLIT.json` and a folder of images; LVIS's JSON too.

The images are those that the JSON files list; equal file names in two JSON files are the same
image. A split without an image folder is left out; it is an error if the user named that split.
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
    consecutive_ranges,
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
    """What all JSON files together contain about one image file."""

    split: Split
    file_name: str
    size: int
    is_duplicate: bool = False
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
    def _images(self) -> list[_CocoImage]:
        images = [image for split in self.splits for image in _images_of(split)]
        images.sort(key=lambda image: (image.image_id, image.file_name))
        for previous, image in pairwise(images):
            image.is_duplicate = previous.image_id == image.image_id
        return images


@dataclass(frozen=True, slots=True)
class _CocoLoader:
    """Reads one image file."""

    image: _CocoImage

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


def _images_of(split: Split) -> list[_CocoImage]:
    images: dict[str, _CocoImage] = {}
    for path in split.jsons:
        _add_json(images, split, path)
    return list(images.values())


def _add_json(images: dict[str, _CocoImage], split: Split, path: str) -> None:
    """Add the content of one JSON file to `images`, whose keys are file names."""
    content = _load_json(path)
    by_id: dict[Any, _CocoImage] = {}
    for entry in content["images"]:
        name = _file_name(entry, path)
        if name not in images:
            images[name] = _CocoImage(split, name, _file_size(Path(split.folder, name)))
        by_id[entry.get("id")] = images[name]
    categories = {c.get("id"): str(c.get("name")) for c in content.get("categories", ())}
    for number, entry in enumerate(content.get("annotations", ())):
        image = by_id.get(entry.get("image_id"))
        if image is not None:
            _add_annotation(image, entry, categories, f"annotation {number} of {Path(path).name}")


def _add_annotation(
    image: _CocoImage, entry: Mapping[str, Any], categories: Mapping[Any, str], where: str
) -> None:
    """Add one annotation to its image: a caption, a box, or a problem."""
    if "bbox" in entry:
        box = entry["bbox"]
        if not _is_box(box):
            image.problems.append((Reason.BAD_BOX, f"{where} is not four finite numbers"))
        elif entry.get("category_id") not in categories:
            image.problems.append((Reason.UNKNOWN_CATEGORY, f"{where} has an unlisted category"))
        else:
            image.objects.append(_source_object(entry, categories[entry["category_id"]]))
    if "caption" in entry:
        try:
            image.captions += captions_of(entry["caption"])
        except Refusal as refusal:
            image.problems.append((refusal.reason, f"{where}: {refusal.detail}"))


def _source_object(entry: Mapping[str, Any], category: str) -> SourceObject:
    x, y, width, height = (float(value) for value in entry["bbox"])
    area = entry.get("area")
    has_area = isinstance(area, int | float) and _is_finite(area)
    return SourceObject(
        category,
        (x, y, x + width, y + height),
        float(area) if has_area and area is not None else None,
        bool(entry.get("iscrowd", 0)),
    )


def _is_box(box: Any) -> bool:
    is_list_of_numbers = isinstance(box, list) and all(type(v) in (int, float) for v in box)
    return is_list_of_numbers and len(box) == 4 and all(map(_is_finite, box))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that float64 cannot hold
        return False


def _load_json(path: str) -> dict[str, Any]:
    """The JSON without unused fields: masks are dropped while parsing, because they fill memory."""
    try:
        content = json.loads(Path(path).read_bytes(), object_hook=_drop_unused_fields)
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot read {path} as JSON: {error}") from error
    has_lists = isinstance(content, dict) and all(
        isinstance(content.get(key, []), list)
        and all(isinstance(entry, dict) for entry in content.get(key, []))
        for key in ("images", "annotations", "categories")
    )
    if not has_lists or "images" not in content:
        raise SourceError(f"{path} is not COCO's JSON: it needs a list of objects named 'images'")
    return dict(content)


def _drop_unused_fields(entry: dict[str, Any]) -> dict[str, Any]:
    if "image_id" in entry:
        return {key: value for key, value in entry.items() if key in _FIELDS}
    return entry


def _file_name(entry: Mapping[str, Any], path: str) -> str:
    name = entry.get("file_name") or str(entry.get("coco_url", "")).rpartition("/")[2]
    if not isinstance(name, str) or not name:
        raise SourceError(f"{path} lists an image without file_name")
    return name


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1  # recorded as absent; a file that appears later changes the digest
