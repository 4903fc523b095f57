"""Extract concepts: from captions, the noun phrases named often enough to be worth recognising.

A map and a fold. Each part finds the mentions in its captions; the fold counts them into one
concept pool. Memory is bounded by the number of different phrases, never by that of captions.

A pool can also be given: a file with the user's list, or the concepts of another artifact. Then
nothing is added or left out, the order stays, and the captions only say who mentions what.

Names of one thing can be merged (`--merge`): captions are parsed as before, and a mention of one
counts as a mention of the head of its group, so that all that reads mentions sees one concept.

Source: RegionCLIP (arXiv:2112.09106), concept pool from image captions, frequency of 100.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from schemas.concepts import CONCEPTS
from schemas.errors import OptionError
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from stages.base import Part, Reads, each, option, whole
from stages.outcome import Outcome, Result
from stages.sources.caption_corpus import CaptionRecord, Corpus, Survey, corpus_remarks
from stages.sources.concept_groups import ConceptGroups, merge_pool, read_groups
from stages.sources.files import digest_of
from stages.sources.names import read_names
from stages.sources.size_limits import SizeLimitedStage
from stages.text.extraction_counts import CaptionCount, ExtractionCounts
from stages.text.mention_rows import listing, mention_rows
from stages.text.parsing.language import is_told
from stages.text.tallies import Tally, concept_rows, count_mentions, merged_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table

_PART_RECORDS = 50_000  # records of a caption corpus in a part: some 20 seconds of parsing
_BATCH_RECORDS = 500  # records parsed together
_GLIMPSE = 80  # characters of a caption in a message


@dataclass(frozen=True, kw_only=True)
class ExtractConcepts(SizeLimitedStage):
    """Find the concepts in captions, or those of a given pool."""

    parser: str = option(
        "bundled",
        "caption parser: bundled, spacy:NAME (or folder), lexicon (of --from or --pool), ngram:N",
        recipe=False,
    )
    language: str | None = option(
        None,
        "of the captions: zh (by jieba), ja (by SudachiPy), or what a spaCy pipeline for many "
        "languages is to read; default: that of --parser",
        recipe=False,
    )
    style: Literal["visual", "paper"] = option(
        "visual",
        "visual keeps what one could point at; paper does as the published script",
    )
    min_frequency: int = option(100, "leave out concepts counted less often", at_least=1)
    count_by: Literal["mentions", "captions"] = option(
        "mentions",
        "what is counted: every mention, or each caption once",
    )
    max_concepts: int | None = option(None, "keep only the N most frequent", at_least=1)
    from_file: Path | None = option(
        None,
        "take this list as the pool, in its order: a name, or name,count, per line",
        recipe=False,
        flag="--from",
    )
    merge_file: Path | None = option(
        None,
        "TOML with names to merge, see rc merge-concepts: mentions of them count as the head's",
        recipe=False,
        flag="--merge",
    )
    captions: Path | None = option(
        None,
        "read captions from this file or folder (TSV, CSV, JSON, JSONL, Parquet; also .gz), "
        "not from images",
        recipe=False,
    )
    caption_column: str | None = option(
        None, "column of --captions with the text: name, or number from 0; default: by its name"
    )
    key_column: str | None = option(
        None, "column of --captions that names the image; neighbours of one key belong together"
    )

    name: ClassVar[str] = "extract-concepts"
    everyday: ClassVar[tuple[str, ...]] = ("min_frequency", "from_file", "captions", "parser")
    example: ClassVar[str] = "rc extract-concepts --min-frequency 5"
    only_with: ClassVar[Mapping[str, Sequence[str]]] = {"captions": ("size_limits",)}
    version: ClassVar[int] = 3  # concepts have several names
    unit: ClassVar[str] = "records"  # images with their captions, or lines of a file of captions
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "pool": whole(CONCEPTS, optional=True, named=True),
    }
    writes: ClassVar[Table] = CONCEPTS
    drafts: ClassVar[Table | None] = MENTIONS

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: no images if the captions come from a file."""
        left_out = () if self.captions is None else ("images",)
        return {role: reads for role, reads in self.reads.items() if role not in left_out}

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the parser, the list, the groups, the captions."""
        from stages.text.parsing.engines import parser_identity

        digests = {"parser": parser_identity(self.parser, self.style, language=self.language or "")}
        if self.from_file is not None:
            digests["from"] = digest_of(*read_names(self.from_file))
        if self.merge_file is not None:
            digests["merge"] = self._groups().digest()
        if corpus := self._corpus():
            digests["captions"] = corpus.digest()
        return digests

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `Stage.plan`: the parts of the images, or as many as the captions fill."""
        if self.captions is None:
            return super().plan(parts)
        return range(max(1, -(-self._records() // _PART_RECORDS)))

    def total(self) -> int | None:
        """See `Stage.total`."""
        return None if self.captions is None else self._records()

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per caption and phrase, as `MENTIONS`."""
        from stages.text.parsing.engines import load_parser
        from stages.text.parsing.given_names import GivenNames

        pool, heads = self._given(part), self._groups().heads
        names = None
        if pool is not None:
            names = [name for concept in pool for name in concept]
            heads = {name: concept[0] for concept in pool for name in concept}
            yield listing(pool)
        parser = load_parser(self.parser, self.style, names or (), self.language or "")
        find = parser.concepts if names is None else GivenNames(names, parser).mentions
        seen = CaptionCount(parser.language if is_told(parser.language) else "")
        texts_given: Counter[str] = Counter()
        records = iter(self._captioned(part))
        while batch := list(islice(records, _BATCH_RECORDS)):
            numbered = [(r.key, rank, c) for r in batch for rank, c in enumerate(r.captions)]
            captions = [text for _, _, text in numbered]
            mentions: Sequence[list[str]] = list(find(captions))
            if part.number == 0 and names is not None and captions and not seen.captions:
                part.note("example_caption", _glimpse(captions[0]))
            mentions = seen.add(captions, mentions, given=names is not None)
            if self.captions is not None:
                seen.captionless += sum(not (r.captions or r.problem) for r in batch)
            yield mention_rows(numbered, mentions, heads, texts_given)
            part.advance(len(batch))
        seen.record(part)

    def merge(
        self, drafts: Iterable[pa.RecordBatch], note: Callable[[str, Any], None]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the concepts, most frequent first, or in the order of the given pool."""
        tallies = count_mentions(drafts)
        listed = [name for name, tally in tallies.items() if tally.listed is not None]
        if listed:
            kept = sorted(listed, key=lambda name: tallies[name].listed or 0)
            note("listed", len(listed))
            note("mentioned", sum(tallies[name].mentions > 0 for name in listed))
            note("example", _glimpse(kept[0]))
        else:
            kept = self._frequent(tallies, note)
        kept = kept[: self.max_concepts]
        if self.merge_file is not None:
            self._note_merged(kept, tallies, note)
        yield concept_rows(kept, tallies)

    def outcome(self, result: Result) -> Outcome:
        """Captions read, what they name, and what became of it; why there is no concept."""
        from stages.text.parsing.engines import parser_language

        reads = parser_language(self.parser, self.language or "")
        counts = ExtractionCounts(result.notes, self.parser, reads)
        refused = sum(result.dropped.values())
        summary = counts.summary(result.rows, self.min_frequency, refused)
        summary += result.notes.get("remarks", ())
        file = self.captions.name if self.captions else ""
        asked = self.count_by, self.min_frequency
        empty = None if result.rows else counts.why_empty(*asked, refused, file)
        return Outcome(summary, empty, [] if empty else counts.losses(refused))

    def _frequent(
        self, tallies: Mapping[str, Tally], note: Callable[[str, Any], None]
    ) -> list[str]:
        counts = {name: getattr(tally, self.count_by) for name, tally in tallies.items()}
        ranked = sorted(counts, key=lambda name: (-counts[name], name))
        note("phrases", len(ranked))
        if ranked:
            note("most_frequent", [_glimpse(ranked[0]), counts[ranked[0]]])
        return [name for name in ranked if counts[name] >= self.min_frequency]

    def _note_merged(
        self, kept: Sequence[str], tallies: Mapping[str, Tally], note: Callable[[str, Any], None]
    ) -> None:
        """Note how many names were merged into how many concepts, and which occur nowhere."""
        merged = {name: len(merged_names(name, tallies[name])) for name in kept}
        note("merged", [sum(merged.values()), sum(map(bool, merged.values()))])
        there = {name for tally in tallies.values() for name in tally.names or ()}
        if absent := sorted(self._groups().heads.keys() - there):
            note("absent", [len(absent), _glimpse(absent[0])])

    def _groups(self) -> ConceptGroups:
        return ConceptGroups({}) if self.merge_file is None else read_groups(self.merge_file)

    def _given(self, part: Part) -> list[list[str]] | None:
        """The names of each concept of the given pool, its own first; None if there is none."""
        if self.from_file is None and not part.has("pool"):
            return None
        if self.from_file is None:
            pool = part.table("pool").sort_by("concept_id").column("names").to_pylist()
        elif part.has("pool"):
            raise OptionError("give --from or --pool, not both")
        else:
            pool = [[name] for name in read_names(self.from_file)]
        return merge_pool(pool, self._groups(), self.merge_file)

    def _captioned(self, part: Part) -> Iterator[CaptionRecord]:
        corpus = self._corpus()
        if corpus is None:
            for batch in part.batches("images"):
                columns = (batch.column(name).to_pylist() for name in ("image_id", "captions"))
                yield from (
                    CaptionRecord(key, tuple(captions))
                    for key, captions in zip(*columns, strict=True)
                )
            return
        if part.number == 0:  # of the whole corpus, so one part tells
            survey = _survey(corpus, corpus.digest())
            if remarks := corpus_remarks(corpus.inventory(), survey):
                part.note("remarks", remarks)
        first = part.number * _PART_RECORDS
        last = min(first + _PART_RECORDS, self._records())
        problems = 0
        for record in islice(corpus.records(), first, last):
            if record.problem:
                problems += 1
                if part.number == 0 and problems == 1:
                    part.note("example_problem", _glimpse(record.problem))
                part.refuse(record.key, record.reason, record.problem)
            yield record

    def _corpus(self) -> Corpus | None:
        if self.captions is None:
            return None
        return Corpus(self.captions, self.caption_column, self.key_column, self.size_limits)

    def _records(self) -> int:
        corpus = self._corpus()
        count = 0 if corpus is None else _survey(corpus, corpus.digest()).records
        return count if self.limit is None else min(count, self.limit)


@lru_cache(maxsize=4)
def _survey(corpus: Corpus, digest: str) -> Survey:
    return corpus.survey()


def _glimpse(text: str) -> str:
    """The beginning of a text, fit for a message."""
    line = "".join(mark if mark.isprintable() else " " for mark in text[:_GLIMPSE])
    return line + ("…" if len(text) > _GLIMPSE else "")
