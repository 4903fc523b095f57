"""COCO: `{captions,instances}_SPLIT.json` and a folder of images; LVIS's and Roboflow's JSON too.

The images are those that the JSON files list; equal files in two JSON files are the same image.
A split without images is left out and named; it is an error if the user named that split.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import distinct
from stages.sources.coco_annotations import read_split
from stages.sources.coco_layout import CocoLayout, find_splits, pair_splits
from stages.sources.files import digest_of, file_digest, load_image_file
from stages.sources.image_folder import ImageFolder
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    LeftOut,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
    slices_of_sizes,
)
from stages.sources.slice_digest import digest_of_records

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stages.sources.coco_annotations import SplitContent
    from stages.sources.coco_image import CocoImage, Split


class _Content(NamedTuple):
    """What all splits hold."""

    images: list[CocoImage]
    problems: list[Problem]
    inventory: Inventory


def open_coco(paths: Sequence[str], options: SourceOptions) -> CocoSource:
    """The source in a folder, or made of JSON files and folders of images.

    Raises:
        SourceError: If there is no split with both JSON and images, or a named one is missing.
    """
    is_one_folder = len(paths) == 1 and Path(paths[0]).is_dir()
    layout = (
        find_splits(paths[0], options.splits)
        if is_one_folder
        else pair_splits(paths, options.splits)
    )
    return CocoSource(layout, options)


@dataclass(frozen=True)
class CocoSource:
    """Splits in order of their names; images in order of their ids."""

    layout: CocoLayout
    options: SourceOptions = DEFAULTS
    kind: str = "coco"

    def digest(self) -> str:
        """Hash of the JSON files, and of the names and sizes of the images they list."""
        lines: list[object] = []
        for split in self.layout.splits:
            lines += [f"{split.name} {file_digest(path)}" for path in split.jsons]
        images = self._content.images
        return digest_of(*lines, *(f"{i.image_id} {i.file_name} {i.size}" for i in images))

    def slice_digest(self, part_slice: Slice) -> str:
        """Hash of all that the records of a slice say, and of the sizes of its images."""
        return digest_of_records(self.records(part_slice))

    def slices(self) -> Sequence[Slice]:
        """Consecutive images of about `part_bytes` together."""
        return slices_of_sizes((image.size for image in self._content.images), self.options)

    def count(self, part_slice: Slice) -> int:
        """Images of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Images of all splits."""
        return len(self._content.images)

    def inventory(self) -> Inventory:
        """JSON that is not read, images that no JSON lists, and how names were matched."""
        return self._content.inventory

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per image that the JSON files list, even if its file is missing."""
        if part_slice.first == 0:  # what belongs to no image belongs to the first part
            yield from self._content.problems
        for image in self._content.images[part_slice.first : part_slice.last]:
            yield Record(
                image_id=image.image_id,
                uri=str(image.path),
                load=_CocoLoader(image),
                split=image.split.name,
                captions=distinct(image.captions),
                objects=tuple(image.objects),
                problems=tuple(Problem(image.image_id, *p) for p in image.problems),
                source_id=image.source_id,
            )

    @cached_property
    def _content(self) -> _Content:
        folders = {
            split.folder: ImageFolder(split.folder, split.others) for split in self.layout.splits
        }
        contents = {
            split: read_split(split, folders[split.folder], self.options.boxes)
            for split in self.layout.splits
        }
        left_out, remarks = list(self.layout.seen.left_out), list(self.layout.seen.remarks)
        for split in [split for split, content in contents.items() if not content.ways]:
            if split.is_shared:
                remarks.append(self._without_images(split))
                del contents[split]
        images = [image for content in contents.values() for image in content.images.values()]
        images.sort(key=lambda image: (image.image_id, image.file_name))
        _refuse_duplicates(images)
        left_out += _left_out(contents.values(), _num_unlisted(folders.values(), images))
        for split, content in contents.items():
            remarks += [*_ways(split, content.ways), *content.remarks]
        problems = [problem for content in contents.values() for problem in content.problems]
        inventory = Inventory(
            tuple(left_out), tuple(remarks), unmatched=_why_empty(images, problems, folders)
        )
        return _Content(images, problems, inventory)

    def _without_images(self, split: Split) -> str:
        """Why a split is left out; an error if the user named it."""
        if split.name in self.options.splits:
            raise SourceError(f"no image of split {split.name!r} is in {split.folder}")
        return f"split {split.name} is left out: none of its images is there"


@dataclass(frozen=True, slots=True)
class _CocoLoader:
    """Reads one image file."""

    image: CocoImage

    def __call__(self) -> bytes:
        if self.image.refusal is not None:
            raise self.image.refusal
        return load_image_file(self.image.split.folder, self.image.file_name)


def _refuse_duplicates(images: Sequence[CocoImage]) -> None:
    """Refuse images whose id an earlier one has: files that differ in their suffix alone."""
    last_id = None
    for image in images:
        if image.refusal is None and image.image_id == last_id:
            detail = f"{image.file_name} has the id of an earlier image"
            image.refusal = Refusal(Reason.DUPLICATE_ID, detail)
        elif image.refusal is None:
            last_id = image.image_id


def _why_empty(
    images: Sequence[CocoImage], problems: Sequence[Problem], folders: Mapping[str, ImageFolder]
) -> str | None:
    """A sentence if no listed image is there, or none of the annotations is of a listed image."""
    there = next((image for image in images if image.size >= 0), None)
    if there is None and images:
        folder = images[0].split.folder
        example = next(iter(sorted(folders[folder].images())), "no image")
        return (
            f"no image that the JSON lists is in {folder}: "
            f"the JSON says {images[0].file_name!r}, the folder has {example!r}"
        )
    lost = [problem for problem in problems if problem.reason == Reason.UNKNOWN_IMAGE]
    if there and lost and not any(i.captions or i.objects or i.problems for i in images):
        return (
            f"none of the annotations is of an image that is listed: {lost[0].detail}; "
            f"{there.file_name} has the id {there.source_id}"
        )
    return None


def _num_unlisted(folders: Iterable[ImageFolder], images: Iterable[CocoImage]) -> int:
    """Images on disk that no JSON lists; in folders that several splits share, once."""
    listed = {str(image.path) for image in images if image.size >= 0}
    there = {str(Path(folder.path, name)) for folder in folders for name in folder.images()}
    return len(there - listed)


def _left_out(contents: Iterable[SplitContent], unlisted: int) -> list[LeftOut]:
    repeated = sum(content.repeated for content in contents)
    kinds = {"image that no JSON lists": unlisted, "repetition of a listed image": repeated}
    return [LeftOut(kind, number) for kind, number in kinds.items() if number]


def _ways(split: Split, ways: Counter[str]) -> list[str]:
    """How the names of a split were found, unless all are as they are written."""
    if not set(ways) - {"exact"}:
        return []
    counts = ", ".join(f"{number:,} {way}" for way, number in ways.most_common())
    return [f"split {split.name}: file names were matched with files by: {counts}"]
