"""The pictures of the gallery in docs/, made of a demo in a headless browser.

    rc demo && python -m benchmarks.pictures demo [--out docs/pictures]

Draws an audit and computes suspicions in the demo's store first. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.scrolling import serving
from pipeline.sql import connect
from tests.pipeline.gallery.browser import Browser

# images below what is seen load later
LOADED: Final = """document.querySelector("#labels").length > 0 &&
  [...document.images].every((one) =>
    one.complete || one.getBoundingClientRect().top > innerHeight)"""
COMMANDS: Final = (["audit", "draw", "pictures"], ["suspect"], ["map-regions"])
_SELECT: Final = "document.querySelectorAll('.legend button')[2].click()"
_SIDES: Final = """(() => {
  const choose = (name, words) => {
    const select = document.querySelector(`select[name=${name}]`);
    select.value = [...select.options].find((one) => one.text.startsWith(words)).value;
  };
  choose("left", %s); choose("right", %s);
  document.querySelector("form.sides button").click();
})()"""
BUSIEST: Final = """
SELECT image_id FROM pseudo_labels WHERE kept GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
"""
SURE: Final = """
SELECT concept FROM pseudo_labels WHERE kept AND probability > 0.9
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
"""


@dataclass(frozen=True)
class Picture:
    """A page, and how it is looked at.

    Attributes:
        route: After the # of the address.
        size: Width and height, pixels.
        script: Run in the page once it is there.
        then: What is there after the script: a selector.
        hover: What the pointer is on.
        dark: Whether the system is in dark mode.
    """

    route: str
    size: tuple[int, int]
    script: str = ""
    then: str = "figure"
    hover: str = ""
    dark: bool = False


def main(words: list[str] | None = None) -> int:
    """Make the pictures; print their paths."""
    parser = argparse.ArgumentParser(description="The pictures of the gallery in docs/.")
    parser.add_argument("demo", type=Path, help="folder that rc demo made")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args(words)
    store = arguments.demo / "store"
    for command in COMMANDS:
        subprocess.run([shutil.which("rc") or "rc", *command, "--store", store, "-q"], check=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    try:
        with serving(store) as address:
            for name, picture in pictures(store).items():
                path = arguments.out / f"{name}.png"
                take(browser, address, picture, path)
                print(path)
    finally:
        browser.close()
    return 0


def pictures(store: Path) -> dict[str, Picture]:
    """Each picture by the name of its file; images and concepts that show most are chosen."""
    with connect(store) as connection:
        image, concept = (connection.sql(text).fetchall()[0][0] for text in (BUSIEST, SURE))
    busiest = f"image?id={image}"
    sides = _SIDES % (json.dumps("pseudo-labels"), json.dumps("ground truth"))
    return {
        "gallery_overview": Picture("overview", (1200, 800)),
        "gallery_images": Picture(f"images?concept={concept}&probability=0.9", (1200, 760)),
        "gallery_image": Picture(busiest, (1200, 800), hover="#page svg rect"),
        "gallery_sides": Picture(busiest, (1200, 900), sides),
        "gallery_phone": Picture(busiest, (390, 1000), sides),
        "gallery_concepts": Picture(f"concept?name={concept}", (1200, 900)),
        "gallery_what_if": Picture("what-if", (1200, 560)),
        "gallery_evaluation": Picture("evaluation", (1200, 900), dark=True),
        "map": Picture("map", (1200, 860), _SELECT, ".selection p + p", ".plane canvas"),
        "suspicions": Picture("suspicions", (1200, 820)),
        "audit": Picture("audit?name=pictures", (1100, 760)),
    }


def take(browser: Browser, address: str, picture: Picture, path: Path) -> None:
    """Open a page, look at it as asked, and write what is seen."""
    browser.resize(*picture.size)
    browser.prefer("dark" if picture.dark else "light")
    browser.open(f"{address}/#{picture.route}")
    if picture.script:
        browser.evaluate(picture.script)
        browser.wait_until(f"document.querySelector('[data-ready] {picture.then}') !== null")
    browser.wait_until(LOADED)
    if picture.hover:
        browser.hover(picture.hover)
        time.sleep(1)  # what the pointer is on may be fetched
        browser.wait_until(LOADED)
    path.write_bytes(browser.screenshot())


if __name__ == "__main__":
    sys.exit(main())
