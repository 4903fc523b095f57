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
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks.invented import Concepts, Embeddings, Images, Labels, Proposals
from pipeline.execution import inputs, runner
from pipeline.gallery.server import make_app
from stages.synthetic.dataset_writers import write_scenes

HOST = "gallery.invalid"
SCENES = 32  # drawn


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


if __name__ == "__main__":
    sys.exit(main())
