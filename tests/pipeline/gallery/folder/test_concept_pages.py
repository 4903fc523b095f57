"""The pages of all concepts at once equal those computed one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.gallery import page_queries
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.folder import concept_pages as module
from pipeline.gallery.folder.concept_pages import concept_pages
from pipeline.store import catalog
from schemas.table import as_matrix
from tests.pipeline.helpers import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact


def pages_of(root: Path, names: Sequence[str], images: Sequence[str]) -> dict[str, dict[str, Any]]:
    with sql.connect(root) as connection:
        table = pa.table({"image_id": pa.array(images, pa.string())})
        connection.register("_shown", table)
        return dict(concept_pages(connection, names, "_shown"))


@pytest.fixture(scope="module")
def names(root: Path) -> list[str]:
    concepts: list[str] = rows_of(catalog.find(root, "concept_embeddings"))["concept"].to_pylist()
    return concepts


ALL = [f"scenes/{number:06}" for number in range(6)]


@pytest.mark.slow
def test_pages_equal_those_of_single_queries(root: Path, names: list[str]) -> None:
    pool = ConnectionPool(root)
    pages = pages_of(root, names, ALL)
    assert list(pages) == names
    for name in names[::9]:
        expected = page_queries.concept(pool, {"name": name})
        cosines = [[row["cosine"] for row in p.pop("near")] for p in (pages[name], expected)]
        assert cosines[0] == pytest.approx(cosines[1], abs=1e-5)
        assert pages[name] == expected


@pytest.mark.slow
def test_examples_are_only_from_shown_images(root: Path, names: list[str]) -> None:
    everything, some = pages_of(root, names, ALL), pages_of(root, names, ALL[:2])
    assert sum(len(page["surest"]) for page in some.values()) > 0
    for name in names:
        for order in ("surest", "unsure"):
            assert {row["image_id"] for row in some[name][order]} <= set(ALL[:2])
        assert some[name]["histogram"] == everything[name]["histogram"]


@pytest.mark.slow
def test_without_shown_images_there_are_no_examples(root: Path, names: list[str]) -> None:
    pages = pages_of(root, names[:3], [])
    assert all(page["surest"] == page["unsure"] == [] for page in pages.values())


@pytest.mark.slow
def test_an_unknown_concept_has_an_empty_page(root: Path) -> None:
    (page,) = pages_of(root, ["no such concept"], ALL).values()
    assert page == {"histogram": [], "surest": [], "unsure": [], "near": []}


@pytest.mark.slow
def test_the_nearest_concepts_equal_brute_force_whatever_the_block_size(
    root: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(catalog.find(root, "concept_embeddings"))
    vectors = as_matrix(rows, "embedding").astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr(module, "_BLOCK", 7)
    pages = pages_of(root, names, ALL)
    for number, name in enumerate(names):
        near = pages[name]["near"]
        assert name not in [row["concept"] for row in near]
        expected = np.sort(np.delete(vectors @ vectors[number], number))[::-1][:8]
        assert [row["cosine"] for row in near] == pytest.approx(expected, abs=1e-5)
        for row in near:
            other = vectors[names.index(row["concept"])]
            assert row["cosine"] == pytest.approx(vectors[number] @ other, abs=1e-5)


def test_equally_near_concepts_are_ordered_by_name(toys: dict[str, Artifact]) -> None:
    names = sorted(rows_of(toys["concept_embeddings"])["concept"].to_pylist())
    pages = pages_of(toys["images"].root, names, ["toy/000001"])  # orthogonal embeddings
    for name in names:
        assert [row["concept"] for row in pages[name]["near"]] == [n for n in names if n != name]
