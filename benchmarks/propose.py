"""The time of `rc propose`, step by step; run as `python -m benchmarks.propose`.

* the stage and the network alone (images already decoded and resized), images/s of both
* selection from the raw boxes of a pyramid, ms an image
* the raw dump, written and read, MB/s
* boxes of another localizer from COCO-results JSON and Parquet, boxes/s

With --memory, the peak resident size of an import for N and 8 N images is printed instead, from
Parquet (which is streamed) and from JSON (which is kept as arrays).
"""

from __future__ import annotations

import argparse
import io
import json
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
import torch
from PIL import Image

from schemas.images import IMAGES
from stages.models.rpn_creation import create_rpn, save_rpn
from stages.proposals.boxes_json import read_json
from stages.proposals.boxes_parquet import open_parquet
from stages.proposals.region_dump import DumpReader, DumpWriter
from stages.proposals.selection import Selection
from stages.propose import Propose
from stages.train_rpn import TrainRpn
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDE, HIGH = 640, 480  # a frequent size of photographs on the web


@dataclass
class OnDisk(InMemory):
    """A part whose images are read from a Parquet file a few at a time."""

    parquet: Path = field(default_factory=Path)

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.batches`."""
        yield from pq.ParquetFile(self.parquet).iter_batches(64)

    def everywhere(self, role: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.everywhere`."""
        yield from pq.ParquetFile(self.parquet).iter_batches(64, columns=list(columns))


def image_rows(count: int, content: bytes | None) -> pa.Table:
    """Rows of `images`, without objects."""
    constant: dict[str, Any] = {
        "source": "folder",
        "source_id": None,
        "split": None,
        "uri": "none.jpg",
        "member": None,
        "offset": None,
        "num_bytes": len(content or b""),
        "sha256": "",
        "format": "JPEG",
        "width": WIDE,
        "height": HIGH,
        "orientation": 1,
        "captions": [],
        "objects": [],
        "content": content,
    }
    columns = {name: [value] * count for name, value in constant.items()}
    columns["image_id"] = [f"made/{number:08d}" for number in range(count)]
    return pa.Table.from_batches([IMAGES.batch(columns)])


def random_boxes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (R, 4) of all sizes, and scores (R,)."""
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 1, (count, 2, 2)), axis=1).reshape(-1, 4)
    boxes = (corners * [WIDE, HIGH, WIDE, HIGH]).astype(np.float32)
    return boxes, rng.normal(size=count).astype(np.float32)


