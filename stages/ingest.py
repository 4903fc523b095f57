"""Ingest: image-caption pairs of any source become rows of `images`; this is where parts are cut.

Nothing an image does stops the run: what is refused goes to quarantine, with one of the reasons in
`schemas.quarantine`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from schemas.box_forms import BOX_FORM_DOC, BoxForm
from schemas.errors import OptionError
from schemas.images import IMAGES
from schemas.quarantine import Reason
from stages.base import Findings, Part, Reads, Stage, option, retried
from stages.outcome import Outcome, Result
from stages.pixels import Limits, decode, probe
from stages.sources.box_frames import ImageShape
from stages.sources.files import absolute, digest_of, foreign, foreign_record
from stages.sources.ground_truth import judge_boxes
from stages.sources.image_batches import ImageSpool, batches
from stages.sources.image_limits import as_lax_as_before
from stages.sources.ingest_counts import (
    NOTE,
    IngestCounts,
    count_cut,
    count_kept,
    count_left_out,
    count_moved,
    count_refused,
    retried_records,
)
from stages.sources.json_ids import utf8
from stages.sources.record import (
    LeftOut,
    Problem,
    Record,
    Refusal,
    Slice,
    Source,
    SourceOptions,
    require_utf8,
)
from stages.sources.size_limits import SizeLimitedStage
from stages.sources.slice_digest import are_those_of, digest_of_image
from stages.sources.source_kind import Kind, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Ingest(SizeLimitedStage):
    """Read images with their captions and ground truth."""

    sources: tuple[str, ...] = option(
        (), "files, folders, tars or patterns to read", recipe=False, flag="SOURCE..."
    )
    kind: Kind = option("auto", "kind of source; auto: by its files")
    split: tuple[str, ...] = option((), "take only these splits")
    caption_column: str | None = option(
        None, "column of a table that holds captions; default: found by its name"
    )
    image_column: str | None = option(
        None, "column of a table that names or holds images; default: found by its name"
    )
    boxes: BoxForm = option("auto", BOX_FORM_DOC)
    pack: bool = option(False, "copy the encoded images into the parts")
    verify: bool = option(True, "decode each image once, to find truncated ones")
    max_pixels: int = option(
        50_000_000, "refuse images of more pixels", at_least=1, at_most=1 << 29
    )
    min_side: int = option(2, "refuse images with a shorter side, pixels", at_least=1)
    require_captions: bool = option(False, "refuse images without a caption")
    accept_changed: bool = option(
        False,
        "hash every image first, so that files that replaced others of the same size make new rows",
        recipe=False,
    )
    part_bytes: int = option(256 << 20, "bytes of encoded images in a part, about", at_least=1)
    part_images: int = option(10_000, "images in a part, at most", at_least=1)

    name: ClassVar[str] = "ingest"
    everyday: ClassVar[tuple[str, ...]] = ("kind", "split", "require_captions", "pack")
    example: ClassVar[str] = "rc ingest photos/"
    version: ClassVar[int] = 2
    reads: ClassVar[Mapping[str, Reads]] = {"retry": retried(IMAGES)}
    writes: ClassVar[Table] = IMAGES

    def __post_init__(self) -> None:
        if not all(source.strip() for source in self.sources):
            raise OptionError(
                "rc ingest: a source is empty, as an unset shell variable makes it: name a folder "
                "or a file; . is this folder"
            )
        # a worker may have another working folder than the one the user typed in
        object.__setattr__(self, "sources", tuple(absolute(source) for source in self.sources))
        super().__post_init__()

    def digests(self) -> Mapping[str, str]:
        """Hash of the source, looked at afresh: it may have changed since the last run."""
        _open.cache_clear()
        with self._reading():
            digests = {"sources": self._source().digest()}
            if self.accept_changed:
                digests["images"] = digest_of(*self._image_digests())
            return digests

    def part_digests(self, number: int, digests: Mapping[str, str]) -> Mapping[str, str]:
        """Hash of the slice of the source that becomes the part."""
        piece, most = self._slices()[number]
        with self._reading():
            return {"slice": self._source().slice_digest(piece), "most": str(most)}

    def recognises(
        self, number: int, rows: Callable[[list[str]], Iterator[pa.RecordBatch]]
    ) -> bool:
        """Whether the images lie where they lay; with `--accept-changed`, have the same bytes."""
        piece, most = self._slices()[number]
        records = islice(self._source().records(piece), most)
        return are_those_of(records, rows, same_bytes=self.accept_changed)

    def as_before(self, options: Mapping[str, Any]) -> Stage:
        """See `Stage.as_before`: a limit may be laxer now, since what it refused is computed."""
        return replace(self, **as_lax_as_before(self.recipe(), options))

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """One part per slice of the source; with a limit, only those that it reaches."""
        return range(len(self._slices()))

    def total(self) -> int | None:
        """Images in the source, perhaps estimated; at most the limit."""
        total = self._source().total()
        if total is None or self.limit is None:
            return total or self.limit
        return min(total, self.limit)

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per image kept, sorted by id."""
        with ImageSpool(part.scratch) as spool:
            yield from batches(sorted(self._rows(part, spool), key=itemgetter("image_id")), spool)

    def survey(self, findings: Findings) -> None:
        """What was not read of the source, what was chosen, and how names were matched."""
        with self._reading():
            inventory = self._source().inventory()
        if inventory.remarks:
            findings.note("remarks", list(inventory.remarks))
        if inventory.losses:
            findings.note("losses", list(inventory.losses))
        if inventory.unmatched:
            findings.note("unmatched", inventory.unmatched)
        for left_out in inventory.left_out:
            count_left_out(findings, left_out)

    def outcome(self, result: Result) -> Outcome:
        """Images, captions and boxes kept; what was refused, and what was not read."""
        notes = result.notes
        counts = IngestCounts(notes.get(NOTE, {}))
        empty = notes.get("unmatched")
        if empty is None and self.limit is None:  # else the images that it left out may have some
            empty = counts.why_unmatched(result.dropped, notes.get("examples"))
        if not result.rows and empty is None:
            empty = counts.why_empty(self.sources, result.dropped)
        tried = retried_records(notes["retried"]) if "retried" in notes else ()
        boxes = (*counts.moved(), *counts.cut())
        summary = [counts.line(), *tried, *boxes, *notes.get("remarks", ())]
        return Outcome(summary, empty, [*counts.losses(result.dropped), *notes.get("losses", ())])

    def _image_digests(self) -> Iterator[str]:
        """SHA-256 of each image that can be read."""
        for piece, most in self._slices():
            records = (r for r in self._source().records(piece) if isinstance(r, Record))
            yield from map(str, map(digest_of_image, islice(records, most)))

    def _rows(self, part: Part, spool: ImageSpool) -> Iterator[dict[str, Any]]:
        piece, most = self._slices()[part.number]
        known_ids: set[str] = set()
        for record in islice(self._records(part, piece), most):
            part.advance()
            try:
                row = self._row(part, record, known_ids, spool)
            except Refusal as refusal:
                count_refused(part)
                _refuse(part, Problem(record.image_id, refusal.reason, refusal.detail))
            else:
                count_kept(part, record, len(row["objects"]))
                yield row

    def _records(self, part: Part, piece: Slice) -> Iterator[Record]:
        examples: dict[bool, str] = {}  # of an image, and of what belongs to none
        with self._reading():
            for item in self._source().records(piece):
                if isinstance(item, Record):
                    examples.setdefault(True, item.image_id)
                    yield item
                elif isinstance(item, LeftOut):
                    count_left_out(part, item)
                else:
                    if item.reason == Reason.UNKNOWN_IMAGE:
                        examples.setdefault(False, item.record)
                    _refuse(part, item)
        if part.number == 0 and len(examples) > 1:
            part.note("examples", [examples[False], examples[True]])

    def _row(self, part: Part, record: Record, ids: set[str], spool: ImageSpool) -> dict[str, Any]:
        """The row of a record; its content stays in the spool, as a position."""
        if record.image_id in ids:
            raise Refusal(Reason.DUPLICATE_ID, f"{_place_of(record)} repeats an earlier id")
        for problem in record.problems:
            _refuse(part, problem)
        if self.require_captions and not record.captions:
            raise Refusal(Reason.MISSING_CAPTION, "captions are required, and it has none")
        with foreign_record():
            require_utf8(record)
            content = record.load()
            header = probe(content, Limits(self.max_pixels, self.min_side, self.size_limits))
            if self.verify:
                decode(content, header.orientation)
            shape = ImageShape(header.width, header.height, header.orientation)
            truth = judge_boxes(record, shape)
        ids.add(record.image_id)  # a file that cannot be read takes no id from one that can
        for problem in truth.problems:
            _refuse(part, problem)
        count_moved(part, truth.moves)
        count_cut(part, truth.cut)
        return {
            "image_id": record.image_id,
            "source": self._source().kind,
            "source_id": record.source_id,
            "split": record.split,
            "uri": record.uri,
            "member": record.member,
            "offset": record.offset,
            "num_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "format": header.format,
            "width": header.width,
            "height": header.height,
            "orientation": header.orientation,
            "captions": list(record.captions),
            "objects": truth.rows,
            "content": spool.add(content) if self.pack or not record.can_be_reread else None,
        }

    def _source(self) -> Source:
        options = SourceOptions(
            kind=self.kind,
            splits=self.split,
            part_bytes=self.part_bytes,
            part_images=self.part_images,
            caption_column=self.caption_column,
            image_column=self.image_column,
            boxes=self.boxes,
            size_limits=self.size_limits,
        )
        with self._reading():
            return _open(self.sources, options)

    def _reading(self) -> AbstractContextManager[None]:
        return foreign(", ".join(self.sources), "compare it with the examples in docs/formats.md")

    def _slices(self) -> list[tuple[Slice, int | None]]:
        """Each slice the limit reaches, and how many of its records to take; None is all."""
        source = self._source()
        if self.limit is None:
            return [(piece, None) for piece in source.slices()]
        slices: list[tuple[Slice, int | None]] = []
        left = self.limit
        for piece in source.slices():
            if left > 0:
                slices.append((piece, left))
                left -= source.count(piece)
        return slices


@lru_cache(maxsize=8)
def _open(sources: tuple[str, ...], options: SourceOptions) -> Source:
    return open_source(sources, options)


def _place_of(record: Record) -> str:
    place = record.member or record.uri
    row = place.partition(":")[0]
    return f"row {row}" if row.isdecimal() else place


def _refuse(part: Part, problem: Problem) -> None:
    part.refuse(utf8(problem.record), problem.reason, utf8(problem.detail))
