"""Where the labels of an image of a YOLO data set may be: folders may be written in any case."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from stages.sources.file_kinds import is_label_text, read_head
from stages.sources.folder_files import list_files
from stages.sources.name_index import stem

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SAMPLED: Final = 20  # texts of a folder


def has_labels(root: str) -> bool:
    """Whether one of the first texts of some folder below the root holds labels."""
    files = list_files(root)
    texts = [stem(image.name) + suffix for image in files.images for suffix in image.texts]
    looked: Counter[str] = Counter()
    for name in (*files.others, *texts):
        if not name.lower().endswith(".txt"):
            continue
        folder = name.rpartition("/")[0]
        looked[folder] += 1
        if looked[folder] <= _MOST_SAMPLED and is_label_text(
            read_head(Path(root, name)).decode(errors="replace")
        ):
            return True
    return False


def label_names(name: str) -> Iterator[str]:
    """Where the labels of an image may be, the usual place first."""
    parts = stem(name).split("/")
    folders, last = parts[:-1], parts[-1]
    lower = [folder.lower() for folder in folders]
    if "images" in lower:
        place = len(folders) - 1 - lower[::-1].index("images")
        yield "/".join([*folders[:place], "labels", *folders[place + 1 :], f"{last}.txt"])
    yield "/".join([*folders, f"{last}.txt"])
    for place in range(len(folders) + 1):
        yield "/".join([*folders[:place], "labels", *folders[place:], f"{last}.txt"])


def without_images(name: str) -> str:
    """A path without its first folder called images."""
    *folders, last = name.split("/")
    lower = [folder.lower() for folder in folders]
    if "images" in lower:
        del folders[lower.index("images")]
    return "/".join([*folders, last])


def in_any_case(name: str) -> str:
    """A name whose folders, and whose suffix, may be written in any case."""
    folder, _, base_name = name.rpartition("/")
    return f"{folder.lower()}/{stem(base_name)}{base_name[len(stem(base_name)) :].lower()}"


def is_label_name(name: str) -> bool:
    """Whether a text lies in a folder of labels, and is no list of classes."""
    path = PurePosixPath(name)
    folders = [part.lower() for part in path.parts[:-1]]
    return path.suffix.lower() == ".txt" and "labels" in folders and path.stem != "classes"
