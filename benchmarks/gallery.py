"""How long the gallery's answers take over many images.

    python -m benchmarks.gallery [--images 100000] [--regions 30] [--store FOLDER]

Invents images (rows; their pixels are a few drawn scenes), mentions, a concept pool, proposals and
pseudo-labels, then asks what the pages ask, through the application, JSON and all: each question
when the gallery has just been opened and once more, and every page of images to the last. A store
that is named is kept and found again.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from pipeline import inputs, runner
from pipeline.gallery.server import make_app
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Part, Reads, Stage, each, option, whole
from stages.drawn.write import write_scenes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table

HOST = "gallery.invalid"
SCENES, KEPT, AT_ONCE = 32, 8, 500  # drawn scenes, concepts kept of a region, images of a batch


@dataclass(frozen=True, kw_only=True)
class Invented(Stage):
    """Rows that look like real ones; consecutive images in each part, as ingest cuts them."""

    images: int = option(100_000, "images in all")
    regions: int = option(30, "of an image")
    concepts: int = option(4764, "in the pool")
    width: int = option(512, "numbers of an embedding")
    parts: int = option(8, "parts")
    scenes: Path = option(Path(), "folder of drawn scenes", recipe=False)

    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `stages.base.Stage.plan`."""
        return range(self.parts)

    def chunks(self, part: Part) -> Iterator[tuple[list[str], np.random.Generator]]:
        """Ids of some images at a time, and where their chance comes from."""
        rng = np.random.default_rng(part.number)
        edges = [self.images * n // self.parts for n in range(self.parts + 1)]
        for start in range(edges[part.number], edges[part.number + 1], AT_ONCE):
            stop = min(start + AT_ONCE, edges[part.number + 1])
            yield [f"invented/{number:08d}" for number in range(start, stop)], rng

    def common(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Concept ids, few of them frequent: the product of two even draws is not even."""
        return (rng.random(count) * rng.random(count) * self.concepts).astype(np.int32)

    def keys(self, ids: list[str]) -> dict[str, Any]:
        """Image and region of every region of some images."""
        regions = np.tile(np.arange(self.regions, dtype=np.int32), len(ids))
        return {"image_id": [i for i in ids for _ in range(self.regions)], "region": regions}


@dataclass(frozen=True, kw_only=True)
class Images(Invented):
    """Images that nobody took, each with four things drawn around and two captions."""

    name: ClassVar[str] = "ingest"
    writes: ClassVar[Table] = IMAGES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        files = sorted(map(str, self.scenes.rglob("*.jpg")))
        looks = {file: (Path(file).stat().st_size, *Image.open(file).size) for file in files}
        for ids, rng in self.chunks(part):
            n = len(ids)
            uris = [files[int(i[-8:]) % len(files)] for i in ids]
            things = self.common(4 * n, rng).reshape(n, 4).tolist()
            same = {"source": "folder", "sha256": "0" * 64, "format": "JPEG"}
            sizes = [looks[uri] for uri in uris]
            absent = dict.fromkeys(("member", "offset", "content"))
            constant = {k: [v] * n for k, v in {**same, "orientation": 1, **absent}.items()}
            yield IMAGES.batch(
                {
                    "image_id": ids,
                    **constant,
                    "split": rng.choice(["train", "val"], n, p=[0.9, 0.1]).tolist(),
                    "uri": uris,
                    "num_bytes": [num_bytes for num_bytes, _, _ in sizes],
                    "width": [width for _, width, _ in sizes],
                    "height": [height for _, _, height in sizes],
                    "captions": [
                        [f"a concept {a} and a concept {b}", f"a concept {c} on the left"]
                        for a, b, c, _ in things
                    ],
                    "objects": [[_object(t) for t in row] for row in things],
                }
            )


@dataclass(frozen=True, kw_only=True)
class Concepts(Invented):
    """A pool in which every caption mentions what was drawn."""

    name: ClassVar[str] = "extract-concepts"
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = CONCEPTS
    drafts: ClassVar[Table | None] = MENTIONS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for ids, rng in self.chunks(part):
            said = self.common(2 * len(ids), rng)
            ones = np.ones(len(said), np.int32)
            yield MENTIONS.batch(
                {
                    "image_id": [i for i in ids for _ in range(2)],
                    "caption": np.tile(np.arange(2, dtype=np.int32), len(ids)),
                    "concept": [f"concept {c}" for c in said],
                    "mentions": ones,
                    "text": [None] * len(said),
                }
            )

    def merge(self, drafts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
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
            }
        )


@dataclass(frozen=True, kw_only=True)
class Embeddings(Invented):
    """Concepts that mean nothing."""

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
    """Boxes around nothing."""

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
    """Guesses about nothing."""

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
            shares = rng.random((5, n), np.float32)
            names = ("cosine", "probability", "margin", "entropy", "residual")
            yield PSEUDO_LABELS.batch(
                {
                    **self.keys(ids),
                    "concept_id": top[:, 0],
                    **dict(zip(names, shares, strict=True)),
                    "kept": shares[1] > 0.1,
                    "in_caption": shares[4] > 0.5,
                    "top_ids": top,
                    "top_probabilities": rng.random((n, KEPT), np.float32),
                    **_boxes(n, rng),
                    "objectness": shares[0],
                }
            )


def main(words: list[str] | None = None) -> int:
    """Invent, ask, and print how long each answer took."""
    parser = argparse.ArgumentParser(description="Time of the gallery's answers.")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--regions", type=int, default=30, help="of an image")
    parser.add_argument("--concepts", type=int, default=4764)
    parser.add_argument("--store", type=Path, help="folder to keep; default: a deleted one")
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="rc-gallery-") as folder:
        root = asked.store or Path(folder)
        invent(root, asked)
        print(f"{'':<34} {'first':>8} {'again':>8}  s")
        for name, path in questions(asked.images).items():
            client = TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}")
            print(f"{name:<34} {took(client, path):>8.3f} {took(client, path):>8.3f}")
        for name, given in {
            "all pages": "",
            "all pages of a concept": "concept=concept 7&",
        }.items():
            scroll(root, name, given)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak resident':<34} {held:>8.0f} MB")
    return 0


def questions(images: int) -> dict[str, str]:
    """Addresses, by what they show."""
    middle, last = f"invented/{images // 2:08d}", f"invented/{images - 70:08d}"
    return {
        "overview": "api/overview",
        "images": "api/images",
        "images from the middle on": f"api/images?after={middle}",
        "images near the end": f"api/images?after={last}",
        "images of a concept": "api/images?concept=concept 7",
        "images of a rare concept": "api/images?concept=concept 4000&probability=0.9",
        "images by a word of a caption": "api/images?text=concept 300 on",
        "images of a split": "api/images?split=val",
        "one image": f"api/image?id={middle}",
        "the image before it": f"api/images?before={middle}&limit=1",
        "one side of a comparison": f"api/side?id={middle}&of=truth",
        "a thumbnail": f"picture/thumb?id={middle}",
        "concepts": "api/concepts",
        "one concept": "api/concept?name=concept 7",
        "near-synonyms": "api/synonyms",
        "what if": "api/what-if?probability=0.5&margin=0.2",
        "training": "api/training",
        "evaluation": "api/evaluations",
    }


def invent(root: Path, asked: Any) -> None:
    """Fill a store, or find it filled."""
    started = time.perf_counter()
    scenes = root / "scenes"
    if not scenes.exists():
        write_scenes(scenes, "scenes", SCENES, 0)
    numbers = {"images": asked.images, "regions": asked.regions, "concepts": asked.concepts}
    for kind in (Images, Concepts, Embeddings, Proposals, Labels):
        stage = kind(**numbers, scenes=scenes)
        artifact = runner.materialize(stage, inputs.resolve(stage, {}, root), root)
    spent = time.perf_counter() - started
    print(
        f"{asked.images:,} images, {artifact.manifest.rows:,} pseudo-labels, made in {spent:.0f} s"
    )


def took(client: TestClient, path: str) -> float:
    """Seconds until an answer is there, whole."""
    started = time.perf_counter()
    answer = client.get(f"/{path}")
    spent = time.perf_counter() - started
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.text}")
    return spent


def scroll(root: Path, name: str, given: str) -> None:
    """Read every page of images, as one who scrolls to the end."""
    client = TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}")
    after, seconds, seen, more = "", [], 0, True
    while more:
        started = time.perf_counter()
        answer = client.get(f"/api/images?{given}after={after}").json()
        seconds.append(time.perf_counter() - started)
        seen, more = seen + len(answer["images"]), answer["more"]
        after = answer["images"][-1]["image_id"] if answer["images"] else after
    slow = sorted(seconds)[int(0.99 * len(seconds))]
    print(
        f"{name:<34} {seen:,} images in {len(seconds):,} pages: first {seconds[0]:.3f}, "
        f"median {statistics.median(seconds):.3f}, 99 of 100 within {slow:.3f}, "
        f"last {seconds[-1]:.3f} s"
    )


def _boxes(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    left, top = rng.uniform(0, 200, (2, count)).astype(np.float32)
    wide, high = rng.uniform(10, 120, (2, count)).astype(np.float32)
    return {"x0": left, "y0": top, "x1": left + wide, "y1": top + high}


def _object(concept: int) -> dict[str, Any]:
    x0, y0 = float(concept * 37 % 200), float(concept * 91 % 150)
    box = {"x0": x0, "y0": y0, "x1": x0 + 60, "y1": y0 + 50, "area": 3000.0}
    return {"category": f"concept {concept}", **box, "is_crowd": False}


if __name__ == "__main__":
    sys.exit(main())
