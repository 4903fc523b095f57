"""Judging over HTTP: what is asked, what is written down, what is refused."""

from __future__ import annotations

import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from pipeline.analysis.audits import sample_of
from pipeline.gallery.server import make_app
from pipeline.store import catalog
from pipeline.store.journals import journal_path
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.auditing.journal import Journal
from tests.pipeline.audited import draw, judge, told
from tests.pipeline.gallery.conftest import HOST
from tests.pipeline.toys import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture
def audit(tmp_path: Path) -> Artifact:
    return draw(tmp_path / "store")


@pytest.fixture
def visitor(audit: Artifact) -> Iterator[TestClient]:
    with TestClient(make_app(audit.root, [HOST]), base_url=f"http://{HOST}") as client:
        client.headers.update({"origin": f"http://{HOST}"})
        yield client


def judgement(audit: Artifact, place: int, verdict: str, **more: object) -> dict[str, Any]:
    content = vars(told(sample_of(audit), place, verdict, **more))
    return {name: value for name, value in content.items() if name != "time"}


def journal(audit: Artifact) -> Journal:
    return Journal(journal_path(audit.root, "first"))


def test_regions_are_asked_in_the_order_of_their_places(
    audit: Artifact, visitor: TestClient
) -> None:
    page = visitor.get("/api/audit", params={"name": "first"}).json()
    rows = sample_of(audit)
    assert [row["place"] for row in page["regions"]] == list(range(24))
    for name in ("image_id", "region", "concept_id", "x0", "y1"):
        assert [row[name] for row in page["regions"]] == rows[name].to_pylist()
    assert {row["concept"] for row in page["regions"]} <= set(WORDS)
    for row in page["regions"]:
        assert page["images"][row["image_id"]]["captions"]
    assert page["labels"] == catalog.made_from(audit, PSEUDO_LABELS.name).address
    assert (page["verdicts"], page["problem"], page["progress"]["judged"]) == ({}, None, 0)


def test_a_judgement_is_in_the_journal_when_it_is_answered(
    audit: Artifact, visitor: TestClient
) -> None:
    sent = judgement(audit, 3, "wrong", concept="cup", reviewer="ann")
    answer = visitor.post("/judgements/first", json=sent)
    (written,) = journal(audit).judgements()
    assert {name: getattr(written, name) for name in sent} == sent
    assert written.time
    assert answer.status_code == 200
    assert answer.json()["verdicts"] == {"3": "wrong"}
    assert answer.json()["progress"]["precision"]["share"] == 0.0


def test_one_that_is_sent_again_counts_once(audit: Artifact, visitor: TestClient) -> None:
    sent = judgement(audit, 0, "right")
    answers = [visitor.post("/judgements/first", json=sent).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(journal(audit).judgements()) == 1


def test_each_reviewer_has_verdicts_of_their_own(audit: Artifact, visitor: TestClient) -> None:
    judge(audit, {0: "right", 1: "unsure"}, reviewer="ann")
    judge(audit, {0: "wrong"})
    judge(audit, {5: "right"})
    judge(audit, {5: "undo"})
    for reviewer, verdicts in (("ann", {"0": "right", "1": "unsure"}), ("", {"0": "wrong"})):
        page = visitor.get("/api/audit", params={"name": "first", "reviewer": reviewer}).json()
        assert page["verdicts"] == verdicts
        assert (page["progress"]["judged"], page["progress"]["open"]) == (2, 2)


def test_audits_are_listed_with_how_far_they_are(audit: Artifact, visitor: TestClient) -> None:
    judge(audit, {0: "right", 1: "wrong"})
    (row,) = visitor.get("/api/audits").json()
    assert (row["name"], row["address"]) == ("first", audit.address)
    assert row["progress"]["judged"] == 2
    with journal(audit).path.open("ab") as file:
        file.write(b"<script>alert(1)</script>}\n")
    (row,) = visitor.get("/api/audits").json()
    assert "first.jsonl, line 3: no judgement can be read there" in row["problem"]
    answer = visitor.get("/api/audit", params={"name": "first"})
    assert (answer.status_code, "line 3" in answer.json()["problem"]) == (422, True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"region": 900}, "this label is not of audits/"),
        ({"concept_id": 900}, "reload the page"),
        ({"image_id": "../../etc"}, "this label is not of audits/"),
        ({"verdict": "maybe"}, "a judgement has an id"),
        ({"verdict": ["right"]}, "a judgement has an id"),
        ({"reviewer": "a\nb"}, "a judgement has an id"),
        ({"time": "2026-01-31T12:00:00+00:00"}, "the time of a judgement"),
        ({"more": 1}, "a judgement is a JSON object"),
    ],
)
def test_what_is_no_judgement_of_the_audit_is_refused(
    audit: Artifact, visitor: TestClient, change: dict[str, Any], sentence: str
) -> None:
    sent = {**judgement(audit, 0, "right"), **change}
    answer = visitor.post("/judgements/first", json=sent)
    assert (answer.status_code, journal(audit).path.exists()) == (422, False)
    assert sentence in answer.json()["problem"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"7", b"null", b"\xff", b"[" * 9000])
