"""The time of `rc featurize` relative to the network alone, for the same images.

The network alone is trunk, RoIAlign and pooling over images that are already decoded, resized and
normalised; the stage also does these steps from JPEG files, and makes rows. Run as
`python -m benchmarks.featurize`. With --memory, the peak resident size for N and 8 N images is
printed instead.
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
from stages.models.precision import computing_in
from stages.models.preprocess import Size, prepare
from stages.pixels import load_image
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE, HIGH = 640, 480  # a frequent size of photographs on the web


@dataclass
class OnDisk(InMemory):
    """A part whose rows are read from Parquet files a few at a time."""

    parquet: dict[str, Path] = field(default_factory=dict)

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.batches`."""
        yield from pq.ParquetFile(self.parquet[role], pre_buffer=False).iter_batches(64)


def make_part(folder: Path, images: int, regions: int, model: str) -> OnDisk:
    """Random JPEGs with random boxes, and a random teacher."""
    rng = np.random.default_rng(0)
    rows = [_image(folder, number, rng) for number in range(images)]
    columns = {column.name: [row[column.name] for row in rows] for column in IMAGES.columns}
    corners = np.sort(rng.uniform(0, 1, (images * regions, 2, 2)), axis=1).reshape(-1, 4)
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
    save_clip(create_clip(model), *teacher_files(part))
    return part


def teacher_files(part: OnDisk) -> tuple[Path, Path]:
    """The description of the network, and its weights."""
    return part.files["teacher", "model.json"], part.files["teacher", "weights.safetensors"]


def network_seconds(part: OnDisk, stage: Featurize, regions: int) -> float:
    """Seconds of trunk and pooling alone, image by image."""
    clip = load_clip(*teacher_files(part), stage.device)
    target = clip.logit_scale.device
    size, spec = Size.parse(stage.resize, clip.spec.image_size), clip.spec
    ready, boxes = [], []
    proposals = pq.read_table(part.parquet["proposals"])
    corners = np.stack([proposals.column(c).to_numpy() for c in ("x0", "y0", "x1", "y1")], axis=1)
    for index, row in enumerate(pq.read_table(part.parquet["images"]).to_pylist()):
        prepared = prepare(load_image(row), size, "bilinear", spec.mean, spec.std)
        regions_of_image = prepared.scale_boxes(corners[index * regions : (index + 1) * regions])
        ready.append(prepared.pixels[None].to(target))
        boxes.append(torch.cat([prepared.whole_box(), regions_of_image]).to(target))
    started = clock(stage.device)
    with torch.inference_mode(), computing_in(stage.computed_in(), target):
        for pixels, of_image in zip(ready, boxes, strict=True):
            feature_map = clip.trunk(pixels)
            for batch in torch.split(of_image, stage.batch_regions):
                clip.pool_regions(feature_map, [batch]).cpu()
    return clock(stage.device) - started


def stage_seconds(part: OnDisk, stage: Featurize) -> float:
    """Seconds of the whole stage; its rows are discarded."""
    started = clock(stage.device)
    for _ in stage.run(part):
        pass
    return clock(stage.device) - started


def main() -> None:
    """Print the ratio of the times, or the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--regions", type=int, default=32, help="per image")
    parser.add_argument("--model", default="RN50", help="open_clip's name, or a JSON file")
    parser.add_argument("--resize", default="320x533")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="peak memory at N and 8 N images")
    args = parser.parse_args()
    where = {"device": args.device, "precision": args.precision}
    stage = Featurize(resize=args.resize, interpolation="bilinear", threads=1, **where)
    if args.memory:
        _memory(args, where)
        return
    with tempfile.TemporaryDirectory() as folder:
        part = make_part(Path(folder), args.images, args.regions, args.model)
        device.set_threads(1)
        device.deterministic()
        network_seconds(part, stage, args.regions)  # warm-up
        rounds = [
            (network_seconds(part, stage, args.regions), stage_seconds(part, stage))
            for _ in range(args.rounds)
        ]
    network, stage_time = (min(times) for times in zip(*rounds, strict=True))
    print(f"{args.model} {args.resize} {args.device} {args.precision}, ", end="")
    print(f"{args.images} images x {args.regions}")
    ratio = stage_time / network
    print(f"network {network:.2f} s, rc featurize {stage_time:.2f} s, ratio {ratio:.3f}")
    print(
        f"{args.images / stage_time:.2f} images/s, "
        f"{args.images * args.regions / stage_time:.1f} regions/s"
    )


def _memory(args: argparse.Namespace, where: dict[str, Any]) -> None:
    for count in (args.images, args.images * 8):
        code = (
            "import sys, tempfile; from pathlib import Path; from benchmarks.featurize import *;"
            f"given = ({count}, {args.regions}, {args.model!r});"
            "folder = tempfile.TemporaryDirectory();"
            "part = make_part(Path(folder.name), *given); before = peak();"
            f"where = {where!r};"
            f"stage = Featurize(resize={args.resize!r}, threads=1, **where);"
            "stage_seconds(part, stage);"
            "print(before, peak())"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        before, after = out.stdout.split()
        print(f"{count} images: peak {after} MB, {before} MB of it before the stage")


def clock(device_name: str) -> float:
    """Wall time on a GPU, else processor time, because other processes do not change it."""
    return (
        time.perf_counter() if device.resolve(device_name).type == "cuda" else time.process_time()
    )


def peak() -> int:
    """Largest resident size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _image(folder: Path, number: int, rng: np.random.Generator) -> dict[str, Any]:
    coarse = rng.integers(0, 256, (HIGH // 16, WIDE // 16, 3), dtype=np.uint8)
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
