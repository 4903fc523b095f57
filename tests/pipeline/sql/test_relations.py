"""Which artifacts the views of a connection show."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import duckdb
import pytest

from pipeline import sql
from pipeline.sql.catalog_tables import catalog_tables
from pipeline.sql.relations import (
    TABLE_ORDER,
    VIEW_SOURCES,
    empty_table,
    part_relations,
    store_relations,
)
from pipeline.sql.views import view_files
from pipeline.store.tables import SCHEMAS, all_tables
from pipeline.verbs import VERBS
from schemas.errors import ArtifactError, ArtifactNotFoundError, QueryError, SchemaError
from tests.pipeline.demo_store import NameEveryThirdWrong
from tests.pipeline.exporting.toy_detector import ToyDetector
from tests.pipeline.helpers import make, make_all, rewrite_manifest
from tests.pipeline.sql.query_rows import query_rows
from tests.pipeline.toys import WORDS, EmbedConcepts, ExtractConcepts, Ingest, Label, Propose

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


def test_an_empty_store_is_refused(root: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"nothing is in .* begin with 'rc ingest'"):
        sql.connect(root)


def test_a_store_with_only_some_tables_has_only_their_views(root: Path) -> None:
    make(Ingest(), root)
    names = {
        row["name"] for row in query_rows(root, "SHOW TABLES") if not row["name"].startswith("_")
    }
    assert names == {"images", "captions", "objects", "artifacts", "lineage", "quarantine"}
    with pytest.raises(QueryError, match="there are no features in this store yet: 'rc featurize'"):
        query_rows(root, "FROM features")


def test_a_statement_sees_the_newest_artifact_of_its_subject_and_the_inputs_of_that(
    root: Path,
) -> None:
    made = make_all(root)
    make(Ingest(count=3), root)
    assert query_rows(root, "SELECT count(*) AS n FROM images")[0]["n"] == 3
    joined = "SELECT count(DISTINCT image_id) AS n FROM {} JOIN {} USING (image_id)"
    assert query_rows(root, joined.format("images", "pseudo_labels"))[0]["n"] > 3
    assert query_rows(root, joined.format("pseudo_labels", "captions"))[0]["n"] > 3
    shown = {row["artifact"] for row in query_rows(root, "FROM artifacts WHERE shown")}
    assert shown == {artifact.address for artifact in made.values()}


def test_a_preferred_artifact_is_shown_with_its_inputs(root: Path) -> None:
    made = make_all(root)
    make_all(root, count=5)
    assert query_rows(root, "SELECT count(*) AS n FROM images")[0]["n"] == 4
    pin = f"pseudo_labels@{made['pseudo_labels'].manifest.fingerprint[:8]}"
    assert query_rows(root, "SELECT count(*) AS n FROM images", pin)[0]["n"] == 17
    assert query_rows(root, "SELECT count(*) AS n FROM proposals", pin)[0]["n"] == 51
    with pytest.raises(ArtifactNotFoundError):
        query_rows(root, "FROM images", "images@00000000")


def test_an_older_artifact_can_be_queried_by_its_name(tmp_path: Path) -> None:
    older = make(Ingest(count=5), tmp_path)
    make(Ingest(count=3), tmp_path)
    pin = f"images@{older.manifest.fingerprint[:6]}"
    (row,) = query_rows(
        tmp_path, f"SELECT (SELECT count(*) FROM {pin}) AS old, count(*) AS new FROM images"
    )
    assert row == {"old": 5, "new": 3}
    captions = f"captions@{older.manifest.fingerprint[:6]}"
    assert len(query_rows(tmp_path, f"SELECT DISTINCT image_id FROM {captions}")) == 5


def test_older_labels_have_the_concept_names_of_their_own_pool(tmp_path: Path) -> None:
    first = make_all(tmp_path, count=4)["pseudo_labels"]
    again = make(Label(temperature=0.5), tmp_path)
    pin = f"pseudo_labels@{first.manifest.fingerprint[:8]}"
    rows = query_rows(tmp_path, f"SELECT concept, x0 FROM {pin}")
    assert len(rows) == first.manifest.rows == again.manifest.rows
    assert all(row["concept"] for row in rows)


def test_labels_keep_their_own_names_and_boxes_when_newer_ones_exist(root: Path) -> None:
    made = make_all(root)
    before = query_rows(root, "FROM pseudo_labels ORDER BY ALL")
    pool = make(ExtractConcepts(min_frequency=9), root)  # a smaller pool: other ids
    teacher = made["teachers"].address
    make(EmbedConcepts(), root, {"concepts": pool.address, "teacher": teacher})
    make(Propose(regions=1), root)
    assert query_rows(root, "FROM pseudo_labels ORDER BY ALL") == before
    assert len(query_rows(root, "FROM concept_embeddings")) == pool.manifest.rows < len(WORDS)


def test_labels_whose_embeddings_were_deleted_are_shown_without_names(root: Path) -> None:
    made = make_all(root)
    (made["concept_embeddings"].path / "manifest.json").unlink()
    (row,) = query_rows(root, "FROM pseudo_labels LIMIT 1")
    assert "concept" not in row
    assert row["region"] == 0


def test_a_pin_that_matches_nothing_is_refused(store: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'images@000000'"):
        query_rows(store, "FROM images@000000")


def test_artifacts_of_another_table_version_have_no_view(tmp_path: Path) -> None:
    labels = make_all(tmp_path, count=4)["pseudo_labels"]
    content = json.loads((labels.path / "manifest.json").read_text())
    old = labels.path.with_name(labels.path.name.replace("v3-", "v1-"))
    labels.path.rename(old)
    rewrite_manifest(old, {**content, "version": 1})
    assert query_rows(tmp_path, "SELECT count(*) AS n FROM images") == [{"n": 3}]
    with pytest.raises(QueryError, match="another version of this program: run 'rc label'"):
        query_rows(tmp_path, "FROM pseudo_labels")
    with pytest.raises(SchemaError, match="older version"):
        query_rows(tmp_path, f"FROM pseudo_labels@{labels.manifest.fingerprint[:6]}")


def test_the_table_order_has_the_table_of_every_stage() -> None:
    verbs = VERBS.values()
    also = {verb.also[0] for verb in verbs if verb.also}
    assert set(TABLE_ORDER) == {verb.load().writes.name for verb in verbs} | also


def test_no_two_things_in_a_store_have_the_same_name() -> None:
    """What lies beside an artifact's rows never has the name of an artifact's own table."""
    own, catalog = set(TABLE_ORDER), set(catalog_tables([], (), ()))
    named_otherwise = set(VIEW_SOURCES)
    assert not own & named_otherwise
    assert not catalog & (own | named_otherwise)
    assert set(VIEW_SOURCES.values()) <= own
    assert {name for name, _, _ in view_files()} <= own | named_otherwise
    assert {table.name for table in all_tables()} <= own | catalog | named_otherwise
    attached = {
        name
        for path in (SCHEMAS.parent / "stages").rglob("*.py")
        for name in re.findall(r'attach\(\s*f?"([^"]+)\.parquet"', path.read_text())
    }
    assert {"evaluated_detections", "matches"} <= attached
    assert not attached & (own | catalog)


@pytest.mark.parametrize("evaluated_last", [False, True])
def test_detections_are_those_of_rc_detect_whatever_was_evaluated(
    tmp_path: Path, evaluated_last: bool
) -> None:
    root = tmp_path / "store"
    make(Ingest(count=8), root)
    if evaluated_last:
        found = make(ToyDetector(), root)
    metrics = make(NameEveryThirdWrong(), root)
    if not evaluated_last:
        found = make(ToyDetector(), root)
    count = "SELECT count(*) AS n FROM {}"
    num_objects = query_rows(root, count.format("objects"))[0]["n"]
    assert found.manifest.rows == 7  # 0, 1, 2, 0, 1, 2, 0, 1 of the images
    pin = found.manifest.fingerprint[:8]
    for name in ("detections", f"detections@{pin}"):
        assert query_rows(root, count.format(name))[0]["n"] == 7
        categories = query_rows(root, f"SELECT DISTINCT category FROM {name} ORDER BY 1")
        assert [row["category"] for row in categories] == ["cat", "dog"]
    assert query_rows(root, count.format("detections"), f"detections@{pin}")[0]["n"] == 7
    judged = metrics.manifest.fingerprint[:8]
    for name in ("evaluated_detections", f"evaluated_detections@{judged}"):
        assert query_rows(root, count.format(name))[0]["n"] == num_objects == 8
    pinned = query_rows(root, count.format("metrics"), f"evaluated_detections@{judged}")
    assert pinned[0]["n"] == metrics.manifest.rows

    for materialize in (False, True):
        path = tmp_path / f"{materialize}.duckdb"
        assert "evaluated_detections" in sql.write_database(root, path, materialize=materialize)
        with duckdb.connect(path, read_only=True) as client:
            counts = client.execute(
                "SELECT (SELECT count(*) FROM detections), "
                "(SELECT count(*) FROM evaluated_detections)"
            ).fetchone()
        assert counts == (7, 8)


def test_an_evaluation_alone_makes_no_detections(tmp_path: Path) -> None:
    make(Ingest(count=3), tmp_path)
    make(NameEveryThirdWrong(), tmp_path)
    with pytest.raises(QueryError, match="'rc detect' makes them; evaluated_detections are there"):
        query_rows(tmp_path, "FROM detections")


def test_a_part_brings_only_its_own_files(artifacts: dict[str, Artifact]) -> None:
    labels = artifacts["pseudo_labels"]
    files = part_relations(labels, 2).files
    assert files["pseudo_labels"] == files["_all_labels"] == [labels.part(2)]
    assert files["_labelled_images"] == [artifacts["images"].part(2)]
    assert files["_labelled_concepts"] == artifacts["concept_embeddings"].files()


def test_the_allowed_files_include_those_of_pins(root: Path) -> None:
    older = make(Ingest(count=5), root)
    newer = make(Ingest(count=3), root)
    pin = f"images@{older.manifest.fingerprint[:6]}"
    allowed = store_relations(root, (), [pin]).paths()
    assert set(allowed) == {*older.files(), *newer.files()}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("images", "images"),
        ("_labelled_images", "images"),
        ("_labelled_concepts", "concept_embeddings"),
        ("_all_labels", "pseudo_labels"),
    ],
)
def test_an_empty_table_has_the_columns_of_its_source(name: str, table: str) -> None:
    assert empty_table(name).schema.names == empty_table(table).schema.names
    assert empty_table(name).num_rows == 0


def test_only_the_files_behind_the_views_of_a_statement_are_looked_at(root: Path) -> None:
    made = make_all(root)
    for table in ("images", "proposals", "features"):
        made[table].part(1).unlink()
    assert len(query_rows(root, "FROM pseudo_labels")) == made["pseudo_labels"].manifest.rows
    assert query_rows(root, "SELECT count(*) AS n FROM mentions")[0]["n"] > 0
    for statement in ("FROM captions", "FROM judged_labels", "SELECT 1 FROM features"):
        with pytest.raises(ArtifactError, match=r"part-00001.parquet is missing although"):
            query_rows(root, statement)


def test_a_damaged_list_of_parts_hinders_only_statements_that_need_it(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    older = make(Ingest(refuse_every=4), root)
    make(Ingest(count=3, refuse_every=2), root)
    metrics = make(NameEveryThirdWrong(), root)
    for artifact in (older, metrics):
        (artifact.path / "parts.jsonl").write_bytes(b"{}")
        (artifact.path / "manifest.json").touch()  # forget what was read
    assert query_rows(root, "SELECT count(*) AS n FROM images") == [{"n": 1}]
    assert len(query_rows(root, "FROM artifacts")) == 3
    assert f"{older.address} is left out: " not in caplog.text
    assert len(query_rows(root, "FROM quarantine")) == 2
    assert f"{older.address} is left out: " in caplog.text
    with pytest.raises(ArtifactError, match=f"{metrics.address}/parts.jsonl cannot be read"):
        query_rows(root, "FROM confusions")


def test_what_an_artifact_lacks_is_not_blamed_on_the_version_of_the_program(root: Path) -> None:
    make(Ingest(count=3), root)
    metrics = make(NameEveryThirdWrong(), root)
    with pytest.raises(QueryError, match=f"{metrics.address} has no calibration: 'rc evaluate'"):
        query_rows(root, "FROM calibration")
