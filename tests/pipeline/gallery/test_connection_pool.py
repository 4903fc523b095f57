"""Queries to the store, and which artifacts they are about."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.gallery import connection_pool
from pipeline.gallery.connection_pool import ConnectionPool
from schemas.errors import QueryError
from stages.select import Select
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.toys import Ingest, Label

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


def test_a_query_gives_rows_by_column_name(
    toy_pool: ConnectionPool, toys: dict[str, Artifact]
) -> None:
    rows = toy_pool.query("SELECT image_id, width FROM images ORDER BY 1 LIMIT 2")
    ids = sorted(rows_of(toys["images"])["image_id"].to_pylist())[:2]
    assert rows == [{"image_id": name, "width": 64} for name in ids]


def test_values_are_never_part_of_the_statement(toy_pool: ConnectionPool) -> None:
    text = "'; DROP VIEW images; --"
    assert toy_pool.query("SELECT ? AS text, ? AS number", [text, 7]) == [
        {"text": text, "number": 7}
    ]
    assert toy_pool.has_view("images")


def test_a_failed_query_is_one_line(toy_pool: ConnectionPool) -> None:
    with pytest.raises(QueryError, match=r"^[^\n]*no_such_table[^\n]*$"):
        toy_pool.query("SELECT * FROM no_such_table")


def test_views_are_known_by_name(toy_pool: ConnectionPool) -> None:
    views = [name for name in ("images", "mentions", "metrics") if toy_pool.has_view(name)]
    assert views == ["images", "mentions"]


def test_labels_come_before_selections_and_newer_ones_first(tmp_path: Path) -> None:
    root = tmp_path / "store"
    first = make_all(root, count=4)["pseudo_labels"]
    selection = make(Select(called="sure", where="region = 0"), root)
    newest = make(Label(temperature=0.5), root)
    pool = ConnectionPool(root)
    assert pool.label_addresses() == [newest.address, first.address, selection.address]
    assert pool.resolve("") == pool.resolve("pseudo_labels/v2-unknown") == newest.address
    assert pool.resolve(selection.address) == selection.address
    images = pool.image_addresses()
    assert [pool.resolve(address) for address in images] == images


def test_a_store_without_labels_resolves_to_nothing(tmp_path: Path) -> None:
    assert ConnectionPool(tmp_path / "none").resolve("") == ""
    assert ConnectionPool(tmp_path / "none").artifacts() == []
    images = make(Ingest(count=2), tmp_path / "store")
    pool = ConnectionPool(tmp_path / "store")
    assert (pool.label_addresses(), pool.resolve("")) == ([], "")
    assert pool.shown_artifact("images") == images
    assert pool.shown_artifact("pseudo_labels") is None
    assert not pool.shows_same_images("pseudo_labels")


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Artifact], Artifact]:
    """A toy store, and a newer set with more images; the first four ids are in both sets."""
    root = tmp_path_factory.mktemp("sets") / "store"
    artifacts = make_all(root, count=5)
    return artifacts, make(Ingest(count=8, seed=3), root)


def test_the_shown_artifact_is_the_ancestor_of_the_labels(
    two_sets: tuple[dict[str, Artifact], Artifact],
) -> None:
    artifacts, newer = two_sets
    pool = ConnectionPool(newer.root)
    assert pool.shown_artifact("images") == artifacts["images"]
    assert pool.shown_artifact("images", newer.address) == newer
    assert pool.shown_artifact("features", newer.address) == artifacts["features"]


def test_labels_of_other_images_are_not_of_the_same_images(
    two_sets: tuple[dict[str, Artifact], Artifact],
) -> None:
    artifacts, newer = two_sets
    pool = ConnectionPool(newer.root)
    assert pool.shows_same_images("pseudo_labels")
    assert pool.shows_same_images("pseudo_labels", artifacts["images"].address)
    assert not pool.shows_same_images("pseudo_labels", newer.address)
    assert not pool.shows_same_images("metrics")


def test_an_image_is_shown_in_the_labels_if_they_have_it_and_else_in_its_set(
    two_sets: tuple[dict[str, Artifact], Artifact],
) -> None:
    artifacts, newer = two_sets
    pool = ConnectionPool(newer.root)
    labels = artifacts["pseudo_labels"].address
    assert pool.address_with_image("toy/000001", labels) == labels
    assert pool.address_with_image("toy/000007", labels) == newer.address
    assert pool.address_with_image("toy/999999", labels) == labels


def test_a_cached_table_is_computed_once(toy_pool: ConnectionPool) -> None:
    statement = "SELECT n FROM counted"
    first = toy_pool.query_cached_table("counted", "SELECT count(*) AS n FROM images", statement)
    again = toy_pool.query_cached_table("counted", "SELECT -1 AS n", statement)
    assert first == again == toy_pool.query("SELECT count(*) AS n FROM images")
    with pytest.raises(QueryError, match="counted"):  # it lives in a connection of its own
        toy_pool.query(statement)


def test_old_connections_are_closed(
    toy_pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_pool, "_MAX_CONNECTIONS", 2)
    for table in ("a", "b", "a", "c"):
        toy_pool.query_cached_table(table, "SELECT 1 AS x", f"SELECT x FROM {table}")
    assert [table for _, table in toy_pool._connections] == ["a", "c"]


def test_threads_share_a_connection(toy_pool: ConnectionPool) -> None:
    results: list[int] = []

    def count() -> None:
        for _ in range(5):
            results.append(toy_pool.query("SELECT count(*) AS n FROM proposals")[0]["n"])

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert len(set(results)) == 1
    assert len(toy_pool._connections) == 1


def test_a_change_of_the_store_renews_artifacts_and_cached_values(tmp_path: Path) -> None:
    root = tmp_path / "store"
    make(Ingest(count=2), root)
    pool = ConnectionPool(root)
    computed: list[int] = []

    def compute() -> int:
        computed.append(1)
        return len(pool.artifacts())

    assert [pool.cached("key", compute) for _ in range(2)] == [1, 1]
    assert pool.query("SELECT count(*) AS n FROM images") == [{"n": 2}]
    newest = make(Ingest(count=3), root)
    assert pool.cached("key", compute) == 2
    assert len(computed) == 2
    assert pool.artifacts()[0] == newest
    assert pool.query("SELECT count(*) AS n FROM images") == [{"n": 3}]
    (newest.path / "manifest.json").unlink()
    assert pool.cached("key", compute) == 1
    assert pool.query("SELECT count(*) AS n FROM images") == [{"n": 2}]


def test_an_artifact_that_is_asked_for_again_is_the_newest_without_opening_anew(
    tmp_path: Path,
) -> None:
    first, second = (make(Ingest(count=count), tmp_path).address for count in (3, 4))
    pool = ConnectionPool(tmp_path)
    assert [artifact.address for artifact in pool.artifacts()] == [second, first]
    make(Ingest(count=3), tmp_path)
    assert [artifact.address for artifact in pool.artifacts()] == [first, second]
