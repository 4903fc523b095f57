"""Predicates of --where: one deterministic expression over the rows of pseudo_labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.store import parts
from schemas.errors import QueryError
from schemas.pseudo_labels import PSEUDO_LABELS
from tests.pipeline.helpers import contents, make, make_all, rows_of
from tests.pipeline.sql.query_rows import query_rows
from tests.pipeline.toys import Featurize, Ingest, Label, Propose, Train

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


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
    "EXISTS (FROM images)",  # only labels, boxes and names can be used
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
def test_what_is_not_one_expression_over_the_labels_is_refused(
    artifacts: dict[str, Artifact], predicate: str
) -> None:
    labels = artifacts["pseudo_labels"]
    predicate = predicate.format(outside=labels.root.parent)
    before = contents(labels.path)
    with pytest.raises(QueryError) as refused:
        list(sql.matching(labels, 0, predicate))
    assert "\n" not in str(refused.value)
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
def test_a_valid_predicate_is_accepted(artifacts: dict[str, Artifact], predicate: str) -> None:
    labels = artifacts["pseudo_labels"]
    rows = sum(batch.num_rows for batch in sql.matching(labels, 0, predicate))
    assert 0 <= rows <= labels.parts[0].rows


def test_a_predicate_keeps_the_order_and_the_types_of_rows(
    store: Path, artifacts: dict[str, Artifact]
) -> None:
    labels = artifacts["pseudo_labels"]
    everything = list(parts.batches(labels.part(1)))
    chosen = list(sql.matching(labels, 1, "probability > 0.4 OR concept = 'dog'"))
    for batch in chosen:
        PSEUDO_LABELS.check(batch)
    names = {
        row["concept_id"]: row["concept"] for row in query_rows(store, "FROM concept_embeddings")
    }
    assert pa.Table.from_batches(chosen).to_pylist() == [
        row
        for row in pa.Table.from_batches(everything).to_pylist()
        if row["probability"] > 0.4 or names[row["concept_id"]] == "dog"
    ]


def test_a_predicate_keeps_the_order_of_many_rows(root: Path) -> None:
    make_all(root, count=2)
    images = make(Ingest(count=20_000, per_part=20_000, batch=5000), root)
    proposals = make(Propose(regions=9, dump=False, batch=9000), root)
    features = make(Featurize(batch=9000), root, {"proposals": proposals.address})
    labels = make(Label(batch=9000), root, {"features": features.address})
    assert labels.manifest.rows == 180_000
    chosen = pa.Table.from_batches(list(sql.matching(labels, 0, "region IN (2, 5)")))
    expected = [
        (image, region)
        for image in rows_of(images).column("image_id").to_pylist()
        for region in (2, 5)
    ]
    keys = [(row["image_id"], row["region"]) for row in chosen.to_pylist()]
    assert keys == expected


def test_training_reads_the_rows_that_its_predicate_chooses(root: Path) -> None:
    make_all(root)
    trained = make(Train(where="region = 0 -- the most object-like"), root)
    assert trained.manifest.notes["regions_by_part"] == {"0": 4, "1": 4, "2": 4, "3": 5}


def test_a_predicate_holds_for_a_row_of_any_part_or_for_none(
    artifacts: dict[str, Artifact],
) -> None:
    labels = artifacts["pseudo_labels"]
    last = rows_of(labels)["image_id"][-1].as_py()
    assert sql.any_match(labels, f"image_id = '{last}'")
    assert not sql.any_match(labels, "region > 99")


def test_an_unknown_column_is_answered_with_the_columns(store: Path) -> None:
    with (
        sql.connect(store) as connection,
        pytest.raises(QueryError, match=r"The columns for --where are image_id, region, .*concept"),
    ):
        sql.check_columns(connection, "confidence > 0.5")


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ("kept", True),
        ("kept OR false -- all", True),
        ("NOT (NOT kept)", True),
        ("true", False),
        ("NOT kept", False),
        ("kept AND region = 0", False),
        ("kept AND NULL", False),
    ],
)
def test_a_predicate_means_kept_if_it_is_equal_to_that_column(
    predicate: str, *, expected: bool
) -> None:
    assert sql.means_kept(predicate) == expected


def test_the_rows_that_a_predicate_chooses_are_kept(artifacts: dict[str, Artifact]) -> None:
    labels = artifacts["pseudo_labels"]
    rows = pa.Table.from_batches(list(sql.matching(labels, 0, "NOT kept")))
    assert rows.num_rows > 0
    assert set(rows["kept"].to_pylist()) == {True}
