"""Random images, concepts, proposals and pseudo-labels for measurements."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Part, Reads, Stage, each, option, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table

KEPT, AT_ONCE = 8, 500  # concepts kept of a region, images of a batch


@dataclass(frozen=True, kw_only=True)
class Invented(Stage):
    """Random rows; each part has consecutive images, as ingest makes them."""

    images: int = option(100_000, "images in all")
    regions: int = option(30, "of an image")
    concepts: int = option(4764, "in the pool")
    width: int = option(512, "numbers of an embedding")
    parts: int = option(8, "parts")
    scenes: Path = option(Path(), "folder of synthetic scenes", recipe=False)

    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `stages.base.Stage.plan`."""
        return range(self.parts)

    def chunks(self, part: Part) -> Iterator[tuple[list[str], np.random.Generator]]:
        """The ids of a part in chunks, each with the random generator of the part."""
        rng = np.random.default_rng(part.number)
        edges = [self.images * n // self.parts for n in range(self.parts + 1)]
        for start in range(edges[part.number], edges[part.number + 1], AT_ONCE):
            stop = min(start + AT_ONCE, edges[part.number + 1])
            yield [f"invented/{number:08d}" for number in range(start, stop)], rng

    def common(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Random concept ids, few of them frequent: a product of two uniform numbers."""
        return (rng.random(count) * rng.random(count) * self.concepts).astype(np.int32)

    def keys(self, ids: list[str]) -> dict[str, Any]:
        """Image and region of every region of some images."""
        regions = np.tile(np.arange(self.regions, dtype=np.int32), len(ids))
        return {"image_id": [i for i in ids for _ in range(self.regions)], "region": regions}


@dataclass(frozen=True, kw_only=True)
class Images(Invented):
    """Random images, each with four ground-truth boxes and two captions."""

    name: ClassVar[str] = "ingest"
    writes: ClassVar[Table] = IMAGES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        files = sorted(map(str, self.scenes.rglob("*.jpg")))
        facts_of = {file: _facts(Path(file)) for file in files}
        for ids, rng in self.chunks(part):
            n = len(ids)
            uris = [files[int(i[-8:]) % len(files)] for i in ids]
            categories = self.common(4 * n, rng).reshape(n, 4).tolist()
            same = {"source": "folder", "format": "JPEG"}
            facts = [facts_of[uri] for uri in uris]
            absent = dict.fromkeys(("source_id", "member", "offset", "content"))
            constant = {k: [v] * n for k, v in {**same, "orientation": 1, **absent}.items()}
            yield IMAGES.batch(
                {
                    "image_id": ids,
                    **constant,
                    "split": rng.choice(["train", "val"], n, p=[0.9, 0.1]).tolist(),
                    "uri": uris,
                    **{name: [fact[name] for fact in facts] for name in facts[0]},
                    "captions": [
                        [f"a concept {a} and a concept {b}", f"a concept {c} on the left"]
                        for a, b, c, _ in categories
                    ],
                    "objects": [[_object(c) for c in row] for row in categories],
                }
            )


@dataclass(frozen=True, kw_only=True)
class Concepts(Invented):
    """A concept pool, with two random mentions in each image."""

    name: ClassVar[str] = "extract-concepts"
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = CONCEPTS
    drafts: ClassVar[Table | None] = MENTIONS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for ids, rng in self.chunks(part):
            mentioned = self.common(2 * len(ids), rng)
            ones = np.ones(len(mentioned), np.int32)
            yield MENTIONS.batch(
                {
                    "image_id": [i for i in ids for _ in range(2)],
                    "caption": np.tile(np.arange(2, dtype=np.int32), len(ids)),
                    "concept": [f"concept {c}" for c in mentioned],
                    "mentions": ones,
                    "text": [None] * len(mentioned),
                    "names": [None] * len(mentioned),
                }
            )

    def merge(
        self, drafts: Iterable[pa.RecordBatch], note: Callable[[str, Any], None]
    ) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.merge`."""
        counts: Counter[str] = Counter()
        for batch in drafts:
            counts.update(batch.column("concept").to_pylist())
        names = [f"concept {c}" for c in range(self.concepts)]
        numbers = np.array([counts[name] for name in names], np.int64)
        yield CONCEPTS.batch(
            {
                "concept_id": np.arange(self.concepts, dtype=np.int32),
                "concept": names,
                **dict.fromkeys(("mentions", "captions", "images"), numbers),
                "examples": [[] for _ in names],
                "names": [[name] for name in names],
            }
        )


@dataclass(frozen=True, kw_only=True)
class Embeddings(Invented):
    """Random embeddings of the concepts."""

    name: ClassVar[str] = "embed-concepts"
    reads: ClassVar[Mapping[str, Reads]] = {"concepts": whole(CONCEPTS)}
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `stages.base.Stage.plan`."""
        return [0]

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        size = (self.concepts, self.width)
        vectors = np.random.default_rng(0).normal(size=size).astype(np.float32)
        yield CONCEPT_EMBEDDINGS.batch(
            {
                "concept_id": np.arange(self.concepts, dtype=np.int32),
                "concept": [f"concept {i}" for i in range(self.concepts)],
                "prompts": np.ones(self.concepts, np.int32),
                "embedding": vectors,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Proposals(Invented):
    """Random boxes."""

    name: ClassVar[str] = "propose"
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = PROPOSALS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for ids, rng in self.chunks(part):
            n = len(ids) * self.regions
            yield PROPOSALS.batch(
                {
                    **self.keys(ids),
                    **_boxes(n, rng),
                    "objectness": rng.random(n, np.float32),
                    "objectness_logit": [None] * n,
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
        for ids, rng in self.chunks(part):
            n = len(ids) * self.regions
            top = self.common(n * KEPT, rng).reshape(n, KEPT)
            fractions = rng.random((5, n), np.float32)
            names = ("cosine", "probability", "margin", "entropy", "residual")
            yield PSEUDO_LABELS.batch(
                {
                    **self.keys(ids),
                    "concept_id": top[:, 0],
                    **dict(zip(names, fractions, strict=True)),
                    "kept": fractions[1] > 0.1,
                    "in_caption": fractions[4] > 0.5,
                    "top_ids": top,
                    "top_probabilities": rng.random((n, KEPT), np.float32),
                    **_boxes(n, rng),
                    "objectness": fractions[0],
                    "reviewed": [None] * n,
                }
            )


def _facts(file: Path) -> dict[str, Any]:
    """Columns of an image that follow from its file."""
    content = file.read_bytes()
    with Image.open(file) as image:
        width, height = image.size
    digest = hashlib.sha256(content).hexdigest()
    return {"num_bytes": len(content), "sha256": digest, "width": width, "height": height}


def _boxes(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    left, top = rng.uniform(0, 200, (2, count)).astype(np.float32)
    width, height = rng.uniform(10, 120, (2, count)).astype(np.float32)
    return {"x0": left, "y0": top, "x1": left + width, "y1": top + height}


def _object(concept: int) -> dict[str, Any]:
    x0, y0 = float(concept * 37 % 200), float(concept * 91 % 150)
    box = {"x0": x0, "y0": y0, "x1": x0 + 60, "y1": y0 + 50, "area": 3000.0}
    return {"category": f"concept {concept}", **box, "is_crowd": False}
