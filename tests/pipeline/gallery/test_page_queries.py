"""The queries of the pages, against loops over the rows of the store."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.analysis.what_if import Thresholds, forecast
from pipeline.gallery import page_queries
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.store import catalog
from schemas.errors import OptionError, QueryError
from schemas.table import as_matrix
from tests.pipeline.helpers import make, rows_of
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

    Row = dict[str, Any]


@pytest.fixture(scope="module")
def pool(root: Path) -> ConnectionPool:
    return ConnectionPool(root)


@pytest.fixture(scope="module")
def labels(root: Path) -> list[Row]:
    """The rows of the newest pseudo-labels, with the names of their concepts."""
    embeddings = rows_of(catalog.find(root, "concept_embeddings"))
    names = dict(
        zip(embeddings["concept_id"].to_pylist(), embeddings["concept"].to_pylist(), strict=True)
    )
    rows = rows_of(catalog.find(root, "pseudo_labels")).to_pylist()
    return [{**row, "concept": names[row["concept_id"]]} for row in rows]


def ids(page: dict[str, Any]) -> list[str]:
    return [row["image_id"] for row in page["images"]]


@pytest.mark.slow
def test_the_overview_counts_refused_records_by_reason(
    toy_pool: ConnectionPool, toys: dict[str, Artifact]
) -> None:
    overview = page_queries.overview(toy_pool)
    address = toys["images"].address
    assert overview["refused"] == [{"artifact": address, "reason": "told-to", "records": 3}]
    assert {row["artifact"] for row in overview["artifacts"]} == {a.address for a in toys.values()}
    assert overview["labels"] == [toys["pseudo_labels"].address]
    parents = [row for row in overview["lineage"] if row["artifact"] == toys["features"].address]
    assert {row["made_from"] for row in parents} == {
        toys[name].address for name in ("images", "proposals", "teachers")
    }


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 4, 6])
def test_pages_forward_and_backward_contain_each_image_once(
    pool: ConnectionPool, limit: int
) -> None:
    everything = [f"scenes/{number:06}" for number in range(6)]
    forward: list[str] = []
    more = True
    while more:
        after = forward[-1] if forward else ""
        page = page_queries.images(pool, {"after": after, "limit": str(limit)})
        forward, more = forward + ids(page), page["more"]
    assert forward == everything
    backward: list[str] = []
    more = True
    while more:
        before = backward[0] if backward else "t"
        page = page_queries.images(pool, {"before": before, "limit": str(limit)})
        backward, more = ids(page) + backward, page["more"]
    assert backward == everything


def test_an_empty_page_has_no_more(pool: ConnectionPool) -> None:
    page = page_queries.images(pool, {"before": "scenes/000000", "limit": "1"})
    assert (page["images"], page["more"]) == ([], False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "thresholds", [{}, {"probability": 0.3}, {"margin": 0.2}, {"probability": 0.2, "margin": 0.05}]
)
def test_label_filters_hold_together_for_one_kept_region(
    pool: ConnectionPool, labels: list[Row], thresholds: dict[str, float]
) -> None:
    matched = 0
    for concept in sorted({row["concept"] for row in labels})[:6]:
        parameters = {name: str(value) for name, value in thresholds.items()}
        page = page_queries.images(pool, {**parameters, "concept": f" {concept.upper()} "})
        expected = {
            row["image_id"]
            for row in labels
            if row["kept"]
            and row["concept"] == concept
            and all(row[name] >= value for name, value in thresholds.items())
        }
        assert ids(page) == sorted(expected)
        matched += len(expected)
    assert matched


def test_an_image_found_by_a_region_has_its_boxes_the_most_probable_first(
    pool: ConnectionPool, labels: list[Row]
) -> None:
    concept, _ = Counter(row["concept"] for row in labels if row["kept"]).most_common(1)[0]
    page = page_queries.images(pool, {"concept": concept, "probability": "0.2"})
    assert page["images"]
    for image in page["images"]:
        passing = [
            row
            for row in labels
            if row["kept"]
            and row["concept"] == concept
            and row["probability"] >= 0.2
            and row["image_id"] == image["image_id"]
        ]
        passing.sort(key=lambda row: (-row["probability"], row["region"]))
        sides = ("x0", "y0", "x1", "y1")
        assert image["boxes"] == [[round(row[side]) for side in sides] for row in passing[:5]]
    assert "boxes" not in page_queries.images(pool, {"text": "a"})["images"][0]


def test_visitors_are_told_at_once_that_no_image_has_a_box(
    pool: ConnectionPool, tmp_path: Path
) -> None:
    assert page_queries.images(pool, {})["note"] is None
    make(Ingest(count=3), tmp_path)
    bare = ConnectionPool(tmp_path)
    annotated = any(row["objects"] for row in bare.query("SELECT objects FROM images"))
    assert (page_queries.images(bare, {})["note"] == page_queries.NO_BOXES) is not annotated


def test_text_and_split_filter_images(pool: ConnectionPool) -> None:
    assert ids(page_queries.images(pool, {"text": "onerror=ALERT"})) == ["scenes/000000"]
    assert ids(page_queries.images(pool, {"text": "%"})) == []
    assert ids(page_queries.images(pool, {"split": "elsewhere"})) == []
    assert len(ids(page_queries.images(pool, {"split": "scenes"}))) == 6
    assert ids(page_queries.images(pool, {"concept": "' OR '1'='1"})) == []


def test_the_choices_of_the_filters_are_those_of_the_store(
    toy_pool: ConnectionPool, toys: dict[str, Artifact]
) -> None:
    page = page_queries.images(toy_pool, {})
    assert page["artifacts"] == [{"address": toys["images"].address, "rows": 17}]
    assert page["splits"] == ["val"]


@pytest.mark.parametrize("value", ["x", "-1", "0", "1.5", "²", "\uff11"])
def test_a_limit_that_is_no_positive_integer_is_refused(pool: ConnectionPool, value: str) -> None:
    with pytest.raises(OptionError, match=f"limit is a positive integer, not '{value}'"):
        page_queries.images(pool, {"limit": value})


@pytest.mark.parametrize("value", ["much", "nan", "inf", "-0.1", "1.01", " "])
def test_a_threshold_outside_0_to_1_is_refused(pool: ConnectionPool, value: str) -> None:
    sentence = f"margin is a number from 0 to 1, not '{value}'"
    with pytest.raises(OptionError, match=sentence):
        page_queries.images(pool, {"margin": value})
    with pytest.raises(OptionError, match=sentence):
        page_queries.what_if(pool, {"margin": value})


def test_without_labels_a_filter_by_label_is_a_sentence(tmp_path: Path) -> None:
    make(Ingest(count=3), tmp_path / "store")
    pool = ConnectionPool(tmp_path / "store")
    for parameters in ({"concept": "dog"}, {"probability": "0.5"}):
        with pytest.raises(QueryError, match="these images have no pseudo-labels yet; run 'rc lab"):
            page_queries.images(pool, parameters)
    with pytest.raises(QueryError, match="these images have no pseudo-labels yet"):
        page_queries.what_if(pool, {})
    assert page_queries.image(pool, {"id": "toy/000001"})["regions"] == []


def test_the_page_of_an_image_has_its_rows(pool: ConnectionPool, labels: list[Row]) -> None:
    page = page_queries.image(pool, {"id": "scenes/000001"})
    expected = [row for row in labels if row["image_id"] == "scenes/000001"]
    assert {row["region"]: row["concept"] for row in page["regions"]} == {
        row["region"]: row["concept"] for row in expected
    }
    probabilities = [row["probability"] for row in page["regions"]]
    assert probabilities == sorted((row["probability"] for row in expected), reverse=True)
    assert page["image"]["objects"]
    assert [row["score"] for row in page["detections"]] == sorted(
        (row["score"] for row in page["detections"]), reverse=True
    )
    assert page["sides"][0] == {"of": "truth", "words": "ground truth"}


@pytest.mark.slow
def test_an_unknown_image_has_an_empty_page(pool: ConnectionPool) -> None:
    page = page_queries.image(pool, {"id": "scenes/999999"})
    assert page == {"image": None, "regions": [], "detections": [], "sides": []}


def test_labels_of_other_images_are_not_on_the_page(root: Path) -> None:
    class OtherImages(ConnectionPool):
        def shows_same_images(self, table: str, labels: str = "") -> bool:
            return False

    pool = OtherImages(root)
    page = page_queries.image(pool, {"id": "scenes/000001", "labels": pool.image_addresses()[0]})
    assert (page["regions"], page["detections"]) == ([], [])
    assert page["image"]["image_id"] == "scenes/000001"


def test_the_pool_counts_regions_images_and_mentions(
    pool: ConnectionPool, labels: list[Row], root: Path
) -> None:
    rows = {row["concept"]: row for row in page_queries.concepts(pool, {})}
    kept = [row for row in labels if row["kept"]]
    regions = Counter(row["concept"] for row in kept)
    assert {name: row["regions"] for name, row in rows.items() if row["regions"]} == dict(regions)
    for concept in regions:
        own = [row for row in kept if row["concept"] == concept]
        assert rows[concept]["images"] == len({row["image_id"] for row in own})
        mean = float(np.mean([row["probability"] for row in own], dtype=np.float64))
        assert rows[concept]["probability"] == pytest.approx(mean)
    mentions = rows_of(catalog.find(root, "concepts"), drafts=True).to_pylist()
    mentioned = Counter(concept for concept, _ in {(m["concept"], m["image_id"]) for m in mentions})
    assert all(row["mentioned"] == mentioned[name] for name, row in rows.items())
    order = [(-row["regions"], name) for name, row in rows.items()]
    assert order == sorted(order)


def test_the_page_of_a_concept_equals_a_loop(
    pool: ConnectionPool, labels: list[Row], root: Path
) -> None:
    embeddings = rows_of(catalog.find(root, "concept_embeddings"))
    names = embeddings["concept"].to_pylist()
    vectors = as_matrix(embeddings, "embedding").astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    concept = Counter(row["concept"] for row in labels if row["kept"]).most_common(1)[0][0]
    page = page_queries.concept(pool, {"name": concept})
    own = [row for row in labels if row["concept"] == concept]
    bins = Counter(min(int(np.float32(row["probability"]) * 20), 19) for row in own)
    assert {row["bin"]: row["regions"] for row in page["histogram"]} == bins
    kept = sorted(row["probability"] for row in own if row["kept"])
    assert [row["probability"] for row in page["surest"]] == kept[::-1][:12]
    assert [row["probability"] for row in page["unsure"]] == kept[:12]
    cosines = np.delete(vectors @ vectors[names.index(concept)], names.index(concept))
    expected = np.sort(cosines)[::-1][:8]
    assert [row["cosine"] for row in page["near"]] == pytest.approx(expected, abs=1e-5)


def test_an_unknown_concept_has_an_empty_page(pool: ConnectionPool) -> None:
    page = page_queries.concept(pool, {"name": "no such concept"})
    assert page == {"histogram": [], "surest": [], "unsure": [], "near": []}


@pytest.mark.slow
@pytest.mark.parametrize(
    "thresholds", [{}, {"probability": 0.4}, {"margin": 0.1, "objectness": 0.3}]
)
def test_what_if_equals_the_command(
    pool: ConnectionPool, root: Path, thresholds: dict[str, float]
) -> None:
    parameters = {name: str(value) for name, value in thresholds.items()}
    for address in pool.label_addresses():
        (batch,) = forecast(root, [Thresholds(**thresholds)], None, address)
        row = page_queries.what_if(pool, {**parameters, "labels": address})
        assert row == {name: pytest.approx(value) for name, value in batch.to_pylist()[0].items()}
