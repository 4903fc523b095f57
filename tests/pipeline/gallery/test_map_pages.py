"""The page Map, and marking in bulk, in a real browser: by pointer, by keys, with undo."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.analysis.marks import marks_path, write_marks
from pipeline.store import catalog
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.auditing.journal import Journal, Marks
from stages.map_regions import MapRegions
from tests.pipeline.gallery.conftest import served
from tests.pipeline.helpers import make, make_all, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.gallery.browser import Browser

pytestmark = pytest.mark.slow

SAVED = "document.querySelector('.saved').textContent === 'all saved'"
COUNT = "Number(document.querySelector('.count').textContent.replaceAll(',', ''))"
CANVAS = (
    "(() => { const box = document.querySelector('.plane canvas').getBoundingClientRect(); "
    "return [box.x, box.y, box.width, box.height]; })()"
)
READY = "document.querySelector('.marked')?.textContent !== ''"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mapped") / "store"
    labels = make_all(root, count=20)[PSEUDO_LABELS.name].address
    make(MapRegions(method="pca", where="true"), root, {"pseudo_labels": labels})
    return root


class Gallery:
    """A store with a map, and where a browser finds it."""

    def __init__(self, root: Path, address: str) -> None:
        self.root, self.address = root, address
        self.labels = catalog.find(root, PSEUDO_LABELS.name)
        rows = rows_of(catalog.find(root, "region_maps"))
        self.keys = list(zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True))
        self.places = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)

    def words(self, name: str = "marks") -> dict[tuple[str, int], tuple[str, str | None, str]]:
        """What was said last of each region."""
        said = Journal(marks_path(self.root, name)).last_words()
        return {(j.image_id, j.region): (j.verdict, j.concept, j.reviewer) for j in said}

    def spots(self, page: Browser) -> np.ndarray:
        """Where each region is on the page, in pixels, when all are shown."""
        x, y, wide, high = page.evaluate(CANVAS)
        scale = min(wide, high) / 2 * 0.94
        return self.places * (scale, -scale) + (x + wide / 2, y + high / 2)


@pytest.fixture
def gallery(made: Path, tmp_path: Path) -> Iterator[Gallery]:
    root = shutil.copytree(made, tmp_path / "store")
    with served(root) as address:
        yield Gallery(root, address)


@pytest.fixture
def page(gallery: Gallery, browser: Browser) -> Iterator[Browser]:
    browser.open(f"{gallery.address}/#map")
    browser.evaluate("localStorage.clear()")
    browser.open(f"{gallery.address}/?again#map")
    browser.wait_until(READY)
    yield browser
    browser.resize(1200)


def ring(spots: np.ndarray, chosen: np.ndarray, rng: Any) -> list[tuple[float, float]]:
    """A crooked polygon, and which spots are inside is another matter."""
    low, high = spots[chosen].min(axis=0) - 9, spots[chosen].max(axis=0) + 9
    middle, half = (low + high) / 2, (high - low) / 2
    turns = np.linspace(0, 2 * np.pi, 24)
    reach = rng.uniform(0.7, 1.3, 24)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach[:, None] * half
    return [tuple(float(v) for v in spot) for spot in np.round(middle + around)]  # type: ignore[misc]


def inside(spots: np.ndarray, polygon: list[tuple[float, float]]) -> np.ndarray:
    """Whether each spot is in a polygon, by its winding number, which is not how the page does."""
    corners = np.array(polygon)[None] - spots[:, None]
    angles = np.arctan2(corners[..., 1], corners[..., 0])
    turned = np.diff(np.concatenate([angles, angles[:, :1]], axis=1), axis=1)
    turned = (turned + np.pi) % (2 * np.pi) - np.pi
    return np.abs(turned.sum(axis=1)) > np.pi


def test_a_lasso_selects_what_is_in_it_and_one_action_marks_it(
    gallery: Gallery, page: Browser
) -> None:
    spots = gallery.spots(page)
    order = np.argsort(spots[:, 0])
    polygon = ring(spots, order[: len(order) // 2], np.random.default_rng())
    expected = np.flatnonzero(inside(spots, polygon))
    page.drag(polygon, modifiers=8)
    assert page.evaluate(COUNT) == len(expected) > 0
    page.press("w")
    page.wait_until(SAVED)
    assert gallery.words() == {gallery.keys[at]: ("wrong", None, "") for at in expected}
    assert len(Journal(marks_path(gallery.root, "marks")).actions()) == 1
    page.wait_until(
        f"document.querySelector('.marked').textContent.includes('{len(expected)} wrong')"
    )
    assert page.evaluate(COUNT) == 0
    page.press("z")
    page.wait_until("document.querySelector('.marked').textContent === 'nothing marked yet'")
    assert gallery.words() == {}
    page.press("z")
    assert "nothing to undo" in page.evaluate("document.body.textContent")
    assert page.errors == []


def test_a_lasso_button_and_a_second_lasso_that_adds(gallery: Gallery, page: Browser) -> None:
    spots = gallery.spots(page)
    page.evaluate(
        "[...document.querySelectorAll('button')].find((b) => b.textContent === 'Lasso').click()"
    )
    for place, modifiers in ((0, 0), (-1, 2)):
        x, y = spots[np.argsort(spots[:, 0])[place]]
        page.drag([(x - 6, y - 6), (x + 6, y - 6), (x + 6, y + 6), (x - 6, y + 6)], modifiers)
    near = np.abs(spots[:, None] - spots[np.argsort(spots[:, 0])[[0, -1]]][None]).max(axis=2) < 6
    assert page.evaluate(COUNT) == near.any(axis=1).sum()


def test_keys_alone_select_and_rename(gallery: Gallery, page: Browser) -> None:
    page.evaluate("document.querySelector('.plane canvas').focus()")
    for key in ("ArrowLeft", "ArrowUp", *["]"] * 9, " "):
        page.press(key)
    x, y, wide, high = page.evaluate(CANVAS)
    spots = gallery.spots(page) - (x, y)
    middle, radius = (wide / 2 - 24, high / 2 - 24), min(400.0, 30 * 1.4**9)
    expected = np.flatnonzero(np.hypot(*(spots - middle).T) <= radius)
    assert page.evaluate(COUNT) == len(expected) > 0
    page.press("n")
    page.evaluate("document.activeElement.value = ' dog '")
    page.press("Enter")
    page.wait_until(SAVED)
    assert gallery.words() == {gallery.keys[at]: ("wrong", "dog", "") for at in expected}
    page.evaluate("document.querySelector('.plane canvas').focus()")
    page.press(" ")
    page.press("Escape")
    assert page.evaluate(COUNT) == 0
    page.press("r")
    assert "Nothing is selected" in page.evaluate("document.body.textContent")
    assert [error for error in page.errors if "404" not in error] == []  # toys have no pictures


def test_wheel_and_drag_move_what_is_shown_and_zero_shows_all(
    gallery: Gallery, page: Browser
) -> None:
    x, y, wide, high = page.evaluate(CANVAS)
    picture = "document.querySelector('.plane canvas').toDataURL()"
    page.wait_until(f"{picture}.length > 0")
    whole = page.evaluate(picture)
    page.wheel(x + wide / 3, y + high / 3, -200)
    page.wait_until(f"{picture} !== {json.dumps(whole)}")
    zoomed = page.evaluate(picture)
    page.drag([(x + 90, y + 90), (x + 150, y + 120)])
    page.wait_until(f"{picture} !== {json.dumps(zoomed)}")
    assert page.evaluate(COUNT) == 0
    page.evaluate("document.querySelector('.plane canvas').focus()")
    page.press("0")
    page.evaluate("document.querySelector('.plane canvas').blur()")
    page.wait_until(f"{picture} === {json.dumps(whole)}")


def test_a_region_is_shown_under_the_pointer_and_its_concept_selected(
    gallery: Gallery, page: Browser
) -> None:
    spots = gallery.spots(page)
    alone = int(np.argmax(spots[:, 0]))
    page.move(*spots[alone])
    page.wait_until("document.querySelector('.near').dataset.place !== undefined")
    place = int(page.evaluate("document.querySelector('.near').dataset.place"))
    image, region = gallery.keys[place]
    assert f"region {region} of {image}" in page.evaluate(
        "document.querySelector('.near').innerText"
    )
    concept = page.evaluate("document.querySelector('.near h2').textContent")
    page.evaluate("document.querySelector('.near button').click()")
    rows = rows_of(gallery.labels)
    keys = zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True)
    number = dict(zip(keys, rows["concept_id"].to_pylist(), strict=True))[image, region]
    assert page.evaluate(COUNT) == rows["concept_id"].to_pylist().count(number)
    assert concept in page.evaluate("document.querySelector('.legend').textContent")


def test_a_condition_is_shown_for_few(gallery: Gallery, page: Browser) -> None:
    page.evaluate("document.querySelector('.legend button').click()")
    page.wait_until("document.querySelector('.selection code') !== null")
    assert "--where \"(image_id, region) IN (('toy/" in page.evaluate(
        "document.querySelector('.selection code').textContent"
    )


def test_what_was_marked_is_seen_again_and_undone_after_a_reload(
    gallery: Gallery, page: Browser
) -> None:
    page.evaluate("document.querySelector('.legend button').click()")
    page.press("r")
    page.wait_until(SAVED)
    assert gallery.words()
    page.open(f"{gallery.address}/?reloaded#map")
    page.wait_until("document.querySelector('.marked').textContent.includes('right')")
    page.press("z")
    page.wait_until("document.querySelector('.marked').textContent === 'nothing marked yet'")
    assert gallery.words() == {}


def test_a_concept_is_marked_on_its_page(gallery: Gallery, page: Browser) -> None:
    page.open(f"{gallery.address}/#concepts")
    concept, regions = page.evaluate(
        "[...document.querySelectorAll('tbody tr:first-child td')].map((d) => d.textContent)"
    )[:2]
    page.open(f"{gallery.address}/?one#concept?name={concept}")
    page.wait_until(READY)
    page.press("k")
    page.wait_until(SAVED)
    words = gallery.words()
    assert len(words) == int(regions) > 0
    assert set(words.values()) == {("wrong", None, "")}
    rows = rows_of(gallery.labels)
    keys = zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True)
    kept = dict(zip(keys, rows["kept"].to_pylist(), strict=True))
    assert all(kept[key] for key in words)


def test_hostile_words_stay_text(gallery: Gallery, page: Browser) -> None:
    image, region = gallery.keys[0]
    rows = rows_of(gallery.labels)
    keys = list(zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True))
    number = rows["concept_id"][keys.index((image, region))].as_py()
    told = {"of": gallery.labels.address, "labels": [(image, region, number)]}
    marks = Marks(id="1", verdict="wrong", concept=HOSTILE, reviewer=HOSTILE, **told)  # type: ignore[arg-type]
    write_marks(gallery.root, "marks", marks)
    page.evaluate(f"localStorage.setItem('reviewer', {json.dumps(HOSTILE)})")
    page.open(f"{gallery.address}/?hostile#map")
    page.wait_until("document.querySelector('.marked').textContent.includes('1 renamed')")
    assert page.evaluate("document.querySelectorAll('#page script, #page [onerror]').length") == 0
    page.evaluate(
        "(() => { const name = document.querySelector('[name=marks]'); name.value = '../x'; "
        "name.dispatchEvent(new Event('change')); })()"
    )
    page.wait_until("document.body.textContent.includes('is no name for marks')")


@pytest.mark.parametrize("width", [1200, 360])
def test_the_page_fits_the_screen(gallery: Gallery, page: Browser, width: int) -> None:
    page.resize(width)
    page.open(f"{gallery.address}/?{width}#map")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.errors == []


def test_without_a_map_the_page_says_how_to_make_one(tmp_path: Path, browser: Browser) -> None:
    make_all(tmp_path / "store", count=10)
    with served(tmp_path / "store") as address:
        browser.open(f"{address}/#map")
        assert "rc map-regions" in browser.evaluate("document.body.textContent")
