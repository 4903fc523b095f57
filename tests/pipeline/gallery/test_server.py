"""The gallery: who may ask, what is answered, and that words stay words in a real browser."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from pipeline.gallery.guard import POLICY
from pipeline.gallery.server import STATIC, make_app
from stages.drawn.write import write_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "localhost:1"
HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script> a dog & "cat"'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of drawn scenes with labels, made by the real stages; one caption would run."""
    from pipeline import api
    from pipeline.demo import weights_folder

    folder = tmp_path_factory.mktemp("gallery")
    write_scenes(folder / "scenes", "scenes", 6, 3)
    captions = folder / "scenes" / "annotations" / "captions_scenes.json"
    import json

    content = json.loads(captions.read_text())
    content["annotations"][0]["caption"] = HOSTILE
    captions.write_text(json.dumps(content))
    store, data = api.Store(folder / "store"), weights_folder()
    images = store.run("ingest", sources=[str(folder / "scenes")])
    store.run("extract-concepts", min_frequency=1)
    model, weights = data / "teacher_model.json", data / "teacher.safetensors"
    store.run("pretrain", model=str(model), pretrained=str(weights), steps=0)
    store.run("embed-concepts", templates="plain")
    store.run("propose", random=True, regions=12)
    store.run("featurize", resize="192x400", whole_image=False)
    store.run("label", temperature=0.05)
    store.run("evaluate", {"images": images}, resize="192x400", templates="plain", pictures=False)
    return folder / "store"


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}") as client:
        yield client


def ask(client: TestClient, question: str, **given: Any) -> Any:
    answer = client.get(f"/api/{question}", params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_answer_carries_the_policy(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/api/overview", "/picture/thumb?id=x", "/nowhere"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"host": "evil.example"}, 403),
        ("GET", {"host": "localhost:2"}, 403),
        ("GET", {"host": ""}, 403),
        ("GET", {"origin": "https://evil.example"}, 403),
        ("GET", {"origin": "null"}, 403),
        ("POST", {}, 405),
        ("DELETE", {}, 405),
        ("GET", {"origin": f"http://{HOST}"}, 200),
        ("HEAD", {}, 200),
    ],
)
def test_only_its_own_pages_may_ask(
    client: TestClient, method: str, headers: dict[str, str], status: int
) -> None:
    assert client.request(method, "/", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fserver.py",
        "/picture/thumb?id=../../etc/passwd",
        "/picture/thumb?id=/etc/passwd",
        "/picture/full?id=scenes/000000' OR 1=1 --",
        "/picture/crop?id=scenes/000000&box=1,2,3",
        "/picture/crop?id=scenes/000000&box=nan,0,1,inf",
        "/picture/nonsense?id=scenes/000000",
        "/api/nonsense",
    ],
)
def test_nothing_but_images_of_the_store_is_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"root:" not in answer.content


def test_pictures_are_small_jpegs_of_rows_of_the_store(client: TestClient) -> None:
    for path, side in (("thumb?id=scenes/000001", 240), ("full?id=scenes/000001", 320)):
        answer = client.get(f"/picture/{path}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(answer.content)).size) == side
    crop = client.get("/picture/crop?id=scenes/000001&box=-50,-50,9999,20")
    assert crop.status_code == 200


def test_images_come_page_by_page_each_once(client: TestClient) -> None:
    seen, after = [], ""
    while True:
        page = ask(client, "images", after=after, limit=4)
        seen += [row["image_id"] for row in page["images"]]
        if not page["more"]:
            break
        after = seen[-1]
    assert seen == sorted(set(seen))
    assert len(seen) == 6


def test_filters_leave_what_they_say(client: TestClient) -> None:
    (row,) = ask(client, "images", text="onerror=ALERT")["images"]
    assert row["image_id"] == "scenes/000000"
    assert ask(client, "images", split="elsewhere")["images"] == []
    concept = ask(client, "concepts")[0]["concept"]
    chosen = ask(client, "images", concept=concept)["images"]
    for row in chosen:
        regions = ask(client, "image", id=row["image_id"])["regions"]
        assert any(r["concept"] == concept and r["kept"] for r in regions)
    assert ask(client, "images", concept="' OR '1'='1")["images"] == []


def test_the_pages_have_what_they_show(client: TestClient) -> None:
    assert len(ask(client, "overview")["artifacts"]) == 8
    found = ask(client, "image", id="scenes/000001")
    assert found["regions"]
    assert found["image"]["objects"]
    assert found["detections"]
    concept = ask(client, "concepts")[0]
    details = ask(client, "concept", name=concept["concept"])
    assert sum(bin_["regions"] for bin_ in details["histogram"]) >= concept["regions"]
    assert len(details["near"]) > 0
    row = ask(client, "what-if", probability="0.9")
    assert row["where"] == "probability > 0.9"
    assert ask(client, "evaluations")[0]["metrics"]
    assert ask(client, "training") == []
    assert ask(client, "search", text="a dog")["hits"]


@pytest.mark.parametrize("question", ["images?limit=x", "what-if?probability=much", "search?text="])
def test_what_has_no_answer_is_a_sentence(client: TestClient, question: str) -> None:
    answer = client.get(f"/api/{question}")
    assert answer.status_code == 422
    assert answer.json()["problem"]


def test_pages_are_made_of_text_and_of_nothing_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        addresses = set(re.findall(r"https?://[^\"'\s)]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    """A gallery that a browser can reach."""
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = make_app(root, [f"127.0.0.1:{port}"])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(10)


def page_of(address: str, page: str, width: int = 1200) -> tuple[str, str]:
    """What a headless browser makes of a page: its elements as text, and what it complained of."""
    words = [
        str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        f"--window-size={width},900", "--virtual-time-budget=8000", "--dump-dom",
        f"{address}/#{page}",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=True)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(complaints)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("overview", "Lineage"),
        ("images", "picture/thumb"),
        ("image?id=scenes%2F000000", "pseudo-labels"),
        ("concepts", "mean probability"),
        ("what-if", "Would be kept"),
        ("training", "Training"),
        ("evaluation", "What was called what"),
        ("search?text=a+dog", "Regions most like"),
    ],
)
def test_every_page_renders_without_a_complaint(address: str, page: str, shown: str) -> None:
    content, complaints = page_of(address, page)
    assert shown in content
    assert complaints == ""
    assert "<script>alert" not in content


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_hostile_caption_stays_text_in_a_browser(address: str) -> None:
    content, complaints = page_of(address, "image?id=scenes%2F000000")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in content
    assert not re.search(r"<img[^>]* onerror", re.sub(r'"[^"]*"', '""', content))
    assert complaints == ""
