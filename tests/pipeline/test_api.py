"""The store from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas
import polars
import pytest

import pipeline
from schemas.errors import ArtifactNotFoundError, OptionError, QueryError
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.api import Store


pytestmark = pytest.mark.usefixtures("toy_verbs")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("api") / "store"
    make_all(root, count=8)
    return pipeline.open(root)


def test_a_table_is_read_when_it_is_asked_for(store: Store) -> None:
    rows = store.table("pseudo_labels")
    arrow = rows.to_arrow()
    assert len(rows) == arrow.num_rows > 0
    assert {"image_id", "region", "concept", "x0"} <= set(arrow.column_names)
    assert sum(batch.num_rows for batch in rows.batches()) == arrow.num_rows


def test_an_older_artifact_is_a_table_of_its_own(tmp_path: Path) -> None:
    old = make(Ingest(count=5), tmp_path)
    make(Ingest(count=3), tmp_path)
    store = pipeline.open(tmp_path)
    pin = f"images@{old.manifest.fingerprint[:6]}"
    assert (len(store.table("images")), len(store.table(pin))) == (3, 5)
    assert len(store.table("images", use=[pin])) == 5
    assert store.artifact(pin) == old
    assert len(store.artifacts()) == 2


def test_rows_become_data_frames(store: Store) -> None:
    rows = store.sql(
        "SELECT image_id, count(*) AS regions FROM pseudo_labels GROUP BY 1 ORDER BY 1"
    )
    assert isinstance(rows.to_pandas(), pandas.DataFrame)
    assert isinstance(rows.to_polars(), polars.DataFrame)


def test_a_statement_only_reads(store: Store) -> None:
    with pytest.raises(QueryError, match="changes nothing"):
        store.sql("DROP VIEW images").to_arrow()
    with pytest.raises(QueryError, match="changes nothing"):
        len(store.sql("SELECT 1) ; DROP VIEW images; SELECT (1"))
    with pytest.raises(OptionError, match="is not a table name"):
        store.table("images; DROP VIEW images")


def test_a_stage_that_ran_is_found_again(tmp_path: Path) -> None:
    store = pipeline.open(tmp_path / "new")
    images = store.run("ingest", count=4)
    assert images.manifest.rows > 0
    assert store.run("ingest", count=4).address == images.address
    assert store.run("extract-concepts", {"images": images}).manifest.inputs == {
        "images": images.address
    }


def test_what_a_stage_does_not_know_is_a_sentence(store: Store) -> None:
    with pytest.raises(OptionError, match="there is no stage 'lable'"):
        store.run("lable")
    with pytest.raises(OptionError, match=r"has no option temprature; it has .*temperature"):
        store.run("label", temprature=1.0)
    with pytest.raises(OptionError, match=r"reads .*features.*, not nothing_of_it"):
        store.run("label", {"nothing_of_it": "images"})
    with pytest.raises(ArtifactNotFoundError):
        store.artifact("students@00")


def test_a_store_says_where_it_is(store: Store) -> None:
    assert repr(store) == f"pipeline.open({str(store.root)!r})"
    assert 'FROM "images"' in repr(store.table("images"))
