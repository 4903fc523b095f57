"""The time of `rc label` relative to the product of features and embeddings alone.

The product is the (R, C) matrix of cosines, computed block by block into the same memory and
discarded; the stage also computes softmax, entropy and top K, and makes rows. Run as
`python -m benchmarks.label`. With --memory, the peak resident size for N and 8 N regions is
printed instead.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.features import FEATURES
from schemas.proposals import PROPOSALS
from schemas.table import as_matrix
from stages.label import Label
from stages.models import device
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_IMAGE = 100  # regions
ROWS = 1024  # of the product at a time; more is not faster


@dataclass
class OnDisk(InMemory):
    """A part whose features are read from a Parquet file a few at a time."""

    features: Path = field(default_factory=Path)

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.batches`."""
        yield from pq.ParquetFile(self.features, pre_buffer=False).iter_batches(4096)


def make_part(folder: Path, regions: int, concepts: int, width: int) -> OnDisk:
    """Random features in images of `PER_IMAGE` regions, and a random pool."""
    rng = np.random.default_rng(0)
    path = folder / "features.parquet"
    schema = FEATURES.schema({"feature": (width, "float16")})
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, regions, 4096):
            numbers = np.arange(first, min(first + 4096, regions))
            rows = {
                "image_id": [f"{number // PER_IMAGE:08d}" for number in numbers],
                "region": (numbers % PER_IMAGE).astype(np.int32),
                "feature": rng.normal(size=(len(numbers), width)).astype(np.float16),
            }
            writer.write_batch(FEATURES.batch(rows))
    numbers = np.arange(regions)
    boxes = {
        "image_id": [f"{number // PER_IMAGE:08d}" for number in numbers],
        "region": (numbers % PER_IMAGE).astype(np.int32),
        **{name: np.zeros(regions, np.float32) for name in ("x0", "y0", "x1", "y1", "objectness")},
        "objectness_logit": [None] * regions,
    }
    tables = {
        "embeddings": make_pool(concepts, width, rng),
        "proposals": pa.Table.from_batches([PROPOSALS.batch(boxes)]),
    }
    return OnDisk(tables, folder, features=path)


def make_pool(concepts: int, width: int, rng: np.random.Generator) -> pa.Table:
    """Random embeddings of concepts."""
    pool = {
        "concept_id": np.arange(concepts, dtype=np.int32),
        "concept": [f"concept {number}" for number in range(concepts)],
        "prompts": np.ones(concepts, np.int32),
        "embedding": rng.normal(size=(concepts, width)).astype(np.float32),
    }
    return pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(pool)])


def product_seconds(part: OnDisk, stage: Label) -> float:
    """Seconds of the product alone."""
    target = device.resolve(stage.device)
    embeddings = _units(as_matrix(part.table("embeddings"), "embedding"), target)
    features = _units(as_matrix(pq.read_table(part.features), "feature"), target)
    block = torch.empty(ROWS, len(embeddings), device=target)
    started = clock(stage.device)
    for batch in torch.split(features, ROWS):
        torch.mm(batch, embeddings.T, out=block[: len(batch)])
    if target.type == "cuda":
        torch.cuda.synchronize()
    return clock(stage.device) - started


def stage_seconds(part: OnDisk, stage: Label) -> float:
    """Seconds of the whole stage; its rows are discarded."""
    started = clock(stage.device)
    for _ in stage.run(part):
        pass
    return clock(stage.device) - started


def main() -> None:
    """Print the ratio of the times, or the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=8_000)
    parser.add_argument("--concepts", type=int, default=4764)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="peak memory at N and 8 N regions")
    args = parser.parse_args()
    if args.memory:
        _memory(args)
        return
    stage = Label(temperature=0.01, device=args.device, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        part = make_part(Path(folder), args.regions, args.concepts, args.width)
        device.set_threads(1)
        device.deterministic()
        product_seconds(part, stage)  # warm-up
        rounds = [
            (product_seconds(part, stage), stage_seconds(part, stage)) for _ in range(args.rounds)
        ]
    product, stage_time = (min(times) for times in zip(*rounds, strict=True))
    print(f"{args.regions} regions x {args.concepts} concepts, width {args.width}")
    print(f"product {product:.2f} s, rc label {stage_time:.2f} s, ratio {stage_time / product:.3f}")
    print(f"{args.regions / stage_time:.0f} regions/s")


def clock(device_name: str) -> float:
    """Wall time on a GPU, else processor time, because other processes do not change it."""
    return (
        time.perf_counter() if device.resolve(device_name).type == "cuda" else time.process_time()
    )


def peak() -> int:
    """Largest resident size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _units(matrix: np.ndarray, target: torch.device) -> torch.Tensor:
    rows = torch.from_numpy(matrix.astype(np.float32)).to(target)
    return torch.nn.functional.normalize(rows, dim=1)


def _memory(args: argparse.Namespace) -> None:
    for count in (args.regions, args.regions * 8):
        code = (
            "import tempfile; from pathlib import Path; from benchmarks.label import *;"
            "folder = tempfile.TemporaryDirectory();"
            f"part = make_part(Path(folder.name), {count}, {args.concepts}, {args.width});"
            f"before = peak(); stage_seconds(part, Label(temperature=0.01,"
            f"device={args.device!r}, threads=1));"
            "print(before, peak())"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        before, after = out.stdout.split()
        print(f"{count} regions: peak {after} MB, {before} MB of it before the stage")


if __name__ == "__main__":
    main()
