"""The web application: routes, answers as JSON, and sentences in place of errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from pipeline.gallery import server
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.guard import POLICY
from pipeline.gallery.server import STATIC, make_app
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.gallery.conftest import HOST

if TYPE_CHECKING:
    from pathlib import Path


def get_json(client: TestClient, query: str, **parameters: Any) -> Any:
    answer = client.get(f"/api/{query}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.slow
def test_every_response_is_guarded(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/api/overview", "/picture/thumb?id=x", "/nowhere"):
        assert client.get(path).headers["content-security-policy"] == POLICY
        assert client.get(path, headers={"host": "evil.example"}).status_code == 403
        assert client.post(path).status_code == 405


def test_a_gallery_for_everybody_accepts_ip_addresses(root: Path) -> None:
    for anywhere, status in ((True, 200), (False, 403)):
        app = make_app(root, ["mine:8000"], anywhere=anywhere)
        with TestClient(app, base_url="http://192.0.2.7:8000") as client:
            assert client.get("/").status_code == status


@pytest.mark.slow
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
def test_only_images_of_the_store_are_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"root:" not in answer.content


@pytest.mark.slow
def test_the_pages_get_what_they_show(client: TestClient) -> None:
    assert len(get_json(client, "overview")["artifacts"]) == 13
    page = get_json(client, "image", id="scenes/000001")
    assert page["regions"]
    assert page["image"]["objects"]
    assert page["detections"]
    concept = get_json(client, "concepts")[0]
    details = get_json(client, "concept", name=concept["concept"])
    assert sum(row["regions"] for row in details["histogram"]) >= concept["regions"]
    assert get_json(client, "what-if", probability="0.9")["where"] == "probability > 0.9"
    newest = get_json(client, "evaluations")[0]
    assert get_json(client, "evaluation", artifact=newest["artifact"])["categories"]
    assert len(get_json(client, "training")) == 1
    pairs = get_json(client, "synonyms")["pairs"]
    assert [row["cosine"] for row in pairs] == sorted((r["cosine"] for r in pairs), reverse=True)


@pytest.mark.slow
def test_a_search_by_text_gives_regions_with_boxes(client: TestClient) -> None:
    hits = get_json(client, "search", text="a dog")["hits"]
    assert [hit["rank"] for hit in hits] == list(range(1, 25))
    assert all(hit["x0"] < hit["x1"] and hit["y0"] < hit["y1"] for hit in hits)


@pytest.mark.slow
def test_a_search_by_region_leaves_out_that_region(client: TestClient) -> None:
    hits = get_json(client, "search", region="scenes/000001:3")["hits"]
    assert len(hits) == 24
    assert ("scenes/000001", 3) not in {(hit["image_id"], hit["region"]) for hit in hits}


@pytest.mark.slow
def test_a_search_uses_the_features_of_the_shown_labels(client: TestClient, root: Path) -> None:
    pool = ConnectionPool(root)
    scores = {}
    for address in pool.label_addresses():
        features = pool.shown_artifact("features", address)
        assert features is not None
        hits = get_json(client, "search", text="a dog", labels=address)["hits"]
        scores.setdefault(features.address, set()).add(tuple(hit["score"] for hit in hits))
    assert [len(values) for values in scores.values()] == [1, 1]
    first, second = scores.values()
    assert first != second


def test_a_picture_that_the_visitor_left_is_not_made(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def disconnected(_: Any) -> bool:
        return True

    monkeypatch.setattr(Request, "is_disconnected", disconnected)
    with TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}") as client:
        assert client.get("/picture/thumb?id=no such image").status_code == 204


def test_concepts_and_synonyms_are_computed_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for module, name in ((server.page_queries, "concepts"), (server, "near_synonyms")):
        monkeypatch.setattr(module, name, lambda *_, name=name: calls.append(name) or [])
    with TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}") as client:
        for query in ("concepts", "synonyms", "concepts", "synonyms"):
            get_json(client, query)
    assert calls == ["concepts", "near_synonyms"]


@pytest.mark.slow
def test_two_sets_of_images_with_the_same_ids_are_kept_apart(tmp_path: Path) -> None:
    from pipeline import api

    store = api.Store(tmp_path / "store")
    addresses = []
    for seed in (1, 2):
        write_scenes(tmp_path / f"{seed}", "scenes", 2, seed)
        addresses.append(store.run("ingest", sources=[str(tmp_path / f"{seed}")]).address)
    with TestClient(make_app(tmp_path / "store", [HOST]), base_url=f"http://{HOST}") as client:
        parameters = [{"id": "scenes/000001", "labels": address} for address in addresses]
        old, new = (get_json(client, "image", **p)["image"]["captions"] for p in parameters)
        assert old != new
        old, new = (client.get("/picture/full", params=p).content for p in parameters)
        assert old != new


@pytest.mark.slow
def test_a_store_without_labels_is_answered_with_sentences(tmp_path: Path) -> None:
    from pipeline import api

    write_scenes(tmp_path / "scenes", "scenes", 2, 5)
    api.Store(tmp_path / "store").run("ingest", sources=[str(tmp_path / "scenes")])
    with TestClient(make_app(tmp_path / "store", [HOST]), base_url=f"http://{HOST}") as client:
        assert len(get_json(client, "images")["images"]) == 2
        page = get_json(client, "image", id="scenes/000001")
        assert page["regions"] == []
        assert [side["of"] for side in page["sides"]] == ["truth"]
        assert get_json(client, "synonyms")["pairs"] == []
        for query in ("what-if", "images?concept=dog"):
            answer = client.get(f"/api/{query}")
            assert answer.status_code == 422
            assert "rc label" in answer.json()["problem"]


@pytest.mark.parametrize(
    "query",
    [
        "images?limit=x",
        "images?probability=much",
        "images?margin=1.5",
        "what-if?probability=inf",
        "search?text=",
        "search?region=nowhere",
        "side?id=scenes/000000&of=images/v1-0",
        "evaluation?artifact=../metrics",
    ],
)
def test_a_query_without_an_answer_gets_a_sentence(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/{query}")
    assert answer.status_code == 422
    assert answer.json()["problem"]


def test_pages_insert_only_text_and_load_nothing_from_other_sites() -> None:
    for path in STATIC.iterdir():
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        addresses = set(re.findall(r"https?://[^\"'\s)]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}
