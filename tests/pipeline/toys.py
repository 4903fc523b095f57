"""A scale model of the pipeline: the real tables and verbs, with arithmetic instead of networks.

Every stage can be told to fail, to die or to dawdle by options that do not decide the rows, so
that the same artifact can be made in peace and under attack.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.students import STUDENTS
from schemas.table import as_matrix
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, Stage, each, option, whole
from stages.labelling.region_boxes import RegionBoxes
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pipeline.verbs import Verb
    from schemas.table import Table

WORDS = ("dog", "cat", "car", "tree", "bus", "cup")


@dataclass(frozen=True, kw_only=True)
class Toy(Stage):
    """What all toys share: ways to go wrong that leave the recipe alone."""

    break_part: int | None = option(None, "part that raises", recipe=False)
    kill_part: int | None = option(None, "part whose process dies", recipe=False)
    full_part: int | None = option(None, "part that finds the disk full", recipe=False)
    sleep: float = option(0.0, "seconds to dawdle per batch", recipe=False)
    mark: str = option("", "file that gets one line per computed part", recipe=False)
    gate: str = option("", "file that parts after the first wait for", recipe=False)
    batch: int = option(4, "rows per batch", recipe=False, at_least=1)

    def trouble(self, part: Part) -> None:
        if self.mark:
            with open(self.mark, "a") as file:  # noqa: PTH123
                file.write(f"{self.name} {part.number} {os.getpid()}\n")
        self.rest()
        if self.gate and part.number:
            until(Path(self.gate).exists, "nobody opened the gate")
        if part.number == self.break_part:
            raise ZeroDivisionError("a part was told to fail")
        if part.number == self.kill_part:
            os.kill(os.getpid(), signal.SIGKILL)
        if part.number == self.full_part:
            raise OSError(errno.ENOSPC, "No space left on device")

    def rest(self) -> None:
        if self.sleep:
            time.sleep(self.sleep)

    def batches(self, table: Table, columns: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
        rows = table.batch(columns)
        for start in range(0, rows.num_rows, self.batch):
            self.rest()
            yield rows.slice(start, self.batch)


@dataclass(frozen=True, kw_only=True)
class Ingest(Toy):
    """Read image-text pairs from any source and cut them into parts."""

    sources: tuple[str, ...] = option((), "invented places", recipe=False, flag="SOURCE...")
    count: int = option(20, "images to invent", at_least=0)
    per_part: int = option(5, "images per part", at_least=1)
    seed: int = option(0, "decides the captions")
    tint: float = option(1.0, "a number that decides nothing but the fingerprint", above=0)
    refuse_every: int = option(0, "every so-manieth image is refused; 0: none")

    name: ClassVar[str] = "ingest"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = IMAGES

    def digests(self) -> Mapping[str, str]:
        return {source: hashlib.sha256(source.encode()).hexdigest() for source in self.sources}

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        return range(-(-self.count // self.per_part))

    def total(self) -> int:
        return self.count

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        first = part.number * self.per_part
        numbers = list(range(first, min(first + self.per_part, self.count)))
        for number in list(numbers):
            if self.refuse_every and number % self.refuse_every == 0:
                part.refuse(f"toy/{number:06d}", "told-to", "The toy was told to refuse it.")  # type: ignore[arg-type]
                numbers.remove(number)
        part.advance(len(numbers))
        part.count("images", len(numbers))
        yield from self.batches(IMAGES, image_columns(numbers, self.seed))


def image_columns(numbers: Sequence[int], seed: int = 0) -> dict[str, Any]:
    n = len(numbers)
    captions = [_captions(np.random.default_rng((seed, number))) for number in numbers]
    box = {"x0": 1.0, "y0": 2.0, "x1": 30.0, "y1": 40.0, "area": 900.0, "is_crowd": False}
    return {
        "image_id": [f"toy/{number:06d}" for number in numbers],
        "source": ["folder"] * n,
        "source_id": [None for _ in numbers],
        "split": ["val" if number % 2 else None for number in numbers],
        "uri": [f"{number}.jpg" for number in numbers],
        "member": [None] * n,
        "offset": [None] * n,
        "num_bytes": [100 + number for number in numbers],
        "sha256": [f"{number:064x}" for number in numbers],
        "format": ["JPEG"] * n,
        "width": [64] * n,
        "height": [48] * n,
        "orientation": [1] * n,
        "captions": captions,
        "objects": [[{"category": WORDS[number % len(WORDS)], **box}] for number in numbers],
        "content": [None] * n,
    }


def _captions(rng: np.random.Generator) -> list[str]:
    return [f"a {rng.choice(WORDS)} and a {rng.choice(WORDS)}" for _ in range(rng.integers(1, 3))]


@dataclass(frozen=True, kw_only=True)
class ExtractConcepts(Toy):
    """Find the concepts that captions mention, and count them."""

    min_frequency: int = option(1, "mentions needed", at_least=1)

    name: ClassVar[str] = "extract-concepts"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = CONCEPTS
    drafts: ClassVar[Table | None] = MENTIONS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        for rows in part.batches("images"):
            part.advance(rows.num_rows)
            said = [
                (row["image_id"], rank, word, text.split().count(word), text, None)
                for row in rows.select(["image_id", "captions"]).to_pylist()
                for rank, text in enumerate(row["captions"])
                for word in sorted(set(text.split()) & set(WORDS))
            ]
            names = [column.name for column in MENTIONS.columns]
            columns = {name: [row[i] for row in said] for i, name in enumerate(names)}
            yield from self.batches(MENTIONS, columns)

    def merge(
        self, drafts: Iterable[pa.RecordBatch], note: Callable[[str, Any], None]
    ) -> Iterator[pa.RecordBatch]:
        count: dict[str, int] = {}
        for rows in drafts:
            for said in rows.to_pylist():
                count[said["concept"]] = count.get(said["concept"], 0) + said["mentions"]
        found = [word for word in sorted(count) if count[word] >= self.min_frequency]
        yield CONCEPTS.batch(
            {
                "concept_id": list(range(len(found))),
                "concept": found,
                "mentions": [count[word] for word in found],
                "captions": [count[word] for word in found],
                "images": [count[word] for word in found],
                "examples": [[f"a {word}"] for word in found],
                "names": [[word] for word in found],
            }
        )


@dataclass(frozen=True, kw_only=True)
class Pretrain(Toy):
    """Train a teacher on whole images and captions, or import one."""

    steps: int = option(4, "steps", at_least=1)
    seed: int = option(0, "decides the weights")

    name: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = TEACHERS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """One step takes one part; a checkpoint after each says where to go on."""
        self.trouble(part)
        checkpoint = part.scratch / "checkpoint.json"
        state = json.loads(checkpoint.read_text()) if checkpoint.exists() else [0.0] * 4
        done = int(state[0])
        slices = part.slices()
        while slices and done < self.steps:
            self.rest()
            chosen = slices[done % len(slices)]
            images = sum(rows.num_rows for rows in chosen.batches("images"))
            done += 1
            state = [done, state[1] + images, state[2] + self.seed + images / 7, 0.0]
            draft = checkpoint.with_suffix(".draft")
            draft.write_text(json.dumps(state))
            draft.replace(checkpoint)
        part.note("images_seen", int(state[1]))  # from the state: a resumed run may take no step
        part.attach("weights.json").write_text(json.dumps(state))
        yield TEACHERS.batch(
            {
                "step": [self.steps],
                "images": [int(state[1])],
                "learning_rate": [0.1],
                "loss": [state[2]],
                "accuracy": [0.5],
                "logit_scale": [100.0],
            }
        )


@dataclass(frozen=True, kw_only=True)
class EmbedConcepts(Toy):
    """Embed each concept in its prompt templates with the teacher's L."""

    width: int = option(6, "numbers per vector", at_least=6)

    name: ClassVar[str] = "embed-concepts"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "concepts": whole(CONCEPTS),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        json.loads(part.attachment("teacher", "weights.json").read_text())
        rows = part.table("concepts")
        part.advance(rows.num_rows)
        names = rows.column("concept").to_pylist()
        vectors = np.eye(self.width, dtype=np.float32)[[WORDS.index(name) for name in names]]
        columns = {"concept_id": rows.column("concept_id"), "concept": rows.column("concept")}
        yield from self.batches(
            CONCEPT_EMBEDDINGS,
            {**columns, "prompts": [1] * len(names), "embedding": vectors.reshape(-1, self.width)},
        )


