"""How smoothly the gallery's images scroll in a headless browser.

    python -m benchmarks.scrolling STORE [--seconds 10] [--speed 3000]

Scrolls at a constant speed from the first image on. Then it loads more images by jumping to the end
for some seconds, and scrolls again in the middle of the loaded images. A store of
100,000 images is made by `python -m benchmarks.gallery --store STORE`. Needs Chromium.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from pipeline.gallery.server import make_app
from tests.pipeline.gallery.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator

STEADY = """(async () => {
  const frames = [];
  let last = performance.now();
  const end = last + %d;
  while (last < end) {
    scrollBy(0, %d / 60);
    await new Promise((done) => requestAnimationFrame(done));
    frames.push(performance.now() - last);
    last = performance.now();
  }
  frames.sort((a, b) => a - b);
  const share = (part) => frames[Math.min(frames.length - 1, Math.floor(part * frames.length))];
  const seen = [...document.images].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  return {
    median: share(0.5), late: share(0.99), worst: share(1),
    images: 60 * document.querySelectorAll('.grid').length,
    cards: document.querySelectorAll('.grid > a').length,
    elements: document.querySelectorAll('*').length,
    missing: seen.filter((one) => !one.complete).length,
  };
})()"""
TO_THE_END = """(async () => {
  const end = performance.now() + %d;
  while (performance.now() < end) {
    scrollTo(0, document.body.scrollHeight);
    await new Promise((done) => setTimeout(done, 30));
  }
  scrollTo(0, document.body.scrollHeight / 2);
})()"""


def main(words: list[str] | None = None) -> int:
    """Scroll, and print how long frames took."""
    parser = argparse.ArgumentParser(description="How smoothly images scroll.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--seconds", type=float, default=10, help="of each of the three legs")
    parser.add_argument("--speed", type=int, default=3000, help="pixels a second")
    arguments = parser.parse_args(words)
    steady = STEADY % (1000 * arguments.seconds, arguments.speed)
    browser = Browser()
    try:
        with serving(arguments.store) as address:
            browser.open(f"{address}/#images")
            time.sleep(1)
            print_leg("from the first image", browser.evaluate(steady))
            browser.evaluate(TO_THE_END % (1000 * arguments.seconds))
            time.sleep(2)
            print_leg("in the middle of all", browser.evaluate(steady))
    finally:
        browser.close()
    return 0


@contextmanager
def serving(store: Path) -> Iterator[str]:
    """The address of a gallery server that stops with the block."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(make_app(store, [host]), log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://{host}"
    finally:
        server.should_exit = True
        thread.join(10)


def print_leg(name: str, frames: dict[str, Any]) -> None:
    """Print one line about a leg; times of frames in milliseconds."""
    print(
        f"{name:<22} {frames['images']:>7,} images loaded, {frames['cards']} cards, "
        f"{frames['elements']:,} elements; frames: median {frames['median']:.1f}, 99 of 100 within "
        f"{frames['late']:.1f}, worst {frames['worst']:.1f} ms; "
        f"{frames['missing']} pictures missing"
    )


if __name__ == "__main__":
    sys.exit(main())
