"""A connection reads only what its views show: no other file, no setting, no write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import sql
from pipeline.sql.connection import sql_literal
from pipeline.sql.relations import store_relations
from schemas.errors import ArtifactNotFoundError, QueryError
from tests.pipeline.helpers import contents, make_all
from tests.pipeline.sql.query_rows import query_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """Artifacts in a store of their own, beside files that no statement may read."""
    root = tmp_path_factory.mktemp("locked") / "store"
    stored = make_all(root, count=8)
    (root.parent / "secret.csv").write_text("secret\n")
    pq.write_table(pa.table({"a": [1]}), root.parent / "secret.parquet")
    return stored


def ask(stored: dict[str, Artifact], statement: str) -> list[Any]:
    """The rows of a statement with the paths of files inside and outside of the views."""
    root = stored["images"].root
    inside = stored["images"].part(0)
    statement = statement.format(
        inside=inside, outside=root.parent, manifest=stored["images"].path / "manifest.json"
    )
    with sql.connect(root) as connection:
        reader = sql.batches(sql.query(connection, statement))
        return [row for batch in reader for row in batch.to_pylist()]


HOSTILE = [
    # writes to files
    "COPY images TO '{outside}/stolen.csv'",
    "COPY (SELECT 1) TO '{inside}'",
    "COPY images FROM '{outside}/secret.csv'",
    "COPY FROM DATABASE memory TO memory",
    "EXPORT DATABASE '{outside}/dump'",
    "IMPORT DATABASE '{outside}/dump'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{inside}'",
    "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{inside}'",
    "/* */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{inside}'",
    "EXPLAIN ANALYZE EXPLAIN ANALYZE COPY (SELECT 1) TO '{inside}'",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    "EXPLAIN COPY (SELECT 1) TO '{inside}'",
    # other databases, libraries, settings
    "ATTACH '{outside}/new.db'",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "UPDATE EXTENSIONS",
    "CREATE SECRET s (TYPE s3)",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET GLOBAL memory_limit = '1GB'",
    "RESET lock_configuration",
    "SET VARIABLE a = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "PRAGMA version",
    "CALL pragma_version()",
    "CALL enable_logging()",
    "FROM enable_logging()",
    "FROM enable_profiling()",
    # tables
    "CREATE TABLE t (a INTEGER)",
    "CREATE TABLE t AS FROM images",
    "CREATE OR REPLACE VIEW images AS SELECT 1",
    "CREATE TEMP MACRO m() AS 1",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE SEQUENCE s",
    "DROP VIEW images",
    "ALTER VIEW images RENAME TO pictures",
    "COMMENT ON VIEW images IS 'x'",
    "INSERT INTO images SELECT * FROM images",
    "UPDATE images SET width = 0",
    "DELETE FROM images",
    "TRUNCATE images",
    "MERGE INTO images USING images ON true WHEN MATCHED THEN DELETE",
    "WITH x AS (INSERT INTO images SELECT * FROM images RETURNING *) FROM x",
    "WITH x AS (DELETE FROM images RETURNING *) FROM x",
    "WITH x AS (UPDATE images SET width = 0 RETURNING *) FROM x",
    # writing from inside a SELECT, also into files that may be read
    "WITH x AS (COPY (SELECT 1) TO '{inside}' (FORMAT csv, USE_TMP_FILE false)) SELECT 1",
    "WITH x AS MATERIALIZED (COPY (SELECT 1) TO '{inside}') FROM x",
    "WITH x AS (COPY (SELECT 1) TO '{outside}/stolen.csv') FROM x",
    "WITH y AS (WITH x AS (COPY (SELECT 1) TO '{inside}' (USE_TMP_FILE false)) FROM x) FROM y",
    "SELECT 1 UNION ALL (WITH x AS (COPY (SELECT 1) TO '{inside}' (USE_TMP_FILE false)) FROM x)",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{inside}' (USE_TMP_FILE false)) FROM x",
    "FROM query('WITH x AS (COPY (SELECT 1) TO ''{inside}'' (USE_TMP_FILE false)) FROM x')",
    "WITH x AS (COPY (SELECT 1) TO 'rows.csv' (PARTITION_BY (a))) FROM x",
    # files by table function, by name, by URL
    "FROM '{outside}/secret.csv'",
    "FROM '{outside}/secret.parquet'",
    "FROM read_csv('{outside}/secret.csv')",
    "FROM read_csv_auto('{outside}/secret.csv')",
    "FROM read_parquet('{outside}/*.parquet')",
    "FROM parquet_scan('{outside}/secret.parquet')",
    "FROM parquet_metadata('{outside}/secret.parquet')",
    "FROM parquet_schema('{outside}/secret.parquet')",
    "FROM read_text('{outside}/secret.csv')",
    "FROM read_blob('{outside}/secret.csv')",
    "FROM read_json('{outside}/secret.csv')",
    "FROM read_ndjson_objects('{outside}/secret.csv')",
    "FROM read_text('{manifest}')",
    "FROM read_text('{inside}/../manifest.json')",
    "FROM sniff_csv('{outside}/secret.csv')",
    "FROM glob('{outside}/*')",
    "FROM glob('{inside}/../*')",
    "FROM read_duckdb('{outside}/x.db')",
    "SELECT (SELECT content FROM read_text('{outside}/secret.csv'))",
    "FROM query('FROM read_text(''{outside}/secret.csv'')')",
    "FROM query('COPY images TO ''{outside}/stolen.csv''')",
    "FROM query_table('{outside}/secret.parquet')",
    "FROM 'https://example.com/a.parquet'",
    "FROM read_parquet('https://example.com/a.parquet')",
    "FROM read_parquet('s3://bucket/a.parquet')",
    "FROM read_csv('/proc/self/environ')",
    "SELECT getenv('HOME')",
    "FROM duckdb_secrets()",
    "FROM which_secret('s3://bucket', 's3')",
    "FROM duckdb_extensions()",
    'FROM "{outside}/secret.parquet"',
    "FROM read_parquet(['{inside}', '{outside}/secret.parquet'])",
    "FROM read_parquet('{inside}*')",
    "FROM read_single_csv_file('{outside}/secret.csv')",
    "FROM parquet_kv_metadata('{outside}/secret.parquet')",
    "FROM read_text('file://{outside}/secret.csv')",
    "FROM read_text('/dev/stdin')",
    "SUMMARIZE '{outside}/secret.csv'",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
    "SELECT (SELECT sum(length(content)) FROM read_blob('{outside}/**'))",
    "FROM enable_logging('FileSystem', storage := 'file', storage_path := '{outside}')",
    "FROM disable_profiling()",
    "FROM arrow_scan(1, 2, 3)",
    "FROM sqlite_scan('{outside}/x.db', 't')",
    # more or less than one statement
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW images",
    "SELECT 1; COPY images TO '{outside}/stolen.csv'",
    "SELECT 1 /* ; */; DELETE FROM images --",
    ";;; DROP VIEW images",
    "EXPLAIN ANALYZE SELECT 1; DROP VIEW images",
    "SELECT 1 -- \n; COPY images TO '{outside}/stolen.csv'",
    "/* SELECT 1",
    "\uff33\uff25\uff2c\uff25\uff23\uff34 1",
    "\\! ls",
    "SELECT '\udcff'",
    "",
    ";",
    "-- nothing",
    # transactions and prepared statements
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    # names of Python variables
    "FROM reader",
    "FROM connection",
    "FROM statement",
    "FROM stored",
]


@pytest.mark.slow
@pytest.mark.parametrize("statement", HOSTILE)
def test_a_hostile_statement_is_refused_and_changes_nothing(
    stored: dict[str, Artifact], statement: str
) -> None:
    root = stored["images"].root
    before = {name: contents(artifact.path) for name, artifact in stored.items()}
    outside = sorted(path.name for path in root.parent.iterdir())
    with pytest.raises(QueryError) as refused:
        ask(stored, statement)
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert {name: contents(artifact.path) for name, artifact in stored.items()} == before
    assert sorted(path.name for path in root.parent.iterdir()) == outside


@pytest.mark.slow
def test_the_settings_show_that_the_connection_is_locked(store: Path) -> None:
    rows = query_rows(store, "SELECT name, value FROM duckdb_settings()")
    settings = {row["name"]: row["value"] for row in rows}
    assert settings["enable_external_access"] == "false"
    assert settings["lock_configuration"] == "true"
    assert settings["autoinstall_known_extensions"] == "false"
    assert settings["autoload_known_extensions"] == "false"


@pytest.mark.slow
def test_nothing_is_written_to_the_working_directory(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    query_rows(
        store,
        "SELECT count(*) FROM pseudo_labels, pseudo_labels AS b, pseudo_labels AS c",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_statement_with_a_pin_reads_only_the_store(artifacts: dict[str, Artifact]) -> None:
    pin = f"images@{artifacts['images'].manifest.fingerprint[:6]}"
    with pytest.raises(QueryError, match="Permission Error"):
        query_rows(
            artifacts["images"].root,
            f"SELECT (SELECT count(*) FROM read_csv('/etc/passwd')) FROM {pin}",
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["sto're", "sto[re]", "st*re", "st?re", 'st"ore', "st{o}re", "ö ü"]
)
def test_the_path_of_a_store_may_hold_any_character(tmp_path: Path, name: str) -> None:
    made = make_all(tmp_path / name, count=3)
    make_all(tmp_path / "store", count=5)  # what the name would match as a pattern
    assert query_rows(tmp_path / name, "SELECT count(*) AS n FROM pseudo_labels") == [
        {"n": made["pseudo_labels"].manifest.rows}
    ]
    sql.write_database(tmp_path / name, tmp_path / "out.duckdb")
    assert list(sql.matching(made["pseudo_labels"], 0, "true"))


@pytest.mark.slow
def test_a_pin_without_the_tables_of_its_view_is_refused(artifacts: dict[str, Artifact]) -> None:
    name = f"mentions@{artifacts['images'].manifest.fingerprint[:6]}"
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'concepts@"):
        sql.connect(artifacts["images"].root, names=[name])
    judged = f"judged_labels@{artifacts['pseudo_labels'].manifest.fingerprint[:6]}"
    with sql.connect(artifacts["images"].root, names=[judged]) as connection:
        assert sql.batches(sql.query(connection, f"FROM {judged}")).read_all().num_rows > 0


def test_a_number_of_threads_can_be_set(store: Path) -> None:
    with sql.open_locked(store_relations(store, (), ()), threads=1) as connection:
        assert connection.execute("SELECT current_setting('threads')").fetchone() == (1,)


@pytest.mark.parametrize("text", ["", "it's", "''", "a\\'b", "ö"])
def test_a_literal_has_the_value_of_its_text(text: str) -> None:
    assert duckdb.sql(f"SELECT {sql_literal(text)}").fetchall() == [(text,)]
