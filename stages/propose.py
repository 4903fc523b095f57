"""Propose: boxes that may hold something, from one of five places.

Raw boxes go into an HDF5 dump beside the rows (`stages.proposals.region_dump`), the selection
becomes rows; `--select-only` selects anew from an earlier dump. Where images have ground truth,
recall is counted on the way, in note `recall`; see `stages.proposals.recall.recall_and_ar100`.

Source: RegionCLIP (arXiv:2112.09106): NMS 0.5 and 300 proposals in pretraining; random boxes
with corners on a grid of 8 pixels for its ablation.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from schemas.box_forms import BOX_FORM_DOC, BoxForm
from schemas.errors import OptionError
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.rpns import RPNS
from stages.base import Part, Reads, each, option, whole
from stages.models.network_stage import NetworkStage, described_precision
from stages.outcome import Outcome, Result
from stages.proposals.box_file import IdRule, LocalizerOptions, ScoreForm
from stages.proposals.boxes_folder import digest_of_boxes
from stages.proposals.named_images import IMAGE_COLUMNS
from stages.proposals.propose_counts import ProposeCounts
from stages.sources.size_limits import SizeLimitedStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table
    from stages.proposals.box_sources import BoxSource
    from stages.proposals.region_dump import ScoreKind
    from stages.proposals.selection import Selection

_ROWS: Final = 50_000  # proposals of a batch of rows, about


@dataclass(frozen=True, kw_only=True)
class Propose(NetworkStage, SizeLimitedStage):
    """Find boxes that may hold something.

    By a network, another localizer, a grid, or chance.
    """

    from_file: Path | None = option(
        None,
        "boxes of another localizer: COCO results or ground truth (.json, .jsonl), .parquet, a "
        "dump (.h5), or a folder of YOLO's .txt or of SAM's or MMDetection's .json",
        recipe=False,
        flag="--from",
    )
    random: bool = option(False, "boxes with random corners on a grid of 8 pixels")
    grid: bool = option(False, "the whole image, its quarters, its ninths, and so on")
    select_only: bool = option(False, "select again from the raw boxes of --dump proposals@...")
    regions: int = option(
        300, "boxes per image with --random; at most so many with --grid", at_least=1
    )
    resize: str = option(
        "native", "SHORTESTxLONGEST, pixels, for the network; native: its own; none: as it is"
    )
    pre_nms: int | None = option(
        None,
        "boxes taken from each map of the network before --nms; default: 1000 from each map of a "
        "pyramid, 6000 from the single map of a C4 network, as published",
        at_least=1,
    )
    nms: float = option(
        0.5, "drop boxes that overlap a better one by a higher IoU", above=0, at_most=1
    )
    nms_within: Literal["map", "image"] = option(
        "map",
        "a box is compared with boxes of the same map of the network, as published, or of the "
        "whole image",
    )
    boxes: BoxForm = option("auto", f"of --from: {BOX_FORM_DOC}")
    scores: ScoreForm = option(
        "auto",
        "what --from calls scores: the localizer's own, raw logits, or percent, which are divided "
        "by 100; auto: what a dump says, refused if they are no probabilities",
    )
    ids: IdRule = option(
        "auto",
        "what --from calls images by: ids of the source's own JSON, names, or what fits; auto is "
        "refused where both fit",
    )
    top_k: int = option(300, "proposals of an image, at most", at_least=1)
    min_size: float = option(0.0, "least width and height, pixels", at_least=0)
    min_objectness: float | None = option(None, "least objectness")
    seed: int = option(0, "of random boxes", at_least=0)

    name: ClassVar[str] = "propose"
    everyday: ClassVar[tuple[str, ...]] = ("from_file", "grid", "random", "rpn", "top_k")
    example: ClassVar[str] = "rc propose --grid"
    only_with: ClassVar[Mapping[str, Sequence[str]]] = {"from_file": ("size_limits",)}
    version: ClassVar[int] = 6  # each operation has one core; HDF5 lays out the raw boxes otherwise
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "rpn": whole(RPNS),
        "dump": each(PROPOSALS, optional=True),
    }
    writes: ClassVar[Table] = PROPOSALS

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self._asked()) > 1:
            raise OptionError(f"rc propose: {' and '.join(self._asked())} exclude each other")
        asked = {"--boxes": self.boxes, "--scores": self.scores, "--ids": self.ids}
        unused = [flag for flag, value in asked.items() if value != "auto"]
        if unused and self.from_file is None:
            raise OptionError(f"rc propose: {unused[0]} describes the file of --from; give that")
        of_network = {"pre_nms": None, "precision": "float32"}
        given = [name for name, usual in of_network.items() if getattr(self, name) != usual]
        if given and self._asked():
            raise OptionError(
                f"rc propose: --{given[0].replace('_', '-')} is for boxes of a network; leave it "
                f"out with {self._asked()[0]}"
            )
        if not re.fullmatch(r"native|none|[1-9]\d*x[1-9]\d*", self.resize):
            raise OptionError(
                f"rc propose: --resize is SHORTESTxLONGEST in pixels, native or none, "
                f"got {self.resize!r}"
            )

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: a network only if it proposes, a dump only to select from."""
        used = {"images"}
        if not self._asked():
            used.add("rpn")
        if self.select_only:
            used.add("dump")
        reads = {role: reads for role, reads in self.reads.items() if role in used}
        if self.from_file:  # whether a name is unique depends on all images
            reads["images"] = each(IMAGES, everywhere=True)
        return reads

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of boxes that are imported, of a network."""
        imported = {"from": digest_of_boxes(self.from_file)} if self.from_file else {}
        return {**super().digests(), **imported}

    def outcome(self, result: Result) -> Outcome:
        """Images, proposals, recall; whose boxes a file has, and what of them was not used."""
        counts = ProposeCounts(result.rows, result.dropped, result.notes)
        first, *others = counts.lines()
        lines = [first + described_precision(result.notes), *others]
        return Outcome(lines, None if result.rows else counts.why_empty(), counts.losses())

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the proposals of each image, best first; leave the raw boxes beside them.

        Raises:
            OptionError: If there is no dump to select from.
            SourceError: If the network or the boxes to import cannot be read.
        """
        from stages.models import device
        from stages.proposals.proposal_batch import ProposalBatch, images_with_boxes
        from stages.proposals.region_dump import DumpWriter

        device.set_threads(self.threads)
        device.deterministic()
        with ExitStack() as files:
            source = self._source(part, files)
            dump = None
            if not self.select_only:
                dump = files.enter_context(DumpWriter(part.attach("h5"), source.kind))
            where = device.resolve(self.device if source.needs_pixels else "cpu")
            select = self._selection(source.kind)
            batch = ProposalBatch(source.kind, select, dump, where, self.nms_within)
            for image in images_with_boxes(part, source, where):
                batch.add(image)
                if len(batch) >= _ROWS:
                    yield batch.take()
            yield batch.take()
            batch.report(part)
            source.report(part)

    def _asked(self) -> list[str]:
        """Flags of the sources other than a network that were asked for."""
        flags = {
            "--from": self.from_file is not None,
            "--random": self.random,
            "--grid": self.grid,
            "--select-only": self.select_only,
        }
        return [flag for flag, chosen in flags.items() if chosen]

    def _source(self, part: Part, files: ExitStack) -> BoxSource:
        from stages.proposals import box_sources
        from stages.proposals.localizers import open_localizer
        from stages.proposals.region_dump import DumpReader

        if self.from_file:
            asked = LocalizerOptions(
                self.from_file, self.boxes, self.scores, self.ids, self.size_limits
            )
            localizer = open_localizer(
                asked, part.fingerprint("images"), lambda: part.everywhere("images", IMAGE_COLUMNS)
            )
            return box_sources.LocalizerBoxSource(localizer, self.from_file.name)
        if self.random:
            return box_sources.RandomBoxSource(self.regions, self.seed)
        if self.grid:
            return box_sources.GridBoxSource(self.regions)
        if not self.select_only:
            return self._network(part)
        if not part.has("dump"):
            raise OptionError(
                "--select-only needs --dump proposals@..., whose dump it selects from"
            )
        return box_sources.DumpBoxSource(
            files.enter_context(DumpReader(part.attachment("dump", "h5")))
        )

    def _network(self, part: Part) -> BoxSource:
        from stages.models.preprocess import Size
        from stages.models.rpn import load_rpn
        from stages.proposals.box_sources import RpnBoxSource

        config = part.attachment("rpn", "model.json")
        precision = self.note_precision(part)
        rpn = load_rpn(config, part.attachment("rpn", "weights.safetensors"), self.device)
        size = rpn.size if self.resize == "native" else Size.parse(self.resize, 0)
        return RpnBoxSource(rpn, size, self.pre_nms, precision)

    def _selection(self, kind: ScoreKind) -> Selection:
        """What the options ask for; boxes nobody scored have no better ones to give way to."""
        from stages.proposals.proposal_batch import logit
        from stages.proposals.selection import Selection

        least = self.min_objectness
        if self.random or self.grid:
            return Selection(nms=1, top_k=self.regions, min_size=self.min_size, min_score=least)
        if least is not None and kind == "logit":
            least = logit(least)
        return Selection(nms=self.nms, top_k=self.top_k, min_size=self.min_size, min_score=least)
