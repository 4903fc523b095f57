"""The time of `rc train` relative to the network alone, for the same images.

The network alone is trunk, RoIAlign, layer4 and pooling, forward and backward, over prepared
tensors. The stage starts from encoded images: decode, resize, augment, join with pseudo-labels,
caption embeddings, three losses, clipping, optimiser, journal. The two alternate, so that other
processes slow both; processor time is printed next to wall time for the same reason.
Run as `python -m benchmarks.train`; --channels-last also measures that layout.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.models.clip import create_clip, save_clip
from stages.train import Train
from stages.training.loop import START, fit
from stages.training.student_training import StudentTraining, make_trainable
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    from stages.models.clip import Clip

WIDE, HIGH = 320, 256
CONCEPTS, KEPT = 500, 64
NETWORK = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 96, "layers": [1, 1, 1, 1], "width": 24, "head_width": 64},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 128,
        "heads": 4,
        "layers": 2,
    },
}


def make_part(folder: Path, images: int, regions: int) -> InMemory:
    """Random JPEGs with random boxes, pseudo-labels and captions, and a random teacher."""
    rng = np.random.default_rng(0)
    (folder / "net.json").write_text(json.dumps(NETWORK))
    files = {("teacher", n): folder / f"t-{n}" for n in ("model.json", "weights.safetensors")}
    clip = create_clip(str(folder / "net.json"))
    save_clip(clip, files["teacher", "model.json"], files["teacher", "weights.safetensors"])
    vectors = rng.standard_normal((CONCEPTS, clip.width)).astype(np.float32)
    concepts = {
        "concept_id": np.arange(CONCEPTS, dtype=np.int32),
        "concept": [str(c) for c in range(CONCEPTS)],
        "prompts": [1] * CONCEPTS,
        "embedding": vectors,
    }
    proposals = _proposals(images, regions, rng)
    boxes = {name: proposals[name] for name in ("x0", "y0", "x1", "y1", "objectness")}
    tables = {
        "images": IMAGES.batch(_images(images, rng)),
        "proposals": PROPOSALS.batch(proposals),
        "pseudo_labels": PSEUDO_LABELS.batch(_labels(images, regions, rng) | boxes),
        "embeddings": CONCEPT_EMBEDDINGS.batch(concepts),
    }
    rows = {name: pa.Table.from_batches([batch]) for name, batch in tables.items()}
    return InMemory(rows, folder, files=files)


def _images(count: int, rng: np.random.Generator) -> dict[str, Any]:
    contents = []
    for _ in range(count):
        small = rng.integers(0, 255, (HIGH // 16, WIDE // 16, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(small).resize((WIDE, HIGH)).save(file, "JPEG", quality=92)
        contents.append(file.getvalue())
    return {
        "image_id": [f"bench/{n:05d}" for n in range(count)],
        "source": ["folder"] * count,
        "source_id": [None] * count,
        "split": [None] * count,
        "uri": [""] * count,
        "member": [None] * count,
        "offset": [None] * count,
        "num_bytes": [len(c) for c in contents],
        "sha256": [""] * count,
        "format": ["JPEG"] * count,
        "width": [WIDE] * count,
        "height": [HIGH] * count,
        "orientation": [1] * count,
        "captions": [[f"a picture with the number {n} in it"] for n in range(count)],
        "objects": [[]] * count,
        "content": contents,
    }


def _keys(images: int, regions: int) -> dict[str, Any]:
    return {
        "image_id": np.repeat([f"bench/{n:05d}" for n in range(images)], regions).tolist(),
        "region": np.tile(np.arange(regions, dtype=np.int32), images),
    }


def _proposals(images: int, regions: int, rng: np.random.Generator) -> dict[str, Any]:
    count = images * regions
    size = rng.uniform(24, 100, (count, 2))
    corner = rng.uniform(0, 1, (count, 2)) * ([WIDE, HIGH] - size)
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    return {
        **_keys(images, regions),
        **{side: boxes[:, i] for i, side in enumerate(("x0", "y0", "x1", "y1"))},
        "objectness": np.full(count, 0.5, np.float32),
        "objectness_logit": [None] * count,
    }


def _labels(images: int, regions: int, rng: np.random.Generator) -> dict[str, Any]:
    count = images * regions
    top = np.argsort(rng.random((count, CONCEPTS)), axis=1)[:, :KEPT].astype(np.int32)
    half = np.full(count, 0.5, np.float32)
    return {
        **_keys(images, regions),
        "concept_id": top[:, 0].copy(),
        "cosine": half,
        "probability": half,
        "margin": half,
        "entropy": half,
        "kept": [True] * count,
        "in_caption": [None] * count,
        "top_ids": list(top),
        "top_probabilities": list(np.full((count, KEPT), 0.9 / KEPT, np.float32)),
        "residual": np.full(count, 0.1, np.float32),
        "reviewed": [None] * count,
    }


class Timer:
    """Seconds of the wall and of the processor, summed over calls."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def __call__(self, work: Callable[[], object]) -> None:
        """Do `work`, and add its time."""
        wall, processor = time.perf_counter(), time.process_time()
        work()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor


