"""A YOLO data set: images, a text of labels for each, and a file that names the classes.

The labels of `images/train/a.jpg` are in `labels/train/a.txt`; or beside the image. An image
without labels has no objects. Splits are those of data.yaml, whose paths are looked for inside the
folder alone, by their longest end that is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.outcome import counted
from stages.sources.file_kinds import left_out_files
from stages.sources.files import digest_of, file_digest, load_image_file
from stages.sources.folder_files import FolderFiles, list_files
from stages.sources.folder_tables import shown, split_of_folder
from stages.sources.name_checks import names_fault
from stages.sources.name_index import NameIndex, NameMatch, normalised, stem
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
from stages.sources.yolo_labels import ImageLabels, read_labels
from stages.sources.yolo_names import in_any_case, is_label_name, label_names, without_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.sources.yolo_config import YoloConfig


@dataclass(slots=True)
class _YoloImage:
    """An image; or a name in a list of a split without a file, whose size is -1.

    Attributes:
        name: Path below the folder.
        size: Bytes.
        split: Its split.
        key: Path below the folder of its split.
        labels: Path of its labels below the folder; None if it has none.
    """

    name: str
    size: int
    split: str | None = None
    key: str = ""
    labels: str | None = None


@dataclass(slots=True)
class _YoloContent:
    """What the folder holds, joined."""

    files: FolderFiles
    images: list[_YoloImage] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # neither images nor labels of any
    orphans: list[str] = field(default_factory=list)  # labels of no image
    remarks: list[str] = field(default_factory=list)
    prefixed: bool = False  # whether ids are whole paths, because shorter ones would repeat


@dataclass(frozen=True)
class YoloSource:
    """Images below `root`, in order of their names, with the objects of their labels."""

    root: str
    config: YoloConfig
    options: SourceOptions = DEFAULTS
    kind: str = "yolo"

    def digest(self) -> str:
        """Hash of the description, names and sizes of the images, and the labels."""
        labels = (self._label_digest(image) for image in self._content.images)
        lines = (f"{image.name} {image.size}" for image in self._content.images)
        return digest_of(file_digest(self.config.path), Path(self.root).name, *lines, *labels)

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
        """Images below the folder."""
        return len(self._content.images)

    def inventory(self) -> Inventory:
        """Files that are not read, images without labels, splits that are not there."""
        content = self._content
        left_out = left_out_files(self.root, content.unread)
        left_out += [LeftOut(kind, n) for kind, n in sorted(content.files.skipped.items())]
        labelled = sum(image.labels is not None for image in content.images)
        name = Path(self.config.path).name
        remarks = [
            f"labels of {labelled:,} of {counted(len(content.images), 'image')}; "
            f"{counted(len(self.config.names), 'class', 'classes')} named by {shown(name)}",
            *content.remarks,
        ]
        if fault := names_fault(self.config.names.values(), ignore_case=False):
            remarks.append(f"{shown(name)} {fault}")
        return Inventory(tuple(left_out), tuple(remarks), unmatched=self._why_empty(labelled))

    def records(self, part_slice: Slice) -> Iterator[Record | Problem | LeftOut]:
        """One record per image; a problem for each text of labels that belongs to none."""
        if part_slice.first == 0:
            for name in self._content.orphans:
                yield Problem(name, Reason.UNKNOWN_IMAGE, "labels of an image that is not there")
        for image in self._content.images[part_slice.first : part_slice.last]:
            labels = self._labels(image)
            image_id = self._id_of(image)
            yield Record(
                image_id=image_id,
                uri=str(Path(self.root, image.name)),
                load=partial(load_image_file, self.root, image.name),
                split=image.split,
                objects=tuple(labels.objects),
                problems=tuple(Problem(image_id, *problem) for problem in labels.problems),
            )

    @cached_property
    def _content(self) -> _YoloContent:
        files = list_files(self.root)
        content = _YoloContent(files)
        images = {file.name: _YoloImage(file.name, file.size) for file in files.images}
        read = self._add_splits(content, images)
        beside = [stem(file.name) + s for file in files.images for s in file.texts]
        unused = self._add_labels(images, {*files.others, *beside}) - read
        unused.discard(Path(self.config.path).relative_to(self.root).as_posix())
        content.orphans = sorted(name for name in unused if is_label_name(name))
        content.unread = sorted(unused - set(content.orphans))
        content.images = self._of_splits([images[name] for name in sorted(images)])
        ids = {self._id_of_key(image) for image in content.images}
        content.prefixed = len(ids) < len(content.images)
        return content

    def _add_splits(self, content: _YoloContent, images: dict[str, _YoloImage]) -> set[str]:
        """Give images their splits; returns the lists that were read."""
        read: set[str] = set()
        index: NameIndex | None = None
        for split, places in self.config.splits.items():
            for place in places:
                found = self._find_place(place)
                if found is None:
                    content.remarks.append(f"no {split} images: {shown(place)!r} is not there")
                elif found.endswith(".txt"):
                    index = index or NameIndex(images)
                    read.add(found)
                    _take_list(images, index, Path(self.root, found), split)
                else:
                    _take_folder(images, found, split)
        for image in images.values():
            image.split = image.split or split_of_folder(str(PurePosixPath(image.name).parent))
            image.key = image.key or without_images(image.name)
        return read

    def _find_place(self, place: str) -> str | None:
        """A folder or list of a split below the root: the longest end of its path that is there."""
        folder = self.config.folder
        start = folder.relative_to(self.root).as_posix() if folder != Path(self.root) else ""
        parts = [p for p in normalised(f"{self.config.base}/{place}").split("/") if p != ".."]
        for number in range(len(parts) + 1):
            end = "/".join([*filter(None, [start]), *parts[number:]])
            path = Path(self.root, end)
            if path.is_dir() and (number < len(parts) or set(place) <= set("./")):
                return end
            if end.endswith(".txt") and path.is_file():
                return end
        return None

    def _add_labels(self, images: dict[str, _YoloImage], texts: set[str]) -> set[str]:
        """Give images their labels; returns the texts that are labels of none."""
        used: set[str] = set()
        known = {in_any_case(text): text for text in sorted(texts, reverse=True)}
        for image in images.values():
            names = (in_any_case(name) for name in label_names(image.name))
            image.labels = next((known[name] for name in names if name in known), None)
            if image.labels:
                used.add(image.labels)
        return texts - used

    def _of_splits(self, images: list[_YoloImage]) -> list[_YoloImage]:
        known = sorted({image.split for image in images if image.split})
        for split in self.options.splits:
            if split not in known:
                raise SourceError(f"no split {split!r} in {self.root}; there are {known}")
        chosen = self.options.splits
        return [image for image in images if not chosen or image.split in chosen]

    def _labels(self, image: _YoloImage) -> ImageLabels:
        if image.labels is None:
            return ImageLabels()
        try:
            content = load_image_file(self.root, image.labels)
        except Refusal as refusal:
            return ImageLabels(problems=[(Reason.BAD_BOX, f"{image.labels}: {refusal.detail}")])
        has_keypoints = self.config.has_keypoints
        labels = read_labels(content, self.config.names, has_keypoints=has_keypoints)
        labels.problems = [(reason, f"{image.labels}, {d}") for reason, d in labels.problems]
        return labels

    def _label_digest(self, image: _YoloImage) -> str:
        return file_digest(str(Path(self.root, image.labels))) if image.labels else ""

    def _id_of(self, image: _YoloImage) -> str:
        name = Path(self.root).name
        return f"{name}/{image.name}" if self._content.prefixed else self._id_of_key(image)

    def _id_of_key(self, image: _YoloImage) -> str:
        if image.split and image.key.startswith(f"{image.split}/"):
            return image.key
        return f"{image.split or Path(self.root).name}/{image.key}"

    def _why_empty(self, labelled: int) -> str | None:
        content = self._content
        if labelled or not content.images:
            return None
        image = content.images[0].name
        if not content.orphans:
            return (
                f"no image of {self.root} has labels: those of {image!r} would be in "
                f"{next(label_names(image))!r}; --kind folder reads the images alone"
            )
        return (
            f"no labels of {self.root} belong to an image: labels are at {content.orphans[0]!r}, "
            f"images at {image!r}"
        )


def _take_folder(images: dict[str, _YoloImage], folder: str, split: str) -> None:
    prefix = f"{folder}/" if folder else ""
    for name, image in images.items():
        if image.split is None and name.startswith(prefix):
            image.split = split
            image.key = without_images(name[len(prefix) :])


def _take_list(images: dict[str, _YoloImage], index: NameIndex, path: Path, split: str) -> None:
    lines = path.read_bytes().decode("utf-8-sig", errors="replace").splitlines()
    names = [line.strip() for line in lines if line.strip()]
    answers = index.find_all(names)
    for written in dict.fromkeys(names):
        answer = answers[written]
        name = answer.name if isinstance(answer, NameMatch) else written
        image = images.setdefault(name, _YoloImage(name, -1))
        image.split = image.split or split
