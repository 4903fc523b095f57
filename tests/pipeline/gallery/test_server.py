"""The gallery: who may ask, and what is answered."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline.analysis.what_if import Thresholds, forecast
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.guard import POLICY
from pipeline.gallery.models import thinned
from pipeline.gallery.server import STATIC, make_app
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.gallery.conftest import HOST

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.0.2.7:8000", 200),
        ("[2001:db8::1]:8000", 200),
        ("192.0.2.7", 200),
        ("mine:8000", 200),
        ("evil.example:8000", 403),
        ("192.0.2.7.evil.example", 403),
        ("", 403),
    ],
)
def test_a_gallery_for_everybody_answers_to_numbers_and_its_own_name(
    root: Path, host: str, status: int
) -> None:
    app = make_app(root, ["mine:8000"], anywhere=True)
    with TestClient(app, base_url="http://mine:8000") as client:
        assert client.get("/", headers={"host": host}).status_code == status


def test_the_port_of_the_web_goes_without_saying(root: Path) -> None:
    with TestClient(make_app(root, ["127.0.0.1:80"]), base_url="http://127.0.0.1") as client:
        assert client.get("/", headers={"host": "127.0.0.1"}).status_code == 200
        assert client.get("/", headers={"host": "127.0.0.2"}).status_code == 403


def test_pictures_are_small_jpegs_of_rows_of_the_store(client: TestClient) -> None:
    for path, side in (("thumb?id=scenes/000001", 240), ("full?id=scenes/000001", 320)):
        answer = client.get(f"/picture/{path}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(answer.content)).size) == side
    for box in ("-50,-50,9999,20", "-1e308,-1e308,1e308,1e308", "9e9,9e9,9.1e9,9.1e9"):
        assert client.get(f"/picture/crop?id=scenes/000001&box={box}").status_code == 200


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
    assert len(ask(client, "overview")["artifacts"]) == 13
    found = ask(client, "image", id="scenes/000001")
    assert found["regions"]
    assert found["image"]["objects"]
    assert found["detections"]
    concept = ask(client, "concepts")[0]
    told = ask(client, "concept", name=concept["concept"])
    assert sum(bin_["regions"] for bin_ in told["histogram"]) >= concept["regions"]
    assert len(told["near"]) > 0
    row = ask(client, "what-if", probability="0.9")
    assert row["where"] == "probability > 0.9"
    newest = ask(client, "evaluations")[0]
    assert newest["metrics"]
    details = ask(client, "evaluation", artifact=newest["artifact"])
    assert details["categories"]
    assert all(row["truth"] != row["called"] for row in details["confusions"])
    (curves,) = ask(client, "training")
    assert [row["step"] for row in curves["rows"]] == [1, 2]
    assert ask(client, "search", text="a dog")["hits"]


def test_filters_hold_together_for_one_region(client: TestClient) -> None:
    regions = [
        (row["image_id"], region)
        for row in ask(client, "images")["images"]
        for region in ask(client, "image", id=row["image_id"])["regions"]
        if region["kept"]
    ]
    concept = regions[0][1]["concept"]
    for probability, margin in ((0.2, 0.0), (0.4, 0.2), (0.0, 0.9)):
        wanted = {
            image_id
            for image_id, region in regions
            if region["concept"] == concept
            and region["probability"] >= probability
            and region["margin"] >= margin
        }
        given = {"concept": f" {concept.upper()}", "probability": probability, "margin": margin}
        found = ask(client, "images", **given, split="scenes")["images"]
        assert {row["image_id"] for row in found} == wanted


def test_the_images_before_one_are_the_nearest_in_order(client: TestClient) -> None:
    page = ask(client, "images", before="scenes/000004", limit=2)
    assert [row["image_id"] for row in page["images"]] == ["scenes/000002", "scenes/000003"]
    assert page["more"]
    assert ask(client, "images", before="scenes/000000", limit=1)["images"] == []


def test_the_filters_say_what_they_can_be_set_to(client: TestClient) -> None:
    page = ask(client, "images")
    assert page["splits"] == ["scenes"]
    assert [found["rows"] for found in page["artifacts"]] == [6]
    assert ask(client, "images", of=page["artifacts"][0]["address"])["images"] == page["images"]


def test_images_of_two_sets_with_the_same_ids_are_told_apart(tmp_path: Path) -> None:
    from pipeline import api

    store = api.Store(tmp_path / "store")
    made = []
    for seed in (1, 2):
        write_scenes(tmp_path / f"{seed}", "scenes", 2, seed)
        made.append(store.run("ingest", sources=[str(tmp_path / f"{seed}")]))
    with TestClient(make_app(tmp_path / "store", [HOST]), base_url=f"http://{HOST}") as client:
        asked = [{"id": "scenes/000001", "labels": images.address} for images in made]
        old, new = (ask(client, "image", **given)["image"]["captions"] for given in asked)
        assert old != new
        old, new = (client.get("/picture/full", params=given).content for given in asked)
        assert old != new


def test_labels_are_shown_with_the_images_they_are_of_alone(root: Path) -> None:
    from pipeline.gallery.questions import image
    from pipeline.gallery.sides import sources

    connections = ConnectionPool(root)
    address = connections.images()[0]
    assert connections.about("pseudo_labels", address)
    assert image(connections, {"id": "scenes/000001", "labels": address})["regions"]
    other = type("Other", (ConnectionPool,), {"about": lambda *_: False})(root)
    found = image(other, {"id": "scenes/000001", "labels": address})
    assert (found["regions"], found["detections"]) == ([], [])
    assert len(sources(connections, address, drawn=False)) == 5


def test_what_if_says_what_the_command_says(client: TestClient, root: Path) -> None:
    for address in ConnectionPool(root).labels():
        for given in ({}, {"probability": 0.4}, {"margin": 0.1, "objectness": 0.3}):
            (batch,) = forecast(root, [Thresholds(**given)], None, address)
            wanted = batch.to_pylist()[0]
            found = ask(client, "what-if", labels=address, **given)
            assert found == {name: pytest.approx(value) for name, value in wanted.items()}


def test_a_store_without_labels_is_answered_with_sentences(tmp_path: Path) -> None:
    from pipeline import api

    write_scenes(tmp_path / "scenes", "scenes", 2, 5)
    api.Store(tmp_path / "store").run("ingest", sources=[str(tmp_path / "scenes")])
    with TestClient(make_app(tmp_path / "store", [HOST]), base_url=f"http://{HOST}") as client:
        assert len(ask(client, "images")["images"]) == 2
        found = ask(client, "image", id="scenes/000001")
        assert found["regions"] == []
        assert [one["of"] for one in found["sides"]] == ["truth"]
        assert ask(client, "synonyms")["pairs"] == []
        for question in ("what-if", "images?concept=dog"):
            answer = client.get(f"/api/{question}")
            assert answer.status_code == 422
            assert "rc label" in answer.json()["problem"]


def test_long_curves_are_thinned_from_first_to_last() -> None:
    for count in (1, 2, 400, 401, 5000):
        kept = thinned([{"step": step} for step in range(count)])
        steps = [row["step"] for row in kept]
        assert (steps[0], steps[-1]) == (0, count - 1)
        assert len(steps) <= 801
        assert steps == sorted(set(steps))


def test_what_is_made_meanwhile_is_seen(root: Path) -> None:
    connections = ConnectionPool(root)
    before, made = len(connections.artifacts()), []
    assert connections.once("key", lambda: made.append(1)) is connections.once(
        "key", lambda: made.append(2)
    )
    manifest = next(root.glob("metrics/*/manifest.json"))
    hidden = manifest.with_suffix(".hidden")
    manifest.rename(hidden)
    try:
        assert len(connections.artifacts()) == before - 1
    finally:
        hidden.rename(manifest)
    assert len(connections.artifacts()) == before
    connections.once("key", lambda: made.append(3))
    assert made == [1, 3]


@pytest.mark.parametrize(
    "question",
    [
        "images?limit=x",
        "images?limit=-1",
        "images?probability=much",
        "images?probability=nan",
        "images?margin=1.5",
        "what-if?probability=much",
        "what-if?probability=inf",
        "search?text=",
        "side?id=scenes/000000&of=images/v1-0",
        "evaluation?artifact=../metrics",
    ],
)
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
