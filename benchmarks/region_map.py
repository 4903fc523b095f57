"""How smoothly the map moves with many regions, and how many neighbours a map keeps together.

    python -m benchmarks.region_map [--regions 200000] [--store FOLDER] [--picture FILE.png]
    python -m benchmarks.region_map --neighbours 20000

The first makes a store of random pseudo-labels and a map of them, and moves and zooms the page Map
in a headless Chromium: how long drawing takes, and how far apart frames are. The second lays
planted clusters out in the plane, each of them a sheet of two dimensions, and says which share of
the ten nearest neighbours stay neighbours: of t-SNE, of two principal components, of a random
plane. It needs the extra map.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmarks.gallery import make_store
from benchmarks.invented import Invented
from benchmarks.scrolling import serving
from pipeline.execution import inputs, runner
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.region_maps import REGION_MAPS
from stages.base import Part, Reads, each
from stages.region_mapping.plane import nearest, principal_components, t_sne, unit_vectors
from tests.pipeline.gallery.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table

REGIONS = 20  # of an image
MOVES = """(async () => {
  const canvas = document.querySelector('.plane canvas');
  const box = canvas.getBoundingClientRect();
  const kind = (type) => (type === 'wheel' ? WheelEvent : PointerEvent);
  const send = (type, x, y, more = {}) => canvas.dispatchEvent(new (kind(type))(type, {
    clientX: box.x + x, clientY: box.y + y, bubbles: true, cancelable: true, pointerId: 1, ...more,
  }));
  canvas.setPointerCapture = () => {};
  const frames = [];
  send('pointerdown', 300, 200);
  let last = performance.now();
  for (let n = 0; n < %d; n++) {
    send('pointermove', 300 + 120 * Math.sin(n / 9), 200 + 90 * Math.cos(n / 7));
    if (n %% 4 === 0) send('wheel', 400, 250, { deltaY: n %% 80 < 40 ? -60 : 60 });
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  send('pointerup', 300, 200);
  const began = performance.now();
  send('pointerdown', 150, 80, { shiftKey: true });
  for (let n = 0; n <= 120; n++) {
    const [x, y] = [Math.cos(n / 19), Math.sin(n / 19)];
    send('pointermove', 350 + 250 * x, 280 + 220 * y, { shiftKey: true });
  }
  send('pointerup', 350, 280, { shiftKey: true });
  const lasso = performance.now() - began;
  frames.sort((a, b) => a - b);
  const share = (part) => frames[Math.min(frames.length - 1, Math.floor(part * frames.length))];
  return { median: share(0.5), late: share(0.99), worst: share(1), lasso,
    selected: document.querySelector('.count').textContent };
})()"""


@dataclass(frozen=True, kw_only=True)
class RegionMaps(Invented):
    """A position for each region, near those of its concept."""

    name: ClassVar[str] = "map-regions"
    writes: ClassVar[Table] = REGION_MAPS
    reads: ClassVar[Mapping[str, Reads]] = {"pseudo_labels": each(PSEUDO_LABELS)}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        rng = np.random.default_rng(part.number)
        centres = np.random.default_rng(0).uniform(-0.9, 0.9, (self.concepts, 2))
        for rows in part.batches("pseudo_labels"):
            ids = rows.column("concept_id").to_numpy()
            places = np.clip(centres[ids] + rng.normal(scale=0.03, size=(len(ids), 2)), -1, 1)
            keys = {name: rows.column(name) for name in ("image_id", "region")}
            yield REGION_MAPS.batch({**keys, "x": places[:, 0], "y": places[:, 1]})


def main(words: list[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="The map of regions.")
    parser.add_argument("--regions", type=int, default=200_000)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--store", type=Path, help="folder to keep; default: a temporary one")
    parser.add_argument("--picture", type=Path, help="where to write what the page looks like")
    parser.add_argument("--neighbours", type=int, help="regions of planted clusters to lay out")
    arguments = parser.parse_args(words)
    if arguments.neighbours:
        print_neighbours(arguments.neighbours)
        return 0
    with tempfile.TemporaryDirectory(prefix="rc-map-") as folder:
        root = arguments.store or Path(folder)
        numbers = {"images": arguments.regions // REGIONS, "regions": REGIONS, "concepts": 200}
        make_store(root, Namespace(**numbers))
        stage = RegionMaps(**numbers)
        runner.materialize(stage, inputs.resolve(stage, {}, root), root)
        print_frames(root, arguments)
    return 0


def print_frames(root: Path, arguments: Namespace) -> None:
    """Open the page Map of a store, move it, and print how long frames took."""
    browser = Browser()
    try:
        with serving(root) as address:
            started = time.perf_counter()
            browser.open(f"{address}/#map")
            print(
                f"{arguments.regions:,} regions shown after {time.perf_counter() - started:.1f} s"
            )
            before = browser.seconds()
            found: dict[str, Any] = browser.evaluate(MOVES % arguments.frames)
            spent = 1000 * (browser.seconds() - before) / arguments.frames
            print(f"the page computes {spent:.1f} ms of a core for each frame, lasso included")
            print(
                f"frames: median {found['median']:.1f}, 99 of 100 within {found['late']:.1f}, "
                f"worst {found['worst']:.1f} ms; a lasso around {found['selected']} regions "
                f"{found['lasso']:.0f} ms"
            )
            if arguments.picture:
                time.sleep(1)
                arguments.picture.write_bytes(browser.screenshot())
    finally:
        browser.close()


def print_neighbours(count: int) -> None:
    """Print the share of neighbours that each plane keeps, of planted clusters."""
    rng = np.random.default_rng(0)
    clusters, width = max(count // 200, 1), 256
    centres = rng.normal(size=(clusters, width))
    sheets = 0.4 * rng.normal(size=(clusters, 2, width))
    of = rng.integers(0, clusters, count)
    places = rng.uniform(-1, 1, (count, 1, 2))
    vectors = unit_vectors((centres[of] + (places @ sheets[of])[:, 0]).astype(np.float32))
    started = time.perf_counter()
    planes = {"t-SNE": t_sne(vectors, 30.0, 0)}
    spent = time.perf_counter() - started
    planes["two principal components"] = principal_components(vectors, 2)
    planes["a random plane"] = rng.normal(size=(count, 2))
    there = nearest(vectors.astype(np.float64), 10)[0]
    for name, plane in planes.items():
        here = nearest(plane, 10)[0]
        kept = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(there, here, strict=True)])
        print(f"{name:<26} keeps {kept:.1%} of neighbours")
    print(f"{count:,} regions laid out by t-SNE in {spent:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
