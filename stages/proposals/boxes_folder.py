"""Boxes from a folder with one file per image: YOLO's labels, or JSON of SAM or MMDetection.

A file is named like its image. A line of YOLO's is `class cx cy width height`, then perhaps a
score, in fractions of the image; with more numbers it is an outline, x and y in turn.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.proposals.box_arrays import BoxArrays, BoxCollector
from stages.proposals.box_file import ImageKey
from stages.proposals.boxes_json import add_json
from stages.sources.files import digest_of, file_digest

if TYPE_CHECKING:
    from schemas.box_forms import BoxLayout

_LONGEST: Final = 16 << 20  # characters of a text of labels; an image has not that many boxes


def read_folder(folder: Path, layout: BoxLayout | None = None) -> BoxArrays:
    """All boxes of the files of a folder.

    Args:
        folder: Of .txt or .json files, at any depth.
        layout: As in `read_json`; YOLO's labels have only one.

    Raises:
        SourceError: If there is neither .txt nor .json, or both, or no box can be read.
    """
    files = files_of(folder)
    suffixes = sorted({path.suffix.lower() for path in files})
    if len(suffixes) != 1:
        both = "both .json and .txt" if suffixes else "neither .json nor .txt"
        raise SourceError(
            f"{folder}: boxes are read from a folder of .txt files (YOLO's labels) or .json files "
            f"(of SAM or MMDetection), one per image; it holds {both}"
        )
    is_yolo = suffixes == [".txt"]
    if is_yolo and layout:
        raise SourceError(
            f"{folder}: YOLO's labels are fractions of the image by definition; leave out --boxes"
        )
    collector = BoxCollector()
    for path in files:
        name = path.relative_to(folder).as_posix()
        if is_yolo:
            _add_labels(path, name, collector)
        else:
            add_json(path, name, collector, layout, is_of_one_image=True)
    arrays = collector.arrays(in_fractions=is_yolo)
    if not len(arrays) and arrays.bad.count:
        first = arrays.bad.listed[0]
        raise SourceError(f"{folder}: no box can be read; {first.record}: {first.detail}")
    return arrays


def files_of(folder: Path) -> list[Path]:
    """The .txt and .json files of a folder at any depth, sorted; hidden ones are passed over."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() in (".txt", ".json") and not name.startswith("."):
                found.append(path)
    return sorted(found)


def digest_of_boxes(path: Path) -> str:
    """Hash of a file of boxes, or of all of a folder."""
    if not path.is_dir():
        return file_digest(str(path))
    return digest_of(*(f"{p.relative_to(path)} {file_digest(str(p))}" for p in files_of(path)))


def _add_labels(path: Path, name: str, collector: BoxCollector) -> None:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST)
    except (OSError, ValueError) as error:
        collector.bad.add(name, Reason.BAD_ROW, f"no text of labels ({error})")
        return
    if len(text) == _LONGEST:
        collector.bad.add(name, Reason.TOO_LARGE, f"more than {_LONGEST >> 20} MB of labels")
        return
    lines = [(n, line.split()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows = [(number, _row_of(words)) for number, words in lines]
    if rows and all(row is None for _, row in rows):  # such as classes.txt
        collector.bad.add(name, Reason.BAD_ROW, "no line is `class cx cy width height [score]`")
        return
    key = ImageKey(None, name)
    collector.know(key)
    for number, row in rows:
        if row:
            collector.layout = "xyxy"
            collector.add(key, row)
        else:
            detail = "it is not `class cx cy width height [score]`"
            collector.bad.add(f"{name}: line {number}", Reason.BAD_BOX, detail)


def _row_of(words: list[str]) -> tuple[float, ...] | None:
    """Corners and score of a line, in fractions; None if it is no line of labels.

    >>> _row_of("0 0.5 0.5 0.5 1 0.75".split())
    (0.25, 0.0, 0.75, 1.0, 0.75)
    """
    try:
        _, *numbers = map(float, words)
    except ValueError:
        return None
    if len(numbers) in (4, 5):
        cx, cy, width, height = numbers[:4]
        score = numbers[4] if len(numbers) == 5 else math.nan
        return cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2, score
    if len(numbers) < 6:
        return None
    score = numbers.pop() if len(numbers) % 2 else math.nan
    points = np.reshape(numbers, (-1, 2))
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist(), score)
