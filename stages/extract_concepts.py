"""Extract concepts: from captions, the noun phrases named often enough to be worth recognising.

A map and a fold. Each part finds the mentions in its captions; the fold counts them into one
concept pool. Memory is bounded by the number of different phrases, never by that of captions.

A pool can also be given: a file with the user's list, or the concepts of another artifact. Then
nothing is added or left out, the order stays, and the captions only say who mentions what.

Source: RegionCLIP (arXiv:2112.09106), concept pool from image captions, frequency of 100.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from schemas.concepts import CONCEPTS
from schemas.errors import OptionError, StageError
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.quarantine import Reason
from stages.base import Part, Reads, Stage, each, option, whole
from stages.sources.caption_corpus import CaptionRecord, Corpus
from stages.sources.files import digest_of
from stages.sources.names import read_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table
    from stages.text.parsing.engines import CaptionParser

_PART_RECORDS = 50_000  # records of a caption corpus in a part: some 20 seconds of parsing
_BATCH_RECORDS = 500  # records parsed together
_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 1_000


@dataclass(frozen=True, kw_only=True)
class ExtractConcepts(Stage):
    """Find the concepts in captions, or those of a given pool."""

    engine: str = option(
        "bundled",
        "caption parser: bundled, spacy:NAME (or folder), lexicon (of --from or --pool), ngram:N",
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
    captions: Path | None = option(
        None,
        "read captions from this file or folder (TSV, JSONL, Parquet; also .gz), not from images",
        recipe=False,
    )
    caption_column: str | None = option(
        None, "column of --captions with the text: name, or number from 0; default: guessed"
    )
    key_column: str | None = option(
        None, "column of --captions that names the image; neighbours of one key belong together"
    )

    name: ClassVar[str] = "extract-concepts"
    everyday: ClassVar[tuple[str, ...]] = ("min_frequency", "from_file", "captions", "engine")
    example: ClassVar[str] = "rc extract-concepts --min-frequency 5"
    version: ClassVar[int] = 1
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
        """See `Stage.digests`: the parser, the list, the captions."""
        from stages.text.parsing.engines import parser_identity

        digests = {"parser": parser_identity(self.engine, self.style)}
        if self.from_file is not None:
            digests["from"] = digest_of(*read_names(self.from_file))
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

        names = self._given(part)
        parser = load_parser(self.engine, self.style, names or ())
        aliases = _aliases(names, parser) if names is not None else None
        if names is not None:
            yield _listing(names)
        texts_given: Counter[str] = Counter()
        records = iter(self._captioned(part))
        while batch := list(islice(records, _BATCH_RECORDS)):
            yield _mentions(batch, parser, aliases, texts_given)
            part.advance(len(batch))

    def merge(self, drafts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the concepts, most frequent first, or in the order of the given pool.

        Raises:
            StageError: If no phrase is frequent enough.
        """
        tallies = _count(drafts)
        listed = [name for name, tally in tallies.items() if tally.listed is not None]
        if listed:
            kept = sorted(listed, key=lambda name: tallies[name].listed or 0)
        else:
            kept = self._frequent(tallies)
        yield _concepts(kept[: self.max_concepts], tallies)

    def _frequent(self, tallies: Mapping[str, Tally]) -> list[str]:
        counts = {name: getattr(tally, self.count_by) for name, tally in tallies.items()}
        ranked = sorted(counts, key=lambda name: (-counts[name], name))
        kept = [name for name in ranked if counts[name] >= self.min_frequency]
        if kept:
            return kept
        if not ranked:
            raise StageError("rc extract-concepts: no caption names anything; check the captions")
        raise StageError(
            f"rc extract-concepts: none of {len(ranked):,} phrases was counted "
            f"{self.min_frequency} times (the most frequent, '{ranked[0]}', "
            f"{counts[ranked[0]]}); lower --min-frequency"
        )

    def _given(self, part: Part) -> list[str] | None:
        """Names of the given pool in their order; None if there is none."""
        if self.from_file is None:
            if not part.has("pool"):
                return None
            pool = part.table("pool").sort_by("concept_id")
            return [str(name) for name in pool.column("concept").to_pylist()]
        if part.has("pool"):
            raise OptionError("give --from or --pool, not both")
        return read_names(self.from_file)

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
        first = part.number * _PART_RECORDS
        last = min(first + _PART_RECORDS, self._records())
        for record in islice(corpus.records(), first, last):
            if record.problem:
                part.refuse(record.key, Reason.BAD_CAPTION, record.problem)
            yield record

    def _corpus(self) -> Corpus | None:
        if self.captions is None:
            return None
        return Corpus(self.captions, self.caption_column, self.key_column)

    def _records(self) -> int:
        corpus = self._corpus()
        count = 0 if corpus is None else _length(corpus, corpus.digest())
        return count if self.limit is None else min(count, self.limit)


