"""JSON files of COCO in a folder, told apart by their names and by how they begin and end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from stages.sources.image_folder import has_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROBOFLOW: Final = "_annotations.coco.json"
UNKNOWN: Final = "another kind"
OTHER_LAYOUT: Final = "another layout of COCO"
_OFFICIAL: Final = re.compile(r"(captions|instances)_(.+)\.json")
_UNREAD: Final = {
    "person_keypoints_": "keypoints",
    "keypoints_": "keypoints",
    "panoptic_": "panoptic segments",
    "stuff_": "stuff",
    "densepose_": "dense poses",
}
_SPLIT: Final = re.compile(r"(train|val|valid|validation|test|dev|minival)\d*", re.IGNORECASE)
_GENERIC: Final = ("annotation", "annotations", "labels", "instances", "captions", "coco", "data")
_KEYS: Final = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_END_BYTES: Final = 1 << 20  # looked at on each end of a JSON
_MOST_JSONS: Final = 20  # in a folder; where there are more, each is about one image


Place = Literal["official names", "beside images", "other names"]


@dataclass(frozen=True)
class CocoFiles:
    """What JSON a folder holds.

    Attributes:
        place: By which layout files were chosen.
        chosen: Files to read.
        unread: All others, and what they hold.
    """

    place: Place
    chosen: tuple[Path, ...]
    unread: dict[Path, str]

    @property
    def has_annotations(self) -> bool:
        """Whether there is a file to read, or one of a kind that is known and not read."""
        return bool(self.chosen) or bool(set(self.unread.values()) & set(_UNREAD.values()))


def find_files(root: Path) -> CocoFiles:
    """All JSON directly in a folder, and in the folders in it."""
    official: list[Path] = []
    beside: list[Path] = []
    other: list[Path] = []
    unread: dict[Path, str] = {}
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        jsons = _jsons(folder)
        is_beside = bool(jsons) and _has_images_beside(folder, root)
        for path in jsons:
            kind = next((what for name, what in _UNREAD.items() if path.name.startswith(name)), "")
            if kind:
                unread[path] = kind
            elif not _OFFICIAL.fullmatch(path.name) and not looks_like_coco(path):
                unread[path] = UNKNOWN
            elif is_beside:
                beside.append(path)
            else:
                (official if _OFFICIAL.fullmatch(path.name) else other).append(path)
    places: dict[Place, list[Path]] = {
        "official names": official,
        "beside images": beside,
        "other names": other,
    }
    place: Place = next((place for place, paths in places.items() if paths), "other names")
    for other_place in places.keys() - {place}:
        unread |= dict.fromkeys(places[other_place], OTHER_LAYOUT)
    return CocoFiles(place, tuple(places[place]), unread)


def name_splits(root: Path, files: CocoFiles) -> dict[str, list[Path]]:
    """The files of each split."""
    splits: dict[str, list[Path]] = {}
    for path in files.chosen:
        match = _OFFICIAL.fullmatch(path.name)
        name = str(match[2]) if match else _split_of(path, root)
        if files.place == "beside images":
            name = path.parent.name
        splits.setdefault(name, []).append(path)
    return dict(_apart(splits)) if files.place == "other names" else splits


def _apart(splits: dict[str, list[Path]]) -> Iterator[tuple[str, list[Path]]]:
    """Two files of other names are two splits, unless both have names that say nothing."""
    for name, paths in splits.items():
        if len(paths) == 1 or all(_stem(path) in _GENERIC for path in paths):
            yield name, paths
        else:
            yield from ((path.stem, [path]) for path in paths)


def _split_of(path: Path, root: Path) -> str:
    """The split that the name of a file tells: a folder's name, a usual word, or all of it."""
    stem = _stem(path)
    words: list[str] = [stem, *re.split(r"[^a-zA-Z0-9]+", stem)]
    for word in filter(None, words):
        if word not in _GENERIC and any((root / f / word).is_dir() for f in ("images", "data", "")):
            return word
    usual = [word for word in words if _SPLIT.fullmatch(word)]
    if usual:
        return usual[-1]
    return root.name if stem in _GENERIC else stem


def _stem(path: Path) -> str:
    return path.stem.removesuffix(".coco").strip("_") or path.stem


def _jsons(folder: Path) -> Sequence[Path]:
    try:
        paths = sorted(path for path in folder.glob("*.json") if path.is_file())
    except OSError:
        return []
    return paths if len(paths) <= _MOST_JSONS else [p for p in paths if p.name == ROBOFLOW]


def _has_images_beside(folder: Path, root: Path) -> bool:
    """Whether a folder in the root holds images of its own; masks beside annotations are none."""
    is_of_annotations = folder.name.lower().startswith("annotation")
    return folder != root and not is_of_annotations and has_images(str(folder))


def looks_like_coco(path: Path) -> bool:
    """Whether a file is an object with two of COCO's lists; found at its ends, as it may be big."""
    try:
        with path.open("rb") as file:
            text = file.read(_END_BYTES)
            size = path.stat().st_size
            if size > _END_BYTES:
                file.seek(max(_END_BYTES, size - _END_BYTES))
                text += file.read()
    except OSError:
        return False
    return text.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and (
        len(set(_KEYS.findall(text))) >= 2
    )