@dataclass(frozen=True, kw_only=True)
class Propose(Toy):
    """Propose regions: by an RPN, another localizer, or at random."""

    regions: int = option(3, "boxes per image", at_least=0)
    dump: bool = option(True, "write the raw dump too")

    name: ClassVar[str] = "propose"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = PROPOSALS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        ids = [i for rows in part.batches("images") for i in rows.column("image_id").to_pylist()]
        part.advance(len(ids))
        if self.dump:
            part.attach("dump.txt").write_text("\n".join(ids))
        keys = [(image_id, region) for image_id in ids for region in range(self.regions)]
        edges = np.arange(len(keys), dtype=np.float32)
        yield from self.batches(
            PROPOSALS,
            {
                "image_id": [image_id for image_id, _ in keys],
                "region": [region for _, region in keys],
                "x0": edges,
                "y0": edges,
                "x1": edges + 10,
                "y1": edges + 10,
                "objectness": [1 / (1 + region) for _, region in keys],
                "objectness_logit": [None] * len(keys),
            },
        )


@dataclass(frozen=True, kw_only=True)
class Featurize(Toy):
    """Pool the teacher's features over each proposed region."""

    width: int = option(6, "numbers per vector", at_least=6)
    precision: Literal["float16", "float32"] = option("float16", "of the features")

    name: ClassVar[str] = "featurize"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = FEATURES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        part.advance(part.table("images").num_rows)
        rows = part.table("proposals")
        regions = rows.column("region").to_numpy()
        rng = np.random.default_rng(part.number)
        vectors = np.eye(self.width)[regions % len(WORDS)] + rng.normal(
            0, 0.1, (len(regions), self.width)
        )
        columns = {name: rows.column(name) for name in ("image_id", "region")}
        yield from self.batches(FEATURES, {**columns, "feature": vectors.astype(self.precision)})