def seconds(work: Callable[[], Any], rounds: int) -> float:
    """Seconds of the work, the minimum of several runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def network(folder: Path, images: int, rounds: int, device: str) -> None:
    """Images/s of the stage and of the network alone."""
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (HIGH, WIDE, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    rpn = create_rpn(TrainRpn().spec())
    with torch.no_grad():
        rpn.train()(torch.randn(2, 3, 64, 64))  # an RPN with untrained batch norms is refused
    files = {("rpn", name): folder / name for name in ("model.json", "weights.safetensors")}
    save_rpn(rpn, files["rpn", "model.json"], files["rpn", "weights.safetensors"])
    part = InMemory({"images": image_rows(images, file.getvalue())}, folder, files=files)
    rpn.eval().to(device)
    ready = rpn.pad(rpn.prepare(pixels, rpn.size).pixels)[None].to(device)

    def run_network() -> None:
        with torch.inference_mode():
            for _ in range(images):
                levels = rpn(ready)
        levels[0].logits.cpu()

    network_s = seconds(run_network, rounds)
    stage_s = seconds(lambda: list(Propose(device=device).run(part)), rounds)
    print(f"network alone   {images / network_s:8.1f} images/s on {device}")
    print(
        f"stage           {images / stage_s:8.1f} images/s, {stage_s / network_s:.2f} times as long"
    )


def selection(rounds: int) -> None:
    """Milliseconds an image, from 1000 boxes of each of five maps."""
    boxes, scores = random_boxes(5000)
    select = Selection(nms=0.5, top_k=300)
    duration = seconds(lambda: select(boxes, scores, (WIDE, HIGH)), 5 * rounds)
    print(f"selection       {1000 * duration:8.1f} ms an image of 5,000 boxes")


def dump(folder: Path, rounds: int) -> None:
    """MB/s of the raw dump."""
    boxes, scores = random_boxes(5000)
    path = folder / "dump.h5"

    def write() -> None:
        with DumpWriter(path, "logit") as out:
            for number in range(400):
                out.append(f"made/{number:08d}", boxes, scores)

    def read() -> None:
        with DumpReader(path) as regions:
            assert sum(len(b) for _, b, _ in regions) == 400 * 5000

    write_s, read_s = seconds(write, rounds), seconds(read, rounds)
    size = path.stat().st_size / 1e6
    print(f"dump            {size / write_s:8.0f} MB/s written, {size / read_s:.0f} MB/s read")


def write_boxes(folder: Path, images: int, each: int) -> tuple[Path, Path]:
    """The same boxes as COCO results and as Parquet."""
    boxes, scores = random_boxes(each)
    ids = [f"{number:08d}" for number in range(images)]
    as_json, as_parquet = folder / "boxes.json", folder / "boxes.parquet"
    rest = [
        f'"bbox": {json.dumps(box)}, "score": {score:.5f}}}'
        for box, score in zip(boxes.astype(float).tolist(), scores, strict=True)
    ]
    with as_json.open("w") as file:
        file.write("[" + ",\n".join(f'{{"image_id": "{i}", {r}' for i in ids for r in rest) + "]")
    schema = pa.schema([("image_id", pa.string()), *((c, pa.float32()) for c in _COLUMNS)])
    with pq.ParquetWriter(as_parquet, schema) as out:
        for first in range(0, images, 1000):
            chunk = ids[first : first + 1000]
            values = np.tile(np.column_stack([boxes, scores]), (len(chunk), 1))
            columns = {name: values[:, k] for k, name in enumerate(_COLUMNS)}
            out.write_table(pa.table({"image_id": np.repeat(chunk, each), **columns}, schema))
    return as_json, as_parquet


_COLUMNS = ("x0", "y0", "x1", "y1", "score")


def imports(folder: Path, rounds: int) -> None:
    """Boxes/s from both formats; the boxes of every image are read."""
    paths = write_boxes(folder, 2000, 100)
    for name, path, open_boxes in zip(
        ("JSON", "Parquet"), paths, (read_json, open_parquet), strict=True
    ):

        def work(path: Path = path, open_boxes: Callable[[Path], Any] = open_boxes) -> None:
            source = open_boxes(path)
            assert sum(len(source.boxes(k)[1]) for k in range(len(source.keys))) == 200_000

        duration = seconds(work, rounds)
        print(f"import {name:8} {200_000 / duration:8.0f} boxes/s")


def import_once(folder: Path, images: int, suffix: str) -> None:
    """One import in this process, then its peak resident size in MB."""
    part = OnDisk({}, folder, parquet=folder / "images.parquet")
    path = folder / f"boxes.{suffix}"
    rows = sum(batch.num_rows for batch in Propose(from_file=path, nms=1.0, device="cpu").run(part))
    assert rows > images
    status = Path("/proc/self/status").read_text()  # getrusage would include the parent's peak
    print(int(status.split("VmHWM:")[1].split()[0]) // 1024)


def memory(images: int) -> None:
    """Peak resident size at N and 8 N images, in processes of their own."""
    for count in (images, 8 * images):
        with tempfile.TemporaryDirectory() as name:
            write_boxes(Path(name), count, 100)
            pq.write_table(image_rows(count, None), Path(name) / "images.parquet")
            for suffix in ("parquet", "json"):
                command = [sys.executable, "-m", "benchmarks.propose", "--once", name]
                command += [suffix, str(count)]
                peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                print(f"{suffix:8} {count:8} images {int(peak):6} MB at most")


def main() -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        import_once(Path(arguments.once[0]), int(arguments.once[2]), arguments.once[1])
    elif arguments.memory:
        memory(arguments.images * 50)
    else:
        with tempfile.TemporaryDirectory() as name:
            network(Path(name), arguments.images, arguments.rounds, arguments.device)
            selection(arguments.rounds)
            dump(Path(name), arguments.rounds)
            imports(Path(name), arguments.rounds)


if __name__ == "__main__":
    main()
