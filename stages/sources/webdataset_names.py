"""What the name of a member of a WebDataset tar says: its key, and what it is of that key.

The key ends at the first dot of the base name, as in webdataset itself; folders belong to it. What
follows is a label, which may be empty, and a suffix: `a.b/7.seg.png` has the key `a.b/7`, the label
`seg` and the suffix `.png`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from stages.sources.files import is_image

TEXT_SUFFIXES: Final = (".txt", ".text", ".caption", ".captions", ".cap")
JSON_SUFFIXES: Final = (".json", ".jsn")
# of photographs that cannot be decoded; each is refused by name
_UNDECODED: Final = (
    *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".psd", ".svg", ".exr", ".cr2", ".cr3", ".nef"),
    *(".arw", ".dng", ".orf", ".rw2", ".raf", ".raw"),
)
_OF_PIXELS: Final = (
    *("seg", "segm", "segs", "segmentation", "segmap", "mask", "masks", "depth", "disparity"),
    *("normal", "normals", "label", "labels", "labelmap", "labelids", "trainids", "instance"),
    *("instances", "instanceids", "semantic", "panoptic", "annotation", "gt", "groundtruth"),
    *("alpha", "matte", "trimap", "edge", "edges", "canny", "flow", "saliency", "heatmap"),
)
_WORD: Final = re.compile(r"[a-z]+")
_PLAIN_SUFFIX: Final = re.compile(r"\.[a-z0-9_-]{1,12}")
_SYSTEM_FILES: Final = ("thumbs.db", "desktop.ini")


class MemberName(NamedTuple):
    """A name in its pieces.

    Attributes:
        key: Folders, and the base name up to its first dot.
        label: Between the first dot and the last; may be empty.
        suffix: From the last dot on, in lower case; may be empty.
    """

    key: str
    label: str
    suffix: str


def split_name(name: str) -> MemberName:
    """Key, label and suffix of a member.

    >>> tuple(split_name("v1.0/x.input.JPG")), tuple(split_name("v1.0/README"))
    (('v1.0/x', 'input', '.jpg'), ('v1.0/README', '', ''))
    """
    folder, slash, base = name.rpartition("/")
    start, _, rest = base.partition(".")
    label, _, last = rest.rpartition(".")
    return MemberName(f"{folder}{slash}{start}", label, f".{last.lower()}" if last else "")


def is_photograph(name: str) -> bool:
    """Whether it is an image, in a format that can be decoded or not."""
    return is_image(name) or split_name(name).suffix in _UNDECODED


def is_caption(name: str) -> bool:
    """Whether it may hold captions."""
    return split_name(name).suffix in TEXT_SUFFIXES + JSON_SUFFIXES


def is_wanted(name: str) -> bool:
    """Whether it is a photograph or a caption, and so has to be read."""
    return kind_left_out(name) is None


def kind_left_out(name: str) -> str | None:
    """What a member is that is neither a photograph nor a caption; None if it is one of them.

    >>> kind_left_out("a/7.seg.png"), kind_left_out("7.cls"), kind_left_out("7.jpg")
    ('.seg.png member', '.cls member', None)
    >>> kind_left_out("__MACOSX/._7.jpg"), kind_left_out(".DS_Store"), kind_left_out("LICENSE")
    ('._ member of macOS', 'hidden member', 'member of no suffix')
    """
    *folders, base = name.split("/")
    if base.startswith("._") or "__MACOSX" in folders:
        return "._ member of macOS"
    if base.lower() in _SYSTEM_FILES or any(part.startswith(".") for part in (*folders, base)):
        return "hidden member"
    _, label, suffix = split_name(name)
    if is_photograph(name):
        return f"{_readable(label)}{suffix} member" if is_mask(label) else None
    if is_caption(name):
        return None
    if not suffix:
        return "member of no suffix"
    return f"{suffix} member" if _PLAIN_SUFFIX.fullmatch(suffix) else "member of odd suffix"


def is_mask(label: str) -> bool:
    """Whether an image of this label says something of each pixel: a mask, a depth map, edges.

    >>> [is_mask(label) for label in ("seg", "depth_map", "Mask_01", "", "input", "0")]
    [True, True, True, False, False, False]
    """
    return any(word in _OF_PIXELS for word in _WORD.findall(label.lower()))


def _readable(label: str) -> str:
    """The words of a label, without the numbers that would make each a kind of its own."""
    return "".join(f".{word}" for word in _WORD.findall(label.lower()) if word in _OF_PIXELS)