@dataclass(frozen=True, kw_only=True)
class Label(Toy):
    """Give every region its most similar concepts under the teacher."""

    temperature: float = option(0.01, "divides cosine similarity", above=0)

    name: ClassVar[str] = "label"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "features": each(FEATURES),
        "proposals": each(PROPOSALS),
        "embeddings": whole(CONCEPT_EMBEDDINGS),
        "mentions": each(CONCEPTS, drafts=MENTIONS, optional=True),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        concepts = part.table("embeddings")
        said = part.table("mentions").num_rows if part.has("mentions") else None
        part.count("mentions", said or 0)
        boxes = RegionBoxes(part.table("proposals"))
        for rows in self.features(part):
            part.advance(rows.num_rows)
            features = as_matrix(rows, "feature").astype(np.float32)
            scores = features @ as_matrix(concepts, "embedding").T.astype(np.float32)
            best = scores.argmax(axis=1) if len(concepts) else np.zeros(0, np.int64)
            probability = 1 / (1 + rows.column("region").to_numpy())
            yield from self.batches(
                PSEUDO_LABELS,
                {
                    "image_id": rows.column("image_id"),
                    "region": rows.column("region"),
                    "concept_id": best.astype(np.int32),
                    "cosine": scores.max(axis=1).clip(-1, 1),
                    "probability": probability.astype(np.float32),
                    "margin": probability.astype(np.float32) / 2,
                    "entropy": np.zeros(len(best), np.float32),
                    "kept": probability > 0.4,
                    "in_caption": [None if said is None else bool(b % 2) for b in best],
                    "top_ids": [[int(b), 0] for b in best],
                    "top_probabilities": [[0.5, 0.25] for _ in best],
                    "residual": np.full(len(best), 0.25, np.float32),
                    **boxes.of(pa.Table.from_batches([rows])),
                    "reviewed": [None] * len(best),
                },
            )

    def features(self, part: Part) -> Iterator[pa.RecordBatch]:
        yield from part.batches("features")


@dataclass(frozen=True, kw_only=True)
class LabelFromImages(Label):
    """Give every region its most similar concepts, without stored features."""

    from_images: bool = option(False, "make the features on the way")
    resize: str = option("none", "of images")

    only_with: ClassVar[Mapping[str, Sequence[str]]] = {"from_images": ("images", "resize")}
    reads: ClassVar[Mapping[str, Reads]] = {
        **Label.reads,
        "images": each(IMAGES, strict=True),
    }

    def requires(self) -> Mapping[str, Reads]:
        unused = "features" if self.from_images else "images"
        return {role: reads for role, reads in self.reads.items() if role != unused}

    def features(self, part: Part) -> Iterator[pa.RecordBatch]:
        width = as_matrix(part.table("embeddings"), "embedding").shape[1]
        for rows in part.batches("proposals"):
            columns = {name: rows.column(name) for name in ("image_id", "region")}
            vectors = np.zeros((rows.num_rows, width), np.float16)
            yield FEATURES.batch({**columns, "feature": vectors})


@dataclass(frozen=True, kw_only=True)
class Train(Toy):
    """Train a student on regions and their pseudo-labels."""

    where: str | None = option(None, "SQL predicate over pseudo_labels")

    name: ClassVar[str] = "train"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where"),
        "images": each(IMAGES),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = STUDENTS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        self.trouble(part)
        regions, images, by_part = 0, 0, {}
        for one in part.slices():
            self.rest()
            rows = one.table("pseudo_labels")
            PSEUDO_LABELS.check(rows)
            regions += rows.num_rows
            images += one.table("images").num_rows
            if not rows.num_rows:
                one.refuse(f"part {one.number}", "no-regions", "No region met the predicate.")  # type: ignore[arg-type]
            by_part[one.number] = rows.num_rows
        part.note("regions_by_part", by_part)
        part.attach("weights.json").write_text(json.dumps([regions, images]))
        yield STUDENTS.batch(
            {
                "step": [1],
                "images": [images],
                "learning_rate": [0.1],
                "loss": [1.0],
                "contrastive": [None],
                "distillation": [1.0],
                "image_text": [None],
                "crop_distillation": [None],
                "regions": [float(regions)],
            }
        )


TOYS: tuple[type[Toy], ...] = (
    Ingest,
    ExtractConcepts,
    Pretrain,
    EmbedConcepts,
    Propose,
    Featurize,
    Label,
    Train,
)


@dataclass(frozen=True)
class ToyVerb:
    """Stands in for `pipeline.verbs.Verb`."""

    name: str
    help: str
    makes: str = ""
    own_command: bool = False
    also: tuple[str, str] | None = None

    def load(self) -> type[Toy]:
        return {toy.name: toy for toy in TOYS}[self.name]


def verbs() -> dict[str, Verb]:
    """The registry with toys in it, under the verbs they stand for."""
    return {toy.name: ToyVerb(toy.name, toy.__doc__ or "", toy.writes.name) for toy in TOYS}  # type: ignore[misc]
