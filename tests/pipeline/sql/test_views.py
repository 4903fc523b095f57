"""What the views show of the rows of the store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sql import views
from pipeline.sql.connection import open_locked
from pipeline.sql.relations import Relations
from schemas.errors import ArtifactError, QueryError
from schemas.table import as_matrix
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.sql.query_rows import query_rows
from tests.pipeline.toys import TOYS, WORDS, Featurize, Ingest, Propose

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.mark.slow
def test_every_table_is_a_view_with_its_rows(store: Path, artifacts: dict[str, Artifact]) -> None:
    for artifact in artifacts.values():
        name = artifact.manifest.artifact
        (row,) = query_rows(store, f"SELECT count(*) AS n FROM {name}")
        assert row["n"] == artifact.manifest.rows


@pytest.mark.slow
def test_captions_and_objects_are_unnested(store: Path, artifacts: dict[str, Artifact]) -> None:
    images = rows_of(artifacts["images"]).to_pylist()
    captions = query_rows(store, "FROM captions ORDER BY image_id, caption")
    assert [(row["image_id"], row["caption"], row["text"]) for row in captions] == [
        (image["image_id"], rank, text)
        for image in images
        for rank, text in enumerate(image["captions"])
    ]
    objects = query_rows(store, "FROM objects ORDER BY image_id, object")
    assert [(row["image_id"], row["category"], row["x1"]) for row in objects] == [
        (image["image_id"], box["category"], box["x1"])
        for image in images
        for box in image["objects"]
    ]


def test_pseudo_labels_have_concept_names_and_boxes(store: Path) -> None:
    for row in query_rows(store, "FROM pseudo_labels"):
        assert row["concept"] == WORDS[row["region"]] or row["concept"] in WORDS
        assert row["x1"] == row["x0"] + 10
        assert row["objectness"] == pytest.approx(1 / (1 + row["region"]))


@pytest.mark.slow
def test_mentions_say_which_caption_mentions_which_concept_of_the_pool(store: Path) -> None:
    mentions = query_rows(store, "FROM mentions JOIN captions USING (image_id, caption)")
    assert mentions
    assert all(row["concept"] in row["text"] for row in mentions)
    total = sum(row["mentions"] for row in query_rows(store, "FROM concepts"))
    assert sum(row["mentions"] for row in mentions) == total


@pytest.mark.slow
def test_a_judged_label_has_the_category_of_its_best_object_from_iou_one_half(
    artifacts: dict[str, Artifact],
) -> None:
    root = artifacts["images"].root
    rows = query_rows(
        root, "SELECT image_id, region, x0, y0, x1, y1, truth, iou, captions FROM judged_labels"
    )
    objects = query_rows(root, "FROM objects")
    assert len(rows) == artifacts["pseudo_labels"].manifest.rows
    for row in rows:
        on_image = [o for o in objects if o["image_id"] == row["image_id"]]
        best = max(((_iou(row, o), o["category"]) for o in on_image), default=(None, None))
        assert row["iou"] == pytest.approx(best[0], abs=1e-6)
        assert row["truth"] == (best[1] if on_image and best[0] >= 0.5 else None)
        assert row["captions"]


def _iou(a: dict[str, Any], b: dict[str, Any]) -> float:
    width = max(0.0, min(a["x1"], b["x1"]) - max(a["x0"], b["x0"]))
    height = max(0.0, min(a["y1"], b["y1"]) - max(a["y0"], b["y0"]))
    areas = [(r["x1"] - r["x0"]) * (r["y1"] - r["y0"]) for r in (a, b)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("width", [6, 37])
def test_vectors_are_float_arrays_of_their_width(root: Path, precision: str, width: int) -> None:
    make_all(root, count=7)
    features = make(Featurize(width=width, precision=precision), root)
    (kind,) = query_rows(root, "SELECT DISTINCT typeof(feature) AS kind FROM features")
    assert kind == {"kind": f"FLOAT[{width}]"}
    shown = query_rows(root, "SELECT feature FROM features ORDER BY image_id, region")
    stored = as_matrix(rows_of(features), "feature")
    assert stored.dtype == precision
    np.testing.assert_array_equal(np.array([row["feature"] for row in shown]), stored)


@pytest.mark.slow
def test_array_functions_work_on_vectors(store: Path, artifacts: dict[str, Artifact]) -> None:
    features = as_matrix(rows_of(artifacts["features"]), "feature").astype(np.float64)
    embeddings = as_matrix(rows_of(artifacts["concept_embeddings"]), "embedding")
    rows = query_rows(
        store,
        "SELECT array_cosine_similarity(feature, embedding) AS cosine FROM features, "
        "concept_embeddings ORDER BY image_id, region, concept_id",
    )
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = (unit @ embeddings.T.astype(np.float64)).ravel()
    np.testing.assert_allclose([row["cosine"] for row in rows], expected, atol=1e-6)


@pytest.mark.slow
def test_rows_with_vectors_can_be_filtered_and_counted(store: Path) -> None:
    assert query_rows(store, "SELECT count(*) AS n FROM features WHERE region = 1")[0]["n"] == 17
    assert (
        query_rows(store, "SELECT max(list_sum(feature::FLOAT[])) AS s FROM features")[0]["s"] > 0.5
    )


@pytest.mark.slow
def test_pinned_features_are_float_arrays(artifacts: dict[str, Artifact]) -> None:
    pin = f"features@{artifacts['features'].manifest.fingerprint[:6]}"
    (row,) = query_rows(
        artifacts["images"].root,
        f"SELECT max(array_cosine_similarity(feature, feature)) AS own FROM {pin}",
    )
    assert row["own"] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1])
def test_artifacts_without_rows_give_empty_views(root: Path, count: int) -> None:
    made: dict[str, str] = {}
    for stage in (Ingest(count=count, refuse_every=7), *(toy() for toy in TOYS[1:])):
        roles = {role: made.get(reads.table.name, "") for role, reads in stage.requires().items()}
        artifact = make(stage, root, roles, allow_empty=True)  # the first image is refused
        made[artifact.manifest.artifact] = artifact.address
    for view in ("images", "captions", "objects", "mentions", "features", "pseudo_labels"):
        assert query_rows(root, f"FROM {view}") == []
    assert query_rows(root, "SELECT feature FROM features") == []
    assert len(query_rows(root, "FROM quarantine WHERE reason = 'told-to'")) == count


@pytest.mark.slow
def test_an_empty_first_part_does_not_hide_the_width_of_vectors(root: Path) -> None:
    make(Ingest(count=6, per_part=1, refuse_every=3), root)
    make_all(root, count=3)
    images = make(Ingest(count=6, per_part=1, refuse_every=3), root)
    proposals = make(Propose(), root, {"images": images.address})
    features = make(Featurize(), root, {"proposals": proposals.address})
    assert [part.rows for part in features.parts] == [0, 3, 3, 0, 3, 3]
    assert len(query_rows(root, "SELECT feature FROM features")[0]["feature"]) == 6


@pytest.mark.slow
def test_a_damaged_part_is_refused(root: Path) -> None:
    made = make_all(root)
    made["features"].part(0).write_bytes(b"no Parquet")
    with pytest.raises(ArtifactError, match=r"part-00000\.parquet has 10 bytes"):
        query_rows(root, "FROM features")


@pytest.mark.parametrize(("name", "reads", "statement"), views.view_files())
def test_a_view_file_lists_the_tables_that_it_reads(
    name: str, reads: list[str], statement: str
) -> None:
    code = re.sub(r"--[^\n]*", "", statement)
    assert set(re.findall(r"(?<![\w.])_\w+", code)) == set(reads)
    assert code.split()[:3] == ["CREATE", "VIEW", name]


def test_a_view_file_without_its_reads_line_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong.sql").write_text("CREATE VIEW wrong AS SELECT 1;")
    monkeypatch.setattr(views, "FOLDER", tmp_path)
    with pytest.raises(QueryError, match=r"wrong\.sql lacks 'CREATE VIEW' or the '-- Reads:' line"):
        views.view_files.__wrapped__()


ODD_NAMES = (
    *("x[1]", "x1", "run*", "run1", "**", "a?b", "axb", "x[!a]", "{1..3}", "1", "q'q", "ü 空"),
    *("n=7", "~", "s3:", "b\\c", "x[", "x]y", "file:a", "%41", "A"),
)


def test_a_view_reads_its_own_files_whatever_their_folders_are_called(
    tmp_path: Path,
) -> None:
    for number, name in enumerate(ODD_NAMES):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"n": [number]}), tmp_path / name / "part-00000.parquet")
    for number, name in enumerate(ODD_NAMES):
        relations = Relations({"numbers": [tmp_path / name / "part-00000.parquet"]})
        with open_locked(relations, threads=1) as connection:
            assert connection.execute("FROM numbers").fetchall() == [(number,)], name


def test_a_path_that_duckdb_cannot_open_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "back\\slash*" / "part-00000.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"n": [1]}), path)
    with (
        pytest.raises(QueryError, match=r"DuckDB cannot open the numbers of .* another path\.$"),
        open_locked(Relations({"numbers": [path]}), threads=1),
    ):
        pass
