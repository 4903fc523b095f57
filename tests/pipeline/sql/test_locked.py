"""A statement may read what the views show: no file, no setting, no second statement, no write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipeline import sql
from schemas.errors import ArtifactNotFoundError, QueryError
from tests.pipeline.helpers import contents, make_all

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    root = tmp_path_factory.mktemp("locked") / "store"
    made = make_all(root, count=8)
    (root.parent / "secret.csv").write_text("secret\n")
    pa.parquet.write_table(pa.table({"a": [1]}), root.parent / "secret.parquet")
    return made


def ask(made: dict[str, Artifact], statement: str) -> list[Any]:
    root = made["images"].root
    inside = made["images"].part(0)
    statement = statement.format(
        inside=inside, outside=root.parent, manifest=made["images"].path / "manifest.json"
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
    # names of the program that asks
    "FROM reader",
    "FROM connection",
    "FROM statement",
    "FROM made",
]


@pytest.mark.parametrize("statement", HOSTILE)
def test_a_hostile_statement_is_refused_and_changes_nothing(
    made: dict[str, Artifact], statement: str
) -> None:
    root = made["images"].root
    before = {name: contents(artifact.path) for name, artifact in made.items()}
    outside = sorted(path.name for path in root.parent.iterdir())
    with pytest.raises(QueryError) as said:
        ask(made, statement)
    assert str(said.value)
    assert "\n" not in str(said.value)
    assert {name: contents(artifact.path) for name, artifact in made.items()} == before
    assert sorted(path.name for path in root.parent.iterdir()) == outside


def test_settings_may_be_read_and_say_that_the_door_is_locked(made: dict[str, Artifact]) -> None:
    found = {
        row["name"]: row["value"] for row in ask(made, "SELECT name, value FROM duckdb_settings()")
    }
    assert found["enable_external_access"] == "false"
    assert found["lock_configuration"] == "true"
    assert found["autoinstall_known_extensions"] == "false"
    assert found["autoload_known_extensions"] == "false"


def test_nothing_is_written_where_the_user_stands(
    made: dict[str, Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ask(made, "SELECT count(*) FROM pseudo_labels, pseudo_labels AS b, pseudo_labels AS c")
    assert list(tmp_path.iterdir()) == []


PREDICATES = [
    "true) UNION ALL SELECT * FROM pseudo_labels WHERE (true",
    "true) OR (true",
    "true) LIMIT 1 --",
    "true) --",
    "true /*",
    "true; COPY images TO '{outside}/stolen.csv'",
    "true; DROP VIEW pseudo_labels",
    "true ORDER BY 1",
    "true FROM images",
    "true AS x",
    "a, b",
    "*",
    "",
    "SELECT true",
    "EXISTS (FROM read_text('{outside}/secret.csv'))",
    "(SELECT count(*) > 0 FROM '{outside}/secret.parquet')",
    "concept IN (SELECT secret FROM read_csv('{outside}/secret.csv'))",
    "EXISTS (FROM glob('{outside}/*'))",
    "EXISTS (FROM images)",  # only labels, boxes and names are there
    "concept",
    "'x'",
    "no_such_column > 1",
    "no_such_function(region)",
    "count(*) > 1",
    "random() > 0.5",
    "RANDOM ( ) > 0.5",
    '"random"() > 0.5',
    "now() > '2020-01-01'",
    "current_date > '2020-01-01'",
    "uuid() > 'a'",
    "random/**/() > 0.5",
    "main.random /* */ () > 0.5",
    "ago(INTERVAL 1 DAY) > '2020-01-01'",
    "pg_sleep(1) IS NULL",
    "list_contains(list_transform([1], lambda x: x + random()), 1)",
    "EXISTS (FROM query('SELECT ran' || 'dom() > 0.5'))",
    "EXISTS (FROM json_execute_serialized_sql(json_serialize_sql('SELECT random()')))",
    "EXISTS (FROM duckdb_memory() WHERE memory_usage_bytes % 2 = 1)",
    "EXISTS (FROM duckdb_settings)",
    "region IN (SELECT region FROM pseudo_labels TABLESAMPLE 10%)",
    "region IN (WITH x AS (COPY (SELECT 1) TO '{outside}/stolen.csv') SELECT 1)",
    "NOT " * 3000 + "kept",
    "concept = '\udcff'",
    "region IN (SELECT region FROM pseudo_labels USING SAMPLE 1)",
    "current_localtimestamp() > TIMESTAMP '2020-01-01'",
    "age(TIMESTAMP '2020-01-01') > INTERVAL 5 YEAR",
    "version() LIKE 'v%'",
]


@pytest.mark.parametrize("predicate", PREDICATES)
def test_a_predicate_is_one_expression_over_the_labels_or_is_refused(
    made: dict[str, Artifact], predicate: str
) -> None:
    labels = made["pseudo_labels"]
    predicate = predicate.format(outside=labels.root.parent)
    before = contents(labels.path)
    with pytest.raises(QueryError) as said:
        list(sql.matching(labels, 0, predicate))
    assert "\n" not in str(said.value)
    assert contents(labels.path) == before


@pytest.mark.parametrize(
    "predicate",
    [
        "true",
        "kept",
        "in_caption",
        "probability > 0.1 AND (margin > 0 OR entropy < 1)",
        "concept LIKE 'd%' -- dogs",
        "(x1 - x0) * (y1 - y0) > 50",
        "probability > (SELECT avg(probability) FROM pseudo_labels)",
        "region = (SELECT min(region) FROM pseudo_labels)",
        "list_contains(top_ids, 0)",
        "concept <> 'now'",
        "concept <> 'sample'",
        "concept <> 'random() or now (here)'",
        "region IN (FROM range(3))",
        "concept IN (WITH d AS (SELECT concept FROM pseudo_labels) FROM d)",
        " OR ".join(f"region = {number}" for number in range(2000)),
    ],
)
def test_an_honest_predicate_is_answered(made: dict[str, Artifact], predicate: str) -> None:
    list(sql.matching(made["pseudo_labels"], 0, predicate))


def test_what_is_said_of_a_mistake_obeys_no_terminal_and_is_short(
    made: dict[str, Artifact],
) -> None:
    for statement in (
        "SELECT error(chr(27) || ']0;owned' || chr(7) || chr(155) || '31m')",
        "SELECT (chr(27) || '[31m')::INTEGER",
        "SELECT repeat('x', 100000)::INTEGER",
    ):
        with pytest.raises(QueryError) as said:
            ask(made, statement)
        assert str(said.value).isprintable()
        assert len(str(said.value)) < 500


def test_a_pin_of_a_table_without_that_view_is_a_sentence(made: dict[str, Artifact]) -> None:
    name = f"mentions@{made['images'].manifest.fingerprint[:6]}"
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'concepts@"):
        sql.connect(made["images"].root, names=[name])
    judged = f"judged_labels@{made['pseudo_labels'].manifest.fingerprint[:6]}"
    with sql.connect(made["images"].root, names=[judged]) as connection:
        assert sql.batches(sql.query(connection, f"FROM {judged}")).read_all().num_rows > 0


@pytest.mark.parametrize(
    "name", ["sto're", "sto[re]", "st*re", "st?re", 'st"ore', "st{o}re", "ö ü"]
)
def test_a_store_may_be_called_anything(tmp_path: Path, name: str) -> None:
    made = make_all(tmp_path / name, count=3)
    make_all(tmp_path / "store", count=5)  # what a pattern would match besides
    assert ask(made, "SELECT count(*) AS n FROM pseudo_labels") == [
        {"n": made["pseudo_labels"].manifest.rows}
    ]
    sql.write_database(tmp_path / name, tmp_path / "out.duckdb")
    assert list(sql.matching(made["pseudo_labels"], 0, "true"))
