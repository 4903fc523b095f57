"""What statements may name besides the newest tables: older artifacts, judged labels, queries."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.sql.named import named_queries, named_query
from pipeline.sql.statements import split
from schemas.errors import ArtifactNotFoundError, OptionError, QueryError, SchemaError
from tests.pipeline.helpers import ROOT, make, make_all
from tests.pipeline.toys import Ingest, Label

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("views") / "store", count=8)


def ask(root: Path, statement: str, **how: Any) -> list[dict[str, Any]]:
    how.setdefault("leads", sql.leads_of(statement))
    with sql.connect(root, names=sql.pins_in(statement), **how) as connection:
        reader = sql.batches(sql.query(connection, statement))
        return [row for batch in reader for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("statement", "pins"),
    [
        ("FROM images@3f9c", ["images@3f9c"]),
        ("FROM images@3f9c JOIN images@3f9c USING (image_id)", ["images@3f9c"]),
        ('FROM "images@3f", objects@00', ["images@3f", "objects@00"]),
        (r"SELECT E'it\'s images@3f' AS a", []),
        ("SELECT $t$ user@example $$ $t$, $$ a@b $$", []),
        ("/* a /* b@00 */ c@11 */ FROM images@3f", ["images@3f"]),
        ("SELECT 'images@3f' FROM a -- b@00\n/* c@11 */", []),
        ("SELECT 'it''s b@00', $$ c@11 $$", []),
        ('FROM "not a pin@00"', []),
        ("SELECT @ -5", []),
    ],
)
def test_a_pin_is_a_name_and_never_text(statement: str, pins: list[str]) -> None:
    assert sql.pins_in(statement) == pins


def test_an_older_artifact_answers_under_its_own_name(tmp_path: Path) -> None:
    old = make(Ingest(count=5), tmp_path)
    make(Ingest(count=3), tmp_path)
    pin = f"images@{old.manifest.fingerprint[:6]}"
    (row,) = ask(
        tmp_path, f"SELECT (SELECT count(*) FROM {pin}) AS old, count(*) AS new FROM images"
    )
    assert row == {"old": 5, "new": 3}
    captions = f"captions@{old.manifest.fingerprint[:6]}"
    assert len(ask(tmp_path, f"SELECT DISTINCT image_id FROM {captions}")) == 5


def test_older_labels_come_with_the_names_they_were_made_with(tmp_path: Path) -> None:
    first = make_all(tmp_path, count=4)["pseudo_labels"]
    again = make(Label(temperature=0.5), tmp_path)
    pin = f"pseudo_labels@{first.manifest.fingerprint[:8]}"
    rows = ask(tmp_path, f"SELECT concept, x0 FROM {pin}")
    assert len(rows) == first.manifest.rows == again.manifest.rows
    assert all(row["concept"] for row in rows)


def test_a_pin_that_matches_nothing_is_a_sentence(made: dict[str, Artifact]) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'images@000000'"):
        ask(made["images"].root, "FROM images@000000")


def test_a_pinned_name_reads_nothing_but_the_store(made: dict[str, Artifact]) -> None:
    pin = f"images@{made['images'].manifest.fingerprint[:6]}"
    with pytest.raises(QueryError, match="Permission Error"):
        ask(
            made["images"].root, f"SELECT (SELECT count(*) FROM read_csv('/etc/passwd')) FROM {pin}"
        )


def test_rows_of_another_table_version_are_no_view_and_no_crash(tmp_path: Path) -> None:
    labels = make_all(tmp_path, count=4)["pseudo_labels"]
    manifest = labels.path / "manifest.json"
    text = manifest.read_text().replace('"version": 2', '"version": 1', 1)
    old = labels.path.with_name(labels.path.name.replace("v2-", "v1-"))
    labels.path.rename(old)
    (old / "manifest.json").write_text(text)
    assert ask(tmp_path, "SELECT count(*) AS n FROM images") == [{"n": 3}]
    with pytest.raises(QueryError, match="pseudo_labels does not exist"):
        ask(tmp_path, "FROM pseudo_labels")
    with pytest.raises(SchemaError, match="older version"):
        ask(tmp_path, f"FROM pseudo_labels@{labels.manifest.fingerprint[:6]}")


def test_a_judged_label_names_the_object_it_overlaps_by_half(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    rows = ask(
        root, "SELECT image_id, region, x0, y0, x1, y1, truth, iou, captions FROM judged_labels"
    )
    objects = ask(root, "FROM objects")
    assert len(rows) == made["pseudo_labels"].manifest.rows
    for row in rows:
        own = [o for o in objects if o["image_id"] == row["image_id"]]
        best = max(((_iou(row, o), o["category"]) for o in own), default=(None, None))
        assert row["iou"] == pytest.approx(best[0], abs=1e-6)
        assert row["truth"] == (best[1] if own and best[0] >= 0.5 else None)
        assert row["captions"]


def _iou(a: dict[str, Any], b: dict[str, Any]) -> float:
    wide = max(0.0, min(a["x1"], b["x1"]) - max(a["x0"], b["x0"]))
    high = max(0.0, min(a["y1"], b["y1"]) - max(a["y0"], b["y0"]))
    areas = [(r["x1"] - r["x0"]) * (r["y1"] - r["y0"]) for r in (a, b)]
    return wide * high / (sum(areas) - wide * high)


@pytest.mark.parametrize("name", named_queries())
def test_a_named_query_is_answered_and_says_what_it_is(
    made: dict[str, Artifact], name: str
) -> None:
    found = named_query(name)
    ask(made["images"].root, found.statement)
    assert found.doc.endswith(".")
    assert found.needs.startswith("Needs ")
    assert f"## {name}" in (ROOT / "docs" / "queries.md").read_text()


def test_an_unknown_query_is_told_the_known_ones() -> None:
    with pytest.raises(
        QueryError, match=r"no query is called 'nonsense'; there are .*rare-concepts"
    ):
        named_query("nonsense")


def test_a_text_is_split_into_its_statements() -> None:
    first, second = split("SELECT ';' AS a; -- and\nFROM images@3f LIMIT 1;\n")
    assert first.startswith("SELECT ';' AS a")
    assert second.startswith('FROM "images@3f" LIMIT 1')
    with pytest.raises(QueryError, match="Parser Error"):
        split("SELEC 1")


def test_an_answer_that_takes_too_long_is_interrupted(made: dict[str, Artifact]) -> None:
    started = time.monotonic()
    endless = (
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range < 0"
    )
    with (
        sql.connect(made["images"].root) as connection,
        pytest.raises(QueryError, match=r"no answer within 0.2 s"),
        sql.within(connection, 0.2),
    ):
        list(sql.batches(sql.query(connection, endless)))
    assert time.monotonic() - started < 10


def test_an_error_within_the_time_is_the_error_itself(made: dict[str, Artifact]) -> None:
    with (
        sql.connect(made["images"].root) as connection,
        pytest.raises(QueryError, match="nowhere"),
        sql.within(connection, 60),
    ):
        sql.query(connection, "FROM nowhere")


@pytest.mark.parametrize("materialize", [False, True])
def test_a_database_is_opened_by_any_client(
    made: dict[str, Artifact], tmp_path: Path, materialize: bool
) -> None:
    root, path = made["images"].root, tmp_path / "out.duckdb"
    names = sql.write_database(root, path, materialize=materialize)
    with duckdb.connect(path, read_only=True) as client:
        for name in names:
            client.execute(f"SELECT * FROM {name}").fetchall()
        there = client.execute("SELECT count(*) FROM pseudo_labels").fetchone()
        kind = client.execute("SELECT typeof(feature) FROM features LIMIT 1").fetchone()
    assert there == (made["pseudo_labels"].manifest.rows,)
    assert kind is not None
    assert kind[0].startswith("FLOAT[" if materialize else "BLOB")
    assert {"artifacts", "lineage", "quarantine", "judged_labels"} <= set(names)


def test_a_database_that_cannot_be_written_leaves_nothing(
    made: dict[str, Artifact], tmp_path: Path
) -> None:
    with pytest.raises((QueryError, OSError)):
        sql.write_database(made["images"].root, tmp_path / "no folder" / "out.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_a_view_over_features_still_computes_with_vectors(made: dict[str, Artifact]) -> None:
    pin = f"features@{made['features'].manifest.fingerprint[:6]}"
    (row,) = ask(
        made["images"].root,
        f"SELECT max(array_cosine_similarity(feature, feature)) AS own FROM {pin}",
    )
    assert row["own"] == pytest.approx(1.0, abs=1e-3)


def test_rows_are_arrow_all_the_way(made: dict[str, Artifact]) -> None:
    with sql.connect(made["images"].root) as connection:
        assert isinstance(sql.batches(sql.query(connection, "FROM images")), pa.RecordBatchReader)


def test_a_database_replaces_a_database_alone_and_only_if_told(
    made: dict[str, Artifact], tmp_path: Path
) -> None:
    root = made["images"].root
    path = tmp_path / "out.duckdb"
    sql.write_database(root, path)
    before = path.read_bytes()
    with pytest.raises(OptionError, match="--force to replace it"):
        sql.write_database(root, path)
    assert path.read_bytes() == before
    sql.write_database(root, path, force=True)
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    for name in ("notes.txt", "folder", "empty"):
        with pytest.raises(OptionError, match="exists and is no DuckDB file"):
            sql.write_database(root, tmp_path / name, force=True)
    with pytest.raises(OptionError, match="is no name for a file"):
        sql.write_database(root, type(path)(), force=True)
    assert (tmp_path / "notes.txt").read_text() == "precious"