@dataclass(slots=True)
class Tally:
    """What is known of one phrase so far; `listed` is its id in a given pool."""

    listed: int | None = None
    mentions: int = 0
    captions: int = 0
    images: int = 0
    image_id: str = ""  # the last one: rows of one image are neighbours
    examples: list[str] = field(default_factory=list)


@lru_cache(maxsize=4)
def _length(corpus: Corpus, digest: str) -> int:
    return sum(1 for _ in corpus.records())


def _aliases(names: Sequence[str], parser: CaptionParser) -> dict[str, str]:
    """What the parser may call each name: itself, or the form it gives the bare name.

    "skis" alone becomes "ski", and so it does in a caption. A form with fewer words is another
    thing ("hot dog" may become "dog"), and a form that is itself on the list belongs to that name.
    """
    aliases: dict[str, str] = {}
    for name, forms in zip(names, parser.concepts(names), strict=True):
        if len(forms) == 1 and len(forms[0].split()) == len(name.split()):
            aliases.setdefault(forms[0], name)
    return aliases | {name.lower(): name for name in names} | {name: name for name in names}


def _listing(names: Sequence[str]) -> pa.RecordBatch:
    """A given pool as rows without image, so that the fold knows it."""
    return MENTIONS.batch(
        {
            "image_id": [""] * len(names),
            "caption": range(len(names)),
            "concept": names,
            "mentions": [0] * len(names),
            "text": [None] * len(names),
        }
    )


def _mentions(
    records: Sequence[CaptionRecord],
    parser: CaptionParser,
    aliases: Mapping[str, str] | None,
    texts_given: Counter[str],
) -> pa.RecordBatch:
    """Rows of some records; `texts_given` counts the examples of each phrase in this part."""
    captions = [(r.key, rank, text) for r in records for rank, text in enumerate(r.captions)]
    rows: list[tuple[str, int, str, int, str | None]] = []
    phrases_of_captions = parser.concepts([text for _, _, text in captions])
    for (key, rank, text), phrases in zip(captions, phrases_of_captions, strict=True):
        if aliases is not None:
            phrases = [aliases[phrase] for phrase in phrases if phrase in aliases]
        for phrase, count in sorted(Counter(phrases).items()):
            texts_given[phrase] += 1
            example = text[:_EXAMPLE_CHARACTERS] if texts_given[phrase] <= _EXAMPLES else None
            rows.append((key, rank, phrase, count, example))
    names = [column.name for column in MENTIONS.columns]
    return MENTIONS.batch({name: [row[at] for row in rows] for at, name in enumerate(names)})


def _count(drafts: Iterable[pa.RecordBatch]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for batch in drafts:
        columns = [batch.column(column.name).to_pylist() for column in MENTIONS.columns]
        for image_id, rank, phrase, count, text in zip(*columns, strict=True):
            tally = tallies.setdefault(phrase, Tally())
            if count == 0:
                tally.listed = rank
                continue
            tally.mentions += count
            tally.captions += 1
            tally.images += image_id != tally.image_id
            tally.image_id = image_id
            if text is not None and len(tally.examples) < _EXAMPLES:
                tally.examples.append(text)
    return tallies


def _concepts(names: Sequence[str], tallies: Mapping[str, Tally]) -> pa.RecordBatch:
    kept = [tallies[name] for name in names]
    return CONCEPTS.batch(
        {
            "concept_id": range(len(names)),
            "concept": names,
            "mentions": [tally.mentions for tally in kept],
            "captions": [tally.captions for tally in kept],
            "images": [tally.images for tally in kept],
            "examples": [tally.examples for tally in kept],
        }
    )
