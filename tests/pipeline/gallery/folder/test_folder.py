"""The gallery as a folder: it opens from disk and answers what the server answers."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline import api
from pipeline.gallery.folder import FolderRequest, write_folder
from pipeline.gallery.server import STATIC
from pipeline.progress import Silent
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.gallery.test_pages import sides

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from tests.pipeline.gallery.browser import Browser


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folder") / "out"
    assert write_folder(root, out, FolderRequest(), Silent()) == 6
    return out


@pytest.fixture
def page(folder: Path, browser: Browser) -> Iterator[Browser]:
    """The folder in a browser, with `ask` of its own data."""
    served = folder.parent / "served"
    if not served.exists():  # modules cannot be imported from disk, so here they come from a server
        shutil.copytree(folder, served)
        for name in ("folder.js", "dom.js"):
            shutil.copy(STATIC / name, served / "static" / name)
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.open(f"http://127.0.0.1:{server.server_port}/index.html")
        browser.see("import('./static/folder.js').then((found) => { globalThis.still = found; })")
        yield browser
        server.shutdown()
        thread.join(10)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def both(page: Browser, client: TestClient, question: str, **given: str) -> tuple[Any, Any]:
    """What the folder answers, and what the server does; a problem is its sentence."""
    asked = f"globalThis.still.ask({json.dumps(question)}, {json.dumps(given)})"
    found = page.see(f"{asked}.catch((error) => ({{ problem: error.message }}))")
    return found, client.get(f"/api/{question}", params=given).json()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("overview", "6 of the 6 images"),
        ("images", "pictures/thumb-0.jpg"),
        ("image?id=scenes%2F000001", "pictures/full-1.jpg"),
        ("concepts", "mean probability"),
        ("concepts?only=near", "cosine"),
        ("what-if", "Would be kept"),
        ("training", "students/"),
        ("evaluation", "What was called what"),
    ],
)
@pytest.mark.parametrize("width", [1200, 360])
def test_every_page_opens_from_disk_without_a_complaint_and_fits(
    folder: Path, browser: Browser, address: str, shown: str, width: int
) -> None:
    browser.resize(width)
    browser.open(f"{folder.as_uri()}/index.html#{address}")
    browser.until(f"document.body.outerHTML.includes({json.dumps(shown)})")
    assert browser.complaints == []
    assert browser.see("document.querySelector('.problem')") is None
    assert browser.see("document.documentElement.scrollWidth") <= width
    browser.resize(1200)


def test_pictures_are_there_and_crops_are_parts_of_them(folder: Path, browser: Browser) -> None:
    for place in range(6):
        assert max(Image.open(folder / "pictures" / f"full-{place}.jpg").size) == 320
        assert max(Image.open(folder / "pictures" / f"thumb-{place}.jpg").size) == 240
    browser.open(f"{folder.as_uri()}/index.html#images")
    browser.until("[...document.images].length === 6")
    browser.until("[...document.images].every((one) => one.naturalWidth > 0)")
    concept = json.loads(read(folder, "concepts"))[0]["concept"]
    browser.open(f"{folder.as_uri()}/index.html#concept?name={concept}")
    browser.until("document.querySelectorAll('svg.crop image').length > 0")
    assert browser.complaints == []


def read(folder: Path, name: str) -> str:
    """The JSON of an answer."""
    text = (folder / "data" / f"{name}.js").read_text()
    found = re.fullmatch(r'put\("([\w-]+)", (".*")\);\n', text)
    assert found
    assert found[1] == name
    return str(json.loads(found[2]))


def test_it_answers_what_the_server_answers(page: Browser, client: TestClient, root: Path) -> None:
    for question in ("concepts", "synonyms", "training", "evaluations"):
        found, wanted = both(page, client, question)
        assert found == wanted
    for row in both(page, client, "evaluations")[1]:
        found, wanted = both(page, client, "evaluation", artifact=row["artifact"])
        assert found == wanted
    of = re.findall(r"(?:left|right)=([^&]+)", sides(root))
    for place in range(6):
        found, wanted = both(page, client, "image", id=f"scenes/{place:06}")
        assert {name: found[name] for name in wanted} == wanted
        for side in ["truth", *(one.replace("%2F", "/") for one in of)]:
            found, wanted = both(page, client, "side", id=f"scenes/{place:06}", of=side)
            assert found == wanted
    for row in both(page, client, "concepts")[1]:
        found, wanted = both(page, client, "concept", name=row["concept"])
        near = {one["concept"]: one["cosine"] for one in wanted.pop("near")}
        mine = {one["concept"]: one["cosine"] for one in found.pop("near")}
        assert sorted(mine.values()) == pytest.approx(sorted(near.values()), abs=1e-5)
        assert {name: found[name] for name in wanted} == wanted


def test_it_chooses_images_as_the_server_does(page: Browser, client: TestClient) -> None:
    concepts = [row["concept"] for row in both(page, client, "concepts")[1][:4]]
    given: list[dict[str, str]] = [
        {},
        {"text": "ONERROR="},
        {"split": "scenes"},
        {"split": "elsewhere"},
        {"after": "scenes/000002"},
        {"after": "scenes/0000025"},
        {"after": "zebra"},
        {"before": "scenes/000003"},
        {"before": "scenes/000000"},
        {"concept": "no such thing"},
        {"probability": "0.99"},
        {"margin": "0"},
        {"probability": "much"},
        {"margin": "1.5"},
        {"probability": " "},
    ]
    rng = np.random.default_rng()
    for concept in concepts:
        share = f"{rng.uniform():.2f}"
        given += [{"concept": f" {concept.upper()} "}, {"concept": concept, "probability": share}]
        given += [{"probability": share, "margin": share, "text": "a"}]
    for asked in given:
        found, wanted = both(page, client, "images", **asked)
        if "problem" in wanted:
            assert found["problem"] == wanted["problem"]
            continue
        named = [[row["image_id"] for row in one["images"]] for one in (found, wanted)]
        assert named[0] == named[1], asked
        assert (found["more"], found["splits"]) == (wanted["more"], wanted["splits"])


def test_pages_of_images_are_cut_as_the_servers_are(page: Browser) -> None:
    asked = "globalThis.still.ask('images', { limit: 2, %s })"
    names = ".then((found) => [found.images.map((row) => row.image_id), found.more])"
    forth = page.see(asked % "after: 'scenes/000001'" + names)
    assert forth == [["scenes/000002", "scenes/000003"], True]
    back = page.see(asked % "before: 'scenes/000003'" + names)
    assert back == [["scenes/000001", "scenes/000002"], True]
    end = page.see(asked % "after: 'scenes/000003'" + names)
    assert end == [["scenes/000004", "scenes/000005"], False]


def test_it_forecasts_what_the_server_does_at_every_step(page: Browser, client: TestClient) -> None:
    for given in ({}, {"probability": "0.15"}, {"margin": "0.3", "objectness": "0.55"}):
        found, wanted = both(page, client, "what-if", **given)
        assert found == {name: pytest.approx(value) for name, value in wanted.items()}


def test_it_finds_regions_like_a_concept_and_like_a_region(
    page: Browser, client: TestClient
) -> None:
    concept = both(page, client, "concepts")[1][0]["concept"]
    hits = both(page, client, "search", text=concept.upper())[0]["hits"]
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    first = hits[0]
    regions = both(page, client, "image", id=first["image_id"])[1]["regions"]
    (row,) = [row for row in regions if row["region"] == first["region"]]
    assert {name: first[name] for name in row} == row
    like, served = both(page, client, "search", region=f"{first['image_id']}:{first['region']}")
    kept = {(one["image_id"], one["region"]): one["score"] for one in served["hits"]}
    assert len(kept.keys() & {(one["image_id"], one["region"]) for one in like["hits"]}) > 5
    for hit in like["hits"]:
        known = kept.get((hit["image_id"], hit["region"]), hit["score"])
        assert hit["score"] == pytest.approx(known, abs=1e-5)
    assert "is no concept" in both(page, client, "search", text="a dog that flies")[0]["problem"]
    assert "not among" in both(page, client, "search", region="nowhere:1")[0]["problem"]


def test_a_hostile_caption_is_text_here_too(folder: Path, browser: Browser) -> None:
    browser.open(f"{folder.as_uri()}/index.html#image?id=scenes%2F000000")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in browser.see("document.body.outerHTML")
    assert browser.see("document.querySelectorAll('#page script').length") == 0
    assert browser.complaints == []
    for path in (folder / "data").iterdir():
        assert read(folder, path.stem)  # a call of `put` with one text: nothing else is run


def test_few_images_are_spread_over_all_and_nothing_leads_elsewhere(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "few"
    assert write_folder(root, out, FolderRequest(limit=2), Silent()) == 2
    index = json.loads(read(out, "index"))
    shown = [row[0] for row in index["images"]]
    assert shown == ["scenes/000000", "scenes/000003"]
    assert len(list((out / "pictures").iterdir())) == 4
    for place in range(len(index["concepts"])):
        concept = json.loads(read(out, f"concept-{place}"))
        assert {row["image_id"] for row in concept["surest"] + concept["unsure"]} <= set(shown)
        assert all(hit[0] in (0, 1) for hit in concept["hits"])
    assert json.loads(read(out, "overview"))["folder"]["of"] == 6


def test_it_is_whole_or_absent_and_replaces_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as broken:
        broken.setattr("pipeline.gallery.folder.writing.jpeg", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_folder(root, out, FolderRequest(), Silent())
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    with pytest.raises(OptionError, match="out exists"):
        write_folder(root, out, FolderRequest(), Silent())


def test_images_without_labels_are_shown_too(tmp_path: Path, browser: Browser) -> None:
    write_scenes(tmp_path / "scenes", "scenes", 3, 5)
    api.Store(tmp_path / "store").run("ingest", sources=[str(tmp_path / "scenes")])
    next((tmp_path / "scenes" / "images" / "scenes").glob("*1.jpg")).unlink()
    said = ScoredPredictions()
    assert write_folder(tmp_path / "store", tmp_path / "out", FolderRequest(), said) == 3
    assert said.sentences == ["warning: the pixels of 1 images could not be read"]
    browser.open(f"{(tmp_path / 'out').as_uri()}/index.html#images")
    browser.until("document.querySelectorAll('.grid a').length === 3")
    for page in ("concepts", "what-if", "images?concept=dog"):
        browser.open(f"{(tmp_path / 'out').as_uri()}/index.html#{page}")
        assert "rc label" in browser.see("document.querySelector('.problem').textContent")


class ScoredPredictions(Silent):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


def test_labels_whose_names_are_gone_are_a_sentence(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "store", symlinks=True)
    shutil.rmtree(tmp_path / "store" / "concept_embeddings")
    with pytest.raises(ArtifactError, match="the concept_embeddings that pseudo_labels/"):
        write_folder(tmp_path / "store", tmp_path / "out", FolderRequest(), Silent())
    assert (
        write_folder(tmp_path / "store", tmp_path / "out", FolderRequest("images"), Silent()) == 6
    )


def test_what_it_is_about_can_be_named(root: Path, tmp_path: Path) -> None:
    other = sorted(root.glob("pseudo_labels/v*"))[0].name.split("-")[1]
    write_folder(root, tmp_path / "a", FolderRequest(f"pseudo_labels@{other}", 1), Silent())
    assert other in json.loads(read(tmp_path / "a", "overview"))["labels"][0]
    write_folder(root, tmp_path / "b", FolderRequest("images", 1), Silent())
    assert json.loads(read(tmp_path / "b", "overview"))["labels"] == []
    with pytest.raises(OptionError, match=r"--use takes pseudo_labels@… or images@…"):
        write_folder(root, tmp_path / "c", FolderRequest("features", 1), Silent())
    with pytest.raises(ArtifactNotFoundError):
        write_folder(root, tmp_path / "c", FolderRequest("images@ffff", 1), Silent())
    assert not (tmp_path / "c").exists()
