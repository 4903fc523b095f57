"""How long the requests of the gallery take with many images.

    python -m benchmarks.gallery [--images 100000] [--regions 30] [--store FOLDER]

Makes random rows of images (their pixels are a few synthetic scenes), mentions, a concept pool,
proposals and pseudo-labels. Then it sends the requests of the pages to the application: each one to
a new application and once more, and all pages of images. A store given by --store is kept, and used
again by the next run.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks.invented import Concepts, Embeddings, Images, Labels, Proposals
from pipeline.execution import inputs, runner
from pipeline.gallery.server import make_app
from stages.synthetic.dataset_writers import write_scenes

HOST = "gallery.invalid"
SCENES = 32  # synthetic images behind the rows


def main(words: list[str] | None = None) -> int:
    """Make the store, send the requests, and print how long each took."""
    parser = argparse.ArgumentParser(description="Time of the requests of the gallery.")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--regions", type=int, default=30, help="of an image")
    parser.add_argument("--concepts", type=int, default=4764)
    parser.add_argument("--store", type=Path, help="folder to keep; default: a temporary one")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="rc-gallery-") as folder:
        root = arguments.store or Path(folder)
        make_store(root, arguments)
        print(f"{'':<34} {'first':>8} {'again':>8}  s")
        for name, path in requests(arguments.images).items():
            client = TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}")
            print(f"{name:<34} {seconds(client, path):>8.3f} {seconds(client, path):>8.3f}")
        for name, parameters in {
            "all pages": "",
            "all pages of a concept": "concept=concept 7&",
        }.items():
            read_all_pages(root, name, parameters)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak resident':<34} {resident:>8.0f} MB")
    return 0


def requests(images: int) -> dict[str, str]:
    """The requested paths, by a description."""
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


def make_store(root: Path, arguments: Any) -> None:
    """Fill a store, or use one that is already filled."""
    started = time.perf_counter()
    scenes = root / "scenes"
    if not scenes.exists():
        write_scenes(scenes, "scenes", SCENES, 0)
    numbers = {
        "images": arguments.images,
        "regions": arguments.regions,
        "concepts": arguments.concepts,
    }
    for kind in (Images, Concepts, Embeddings, Proposals, Labels):
        stage = kind(**numbers, scenes=scenes)
        artifact = runner.materialize(stage, inputs.resolve(stage, {}, root), root)
    spent = time.perf_counter() - started
    rows = artifact.manifest.rows
    print(f"{arguments.images:,} images, {rows:,} pseudo-labels, made in {spent:.0f} s")


def seconds(client: TestClient, path: str) -> float:
    """Seconds until the complete answer has arrived."""
    started = time.perf_counter()
    answer = client.get(f"/{path}")
    spent = time.perf_counter() - started
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.text}")
    return spent


def read_all_pages(root: Path, name: str, parameters: str) -> None:
    """Read every page of images, as in scrolling to the end; print the times."""
    client = TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}")
    after, times, images, more = "", [], 0, True
    while more:
        started = time.perf_counter()
        answer = client.get(f"/api/images?{parameters}after={after}").json()
        times.append(time.perf_counter() - started)
        images, more = images + len(answer["images"]), answer["more"]
        after = answer["images"][-1]["image_id"] if answer["images"] else after
    slow = sorted(times)[int(0.99 * len(times))]
    print(
        f"{name:<34} {images:,} images in {len(times):,} pages: first {times[0]:.3f}, "
        f"median {statistics.median(times):.3f}, 99 of 100 within {slow:.3f}, "
        f"last {times[-1]:.3f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