def test_a_body_that_is_none_is_refused(audit: Artifact, visitor: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = visitor.post("/judgements/first", content=body, headers=headers)
    assert (answer.status_code, journal(audit).path.exists()) == (422, False)


def test_a_large_body_is_not_read_to_its_end(audit: Artifact, visitor: TestClient) -> None:
    sent = judgement(audit, 0, "right", concept="x") | {"concept": "x" * 20_000}
    answer = visitor.post("/judgements/first", json=sent)
    assert (answer.status_code, journal(audit).path.exists()) == (413, False)


@pytest.mark.parametrize("name", ["second", "..%2Ffirst", "%2e%2e", "images"])
def test_only_audits_of_the_store_have_a_journal(
    audit: Artifact, visitor: TestClient, name: str
) -> None:
    answer = visitor.post(f"/judgements/{name}", json=judgement(audit, 0, "right"))
    assert answer.status_code in (404, 422)
    assert {path.name for path in audit.root.rglob("*.jsonl")} == {"parts.jsonl"}


def test_a_page_of_another_site_cannot_judge(audit: Artifact, visitor: TestClient) -> None:
    sent = json.dumps(judgement(audit, 0, "right"))
    for headers in (
        {"origin": "https://evil.example", "content-type": "application/json"},
        {"origin": "https://evil.example", "content-type": "text/plain"},
        {"origin": f"http://{HOST}", "content-type": "text/plain"},
    ):
        answer = visitor.post("/judgements/first", content=sent, headers=headers)
        assert (answer.status_code, journal(audit).path.exists()) == (403, False)


def test_a_store_that_cannot_be_written_is_one_sentence(
    audit: Artifact, visitor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    problem = visitor.get("/api/audit", params={"name": "first"}).json()["problem"]
    assert problem == f"{audit.root} cannot be written: nothing that is judged here can be kept"
    journal(audit).path.parent.write_text("a file where the folder would be")
    answer = visitor.post("/judgements/first", json=judgement(audit, 0, "right"))
    assert answer.status_code == 503
    assert "cannot be written" in answer.json()["problem"]


def test_many_at_once_neither_lose_nor_double(audit: Artifact, visitor: TestClient) -> None:
    def send(reviewer: str) -> None:
        for place in range(12):
            sent = judgement(audit, place, "right", reviewer=reviewer)
            assert visitor.post("/judgements/first", json=sent).status_code == 200

    threads = [threading.Thread(target=send, args=(who,)) for who in ("ann", "bob", "")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [(j.reviewer, j.image_id, j.region) for j in journal(audit).judgements()]
    assert len(written) == len(set(written)) == 36


def test_concepts_are_offered_by_what_they_begin_with_first(visitor: TestClient) -> None:
    names = visitor.get("/api/concept-names", params={"text": "C"}).json()
    assert set(names) <= {"cat", "car", "cup"}
    assert visitor.get("/api/concept-names", params={"text": "' OR 1=1 --"}).json() == []
    found = visitor.get("/api/concept-names", params={"text": "u"}).json()
    assert set(found) <= {"bus", "cup"}


def test_what_it_was_drawn_from_must_still_be_there(audit: Artifact, visitor: TestClient) -> None:
    shutil.rmtree(audit.root / "pseudo_labels")
    answer = visitor.get("/api/audit", params={"name": "first"})
    assert answer.status_code == 422
    assert "pseudo_labels" in answer.json()["problem"]
    assert visitor.get("/api/audit", params={"name": "x"}).json()["problem"] == (
        "there is no audit of that name"
    )
