"""The store from Python."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pandas
import polars
import pytest

import pipeline
from schemas.errors import ArtifactNotFoundError, OptionError, QueryError, SourceError
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


@pytest.mark.slow
def test_the_rows_of_a_table_are_read_when_they_are_used(store: Store) -> None:
    rows = store.table("pseudo_labels")
    arrow = rows.to_arrow()
    assert len(rows) == arrow.num_rows > 0
    assert {"image_id", "region", "concept", "x0"} <= set(arrow.column_names)
    assert sum(batch.num_rows for batch in rows.batches()) == arrow.num_rows


@pytest.mark.slow
def test_an_older_artifact_has_its_own_table_name(tmp_path: Path) -> None:
    older = make(Ingest(count=5), tmp_path)
    make(Ingest(count=3), tmp_path)
    store = pipeline.open(tmp_path)
    pin = f"images@{older.manifest.fingerprint[:6]}"
    assert (len(store.table("images")), len(store.table(pin))) == (3, 5)
    assert len(store.table("images", use=[pin])) == 5
    assert store.artifact(pin) == older
    assert len(store.artifacts()) == 2


@pytest.mark.slow
def test_rows_become_data_frames(store: Store) -> None:
    rows = store.sql(
        "SELECT image_id, count(*) AS regions FROM pseudo_labels GROUP BY 1 ORDER BY 1"
    )
    assert isinstance(rows.to_pandas(), pandas.DataFrame)
    assert isinstance(rows.to_polars(), polars.DataFrame)


@pytest.mark.slow
def test_a_statement_only_reads(store: Store) -> None:
    with pytest.raises(QueryError, match="changes nothing"):
        store.sql("DROP VIEW images").to_arrow()
    with pytest.raises(QueryError, match="changes nothing"):
        len(store.sql("SELECT 1) ; DROP VIEW images; SELECT (1"))
    with pytest.raises(OptionError, match="is not a table name"):
        store.table("images; DROP VIEW images")


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    store = pipeline.open(tmp_path / "new")
    images = store.run("ingest", count=4)
    assert images.manifest.rows > 0
    assert store.run("ingest", count=4).address == images.address
    assert store.run("extract-concepts", {"images": images}).manifest.inputs == {
        "images": images.address
    }


def test_unknown_verbs_options_and_inputs_are_refused(store: Store) -> None:
    with pytest.raises(OptionError, match="there is no stage 'lable'"):
        store.run("lable")
    with pytest.raises(OptionError, match=r"has no option temprature; it has .*temperature"):
        store.run("label", temprature=1.0)
    with pytest.raises(OptionError, match=r"reads .*features.*, not nothing_of_it"):
        store.run("label", {"nothing_of_it": "images"})
    with pytest.raises(ArtifactNotFoundError):
        store.artifact("students@00")


def test_the_text_of_a_store_and_of_a_result_say_what_they_are(store: Store) -> None:
    assert repr(store) == f"pipeline.open({str(store.root)!r})"
    assert 'FROM "images"' in repr(store.table("images"))


@pytest.mark.slow
def test_the_number_of_rows_ignores_a_comment_at_the_end(store: Store) -> None:
    assert len(store.sql("FROM images -- all")) == len(store.table("images")) > 0


@pytest.mark.slow
def test_an_artifact_can_be_preferred_by_an_older_result(tmp_path: Path) -> None:
    older = make(Ingest(count=5), tmp_path)
    make(Ingest(count=3), tmp_path)
    rows = pipeline.open(tmp_path).sql("FROM images", use=[older.address])
    assert sum(batch.num_rows for batch in rows.batches()) == len(rows) == 5
    assert rows.to_arrow().num_rows == 5


def test_a_list_is_taken_as_a_tuple_and_an_address_as_an_input(tmp_path: Path) -> None:
    store = pipeline.open(tmp_path / "new")
    images = store.run("ingest", sources=["a", "b"], count=4)
    assert set(images.manifest.sources) == {"a", "b"}
    store.run("ingest", sources=["c"], count=2)
    proposals = store.run("propose", {"images": images.address}, regions=2)
    assert proposals.manifest.rows == 8


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SourceError, match=f"{library} is not installed: pip install {library}"):
        getattr(store.table("images"), f"to_{library}")()


@pytest.mark.parametrize("name", ["", "images;", "images@", "a b", 'x"y', "images@3f9c@0"])
def test_only_a_name_is_accepted_as_a_table(store: Store, name: str) -> None:
    with pytest.raises(OptionError, match="is not a table name: write pseudo_labels or"):
        store.table(name)
