"""Finds the splits of COCO: JSON files, and the folder of images that belongs to each.

In a folder, the first of these that is there is read, and all other JSON is named:

1. `{captions,instances}_SPLIT.json`, beside or in a folder of annotations; images in
   `images/SPLIT` or `SPLIT`, else anywhere below
2. JSON beside the images of a split, as Roboflow has it: `train/_annotations.coco.json`
3. JSON of another name, such as `annotations/lvis_v1_val.json`, `train.json`
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import SourceError
from stages.sources.coco_files import UNKNOWN, CocoFiles, find_files, name_splits
from stages.sources.coco_image import Split
from stages.sources.files import is_image
from stages.sources.image_folder import has_images, names_below
from stages.sources.other_files import unread_below
from stages.sources.record import Inventory, LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SHOWN = 5  # files that a remark names


class CocoLayout(NamedTuple):
    """The splits of a source, and what else was seen while looking for them."""

    splits: tuple[Split, ...]
    seen: Inventory = Inventory()


def is_coco(root: str) -> bool:
    """Whether a folder, or one in it, holds COCO's JSON anywhere that `find_splits` looks."""
    return bool(_roots(root))


def find_splits(root: str, names: Sequence[str]) -> CocoLayout:
    """The splits of a folder with both JSON and images; only those in `names`, if any.

    Raises:
        SourceError: If there is no such split, or one of `names` is missing.
    """
    roots = _roots(root)
    if len(roots) > 1:
        raise SourceError(f"{root} holds several COCO folders; name one of them: {roots[:_SHOWN]}")
    top = Path(roots[0] if roots else root)
    files = find_files(top)
    jsons = name_splits(top, files)
    folders = {name: _own_folder(top, name, files) for name in jsons}
    others = tuple(str(folder) for folder in folders.values() if folder is not None)
    splits, remarks = [], []
    for name, paths in sorted(jsons.items()):
        split = _split(name, paths, folders[name], _places(top), others)
        if split is None:
            remarks.append(f"split {name} is left out: no folder {name} or images/{name} is there")
        else:
            splits.append(split)
    if not splits:
        raise SourceError(_why_no_split(root, list(jsons), files))
    inventory = _inventory(top, files, remarks)
    read = [*files.chosen, *files.unread, *_images_of(splits)]
    unread = unread_below([root], list(map(str, read)))
    inventory = replace(inventory, left_out=(*inventory.left_out, *unread))
    return CocoLayout(_select(tuple(splits), names), inventory)


def pair_splits(paths: Sequence[str], names: Sequence[str]) -> CocoLayout:
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
    read = [*jsons, *map(str, _images_of(splits))]
    inventory = Inventory(tuple(unread_below(by_folder, read)))
    return CocoLayout(_select(tuple(splits), names), inventory)


def _roots(root: str) -> list[str]:
    """The folder itself if it holds COCO's JSON, else those directly in it that do."""
    if find_files(Path(root)).has_annotations:
        return [root]
    folders = sorted(path for path in Path(root).iterdir() if path.is_dir())
    return [str(folder) for folder in folders if find_files(folder).has_annotations]


def _own_folder(root: Path, name: str, files: CocoFiles) -> Path | None:
    """The folder of a split's images by its name; that of its JSON if they lie together."""
    if files.place == "beside images":
        return root / name
    candidates = (root / "images" / name, root / name, root / "data" / name)
    return next((folder for folder in candidates if folder.is_dir()), None)


def _places(root: Path) -> list[Path]:
    """Where images of a split without a folder of its name may lie."""
    return [folder for folder in (root / "images", root / "data", root) if folder.is_dir()]


def _split(
    name: str,
    paths: Sequence[Path],
    folder: Path | None,
    places: Sequence[Path],
    others: tuple[str, ...],
) -> Split | None:
    files = tuple(map(str, paths))
    if folder is not None:
        return Split(name, files, str(folder))
    shared = next((str(place) for place in places if has_images(str(place), others)), None)
    return None if shared is None else Split(name, files, shared, is_shared=True, others=others)


def _images_of(splits: Iterable[Split]) -> Iterator[Path]:
    """Images in the folders of splits: those that no JSON lists are counted with their split."""
    for folder in {split.folder for split in splits}:
        yield from (Path(folder, name) for name in names_below(folder) if is_image(name))


def _why_no_split(root: str, names: Sequence[str], files: CocoFiles) -> str:
    kinds = sorted(set(files.unread.values()) - {UNKNOWN})
    if names or not kinds:
        there = sorted(names) if names else "there is no JSON of captions or instances"
        return f"no split of {root} has images in images/SPLIT or SPLIT: {there}"
    return (
        f"{root} has no JSON of captions or instances; {', '.join(kinds)} are not read: name the "
        "JSON and its folder to read its boxes, or give --kind folder for the images alone"
    )


def _inventory(root: Path, files: CocoFiles, remarks: Sequence[str]) -> Inventory:
    """JSON that is not read: counted by what it holds, and named."""
    kinds: Mapping[str, int] = Counter(files.unread.values())
    left_out = tuple(LeftOut(f"JSON file of {what}", n) for what, n in sorted(kinds.items()))
    named = [
        f"{path.relative_to(root)} ({what})"
        for path, what in sorted(files.unread.items())
        if what != UNKNOWN
    ]
    if named:
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        remarks = [*remarks, f"not read: {', '.join(named[:_SHOWN])}{more}"]
    return Inventory(left_out, tuple(remarks))


def _folder_of(path: str, folders: Sequence[str]) -> str:
    matching = [f for f in folders if Path(path).stem.endswith(f"_{Path(f).name}")]
    if len(folders) == 1 or len(matching) == 1:
        return (matching or list(folders))[0]
    raise SourceError(f"{path} could belong to several folders: let its name end with _FOLDER.json")


def _select(splits: tuple[Split, ...], names: Sequence[str]) -> tuple[Split, ...]:
    known = [split.name for split in splits]
    for name in names:
        if name not in known:
            raise SourceError(f"no split {name!r} with JSON and images; there are {known}")
    return tuple(split for split in splits if not names or split.name in names)