def run_network(clip: Clip, pixels: torch.Tensor, boxes: list[torch.Tensor], steps: int) -> None:
    """Forward and backward passes of the network alone."""
    for _ in range(steps):
        clip.zero_grad()
        loss = clip.pool_regions(clip.trunk(pixels), boxes).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]


def compare(stage: Train, part: InMemory, rounds: int, layout: torch.memory_format) -> None:
    """Print milliseconds a step of the stage and of the network alone, and their ratios."""
    clip = create_clip(str(part.folder / "net.json"))
    make_trainable(clip, stage.freeze)
    clip.to(memory_format=layout)
    embeddings = torch.randn(CONCEPTS, clip.width)
    loader = stage.loader([part], stage.supervision(CONCEPTS, clip), clip.spec)
    batch: Any = next(loader.batches(START)).micro_batches[0]
    canvas = torch.tensor([[0.0, 0.0, *reversed(batch.pixels.shape[2:])]])
    boxes = [torch.cat([b, canvas]) for b in batch.boxes]
    pixels = batch.pixels.contiguous(memory_format=layout)
    learner = StudentTraining(clip, embeddings, stage.objective(), stage.precision)
    stage_timer, network_timer = Timer(), Timer()
    for turn in range(rounds + 1):
        if turn == 1:  # the first turn only warms up
            stage_timer, network_timer = Timer(), Timer()
        stage_timer(lambda: fit(learner, loader, stage.config(stage.steps or 1)))
        network_timer(lambda: run_network(clip, pixels, boxes, stage.steps or 1))
    steps = rounds * (stage.steps or 1) / 1000
    for name in ("wall", "processor"):
        a, b = getattr(stage_timer, name) / steps, getattr(network_timer, name) / steps
        print(f"{name:9s}  step {a:7.1f} ms   network {b:7.1f} ms   ratio {a / b:.2f}")


def main() -> None:
    """Measure each layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--regions", type=int, default=12)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5, help="steps a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--loaders", type=int, default=1)
    parser.add_argument("--cache-mb", type=int, default=0)
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    stage = Train(
        steps=arguments.steps,
        images_per_batch=arguments.batch,
        resize=("none",),
        loaders=arguments.loaders,
        cache_mb=arguments.cache_mb,
    )
    with tempfile.TemporaryDirectory() as folder:
        part = make_part(Path(folder), arguments.images, arguments.regions)
        compare(stage, part, arguments.rounds, torch.contiguous_format)
        if arguments.channels_last:
            print("channels last")
            compare(stage, part, arguments.rounds, torch.channels_last)


if __name__ == "__main__":
    main()
