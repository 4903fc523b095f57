"""How long a query needs until its first row, over millions of pseudo-labels.

    python benchmarks/sql.py [--millions 5] [--parts 20] [--store FOLDER]

Makes random images, proposals, concepts and pseudo-labels (250,000 regions per part), then runs
queries through the same functions as `rc sql`. A store given by --store is kept, and used again by
the next run.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline import sql
from pipeline.execution import inputs, runner
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Part, Reads, Stage, each, option, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table

REGIONS, CONCEPTS, WIDTH, KEPT = 100, 4764, 64, 8  # of an image, in the pool, numbers, of a region
QUERIES = {
    "first row, joined": "FROM pseudo_labels",
    "first row, chosen": "FROM pseudo_labels WHERE concept = 'concept 7' AND probability > 0.99",
    "count": "SELECT count(*) FROM pseudo_labels",
    "20 most frequent": (
        "SELECT concept, count(*) AS regions, avg(probability) AS mean FROM pseudo_labels "
        "GROUP BY concept ORDER BY regions DESC, concept LIMIT 20"
    ),
    "regions of an image": "FROM pseudo_labels WHERE image_id = 'invented/00000042'",
    "nearest concept": (
        "SELECT b.concept FROM concept_embeddings a, concept_embeddings b WHERE a.concept_id = 7 "
        "ORDER BY array_cosine_similarity(a.embedding, b.embedding) DESC LIMIT 5"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Invented(Stage):
    """Random rows."""

    images: int = option(50_000, "images in all")
    parts: int = option(20, "parts")

    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `stages.base.Stage.plan`."""
        return range(self.parts)

    def ids(self, part: Part) -> list[str]:
        """The images of a part."""
        numbers = range(part.number, self.images, self.parts)
        return [f"invented/{number:08d}" for number in numbers]

    def keys(self, part: Part) -> Iterator[tuple[list[str], np.ndarray, np.random.Generator]]:
        """Keys of the regions in chunks, each with the random generator of the part."""
        rng = np.random.default_rng(part.number)
        ids = self.ids(part)
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            regions = np.tile(np.arange(REGIONS, dtype=np.int32), len(chunk))
            yield [image_id for image_id in chunk for _ in range(REGIONS)], regions, rng


@dataclass(frozen=True, kw_only=True)
class Images(Invented):
    """Random images."""

    name: ClassVar[str] = "ingest"
    writes: ClassVar[Table] = IMAGES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        ids = self.ids(part)
        same = {"source": "folder", "uri": "x.jpg", "sha256": "0" * 64, "format": "JPEG"}
        numbers = {"num_bytes": 1, "width": 640, "height": 480, "orientation": 1}
        absent = dict.fromkeys(("source_id", "split", "member", "offset", "content"))
        constant = {name: [v] * len(ids) for name, v in {**same, **numbers, **absent}.items()}
        lists = {"captions": [["a dog"]] * len(ids), "objects": [[]] * len(ids)}
        yield IMAGES.batch({"image_id": ids, **constant, **lists})


@dataclass(frozen=True, kw_only=True)
class Proposals(Invented):
    """Random boxes."""

    name: ClassVar[str] = "propose"
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = PROPOSALS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for ids, regions, rng in self.keys(part):
            edges = rng.uniform(0, 300, (4, len(ids))).astype(np.float32)
            yield PROPOSALS.batch(
                {
                    "image_id": ids,
                    "region": regions,
                    "x0": edges[0],
                    "y0": edges[1],
                    "x1": edges[0] + edges[2],
                    "y1": edges[1] + edges[3],
                    "objectness": rng.random(len(ids), np.float32),
                    "objectness_logit": [None] * len(ids),
                }
            )


@dataclass(frozen=True, kw_only=True)
class Embeddings(Invented):
    """Random embeddings of the concepts."""

    name: ClassVar[str] = "embed-concepts"
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `stages.base.Stage.plan`."""
        return [0]

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        vectors = np.random.default_rng(0).normal(size=(CONCEPTS, WIDTH)).astype(np.float32)
        yield CONCEPT_EMBEDDINGS.batch(
            {
                "concept_id": np.arange(CONCEPTS, dtype=np.int32),
                "concept": [f"concept {i}" for i in range(CONCEPTS)],
                "prompts": np.ones(CONCEPTS, np.int32),
                "embedding": vectors,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Labels(Invented):
    """Random pseudo-labels."""

    name: ClassVar[str] = "label"
    reads: ClassVar[Mapping[str, Reads]] = {
        "proposals": each(PROPOSALS),
        "embeddings": whole(CONCEPT_EMBEDDINGS),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for ids, regions, rng in self.keys(part):
            n = len(ids)
            top = rng.integers(0, CONCEPTS, (n, KEPT)).astype(np.int32)
            fractions = rng.random((n, 5), np.float32)
            yield PSEUDO_LABELS.batch(
                {
                    "image_id": ids,
                    "region": regions,
                    "concept_id": top[:, 0],
                    **dict(zip(("cosine", "probability", "margin"), fractions.T, strict=False)),
                    "entropy": fractions[:, 3],
                    "kept": fractions[:, 1] > 0.1,
                    "in_caption": fractions[:, 4] > 0.5,
                    "top_ids": top,
                    "top_probabilities": rng.random((n, KEPT), np.float32),
                    "residual": fractions[:, 4],
                    **dict(zip(("x0", "y0"), fractions.T * 300, strict=False)),
                    **dict(zip(("x1", "y1"), fractions.T * 300 + 50, strict=False)),
                    "objectness": fractions[:, 1],
                    "reviewed": [None] * n,
                }
            )


def main(words: list[str] | None = None) -> int:
    """Make the store, run the queries, and print how long each took."""
    parser = argparse.ArgumentParser(description="Time from a query to its first row.")
    parser.add_argument("--millions", type=float, default=5, help="of pseudo-labels")
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--store", type=Path, help="folder to keep; default: a temporary one")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="rc-sql-") as folder:
        root = arguments.store or Path(folder)
        make_store(root, round(arguments.millions * 1e6 / REGIONS), arguments.parts)
        started = time.perf_counter()
        with sql.connect(root):
            pass
        print(f"{'connect':<22} {time.perf_counter() - started:>8.3f} s")
        for name, statement in QUERIES.items():
            print(f"{name:<22} {first_row(root, statement):>8.3f} s")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak resident':<22} {resident:>8.0f} MB")
    return 0


def make_store(root: Path, images: int, parts: int) -> None:
    """Fill a store, or use one that is already filled."""
    started = time.perf_counter()
    for kind in (Images, Proposals, Embeddings, Labels):
        stage = kind(images=images, parts=parts)
        artifact = runner.materialize(stage, inputs.resolve(stage, {}, root), root)
    duration = time.perf_counter() - started
    size = artifact.manifest.bytes() / 1e6
    print(f"{artifact.manifest.rows:,} pseudo-labels, {size:,.0f} MB, made in {duration:.0f} s")


def first_row(root: Path, statement: str) -> float:
    """Seconds from opening the store to the first row."""
    started = time.perf_counter()
    with sql.connect(root) as connection:
        reader = sql.batches(sql.query(connection, statement))
        while (batch := next(iter(reader), None)) is not None and not batch.num_rows:
            pass
        return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
