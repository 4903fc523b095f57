"""The most suspicious labels over HTTP: order, faults, reasons, which labels they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from pipeline.gallery import suspicion_queries
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.server import make_app
from pipeline.gallery.suspicion_queries import most_suspicious, suspicions
from stages.select import Select
from stages.suspect import Suspect
from tests.pipeline.gallery.conftest import HOST
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.toys import WORDS, Label

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture
def scored(tmp_path: Path) -> Artifact:
    make_all(tmp_path / "store", count=20)
    return make(Suspect(), tmp_path / "store")


def sorted_rows(artifact: Artifact) -> list[dict[str, object]]:
    rows = rows_of(artifact).to_pylist()
    return sorted(rows, key=lambda r: (-r["suspicion"], r["image_id"], r["region"]))


def test_the_most_suspicious_come_first_with_box_names_and_image(scored: Artifact) -> None:
    with TestClient(make_app(scored.root, [HOST]), base_url=f"http://{HOST}") as visitor:
        page = visitor.get("/api/suspicions").json()
        only = visitor.get("/api/suspicions", params={"fault": "swapped"}).json()
    expected = sorted_rows(scored)
    assert page["address"] == scored.address
    keys = [(row["image_id"], row["region"]) for row in page["regions"]]
    assert keys == [(row["image_id"], row["region"]) for row in expected]
    for row, one in zip(page["regions"], expected, strict=True):
        assert row["reasons"] == one["reasons"]
        assert row["concept"] in WORDS
        assert row["instead"] in WORDS
        assert row["x1"] > row["x0"]
        assert page["images"][row["image_id"]]["captions"]
    faults = [row["fault"] for row in expected]
    assert page["counts"] == {f: faults.count(f) for f in suspicion_queries.FAULTS}
    assert [row["fault"] for row in only["regions"]] == ["swapped"] * faults.count("swapped")


def test_of_each_fault_so_many_are_shown_and_all_are_counted(
    scored: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicion_queries, "SHOWN", 3)
    rows, counts = most_suspicious(scored)
    expected = []
    for fault in suspicion_queries.FAULTS:
        expected += [row for row in sorted_rows(scored) if row["fault"] == fault][:3]
    chosen = {(row["image_id"], row["region"]) for row in expected}
    assert {(row["image_id"], row["region"]) for row in rows.to_pylist()} == chosen
    assert sum(counts.values()) == scored.manifest.rows
    image = expected[0]["image_id"]
    rows, counts = most_suspicious(scored, frozenset([str(image)]))
    assert set(rows["image_id"].to_pylist()) == {image}
    assert sum(counts.values()) == rows_of(scored)["image_id"].to_pylist().count(image)


def test_labels_that_were_not_scored_have_none(scored: Artifact) -> None:
    other = make(Label(temperature=0.5), scored.root)
    pool = ConnectionPool(scored.root)
    assert suspicions(pool, {"labels": other.address})["address"] is None
    source = scored.manifest.inputs["pseudo_labels"]
    assert suspicions(pool, {"labels": source})["address"] == scored.address


def test_of_a_selection_its_own_labels_are_shown_and_counted(
    scored: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicion_queries, "SHOWN", 3)
    last = sorted_rows(scored)[-4:]
    where = " OR ".join(f"image_id = '{r['image_id']}' AND region = {r['region']}" for r in last)
    labels = {"pseudo_labels": scored.manifest.inputs["pseudo_labels"]}
    chosen = make(Select(called="calm", where=where), scored.root, labels)
    page = suspicions(ConnectionPool(scored.root), {"labels": chosen.address})
    assert sum(page["counts"].values()) == 4
    keys = {(row["image_id"], row["region"]) for row in last}
    assert {(row["image_id"], row["region"]) for row in page["regions"]} <= keys
    assert len(page["regions"]) == sum(min(n, 3) for n in page["counts"].values())
