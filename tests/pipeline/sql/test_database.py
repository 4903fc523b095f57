"""The DuckDB file that `rc db` writes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from pipeline import sql
from schemas.errors import OptionError, QueryError
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.mark.slow
@pytest.mark.parametrize("materialize", [False, True])
def test_the_database_is_readable_without_this_program(
    artifacts: dict[str, Artifact], tmp_path: Path, materialize: bool
) -> None:
    root, path = artifacts["images"].root, tmp_path / "out.duckdb"
    names = sql.write_database(root, path, materialize=materialize)
    with duckdb.connect(path, read_only=True) as client:
        for name in names:
            client.execute(f"SELECT * FROM {name}").fetchall()
        count = client.execute("SELECT count(*) FROM pseudo_labels").fetchone()
        kind = client.execute("SELECT typeof(feature) FROM features LIMIT 1").fetchone()
    assert count == (artifacts["pseudo_labels"].manifest.rows,)
    assert kind is not None
    assert kind[0].startswith("FLOAT[" if materialize else "BLOB")
    assert {"artifacts", "lineage", "quarantine", "judged_labels"} <= set(names)


def test_a_database_that_cannot_be_written_leaves_nothing(
    artifacts: dict[str, Artifact], tmp_path: Path
) -> None:
    with pytest.raises((QueryError, OSError)):
        sql.write_database(artifacts["images"].root, tmp_path / "no folder" / "out.duckdb")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_only_a_database_is_replaced_and_only_with_force(
    artifacts: dict[str, Artifact], tmp_path: Path
) -> None:
    root = artifacts["images"].root
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
        with pytest.raises(OptionError, match="exists and is not a DuckDB file"):
            sql.write_database(root, tmp_path / name, force=True)
    with pytest.raises(OptionError, match="is not a file name"):
        sql.write_database(root, type(path)(), force=True)
    assert (tmp_path / "notes.txt").read_text() == "precious"


@pytest.mark.slow
@pytest.mark.parametrize("materialize", [False, True])
def test_only_materialized_rows_outlive_the_store(tmp_path: Path, *, materialize: bool) -> None:
    root, path = tmp_path / "store", tmp_path / "out.duckdb"
    make(Ingest(count=3), root)
    sql.write_database(root, path, materialize=materialize)
    shutil.rmtree(root)
    with duckdb.connect(path, read_only=True) as client:
        if materialize:
            assert client.execute("SELECT count(*) FROM captions").fetchone() != (0,)
        else:
            with pytest.raises(duckdb.Error, match="No files found"):
                client.execute("FROM images")
