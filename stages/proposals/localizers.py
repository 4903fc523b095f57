"""Boxes of other localizers: their file, whose image each box is, and what its numbers mean.

* JSON (`stages.proposals.boxes_json`) and folders of labels (`stages.proposals.boxes_folder`) are
  read once per process, in chunks, and kept as arrays, 24 bytes a box.
* Parquet (`stages.proposals.boxes_parquet`): if rows are grouped by image, only the row group in
  use is in memory; otherwise all are, as with JSON.
* HDF5 in our own layout (`stages.proposals.region_dump`): only the image in use is in memory.

Whose image is whose is decided once over all images (`stages.proposals.image_matching`), and all
boxes are judged together before one is believed: so no answer depends on how parts were cut.
Categories are ignored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.box_forms import BoxCensus, BoxLayout
from schemas.boxes import from_xywh, to_xywh
from schemas.errors import SourceError
from schemas.proposals import MOST_OBJECTNESS
from schemas.quarantine import Reason
from stages.proposals.box_file import BadRecords, ImageKey
from stages.proposals.boxes_folder import files_of, read_folder
from stages.proposals.boxes_json import read_json
from stages.proposals.boxes_parquet import open_parquet
from stages.proposals.image_matching import Matching, match_images
from stages.proposals.region_dump import DumpReader, ScoreKind
from stages.sources.files import digest_of, foreign, size_and_mtime
from stages.sources.record import Refusal
from stages.sources.size_limits import raised, raised_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from stages.proposals.box_file import BoxFile, LocalizerOptions, OwnedBoxes, ScoredBoxes
    from stages.proposals.box_sources import Row

_JSON: Final = (".json", ".jsonl", ".ndjson")


class LocalizerBoxes:
    """The boxes that another localizer wrote, looked up by rows of `images`.

    Attributes:
        file: As it is read.
        matching: Whose boxes are whose.
        kind: Whether scores are raw logits or scores of any other kind.
        in_file: Boxes in the file, ours or not.
    """

    def __init__(self, file: BoxFile, matching: Matching, options: LocalizerOptions) -> None:
        self.file = file
        self.matching = matching
        self.kind: ScoreKind = file.kind
        self.in_file = 0
        self._in_fractions = file.in_fractions
        self._times = options.size_limits
        self._unit = 100 if options.scores == "percent" else 1
        if options.scores != "auto":
            self.kind = "logit" if options.scores == "logit" else "score"
        self.layout = self._judge(options) if matching.found else file.layout

    def find(self, row: Row) -> tuple[int, str] | None:
        """Index of an image in the file, and by what it was matched; None if it is not there.

        Raises:
            Refusal: If it is unclear which boxes are its own.
        """
        image_id = row["image_id"]
        if why := self.matching.refused.get(image_id):
            raise Refusal(Reason.AMBIGUOUS_ID, why)
        return self.matching.found.get(image_id)

    def boxes(self, index: int, row: Row) -> ScoredBoxes:
        """Corners (R, 4) in pixels and scores (R,) at an index that `find` returned."""
        boxes, scores = raised(self._times, self.file.boxes, index)
        if self.layout != self.file.layout:  # the user says that columns of corners are sizes
            boxes = from_xywh(boxes)
        if self._in_fractions:
            boxes = boxes * np.array([row["width"], row["height"]] * 2, np.float32)
        return boxes, scores / np.float32(self._unit) if self._unit != 1 else scores

    def _judge(self, options: LocalizerOptions) -> BoxLayout:
        """The layout of the file, after a look at all its boxes.

        Raises:
            SourceError: If the numbers speak against what the file or the user says.
        """
        name = options.path.name
        census = BoxCensus(name, self.file.layout)
        least, most = np.inf, -np.inf
        for owners, boxes, scores in raised_over(self._times, self.file.blocks()):
            with np.errstate(over="ignore", invalid="ignore"):
                numbers = to_xywh(boxes) if self.file.layout == "xywh" else boxes
            census.add(numbers, self.matching.sizes[owners])
            finite = scores[np.isfinite(scores)]
            least, most = min(least, finite.min(initial=least)), max(most, finite.max(initial=most))
            self.in_file += len(scores)
        if options.scores == "auto" and self.kind == "score":
            _check_scores(name, float(least), float(most))
        if self.file.in_fractions:
            _check_fractions(name, census)
            return self.file.layout
        layout, self._in_fractions = census.form(options.boxes)
        return layout


class _DumpFile:
    """A region dump as a `BoxFile`."""

    layout: BoxLayout = "xyxy"
    in_fractions = False
    has_scores = True

    def __init__(self, reader: DumpReader) -> None:
        self._reader = reader
        self.kind = reader.kind
        self.keys = [ImageKey(image_id) for image_id in reader.image_ids]
        self.bad = BadRecords()

    def boxes(self, index: int) -> ScoredBoxes:
        return self._reader[index][1:]

    def blocks(self) -> Iterator[OwnedBoxes]:
        return self._reader.blocks()


class _Latest:
    """The localizer opened last: matching and judging it once serves all parts of a run."""

    key: object = None
    localizer: LocalizerBoxes | None = None


def open_localizer(
    options: LocalizerOptions, images_key: str, images: Callable[[], Iterable[pa.RecordBatch]]
) -> LocalizerBoxes:
    """The boxes of a file or folder; the last one stays in memory.

    Args:
        options: Which file, and what the user says of it.
        images_key: The same for the same images.
        images: All images, with `IMAGE_COLUMNS`.

    Raises:
        SourceError: If the file is missing, of another format, or damaged, or its numbers cannot
            be what they are taken for.
    """
    state = _state(options.path)
    key = (options, state, images_key)
    if _Latest.key != key or _Latest.localizer is None:
        layout = options.boxes if options.boxes in ("xywh", "xyxy") else None
        file = open_boxes(options.path, state, layout, options.size_limits)
        localizer = LocalizerBoxes(file, match_images(file.keys, images(), options.ids), options)
        if localizer.layout != file.layout == "xywh":  # fractions that turn out to be corners
            file = open_boxes(options.path, state, localizer.layout, options.size_limits)
            localizer = LocalizerBoxes(file, localizer.matching, options)
        _Latest.key, _Latest.localizer = key, localizer
    return _Latest.localizer


@lru_cache(maxsize=1)
def open_boxes(path: Path, _state: str, layout: BoxLayout | None = None, times: int = 1) -> BoxFile:
    """The boxes of a file as they are, read in a layout; None: as the format has it.

    Raises:
        SourceError: If they cannot be read, `times` the usual limits on size being allowed.
    """
    return raised(times, _read_boxes, path, layout)


def _read_boxes(path: Path, layout: BoxLayout | None) -> BoxFile:
    suffix = path.suffix.lower()
    with foreign(f"the boxes of {path}", "write them again in one of the forms of docs/formats.md"):
        if path.is_dir():
            return read_folder(path, layout)
        if suffix in _JSON:
            return read_json(path, layout)
        if suffix == ".parquet":
            return open_parquet(path, layout)
        if suffix in (".h5", ".hdf5"):
            return _DumpFile(DumpReader(path))
    raise SourceError(
        f"{path}: boxes are read from .json, .jsonl, .parquet and .h5 files, and from folders of "
        f"YOLO's .txt or of .json, not from {suffix or 'a file without a suffix'}"
    )


def _state(path: Path) -> str:
    if path.is_dir():
        return digest_of(*(f"{p} {size_and_mtime(str(p))}" for p in files_of(path)))
    if not path.is_file():
        raise SourceError(f"{path}: no such file of boxes; check the path given to --from")
    return str(size_and_mtime(str(path)))


def _check_scores(name: str, least: float, most: float) -> None:
    """Pass if scores can be probabilities; there may be none, then `least` is above `most`."""
    if least > most or (least >= 0 and most <= MOST_OBJECTNESS):
        return
    percent = "--scores percent, " if least >= 0 and most <= 100 else ""
    raise SourceError(
        f"{name}: scores are between {least:g} and {most:g}, so they are no probabilities; say "
        f"what they are: {percent}--scores logit for a network's raw logits, or --scores score "
        "for a scale of the localizer's own"
    )


def _check_fractions(name: str, census: BoxCensus) -> None:
    if 2 * census.within_one < census.boxes:
        raise SourceError(
            f"{name}: {census.boxes - census.within_one:,} of {census.boxes:,} boxes are not "
            "within [0, 1], as YOLO's labels are: write fractions of the image"
        )
