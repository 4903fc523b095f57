"""The page Suspicions in a real browser, served and from a folder: order, keys, hostile words."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline import api
from pipeline.gallery.folder import FolderRequest, write_folder
from pipeline.progress import Silent
from tests.pipeline.gallery.conftest import HOSTILE, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.gallery.browser import Browser

pytestmark = pytest.mark.slow

TITLE = "document.querySelector('.asked a').textContent"
PLACE = "document.querySelector('.asked .soft').textContent.split(' of ')[0]"


@pytest.fixture(scope="module")
def store(root: Path, tmp_path_factory: pytest.TempPathFactory) -> api.Store:
    """A store whose labels were scored."""
    scored = api.Store(shutil.copytree(root, tmp_path_factory.mktemp("scored") / "store"))
    scored.run("suspect")
    return scored


@pytest.fixture(scope="module")
def place(store: api.Store) -> Iterator[str]:
    """Where a browser finds it."""
    with served(store.root) as address:
        yield address


def most(store: api.Store, where: str = "true") -> list[str]:
    """Regions in the order that the page should have."""
    rows = store.sql(
        f"SELECT image_id, region FROM suspicions WHERE {where} "
        "ORDER BY suspicion DESC, image_id, region"
    ).to_arrow()
    return [f"region {row['region']} of {row['image_id']}" for row in rows.to_pylist()]


def test_arrows_go_through_the_labels_from_the_most_suspicious(
    store: api.Store, place: str, browser: Browser
) -> None:
    browser.open(f"{place}/#suspicions")
    expected = most(store)
    assert browser.evaluate(TITLE) == expected[0]
    for _ in range(3):
        browser.press("ArrowRight")
    browser.press("ArrowLeft")
    assert (browser.evaluate(TITLE), browser.evaluate(PLACE)) == (expected[2], "3")
    assert browser.evaluate("document.querySelectorAll('div.asked li').length") > 0
    browser.evaluate("document.querySelectorAll('.suspect')[5].click()")
    assert browser.evaluate(TITLE) == expected[5]
    assert browser.errors == []


def test_one_fault_can_be_seen_alone(store: api.Store, place: str, browser: Browser) -> None:
    browser.open(f"{place}/#suspicions?fault=misplaced")
    assert browser.evaluate(TITLE) == most(store, "fault = 'misplaced'")[0]
    words = browser.evaluate("document.querySelector('div.asked').textContent")
    assert "misplaced" in words


def test_a_folder_has_the_page_too_and_words_stay_words(
    store: api.Store, browser: Browser, tmp_path: Path
) -> None:
    write_folder(store.root, tmp_path / "out", FolderRequest(), Silent())
    browser.open(f"file://{tmp_path / 'out' / 'index.html'}#suspicions?fault=swapped")
    expected = most(store, "fault = 'swapped'")
    assert browser.evaluate(TITLE) == expected[0]
    hostile = next(n for n, name in enumerate(expected) if name.endswith(hostile_image(store)))
    for _ in range(hostile):
        browser.press("ArrowRight")
    assert HOSTILE in browser.evaluate("document.querySelector('div.asked').textContent")
    assert browser.evaluate("document.querySelectorAll('.asked script').length") == 0
    assert browser.errors == []


def hostile_image(store: api.Store) -> str:
    """Id of the image whose caption has a script."""
    statement = "SELECT image_id FROM captions WHERE contains(text, '<script>')"
    name: str = store.sql(statement).to_arrow()["image_id"][0].as_py()
    return name
