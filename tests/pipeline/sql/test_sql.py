"""Questions to the store: what the views show, of which artifacts, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.sql.relations import IN_ORDER
from pipeline.store import parts
from pipeline.verbs import VERBS
from schemas.errors import ArtifactError, ArtifactNotFoundError, QueryError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.table import as_matrix
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.toys import (
    WORDS,
    EmbedConcepts,
    ExtractConcepts,
    Featurize,
    Ingest,
    Label,
    Propose,
    Train,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sql") / "store"
    make_all(root)
    return root


def ask(root: Path, statement: str, *pins: str) -> list[dict[str, Any]]:
    with sql.connect(root, pins, leads=sql.leads_of(statement)) as connection:
        rows = sql.batches(sql.query(connection, statement))
        return [row for batch in rows for row in batch.to_pylist()]


def test_every_table_is_a_view_with_its_rows(store: Path) -> None:
    for artifact in make_all(store).values():
        name = artifact.manifest.artifact
        (row,) = ask(store, f"SELECT count(*) AS n FROM {name}")
        assert row["n"] == artifact.manifest.rows


def test_captions_and_objects_are_unnested(store: Path) -> None:
    images = rows_of(make_all(store)["images"]).to_pylist()
    captions = ask(store, "FROM captions ORDER BY image_id, caption")
    assert [(row["image_id"], row["caption"], row["text"]) for row in captions] == [
        (image["image_id"], rank, text)
        for image in images
        for rank, text in enumerate(image["captions"])
    ]
    objects = ask(store, "FROM objects ORDER BY image_id, object")
    assert [(row["image_id"], row["category"], row["x1"]) for row in objects] == [
        (image["image_id"], each["category"], each["x1"])
        for image in images
        for each in image["objects"]
    ]


def test_pseudo_labels_come_with_names_and_boxes(store: Path) -> None:
    for row in ask(store, "FROM pseudo_labels"):
        assert row["concept"] == WORDS[row["region"]] or row["concept"] in WORDS
        assert row["x1"] == row["x0"] + 10
        assert row["objectness"] == pytest.approx(1 / (1 + row["region"]))


def test_mentions_say_which_caption_mentions_which_concept_of_the_pool(store: Path) -> None:
    found = ask(store, "FROM mentions JOIN captions USING (image_id, caption)")
    assert found
    assert all(row["concept"] in row["text"] for row in found)
    total = sum(row["mentions"] for row in ask(store, "FROM concepts"))
    assert sum(row["mentions"] for row in found) == total


def test_what_was_refused_is_in_quarantine_with_the_artifact_it_was_refused_for(
    store: Path,
) -> None:
    images = make_all(store)["images"]
    assert ask(store, "FROM quarantine ORDER BY record") == [
        {
            "artifact": images.address,
            "record": f"toy/{number:06d}",
            "reason": "told-to",
            "detail": "The toy was told to refuse it.",
        }
        for number in (0, 7, 14)
    ]


def test_artifacts_and_lineage_are_tables_too(store: Path) -> None:
    made = make_all(store)
    shown = {row["artifact"]: row for row in ask(store, "FROM artifacts")}
    assert set(shown) == {artifact.address for artifact in made.values()}
    assert shown[made["images"].address]["dropped"] == 3
    edges = {(row["artifact"], row["role"], row["made_from"]) for row in ask(store, "FROM lineage")}
    assert (made["features"].address, "teacher", made["teachers"].address) in edges


@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("width", [6, 37])
def test_vectors_are_float_arrays_of_their_width(root: Path, precision: str, width: int) -> None:
    make_all(root, count=7)
    features = make(Featurize(width=width, precision=precision), root)
    (kind,) = ask(root, "SELECT DISTINCT typeof(feature) AS kind FROM features")
    assert kind == {"kind": f"FLOAT[{width}]"}
    shown = ask(root, "SELECT feature FROM features ORDER BY image_id, region")
    stored = as_matrix(rows_of(features), "feature")
    assert stored.dtype == precision
    np.testing.assert_array_equal(np.array([row["feature"] for row in shown]), stored)


def test_array_functions_work_on_vectors(store: Path) -> None:
    features = as_matrix(rows_of(make_all(store)["features"]), "feature").astype(np.float64)
    embeddings = as_matrix(rows_of(make_all(store)["concept_embeddings"]), "embedding")
    found = ask(
        store,
        "SELECT array_cosine_similarity(feature, embedding) AS cosine FROM features, "
        "concept_embeddings ORDER BY image_id, region, concept_id",
    )
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = (unit @ embeddings.T.astype(np.float64)).ravel()
    np.testing.assert_allclose([row["cosine"] for row in found], expected, atol=1e-6)


def test_vectors_can_be_chosen_by_rows_and_counted_without_being_read(store: Path) -> None:
    assert ask(store, "SELECT count(*) AS n FROM features WHERE region = 1")[0]["n"] == 17
    assert ask(store, "SELECT max(list_sum(feature::FLOAT[])) AS s FROM features")[0]["s"] > 0.5


@pytest.mark.parametrize("count", [0, 1])
def test_artifacts_without_rows_answer_nothing_rather_than_fail(root: Path, count: int) -> None:
    make_all(root, count=count)  # of one image, that one is refused
    for view in ("images", "captions", "objects", "mentions", "features", "pseudo_labels"):
        assert ask(root, f"FROM {view}") == []
    assert ask(root, "SELECT feature FROM features") == []
    assert len(ask(root, "FROM quarantine WHERE reason = 'told-to'")) == count


def test_an_empty_first_part_does_not_hide_the_width_of_vectors(root: Path) -> None:
    make(Ingest(count=6, per_part=1, refuse_every=3), root)
    make_all(root, count=3)
    images = make(Ingest(count=6, per_part=1, refuse_every=3), root)
    proposals = make(Propose(), root, {"images": images.address})
    features = make(Featurize(), root, {"proposals": proposals.address})
    assert [part.rows for part in features.manifest.parts] == [0, 3, 3, 0, 3, 3]
    assert len(ask(root, "SELECT feature FROM features")[0]["feature"]) == 6


def test_a_store_with_only_some_tables_has_only_their_views(root: Path) -> None:
    make(Ingest(), root)
    names = {row["name"] for row in ask(root, "SHOW TABLES") if not row["name"].startswith("_")}
    assert names == {"images", "captions", "objects", "artifacts", "lineage", "quarantine"}
    with pytest.raises(QueryError, match="Table with name features does not exist"):
        ask(root, "FROM features")


def test_labels_whose_embeddings_were_deleted_are_shown_without_names(root: Path) -> None:
    made = make_all(root)
    (made["concept_embeddings"].path / "manifest.json").unlink()
    (row,) = ask(root, "FROM pseudo_labels LIMIT 1")
    assert "concept" not in row
    assert row["region"] == 0


def test_nothing_in_the_store_is_a_sentence(root: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"nothing is in .* begin with 'rc ingest'"):
        sql.connect(root)


def test_a_question_sees_the_newest_of_what_it_is_about_and_what_that_was_made_from(
    root: Path,
) -> None:
    made = make_all(root)
    make(Ingest(count=3), root)
    assert ask(root, "SELECT count(*) AS n FROM images")[0]["n"] == 3
    both = "SELECT count(DISTINCT image_id) AS n FROM {} JOIN {} USING (image_id)"
    assert ask(root, both.format("images", "pseudo_labels"))[0]["n"] > 3
    assert ask(root, both.format("pseudo_labels", "captions"))[0]["n"] > 3
    shown = {row["artifact"] for row in ask(root, "FROM artifacts WHERE shown")}
    assert shown == {artifact.address for artifact in made.values()}


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("FROM images", ["images"]),
        (
            "WITH a AS (FROM Captions) FROM a, pseudo_labels",
            ["pseudo_labels", "images"],
        ),
        ("SELECT (SELECT count(*) FROM detections) FROM objects", ["metrics", "images"]),
        ("FROM judged_labels, pseudo_labels@3f9c", ["pseudo_labels"]),
        ("FROM mentions UNION FROM artifacts", ["concepts"]),
        ("SELECT 'images'", []),
        ("this is no SQL", []),
        ("DROP TABLE images", []),
        ("", []),
    ],
)
def test_what_a_statement_is_about_is_told_by_its_tables(statement: str, tables: list[str]) -> None:
    assert sql.leads_of(statement) == tables


def test_every_table_has_its_place_in_the_order_of_the_data() -> None:
    assert set(IN_ORDER) == {verb.load().writes.name for verb in VERBS.values()}


def test_a_pin_shows_an_older_artifact_with_all_it_was_made_from(root: Path) -> None:
    made = make_all(root)
    make_all(root, count=5)
    assert ask(root, "SELECT count(*) AS n FROM images")[0]["n"] == 4
    pin = f"pseudo_labels@{made['pseudo_labels'].manifest.fingerprint[:8]}"
    assert ask(root, "SELECT count(*) AS n FROM images", pin)[0]["n"] == 17
    assert ask(root, "SELECT count(*) AS n FROM proposals", pin)[0]["n"] == 51
    with pytest.raises(ArtifactNotFoundError):
        ask(root, "FROM images", "images@00000000")


def test_labels_keep_their_own_names_and_boxes_when_newer_ones_exist(root: Path) -> None:
    made = make_all(root)
    before = ask(root, "FROM pseudo_labels ORDER BY ALL")
    pool = make(ExtractConcepts(min_frequency=9), root)  # a smaller pool: other ids
    teacher = made["teachers"].address
    make(EmbedConcepts(), root, {"concepts": pool.address, "teacher": teacher})
    make(Propose(regions=1), root)
    assert ask(root, "FROM pseudo_labels ORDER BY ALL") == before
    assert len(ask(root, "FROM concept_embeddings")) == pool.manifest.rows < len(WORDS)


def test_a_damaged_part_is_a_sentence(root: Path) -> None:
    made = make_all(root)
    made["features"].part(0).write_bytes(b"no Parquet")
    with pytest.raises(ArtifactError, match=r"part-00000\.parquet cannot be read"):
        ask(root, "FROM features")


def test_a_statement_that_fails_while_it_is_read_is_a_sentence(store: Path) -> None:
    with pytest.raises(QueryError, match="Could not convert string"):
        ask(store, "SELECT image_id::INTEGER AS number FROM images")
    with pytest.raises(QueryError, match="Parser Error"):
        ask(store, "SELEC 1")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 AS a",
        "FROM images",
        "VALUES (1)",
        "DESCRIBE images",
        "SUMMARIZE images",
        "SHOW TABLES",
        "EXPLAIN SELECT count(*) FROM images",
        "explain analyze SELECT count(*) FROM images",
        "WITH few AS (FROM images LIMIT 3) SELECT count(*) FROM few",
        "SELECT concept, count(*) FROM pseudo_labels GROUP BY ALL ORDER BY 2 DESC",
        "PIVOT pseudo_labels ON region IN (0, 1) USING count(*) GROUP BY concept",
        "SELECT * FROM images USING SAMPLE 2",
        "-- a comment\nSELECT 1; -- and another",
    ],
)
def test_statements_that_only_read_are_answered(store: Path, statement: str) -> None:
    ask(store, statement)


def labels_of(store: Path) -> Any:
    return make_all(store)["pseudo_labels"]


def test_a_predicate_keeps_the_order_and_the_types_of_rows(store: Path) -> None:
    labels = labels_of(store)
    everything = list(parts.batches(labels.part(1)))
    chosen = list(sql.matching(labels, 1, "probability > 0.4 OR concept = 'dog'"))
    for batch in chosen:
        PSEUDO_LABELS.check(batch)
    names = {row["concept_id"]: row["concept"] for row in ask(store, "FROM concept_embeddings")}
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


def test_the_part_a_predicate_chose_from_is_the_part_that_is_trained_on(root: Path) -> None:
    make_all(root)
    trained = make(Train(where="region = 0 -- the most object-like"), root)
    assert trained.manifest.notes["regions_by_part"] == {"0": 4, "1": 4, "2": 4, "3": 5}


def test_a_damaged_quarantine_is_a_sentence(root: Path) -> None:
    made = make(Ingest(count=6, refuse_every=2), root)
    (path, *_) = made.attachments("quarantine.parquet")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArtifactError, match=r"quarantine\.parquet cannot be read"):
        sql.connect(root)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"quarantine\.parquet cannot be read"):
        sql.connect(root)
