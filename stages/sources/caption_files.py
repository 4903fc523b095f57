"""Captions in texts beside the images of a folder: `a.txt`, `a.caption` or `a.json` for `a.jpg`.

img2dataset writes `.txt` and `.json` so, trainers of text-to-image models `.txt` or `.caption`.
Labels of YOLO and JSON of annotation tools have the same names; they are recognised and counted.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_in_json, captions_of
from stages.sources.file_kinds import is_label_text, json_format
from stages.sources.files import read_up_to
from stages.sources.name_index import stem
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stages.sources.folder_files import ImageFile

LABELS: Final = "YOLO label .txt file"
_MOST_BYTES: Final = 16 << 20
_MOST_SAMPLED: Final = 20
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(slots=True)
class TextsBeside:
    """What the texts beside an image hold.

    Attributes:
        captions: In the order of the texts; repeated ones too.
        problems: Of texts that cannot be read.
        others: Kinds of texts that are not captions, such as labels, or hold none.
    """

    captions: list[str] = field(default_factory=list)
    problems: list[tuple[Reason, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def read_texts(root: str, name: str, suffixes: Iterable[str]) -> TextsBeside:
    """The captions of the image `name` below `root`, in texts with these suffixes."""
    beside = TextsBeside()
    for suffix in suffixes:
        path = Path(root, stem(name) + suffix)
        try:
            content = _read(path)
            if suffix.lower() == ".json":
                _add_json(beside, content)
            else:
                _add_text(beside, content, suffix)
        except Refusal as refusal:
            beside.problems.append((refusal.reason, f"{path.name}: {refusal.detail}"))
    return beside


def sample_texts(root: str, images: Iterable[ImageFile]) -> TextsBeside:
    """What the texts beside the first images that have any hold."""
    sample = TextsBeside()
    for image in islice((image for image in images if image.texts), _MOST_SAMPLED):
        beside = read_texts(root, image.name, image.texts)
        sample.captions += beside.captions
        sample.problems += beside.problems
        sample.others += beside.others
    return sample


def _read(path: Path) -> bytes:
    try:
        content = read_up_to(path, _MOST_BYTES)
    except OSError as error:
        raise Refusal(Reason.BAD_CAPTION, f"cannot be read: {error.strerror}") from error
    if content is None:
        raise Refusal(Reason.BAD_CAPTION, f"has more than {_MOST_BYTES} bytes")
    return content


def _add_json(beside: TextsBeside, content: bytes) -> None:
    known = json_format(content)
    captions = [] if known else captions_in_json(content)
    beside.captions += captions
    if known:
        beside.others.append(f"{known} file")
    elif not captions:
        beside.others.append(".json file of no caption")


def _add_text(beside: TextsBeside, content: bytes, suffix: str) -> None:
    try:
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(
            Reason.BAD_CAPTION,
            f"is not UTF-8: byte {error.start + 1} is 0x{content[error.start]:02x}",
        ) from error
    if is_label_text(text):
        beside.others.append(LABELS)
    elif captions := captions_of(text):
        beside.captions += captions
    else:
        beside.others.append(f"{suffix.lower()} file of no caption")
