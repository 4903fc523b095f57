"""Marking over HTTP: by a map, a concept, a list; what is written down, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from pipeline import sql
from pipeline.analysis.marks import marked_labels, marks_path
from pipeline.gallery.mark_queries import where_option
from pipeline.gallery.server import make_app
from pipeline.store import catalog
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.audit_close import AuditClose
from stages.auditing.journal import Journal
from stages.map_regions import MapRegions
from stages.select import Select
from tests.pipeline.audited import draw
from tests.pipeline.gallery.conftest import HOST
from tests.pipeline.helpers import make, make_all, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("marked") / "store"
    labels = make_all(root, count=20)[PSEUDO_LABELS.name].address
    make(MapRegions(method="pca", where="true"), root, {"pseudo_labels": labels})
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "store")


@pytest.fixture
def labels(root: Path) -> Artifact:
    return catalog.find(root, PSEUDO_LABELS.name)


@pytest.fixture
def visitor(root: Path) -> Iterator[TestClient]:
    with TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}") as client:
        client.headers.update({"origin": f"http://{HOST}"})
        yield client


def told(labels: Artifact, **more: object) -> dict[str, Any]:
    return {"id": os.urandom(8).hex(), "labels": labels.address, "verdict": "right", **more}


def words(root: Path) -> set[tuple[str, int, int, str, str | None]]:
    said = Journal(marks_path(root, "bulk")).last_words()
    return {(j.image_id, j.region, j.concept_id, j.verdict, j.concept) for j in said}


def keys(rows: Any) -> list[tuple[str, int, int]]:
    columns = (rows[name].to_pylist() for name in ("image_id", "region", "concept_id"))
    return list(zip(*columns, strict=True))


def mapped(visitor: TestClient) -> tuple[dict[str, Any], np.ndarray]:
    page = visitor.get("/api/map").json()
    given = {"map": page["address"], "labels": page["labels"]}
    content = visitor.get("/map-points", params=given).content
    return page, np.frombuffer(content, "<f4").reshape(5, page["regions"])


def test_places_of_a_map_are_marked_at_once(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    page, _ = mapped(visitor)
    positions = rows_of(catalog.find(root, "region_maps"))
    ids = {key[:2]: key[2] for key in keys(rows_of(labels))}
    chosen = [3, 1, 7, 3]
    sent = told(labels, map=page["address"], places=chosen, verdict="wrong", concept="cup")
    answer = visitor.post("/marks/bulk", json=sent)
    assert (answer.status_code, answer.json()) == (200, {"marked": 3})
    rows = positions.take([1, 3, 7])
    pairs = zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True)
    assert words(root) == {(*key, ids[key], "wrong", "cup") for key in pairs}
    given = {"name": "bulk", "map": page["address"], "labels": page["labels"]}
    state = visitor.get("/api/marks", params=given).json()
    assert (state["counts"], state["places"]) == ({"renamed": 3}, {"renamed": [1, 3, 7]})
    assert (state["of"], state["problem"]) == (labels.address, None)
    assert [(a["id"], a["labels"]) for a in state["actions"]] == [(sent["id"], 3)]
    back = {"id": "back", "labels": labels.address, "takes_back": sent["id"]}
    assert visitor.post("/marks/bulk", json=back).status_code == 200
    assert words(root) == set()
    state = visitor.get("/api/marks", params=given).json()
    assert (state["counts"], state["places"], state["actions"]) == ({}, {}, [])


def test_all_kept_labels_of_a_concept_are_marked(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    most = visitor.get("/api/concepts").json()[0]
    about = visitor.get("/api/concept-labels", params={"name": most["concept"]}).json()
    assert about == {"kept": most["regions"], "labels": labels.address}
    answer = visitor.post("/marks/bulk", json=told(labels, of_concept=most["concept"]))
    assert answer.json() == {"marked": most["regions"]}
    rows = rows_of(labels)
    ((number, *_),) = {(number,) for _, _, number, _, _ in words(root)}
    kept = {key for key in keys(rows.filter(rows["kept"])) if key[2] == number}
    assert words(root) == {(*key, "right", None) for key in kept}
    answer = visitor.post("/marks/bulk", json=told(labels, of_concept="no such concept"))
    assert (answer.status_code, "labels can be marked at once" in answer.text) == (422, True)


def test_listed_regions_are_marked_and_told_again_count_once(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    chosen = keys(rows_of(labels))[4:9]
    sent = told(labels, regions=[list(key[:2]) for key in chosen], reviewer="ann")
    for _ in range(2):
        assert visitor.post("/marks/bulk", json=sent).json() == {"marked": 5}
    assert words(root) == {(*key, "right", None) for key in chosen}
    assert len(Journal(marks_path(root, "bulk")).actions()) == 1


def test_two_browsers_at_once_lose_nothing(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    chosen = keys(rows_of(labels))

    def send(some: list[tuple[str, int, int]]) -> None:
        for image, region, _ in some:
            sent = told(labels, regions=[[image, region]])
            assert visitor.post("/marks/bulk", json=sent).status_code == 200

    threads = [threading.Thread(target=send, args=(chosen[n::2],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words(root) == {(*key, "right", None) for key in chosen}


def test_marks_become_reviews_and_a_selection(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    rows = rows_of(labels)
    image, region, number = keys(rows)[2]
    visitor.post("/marks/bulk", json=told(labels, regions=[[image, region]], verdict="wrong"))
    stage = AuditClose(called="bulk", journal=marks_path(root, "bulk"), marked=True)
    reviews = make(stage, root, {"pseudo_labels": marked_labels(root, "bulk")})
    assert reviews.manifest.inputs == {"pseudo_labels": labels.address}
    pins = {"pseudo_labels": labels.address, "reviews": reviews.address}
    mended = make(Select(called="mended", where="true"), root, pins)
    assert set(keys(rows_of(mended))) == set(keys(rows)) - {(image, region, number)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": "pseudo_labels/v1-0"}, "gone from the store; reload"),
        ({"labels": ["x"]}, "gone from the store; reload"),
        ({"verdict": "maybe"}, "a judgement has an id"),
        ({"verdict": "undo"}, "marks have an id"),
        ({"id": ""}, "a judgement has an id"),
        ({"regions": []}, "marks are a JSON object"),
        ({"regions": [["a", "b"]]}, "marks are a JSON object"),
        ({"regions": [["a", 1, 2]]}, "marks are a JSON object"),
        ({"regions": 5}, "marks are a JSON object"),
        ({"regions": [["../../etc", 0]]}, "a region is not among these labels"),
        ({"places": [0], "map": "region_maps/v1-0"}, "this map of these labels is gone"),
        ({"reviewer": "a\nb"}, "a judgement has an id"),
        ({"concept": 7}, "a judgement has an id"),
        ({"takes_back": ["x"]}, "marks have an id"),
    ],
)
def test_what_is_no_marks_is_refused(
    root: Path, visitor: TestClient, labels: Artifact, change: dict[str, Any], sentence: str
) -> None:
    image, region, _ = keys(rows_of(labels))[0]
    sent = {**told(labels, regions=[[image, region]]), **change}
    answer = visitor.post("/marks/bulk", json=sent)
    assert (answer.status_code, marks_path(root, "bulk").exists()) == (422, False)
    assert sentence in answer.json()["problem"]


@pytest.mark.parametrize("places", [[-1], [900], ["0"], [True], [0.5], []])
def test_places_that_are_none_are_refused(
    root: Path, visitor: TestClient, labels: Artifact, places: list[Any]
) -> None:
    page, _ = mapped(visitor)
    answer = visitor.post("/marks/bulk", json=told(labels, map=page["address"], places=places))
    assert (answer.status_code, marks_path(root, "bulk").exists()) == (422, False)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"7", b"null", b"\xff", b"[" * 9000])
def test_a_body_that_is_none_is_refused(root: Path, visitor: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = visitor.post("/marks/bulk", content=body, headers=headers)
    assert (answer.status_code, marks_path(root, "bulk").exists()) == (422, False)


@pytest.mark.parametrize("name", ["..%2Ffirst", "%2e%2e", "Bulk", "fade"])
def test_only_names_take_marks(
    root: Path, visitor: TestClient, labels: Artifact, name: str
) -> None:
    image, region, _ = keys(rows_of(labels))[0]
    answer = visitor.post(f"/marks/{name}", json=told(labels, regions=[[image, region]]))
    assert answer.status_code in (404, 422)
    assert {path.name for path in root.rglob("*.jsonl")} == {"parts.jsonl"}


def test_other_sites_forms_and_folders_of_others_are_refused(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    image, region, _ = keys(rows_of(labels))[0]
    sent = told(labels, regions=[[image, region]])
    for headers in ({"origin": "http://evil.invalid"}, {"content-type": "text/plain"}):
        content = json.dumps(sent)
        sure = {"content-type": "application/json", **headers}
        assert visitor.post("/marks/bulk", content=content, headers=sure).status_code == 403
    del visitor.headers["origin"]
    assert visitor.post("/marks/bulk", json=sent).status_code == 403
    assert not marks_path(root, "bulk").exists()


def test_an_audit_is_no_place_for_marks(tmp_path: Path) -> None:
    audit = draw(tmp_path / "audited")
    with TestClient(make_app(audit.root, [HOST]), base_url=f"http://{HOST}") as client:
        state = client.get("/api/marks", params={"name": "first"}).json()
        assert "first is an audit" in state["problem"]


def test_a_condition_selects_what_was_chosen(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    page, _ = mapped(visitor)
    given = {"map": page["address"], "labels": page["labels"], "places": "2,5,11"}
    where = visitor.get("/api/map-condition", params=given).json()["where"]
    flag, text = shlex.split(where)
    positions = rows_of(catalog.find(root, "region_maps")).take([2, 5, 11])
    expected = set(
        zip(positions["image_id"].to_pylist(), positions["region"].to_pylist(), strict=True)
    )
    found: set[tuple[str, int]] = set()
    for number in labels.numbers:
        for batch in sql.matching(labels, number, text):
            pairs = (batch.column(name).to_pylist() for name in ("image_id", "region"))
            found |= set(zip(*pairs, strict=True))
    assert (flag, found) == ("--where", expected)
    for places in ("", ",".join(map(str, range(101)))):
        answer = visitor.get("/api/map-condition", params={**given, "places": places})
        assert answer.json() == {"where": None}
    assert visitor.get("/api/map-condition", params={**given, "places": "x"}).status_code == 422


@pytest.mark.parametrize(
    "name", ["it's $HOME `id` \\ \"!", "a\nb", "空; rm -rf /", "-- x') OR (''='"]
)
def test_a_condition_survives_the_shell_and_is_one_literal(name: str) -> None:
    flag, text = shlex.split(where_option([(name, 4, 0)]))
    literal = name.replace("'", "''")
    assert (flag, text) == ("--where", f"(image_id, region) IN (('{literal}', 4))")
