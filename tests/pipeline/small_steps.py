"""A small step of each verb, made with real networks in a second, for all that compares them."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.reliability.comparison import content_of
from pipeline.demo import weights_folder
from pipeline.execution import runner
from pipeline.execution.engines import pool
from pipeline.store import recency
from pipeline.store.artifact import open_artifact
from pipeline.verbs import VERBS
from stages.synthetic.dataset_writers import write_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    from stages.base import Stage

HEAVY = (  # imported once, for all processes
    *(f"stages.{verb.word}" for verb in VERBS.values()),
    *("stages.models.clip", "stages.models.rpn", "stages.models.region_encoding"),
    *("stages.training.student_training", "stages.training.detector_training"),
    *("stages.evaluation.evaluation_loop", "stages.evaluation.plots"),
    *("stages.proposals.proposal_batch", "stages.proposals.region_dump", "duckdb", "faiss"),
    *("stages.text.parsing.engines", "stages.text.parsing.spacy_parser", "spacy.lang.en"),
)
CORES = "3"  # what libraries take that nobody told how many threads to take
ALONE = (1, 1)  # workers, threads
SIZE = "192x400"
PLAIN = {"templates": "plain"}
EXACT = {"dtype": "float32", "batch_images": 1}  # several images to compute at once
TRAINING = {"steps": 2, "images_per_batch": 4, "log_every": 1}
TEACHER = {
    "file": str(weights_folder() / "teacher.safetensors"),
    "kind": "teacher",
    "architecture": str(weights_folder() / "teacher_model.json"),
}
RPN = {"weights": weights_folder() / "rpn.safetensors", "anchor_sizes": (24, 40, 64, 112)}


@dataclass(frozen=True)
class Step:
    """A verb with options, and the steps that its inputs come from, by role."""

    verb: str
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


IMAGES = {"images": "images"}
TAUGHT = {**IMAGES, "proposals": "proposals", "teacher": "teacher"}
MODEL = {**IMAGES, "proposals": "proposals", "model": "teacher"}
LABELS = {"proposals": "proposals", "features": "features", "embeddings": "embeddings"}
STEPS = {
    "images": Step("ingest", {"part_images": 3}),
    "duplicates": Step("duplicates", {}, {"images": "images", "against": "images"}),
    "concepts": Step("extract-concepts", {"min_frequency": 1}, IMAGES),
    "teacher": Step("import-weights", TEACHER),
    "pretrained": Step("pretrain", TRAINING, {**IMAGES, "teacher": "teacher"}),
    "embeddings": Step(
        "embed-concepts", {**PLAIN, "batch": 8}, {"concepts": "concepts", "teacher": "teacher"}
    ),
    "rpn": Step("train-rpn", {**RPN, **TRAINING, "resize": ("256x320",)}, IMAGES),
    "proposals": Step("propose", {"top_k": 50}, {**IMAGES, "rpn": "rpn"}),
    "features": Step("featurize", {"resize": SIZE, **EXACT}, TAUGHT),
    "crops": Step("featurize", {"pooling": "crop", **EXACT}, TAUGHT),
    "labels": Step("label", {}, {**LABELS, "mentions": "concepts"}),
    "labels-from-images": Step(
        "label",
        {"from_images": True, "resize": SIZE, **EXACT},
        {**TAUGHT, "embeddings": "embeddings", "mentions": "concepts"},
    ),
    "presence": Step(
        "label", {"absent": 3, "absent_up_to": 0.1}, {**LABELS, "mentions": "concepts"}
    ),
    "suspicions": Step(
        "suspect",
        {"neighbours": 4},
        {
            "pseudo_labels": "labels",
            "features": "features",
            "mentions": "concepts",
            "embeddings": "embeddings",
            "against": "labels-from-images",
        },
    ),
    "map": Step(
        "map-regions", {"method": "pca"}, {"pseudo_labels": "labels", "features": "features"}
    ),
    "sure": Step(
        "select", {"called": "sure", "where": "probability > 0.2"}, {"pseudo_labels": "labels"}
    ),
    "audit": Step(
        "audit draw", {"called": "first", "size": 12, "strata": 2}, {"pseudo_labels": "labels"}
    ),
    "student": Step(
        "train",
        {"resize": (SIZE,), **TRAINING},
        {**TAUGHT, "pseudo_labels": "labels", "embeddings": "embeddings"},
    ),
    "detector": Step("finetune", {"resize": (SIZE,), **PLAIN, **TRAINING}, MODEL),
    "detections": Step(
        "detect", {"resize": SIZE, **PLAIN, "names": "cat, dog", "score_threshold": 0}, MODEL
    ),
    "objects": Step("evaluate", {"resize": SIZE, **PLAIN}, {**IMAGES, "model": "teacher"}),
    "found": Step(
        "evaluate", {"resize": SIZE, **PLAIN, "boxes": "proposals"}, {**MODEL, "model": "detector"}
    ),
}


class Maker:
    """Makes steps, each in a process of its own, from what others make with one worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = get_context("forkserver")
        self._server.set_forkserver_preload([__name__, *HEAVY])
        self._paths: dict[str, Path] = {}

    def make(self, name: str, way: tuple[int, int]) -> tuple[str, str]:
        """Fingerprint and digest of a step that is made in this way."""
        inputs = {role: self.path(source) for role, source in STEPS[name].inputs.items()}
        receiver, sender = self._server.Pipe(duplex=False)
        arguments = (self._folder, name, inputs, way, sender)
        process = self._server.Process(target=_make, args=arguments)
        process.start()
        sender.close()  # so that a process that fails ends the waiting
        fingerprint, path, digest = receiver.recv()
        process.join()
        self._paths.setdefault(name, path)
        return fingerprint, digest

    def path(self, name: str) -> Path:
        """The artifact of a step, made by one worker unless it is there."""
        if name not in self._paths:
            self.make(name, ALONE)
        return self._paths[name]

    def stage(self, name: str, threads: int) -> Stage:
        """The verb of a step with its options."""
        return _stage(self._folder, STEPS[name], threads)


@contextmanager
def maker_in(folder: Path) -> Iterator[Maker]:
    """What makes steps of a few scenes, for the block."""
    write_scenes(folder / "scenes", "scenes", 8, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", CORES)
        patch.setenv("OPENBLAS_NUM_THREADS", CORES)
        yield Maker(folder)


def _make(
    folder: Path, name: str, paths: Mapping[str, Path], way: tuple[int, int], sender: Connection
) -> None:
    """Make a step in a process that has computed nothing yet; send fingerprint, path, digest."""
    workers, threads = way
    if workers == 2:  # as on a machine with one core
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # A fork of this process computes as a spawned one does, and need not import everything again.
    pool.get_context = lambda method: get_context("fork")  # type: ignore[attr-defined]
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    stage = _stage(folder, STEPS[name], threads)
    inputs = {role: open_artifact(path) for role, path in paths.items()}
    root = folder / f"store-{workers}-{threads}-{name}"
    artifact = runner.materialize(stage, inputs, root, workers=workers)
    sender.send((artifact.manifest.fingerprint, artifact.path, digest(artifact.path)))


def _stage(folder: Path, step: Step, threads: int) -> Stage:
    options = {"sources": (str(folder / "scenes"),)} if step.verb == "ingest" else {}
    return VERBS[step.verb].load()(**step.options, **options, threads=threads)


def digest(folder: Path) -> str:
    """SHA-256 of all files of an artifact, of its manifest without what the run was like."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".faiss" and path.name != recency.NAME:
            total.update(str(path.relative_to(folder)).encode() + content_of(path))
    return total.hexdigest()
