"""The folder in a real browser: it opens from disk and answers as the server does."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline import api
from pipeline.gallery.comparison_sides import available_sides
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.folder import FolderRequest, write_folder
from pipeline.gallery.server import STATIC
from pipeline.progress import Silent
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.gallery.folder.test_folder_writer import read_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from tests.pipeline.gallery.browser import Browser

pytestmark = pytest.mark.slow


@pytest.fixture
def page(folder: Path, browser: Browser) -> Iterator[Browser]:
    """The folder in a browser, with its data module as `globalThis.data`."""
    served = folder.parent / "served"
    if not served.exists():  # modules cannot be imported from disk, so a server provides them
        shutil.copytree(folder, served)
        for name in ("folder.js", "dom.js"):
            shutil.copy(STATIC / name, served / "static" / name)
    handler = functools.partial(SilentHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.open(f"http://127.0.0.1:{server.server_port}/index.html")
        browser.evaluate(
            "import('./static/folder.js').then((module) => { globalThis.data = module; })"
        )
        yield browser
        server.shutdown()
        thread.join(10)


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def ask_both(page: Browser, client: TestClient, query: str, **given: str) -> tuple[Any, Any]:
    """The answers of the folder and of the server, or their problems."""
    call = f"globalThis.data.ask({json.dumps(query)}, {json.dumps(given)})"
    actual = page.evaluate(f"{call}.catch((error) => ({{ problem: error.message }}))")
    return actual, client.get(f"/api/{query}", params=given).json()


@pytest.mark.parametrize(
    ("address", "content"),
    [
        ("overview", "6 of the 6 images"),
        ("images", "pictures/thumb-0.jpg"),
        ("image?id=scenes%2F000001", "pictures/full-1.jpg"),
        ("concepts", "mean probability"),
        ("concepts?only=near", "cosine"),
        ("what-if", "Would be kept"),
        ("training", "students/"),
        ("evaluation", "Confusions"),
    ],
)
@pytest.mark.parametrize("width", [1200, 360])
def test_every_page_opens_from_disk_without_an_error_and_fits_the_screen(
    folder: Path, browser: Browser, address: str, content: str, width: int
) -> None:
    browser.resize(width)
    browser.open(f"{folder.as_uri()}/index.html#{address}")
    browser.wait_until(f"document.body.outerHTML.includes({json.dumps(content)})")
    assert browser.errors == []
    assert browser.evaluate("document.querySelector('.problem')") is None
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.resize(1200)


def test_pictures_load_and_crops_are_parts_of_them(folder: Path, browser: Browser) -> None:
    browser.open(f"{folder.as_uri()}/index.html#images")
    browser.wait_until("[...document.images].length === 6")
    browser.wait_until("[...document.images].every((image) => image.naturalWidth > 0)")
    concept = read_answer(folder, "concepts")[0]["concept"]
    browser.open(f"{folder.as_uri()}/index.html#concept?name={concept}")
    browser.wait_until("document.querySelectorAll('svg.crop image').length > 0")
    assert browser.errors == []


def test_the_folder_answers_as_the_server_does(
    page: Browser, client: TestClient, root: Path
) -> None:
    addresses = [side["of"] for side in available_sides(ConnectionPool(root), "", annotated=True)]
    for query in ("concepts", "synonyms", "training", "evaluations"):
        actual, expected = ask_both(page, client, query)
        assert actual == expected
    for of in addresses:
        actual, expected = ask_both(page, client, "side", id="scenes/000001", of=of)
        assert actual == expected
    for row in ask_both(page, client, "concepts")[1][:5]:
        actual, expected = ask_both(page, client, "concept", name=row["concept"])
        assert {**actual, "near": 0} == {**expected, "near": 0, "hits": actual["hits"], "among": 6}


def test_the_folder_filters_images_as_the_server_does(page: Browser, client: TestClient) -> None:
    concepts = [row["concept"] for row in ask_both(page, client, "concepts")[1][:4]]
    filters: list[dict[str, str]] = [
        {},
        {"text": "ONERROR="},
        {"split": "scenes"},
        {"split": "elsewhere"},
        {"after": "scenes/000002"},
        {"after": "scenes/0000025"},
        {"after": "zebra"},
        {"before": "scenes/000003"},
        {"before": "scenes/000000"},
        {"concept": "no such concept"},
        {"probability": "0.99"},
        {"margin": "0"},
        {"probability": "much"},
        {"margin": "1.5"},
        {"probability": " "},
    ]
    rng = np.random.default_rng(29)
    for concept in concepts:
        share = f"{rng.uniform():.2f}"
        filters += [{"concept": f" {concept.upper()} "}, {"concept": concept, "probability": share}]
        filters += [{"probability": share, "margin": share, "text": "a"}]
    for given in filters:
        actual, expected = ask_both(page, client, "images", **given)
        if "problem" in expected:
            assert actual["problem"] == expected["problem"]
            continue
        ids = [[row["image_id"] for row in answer["images"]] for answer in (actual, expected)]
        assert ids[0] == ids[1], given
        assert (actual["more"], actual["splits"]) == (expected["more"], expected["splits"])


def test_pages_of_images_have_at_most_the_limit(page: Browser) -> None:
    call = "globalThis.data.ask('images', { limit: 2, %s })"
    ids = ".then((answer) => [answer.images.map((row) => row.image_id), answer.more])"
    forward = page.evaluate(call % "after: 'scenes/000001'" + ids)
    assert forward == [["scenes/000002", "scenes/000003"], True]
    backward = page.evaluate(call % "before: 'scenes/000003'" + ids)
    assert backward == [["scenes/000001", "scenes/000002"], True]
    end = page.evaluate(call % "after: 'scenes/000003'" + ids)
    assert end == [["scenes/000004", "scenes/000005"], False]


def test_what_if_equals_the_server_at_every_step(page: Browser, client: TestClient) -> None:
    for given in ({}, {"probability": "0.15"}, {"margin": "0.3", "objectness": "0.55"}):
        actual, expected = ask_both(page, client, "what-if", **given)
        assert actual == {name: pytest.approx(value) for name, value in expected.items()}


def test_a_search_finds_regions_similar_to_a_concept_or_a_region(
    page: Browser, client: TestClient
) -> None:
    concept = ask_both(page, client, "concepts")[1][0]["concept"]
    hits = ask_both(page, client, "search", text=concept.upper())[0]["hits"]
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    first = hits[0]
    regions = ask_both(page, client, "image", id=first["image_id"])[1]["regions"]
    (row,) = [row for row in regions if row["region"] == first["region"]]
    assert {name: first[name] for name in row} == row
    region = f"{first['image_id']}:{first['region']}"
    actual, expected = ask_both(page, client, "search", region=region)
    scores = {(hit["image_id"], hit["region"]): hit["score"] for hit in expected["hits"]}
    common = [hit for hit in actual["hits"] if (hit["image_id"], hit["region"]) in scores]
    assert len(common) > 5
    for hit in common:
        assert hit["score"] == pytest.approx(scores[hit["image_id"], hit["region"]], abs=1e-5)
    assert (
        "is no concept" in ask_both(page, client, "search", text="a dog that flies")[0]["problem"]
    )
    assert "not among" in ask_both(page, client, "search", region="nowhere:1")[0]["problem"]


def test_a_hostile_caption_stays_text(folder: Path, browser: Browser) -> None:
    browser.open(f"{folder.as_uri()}/index.html#image?id=scenes%2F000000")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in browser.evaluate("document.body.outerHTML")
    assert browser.evaluate("document.querySelectorAll('#page script').length") == 0
    assert browser.errors == []


def test_a_folder_without_labels_shows_images_and_says_what_is_missing(
    tmp_path: Path, browser: Browser
) -> None:
    write_scenes(tmp_path / "scenes", "scenes", 3, 5)
    api.Store(tmp_path / "store").run("ingest", sources=[str(tmp_path / "scenes")])
    assert write_folder(tmp_path / "store", tmp_path / "out", FolderRequest(), Silent()) == 3
    browser.open(f"{(tmp_path / 'out').as_uri()}/index.html#images")
    browser.wait_until("document.querySelectorAll('.grid a').length === 3")
    for page in ("concepts", "what-if", "images?concept=dog"):
        browser.open(f"{(tmp_path / 'out').as_uri()}/index.html#{page}")
        assert "rc label" in browser.evaluate("document.querySelector('.problem').textContent")
