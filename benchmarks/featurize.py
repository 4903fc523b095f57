"""How much `rc featurize` adds to the bare network: one run, the same images, one number.

Bare is trunk, RoIAlign and pooling over images already decoded, resized and normalised; the
stage does all of it from JPEG files, and stores rows. Run as `python -m benchmarks.featurize`.
With --memory, the peak resident size for N and 8 N images is printed instead.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
import torch

from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from stages.featurize import Featurize
from stages.models import device
from stages.models.clip import create_clip, load_clip, save_clip
from stages.models.preprocess import Size, prepare
from stages.pixels import load_image
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE, HIGH = 640, 480  # what photographs on the web often have


@dataclass
class OnDisk(InMemory):
    """A part whose rows are read from Parquet files a few at a time."""

    parquet: dict[str, Path] = field(default_factory=dict)

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.batches`."""
        yield from pq.ParquetFile(self.parquet[role], pre_buffer=False).iter_batches(64)


def make_part(folder: Path, images: int, regions: int, model: str) -> OnDisk:
    """Random JPEGs with random boxes, and a random teacher."""
    random = np.random.default_rng(0)
    rows = [_image(folder, number, random) for number in range(images)]
    columns = {column.name: [row[column.name] for row in rows] for column in IMAGES.columns}
    corners = np.sort(random.uniform(0, 1, (images * regions, 2, 2)), axis=1).reshape(-1, 4)
    boxes = dict(zip(("x0", "y0", "x1", "y1"), (corners * [WIDE, HIGH, WIDE, HIGH]).T, strict=True))
    boxes |= {
        "image_id": np.repeat([row["image_id"] for row in rows], regions).tolist(),
        "region": np.tile(np.arange(regions), images),
        "objectness": np.ones(images * regions),
        "objectness_logit": [None] * (images * regions),
    }
    part = OnDisk({}, folder)
    for role, batch in (("images", IMAGES.batch(columns)), ("proposals", PROPOSALS.batch(boxes))):
        part.parquet[role] = folder / f"{role}.parquet"
        pq.write_table(pa.Table.from_batches([batch]), part.parquet[role], row_group_size=64)
    for name in ("model.json", "weights.safetensors"):
        part.files["teacher", name] = folder / name
    save_clip(create_clip(model), *part.files.values())
    return part


def bare(part: OnDisk, stage: Featurize, regions: int) -> float:
    """Seconds of trunk and pooling alone, image by image."""
    clip = load_clip(*part.files.values(), stage.device)
    place = clip.logit_scale.device
    size, spec = Size.parse(stage.resize, clip.spec.image_size), clip.spec
    ready, boxes = [], []
    proposals = pq.read_table(part.parquet["proposals"])
    corners = np.stack([proposals.column(c).to_numpy() for c in ("x0", "y0", "x1", "y1")], axis=1)
    for index, row in enumerate(pq.read_table(part.parquet["images"]).to_pylist()):
        one = prepare(load_image(row), size, stage.interpolation, spec.mean, spec.std)
        mine = one.scale_boxes(corners[index * regions : (index + 1) * regions])
        ready.append(one.pixels[None].to(place))
        boxes.append(torch.cat([one.whole_box(), mine]).to(place))
    started = clock(stage.device)
    with torch.inference_mode():
        for pixels, of_image in zip(ready, boxes, strict=True):
            feature_map = clip.trunk(pixels)
            for some in torch.split(of_image, stage.batch_regions):
                clip.pool_regions(feature_map, [some]).cpu()
    return clock(stage.device) - started


def staged(part: OnDisk, stage: Featurize) -> float:
    """Seconds of the whole stage, rows thrown away."""
    started = clock(stage.device)
    for _ in stage.run(part):
        pass
    return clock(stage.device) - started


def main() -> None:
    """Print the ratio, or the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--regions", type=int, default=32, help="per image")
    parser.add_argument("--model", default="RN50", help="open_clip's name, or a JSON file")
    parser.add_argument("--resize", default="320x533")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="peak memory at N and 8 N images")
    given = parser.parse_args()
    stage = Featurize(resize=given.resize, device=given.device, threads=given.threads)
    if given.memory:
        _memory(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        part = make_part(Path(folder), given.images, given.regions, given.model)
        device.set_threads(given.threads)
        device.deterministic()
        bare(part, stage, given.regions)  # warms the caches of both
        rounds = [
            (bare(part, stage, given.regions), staged(part, stage)) for _ in range(given.rounds)
        ]
    alone, whole = (min(times) for times in zip(*rounds, strict=True))
    print(f"{given.model} {given.resize} {stage.device}, {given.images} images x {given.regions}")
    print(f"bare {alone:.2f} s, rc featurize {whole:.2f} s, ratio {whole / alone:.3f}")
    print(
        f"{given.images / whole:.2f} images/s, {given.images * given.regions / whole:.1f} regions/s"
    )


def _memory(given: argparse.Namespace) -> None:
    for count in (given.images, given.images * 8):
        code = (
            "import sys, tempfile; from pathlib import Path; from benchmarks.featurize import *;"
            f"given = ({count}, {given.regions}, {given.model!r});"
            "folder = tempfile.TemporaryDirectory();"
            "part = make_part(Path(folder.name), *given); before = peak();"
            f"staged(part, Featurize(resize={given.resize!r}, device={given.device!r}, threads=1));"
            "print(before, peak())"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        before, after = out.stdout.split()
        print(f"{count} images: peak {after} MB, {before} MB of it before the stage")


def clock(place: str) -> float:
    """Seconds on a GPU; of the CPU's own work otherwise, which a busy machine does not stretch."""
    return time.perf_counter() if device.resolve(place).type == "cuda" else time.process_time()


def peak() -> int:
    """Largest resident size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _image(folder: Path, number: int, random: np.random.Generator) -> dict[str, Any]:
    coarse = random.integers(0, 256, (HIGH // 16, WIDE // 16, 3), dtype=np.uint8)
    pixels = np.ascontiguousarray(coarse.repeat(16, axis=0).repeat(16, axis=1))
    content = simplejpeg.encode_jpeg(pixels, quality=85)
    path = folder / f"{number:06d}.jpg"
    path.write_bytes(content)
    row: dict[str, Any] = dict.fromkeys(column.name for column in IMAGES.columns)
    row |= {"image_id": path.stem, "source": "folder", "uri": str(path), "format": "JPEG"}
    row |= {"num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return row | {"width": WIDE, "height": HIGH, "orientation": 1, "captions": [], "objects": []}


if __name__ == "__main__":
    main()
